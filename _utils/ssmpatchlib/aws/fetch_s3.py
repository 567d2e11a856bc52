# SPDX-License-Identifier: Apache-2.0
"""Reads one object from S3, bounded in size and time: override documents as text, larger ones into a file."""

from __future__ import annotations

import io
from typing import IO, Any

from .. import documents
from ..config import AwsSettings, Settings
from ..errors import InvalidInput
from ..host import Host
from ..locations import AccessDenied, FetchError, within
from . import faults, identity
from .calls import Connection

#: Return codes of the AWS documents (docs/rules.md, Files and return codes).
DENIED = 160
NOT_READ = 162
_PART = 1 << 20


def read(location: str, settings: Settings, *, max_bytes: int, timeout: float, host: Host | None = None) -> str:
    """The object at ``s3://bucket/key`` as text, asked for in the node's region and followed to the bucket's.

    Raises:
        InvalidInput: code 162, no such location.
        AccessDenied: code 160, these credentials may not read it (S3 also says so of a key that is not there).
        FetchError: code 162, anything else.
    """
    handle = io.BytesIO()
    save(location, settings, handle, max_bytes=max_bytes, timeout=timeout, host=host)
    data = handle.getvalue()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FetchError(f"{location}: not a text document (it is not UTF-8)", code=NOT_READ) from None
    if documents.s3_error(text) == "AccessDenied":
        raise AccessDenied(f"{location}: S3 answered AccessDenied in place of the document", code=DENIED)
    return text


def save(
    location: str,
    settings: Settings,
    handle: IO[bytes],
    *,
    max_bytes: int,
    timeout: float,
    host: Host | None = None,
) -> None:
    """Write the object at ``s3://bucket/key`` into ``handle``, which is empty, part by part; raises as ``read``."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not location.startswith("s3://") or not bucket or not key:
        raise InvalidInput(f"{location!r} is no S3 location; use s3://bucket/key", code=NOT_READ)

    def work() -> bytes:
        _get(location, bucket, key, settings, handle, max_bytes, host or Host())
        return b""

    late = FetchError(f"{location}: no complete answer within {timeout:g} s", code=NOT_READ)
    within(timeout, work, late=late)


def _get(
    location: str, bucket: str, key: str, settings: Settings, handle: IO[bytes], max_bytes: int, host: Host
) -> None:
    aws = settings.aws or AwsSettings()
    region, ec2 = identity.region_and_kind(aws, host=host)
    connection = Connection(aws, region=region, ec2=ec2, host=host)

    def get(client: Any) -> None:
        answer = client.get_object(Bucket=bucket, Key=key)
        expected = answer.get("ContentLength", 0)
        # It may be asked for again, in the region of the bucket.
        handle.seek(0)
        handle.truncate()
        found = 0
        with answer["Body"] as body:
            if expected > max_bytes:
                raise _too_large(location, max_bytes)
            while part := body.read(min(_PART, max_bytes + 1 - found)):
                found += len(part)
                if found > max_bytes:
                    raise _too_large(location, max_bytes)
                handle.write(part)
        if found < expected:
            raise FetchError(f"{location}: the transfer ended after {found} of {expected} bytes", code=NOT_READ)

    try:
        connection.use("s3", "GetObject", get)
    except faults.AwsError as exc:
        if exc.kind == faults.DENIED:
            raise AccessDenied(f"{location}: {exc}", code=DENIED) from exc
        raise FetchError(f"{location}: {exc}", code=NOT_READ) from exc


def _too_large(location: str, max_bytes: int) -> FetchError:
    return FetchError(f"{location}: larger than {max_bytes} bytes; refused", code=NOT_READ)
