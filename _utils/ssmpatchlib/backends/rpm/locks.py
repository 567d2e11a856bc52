# SPDX-License-Identifier: Apache-2.0
"""Waiting, with a bound, for other programs that work on an rpm system."""

from __future__ import annotations

import errno
import fcntl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import Busy
from ...host import CommandResult
from .. import Context
from .installed import database_directory

_IDLE_POLL = 0.5
_RETRY_POLL = 2.0


def wait_idle(context: Context, pid_files: Sequence[str], lock_files: Sequence[str] = ()) -> None:
    """Wait until nothing works on this system: no living process in a pid file, no locked file, rpm's among them.

    Raises:
        Busy: something still does after ``lock_timeout`` seconds.
    """
    waited = 0.0
    while busy := _holder(context.root, pid_files, lock_files):
        if waited >= context.lock_timeout:
            raise Busy(f"busy: {busy}; waited {context.lock_timeout} s for it; try again later")
        # By seconds waited, not by the clock, which may be set meanwhile.
        context.host.sleep(_IDLE_POLL)
        waited += _IDLE_POLL


def retry_locked(
    context: Context, run: Callable[[], CommandResult], *, is_locked: Callable[[CommandResult], bool]
) -> CommandResult:
    """Run a command that fails at once when another program has the lock, until it gets it or time is up.

    Raises:
        Busy: the lock was held for ``lock_timeout`` seconds; the message has the program's words.
    """
    waited = 0.0
    while True:
        began = time.monotonic()
        result = run()
        waited += time.monotonic() - began
        if not is_locked(result):
            return result
        if waited >= context.lock_timeout:
            raise Busy(f"busy: the package manager's lock was held for {context.lock_timeout} s: {result.words}")
        context.host.sleep(_RETRY_POLL)
        waited += _RETRY_POLL


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
