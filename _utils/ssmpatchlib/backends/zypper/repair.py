# SPDX-License-Identifier: Apache-2.0
"""Completing what an interrupted zypper left, before anything new is begun."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterable
from pathlib import Path

from ...errors import Busy
from .. import Context
from ..rpm.installed import database_directory, read_installed, rpm_argv
from ..rpm.repair import repair_database
from . import answer
from .install import LOG

_PID_FILES = ("run/zypp.pid", "var/run/zypp.pid")
_LIMIT = 1800
_IDLE_POLL = 0.5


def repair(context: Context) -> tuple[str, ...]:
    """Wait for what still runs, rebuild a database that cannot be read, erase what an update had not erased yet.

    Raises:
        Busy: another program worked on this system for ``lock_timeout`` seconds.
        SsmpatchError: the rpm database is damaged and could not be repaired.
    """
    _wait_idle(context)
    return (*repair_database(context), *_finish_updates(context))


def _wait_idle(context: Context) -> None:
    """Wait until no zypper and no rpm works on this system, a child of a killed run of ours included."""
    waited = 0.0
    while busy := _holder(context.root):
        if waited >= context.lock_timeout:
            raise Busy(f"busy: {busy}; waited {context.lock_timeout} s for it; try again later")
        context.host.sleep(_IDLE_POLL)
        waited += _IDLE_POLL


def _holder(root: Path) -> str:
    """Say who works on the system below a root, ``""`` for nobody."""
    for name in _PID_FILES:
        try:
            pid = int((root / name).read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        if Path(f"/proc/{pid}/comm").exists():
            return f"{root / name}: process {pid} holds libzypp's lock"
    lock = root / database_directory(root) / ".rpm.lock"
    return f"{lock}: another program holds rpm's lock" if _is_locked(lock) else ""


def _is_locked(path: Path) -> bool:
    try:
        with open(path, "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as exc:
        return exc.errno in (errno.EAGAIN, errno.EACCES)
    return False


def _finish_updates(context: Context) -> Iterable[str]:
    """Erase the old versions of packages whose update was interrupted after the new version was in.

    rpm installs the new version, then erases the old one; a kill in between leaves both. Which updates were under way
    is in the output of the interrupted zypper, so that packages of which several versions belong here stay untouched.
    """
    path = context.work_dir / LOG
    try:
        text = path.read_text(errors="replace").rpartition("<?xml version")[2]
    except OSError:
        return
    if not text or "</stream>" in text:
        return
    present = {(package.id, package.evr) for package in read_installed(context.host, context.root)}
    for row in answer.read_reply(text).rows:
        if row.action == "upgrade" and row.old and {(row.id, row.evr), (row.id, row.old)} <= present:
            old = f"{row.name}-{row.old.removeprefix('0:')}.{row.arch}"
            result = context.host.run(rpm_argv(context.root, "-e", "--nodeps", old), timeout=_LIMIT)
            new = row.evr.removeprefix("0:")
            said = f"and rpm cannot erase it: {result.words}" if result.code else "which is erased now"
            yield f"the update of {row.id} to {new} was interrupted and left {old} behind, {said}"
