# SPDX-License-Identifier: Apache-2.0
"""Finds and waits for other programs that work on an rpm system."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Sequence
from pathlib import Path

from .. import Context
from ..locking import wait_idle
from .installed import database_directory


def wait_for_system(context: Context, pid_files: Sequence[str], lock_files: Sequence[str] = ()) -> None:
    """Wait until no pid file names a living process and no lock file, rpm's included, is locked.

    Raises:
        Busy: another program still worked on the system after ``lock_timeout`` seconds.
    """
    wait_idle(context, lambda: _holder(context.root, pid_files, lock_files))


def _holder(root: Path, pid_files: Sequence[str], lock_files: Sequence[str]) -> str:
    """Return which program works on the system below a root, ``""`` for none."""
    for name in pid_files:
        try:
            pid = int((root / name).read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        if Path(f"/proc/{pid}/comm").exists():
            return f"{root / name}: process {pid} holds this lock"
    for name in lock_files:
        if _is_locked(root / name):
            return f"{root / name}: another program holds this lock"
    lock = root / database_directory(root) / ".rpm.lock"
    return f"{lock}: another program holds rpm's lock" if _is_locked(lock) else ""


def _is_locked(path: Path) -> bool:
    """Return whether another program has locked a file; False for a file that this user may not open."""
    try:
        handle = open(path, "r+b")  # noqa: SIM115 - closed below
    except OSError:
        return False
    with handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            return exc.errno in (errno.EAGAIN, errno.EACCES)
    return False
