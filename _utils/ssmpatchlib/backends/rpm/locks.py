# SPDX-License-Identifier: Apache-2.0
"""Who else works on an rpm system."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Sequence
from pathlib import Path

from .. import Context
from ..locking import wait_idle
from .installed import database_directory


def wait_for_system(context: Context, pid_files: Sequence[str], lock_files: Sequence[str] = ()) -> None:
    """Wait until nothing works on this system: no living process in a pid file, no locked file, rpm's among them.

    Raises:
        Busy: something still does after ``lock_timeout`` seconds.
    """
    wait_idle(context, lambda: _holder(context.root, pid_files, lock_files))


def _holder(root: Path, pid_files: Sequence[str], lock_files: Sequence[str]) -> str:
    """Say who works on the system below a root, ``""`` for nobody."""
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
    """Whether another program has locked a file; one that this user may not open tells nothing."""
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
