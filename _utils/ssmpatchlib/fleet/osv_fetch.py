# SPDX-License-Identifier: Apache-2.0
"""Exports on this machine: where they lie, or as a file that is gone when it is closed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import SsmpatchError
from ..fetch import check_location, local_path
from ..files import Unwritable
from ..host import Host
from ..locations import FetchError, scheme_of, too_large, too_slow, within


@dataclass(frozen=True, slots=True)
class Reach:
    """What is used of the outside world.

    ``salt_file`` returns the path of a ``salt://`` location's copy, ``""`` without such a file. ``ssl_context``: how
    servers prove who they are; None: by the system's certificate authorities.
    """

    salt_file: Callable[[str], Any]
    host: Host = field(default_factory=Host)
    ssl_context: Any = None


@contextlib.contextmanager
def at_hand(location: str, *, reach: Reach, scratch: Path, max_bytes: int, timeout: float) -> Iterator[Path]:
    """The path of the file or directory at a location, while the block lasts.

    Args:
        scratch: the directory for what is transferred.
        max_bytes: how large a file may be.
        timeout: seconds for a transfer, in all.

    Raises:
        InvalidInput: no location that can be read from.
        FetchError: there is no such file, it is too large or too slow, or the transfer failed.
        Unwritable: there is no room for it.
    """
    check_location(location)
    scheme = scheme_of(location) or "file"
    if scheme in ("file", "salt"):
        path = Path(local_path(location)) if scheme == "file" else _from_salt(location, reach)
        yield _checked(path, location, max_bytes)
        return
    with contextlib.ExitStack() as stack:
        try:
            handle = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
        except OSError as exc:
            raise Unwritable(scratch, exc) from exc
        if scheme == "https":
            _from_https(location, handle, reach, max_bytes, timeout)
        else:
            from ..aws import fetch_s3
            from ..config import Settings

            fetch_s3.save(location, Settings(), handle, max_bytes=max_bytes, timeout=timeout, host=reach.host)
        try:
            handle.flush()
        except OSError as exc:
            raise Unwritable(scratch, exc) from exc
        # It has no name any more, so that nothing is left of it however this process ends.
        yield Path(f"/proc/self/fd/{handle.fileno()}")


def _checked(path: Path, location: str, max_bytes: int) -> Path:
    if not path.is_dir():
        try:
            if not path.is_file():
                os.stat(path)
                raise FetchError(f"{location}: neither a regular file nor a directory")
            if path.stat().st_size > max_bytes:
                raise too_large(location, max_bytes)
        except OSError as exc:
            raise FetchError(f"{location}: {exc.strerror or exc}") from exc
    return path


def _from_salt(location: str, reach: Reach) -> Path:
    path = reach.salt_file(location)
    if not isinstance(path, str) or not path:
        raise FetchError(f"{location}: not found on the Salt file server")
    return Path(path)


def _from_https(location: str, handle: IO[bytes], reach: Reach, max_bytes: int, timeout: float) -> None:
    from .. import fetch_https

    def work() -> bytes:
        fetch_https.transfer(location, handle.write, max_bytes, timeout, reach.ssl_context)
        return b""

    try:
        within(timeout, work, late=too_slow(location, timeout))
    except SsmpatchError:
        raise
    except Exception as exc:  # noqa: BLE001 - a transfer can end with anything
        raise fetch_https.explained(location, exc, timeout) from exc
