# SPDX-License-Identifier: Apache-2.0
"""Waiting, with a bound, for other programs that work on the system with apt or dpkg."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import Busy
from ...host import CommandResult
from .. import Context
from .config import AptPaths

_LOCK = re.compile(r"could not get lock|(?:is|was) locked by another process", re.I)
#: apt holds the first one from start to end, dpkg the second one while it works, alone or under apt.
_LOCK_FILES = ("lock-frontend", "lock")
_IDLE_POLL = 0.5
_RETRY_POLL = 2.0
# struct flock: type, whence, start, length, pid; with room for padding.
_FLOCK = "@hhqqi"


def wait_idle(context: Context, paths: AptPaths) -> None:
    """Wait until no other apt or dpkg works on this system, a child of a killed run of ours included.

    Raises:
        Busy: one still does after ``lock_timeout`` seconds.
    """
    waited = 0.0
    while found := _holder(paths.status.parent):
        path, pid = found
        if waited >= context.lock_timeout:
            raise Busy(
                f"busy: {_program(pid)} holds the package manager's lock {path}; "
                f"waited {context.lock_timeout} s for it; try again later"
            )
        # By seconds waited, not by the clock, which may be set meanwhile.
        context.host.sleep(_IDLE_POLL)
        waited += _IDLE_POLL


def retry_locked(context: Context, run: Callable[[], CommandResult]) -> CommandResult:
    """Run a command that fails at once when another program has the lock, until it gets it or time is up.

    Raises:
        Busy: the lock was held for ``lock_timeout`` seconds; the message has the program's words.
    """
    waited = 0.0
    while True:
        began = time.monotonic()
        result = run()
        waited += time.monotonic() - began
        if not result.code or not _LOCK.search(result.stdout + result.stderr):
            return result
        if waited >= context.lock_timeout:
            raise Busy(f"busy: the package manager's lock was held for {context.lock_timeout} s: {result.words}")
        context.host.sleep(_RETRY_POLL)
        waited += _RETRY_POLL


def _holder(directory: Path) -> tuple[Path, int] | None:
    """Return a lock of dpkg's that is held and the process that holds it; asking does not take it."""
    for name in _LOCK_FILES:
        path = directory / name
        try:
            with open(path, "rb") as handle:
                question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) + bytes(32)
                kind, _, _, _, pid = struct.unpack_from(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
        except OSError:
            continue
        if kind != fcntl.F_UNLCK:
            return path, pid
    return None


def _program(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "another program"
    return f"{name}, pid {pid}," if pid > 0 else name
