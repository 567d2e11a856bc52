# SPDX-License-Identifier: Apache-2.0
"""Finds other programs that work on the system with apt or dpkg."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from pathlib import Path

from ...host import CommandResult

_LOCK = re.compile(r"could not get lock|(?:is|was) locked by another process", re.I)
#: apt holds the first file from start to end, dpkg the second one while it works, alone or under apt.
_LOCK_FILES = ("lock-frontend", "lock")
# The format of struct flock: type, whence, start, length, pid, with room for padding.
_FLOCK = "@hhqqi"


def is_locked(result: CommandResult) -> bool:
    """Return whether apt or dpkg ended because another program has the lock."""
    return bool(result.code) and _LOCK.search(result.stdout + result.stderr) is not None


def holder(directory: Path) -> str:
    """Return which program holds a lock of dpkg, ``""`` for none; the lock is not taken for that."""
    for name in _LOCK_FILES:
        path = directory / name
        try:
            with open(path, "rb") as handle:
                question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) + bytes(32)
                kind, _, _, _, pid = struct.unpack_from(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
        except OSError:
            continue
        if kind != fcntl.F_UNLCK:
            return f"{_program(pid)} holds the package manager's lock {path}"
    return ""


def _program(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "another program"
    return f"{name}, pid {pid}," if pid > 0 else name
