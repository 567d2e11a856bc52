# SPDX-License-Identifier: Apache-2.0
"""Which managed node this is: from the configuration, the instance metadata service or the hybrid registration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..config import INSTANCE_ID, REGION, AwsSettings
from ..errors import SsmpatchError
from ..host import Host
from . import metadata

NO_METADATA = 148

#: Where the SSM agent keeps what a hybrid activation gave it.
REGISTRATIONS = (
    Path("/var/lib/amazon/ssm/registration"),
    Path("/var/snap/amazon-ssm-agent/current/var/lib/amazon/ssm/registration"),
)
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(REGION)

CONFIGURATION = "configuration"
METADATA = "instance metadata"
REGISTRATION = "hybrid registration"


class NotIdentified(SsmpatchError):
    """It could not be found out which node this is; the message lists what was tried."""

    code = NO_METADATA


@dataclass(frozen=True, slots=True)
class Identity:
    """A managed node: ``i-…`` or ``mi-…``, its region, and where both were found (for people)."""

    instance_id: str
    region: str
    source: str

    @property
    def ec2(self) -> bool:
        """Whether the node is an EC2 instance."""
        return self.instance_id.startswith("i-")


def identify(aws: AwsSettings, *, host: Host, registrations: Sequence[Path] = REGISTRATIONS) -> Identity:
    """This node's id and region.

    What is configured holds; the region of a configured id may also stand in ``AWS_REGION`` or ``AWS_DEFAULT_REGION``.
    What is not configured comes from the instance metadata service, else from the SSM agent's hybrid registration.

    Raises:
        NotIdentified: code 148; nothing told what is missing.
    """
    if aws.instance_id and (region := aws.region or environment_region()):
        return Identity(aws.instance_id, region, CONFIGURATION if aws.region else f"{CONFIGURATION} and environment")
    unset = [key for key in ("instance_id", "region") if not getattr(aws, key)]
    tried = [f"configuration: ssmpatch:aws:{key} is not set" for key in unset]
    for name in (METADATA, REGISTRATION):
        try:
            found_id, found_region = (
                _from_metadata(aws, host) if name == METADATA else _from_registration(registrations)
            )
        except metadata.Unavailable as exc:
            tried.append(f"{name}: {exc}")
            continue
        if aws.instance_id and aws.instance_id != found_id:
            tried.append(f"{name}: is for {found_id}, but ssmpatch:aws:instance_id is {aws.instance_id}")
            continue
        return Identity(found_id, aws.region or found_region, name)
    raise NotIdentified(
        "it cannot be found out which managed node this is. Tried:\n"
        + "\n".join(f"  {line}" for line in tried)
        + "\nset ssmpatch:aws:instance_id and ssmpatch:aws:region"
    )


def region_and_kind(aws: AwsSettings, *, host: Host) -> tuple[str, bool]:
    """Region, and whether this is an EC2 instance, for calls that need no node id; ``us-east-1`` when nothing tells."""
    try:
        node = identify(aws, host=host)
    except NotIdentified:
        return aws.region or environment_region() or "us-east-1", False
    return node.region, node.ec2


def environment_region() -> str:
    """The region that the process's environment names; empty when it names none."""
    regions = (os.environ.get(name, "").strip() for name in REGION_VARIABLES)
    return next((region for region in regions if _REGION.fullmatch(region)), "")


def _from_metadata(aws: AwsSettings, host: Host) -> tuple[str, str]:
    document = metadata.identity_document(allow_v1=aws.allow_imdsv1, sleep=host.sleep)
    return _checked(document, "instanceId", "region")


def _from_registration(registrations: Sequence[Path]) -> tuple[str, str]:
    problems = []
    for path in registrations:
        try:
            return _checked(_registration(path), "ManagedInstanceID", "Region")
        except FileNotFoundError:
            problems.append(f"{path}: not there")
        except (OSError, ValueError) as exc:
            problems.append(f"{path}: {getattr(exc, 'strerror', None) or exc}")
        except metadata.Unavailable as exc:
            problems.append(f"{path}: {exc}")
    raise metadata.Unavailable("; ".join(problems))


def _registration(path: Path) -> Mapping[str, object]:
    data = files.read_bytes(path, max_bytes=metadata.MAX_BYTES)
    try:
        document = files.parse_json(data)
    except ValueError:
        raise ValueError("no registration (not JSON)") from None
    if not isinstance(document, dict):
        raise ValueError("no registration (not a JSON object)")
    return document


def _checked(document: Mapping[str, object], id_key: str, region_key: str) -> tuple[str, str]:
    found_id, region = document.get(id_key), document.get(region_key)
    if not isinstance(found_id, str) or not re.fullmatch(INSTANCE_ID, found_id):
        raise metadata.Unavailable(f"{id_key} is {found_id!r:.60}, which is no instance id")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise metadata.Unavailable(f"{region_key} is {region!r:.60}, which is no region")
    return found_id, region
