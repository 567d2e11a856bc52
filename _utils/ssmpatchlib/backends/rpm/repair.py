# SPDX-License-Identifier: Apache-2.0
"""Repairs the rpm database after an interrupted transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...files import read_bytes
from ...host import CommandResult
from ...versions.rpm import compare_evr
from .. import Context, detached
from ..output import open_log
from .installed import REBUILD, Database, rpm_argv, skips_packages
from .locks import wait_for_system

_LIMIT = 1800


class Update(NamedTuple):
    """An update that was begun; ``old`` is None where only the new version is known."""

    name: str
    arch: str
    old: str | None
    new: str


def repair(
    context: Context,
    database: Database,
    *,
    log: Path,
    unfinished: Callable[[str], Iterable[Update]],
    pid_files: Sequence[str],
    lock_files: Sequence[str] = (),
) -> tuple[str, ...]:
    """Wait for running programs, rebuild an unreadable database, erase old versions that updates left; return notes.

    Args:
        log: the file that the package manager printed into.
        unfinished: returns from that text the updates that an interrupted run had begun, none for a finished run.

    Raises:
        Busy: another program worked on this system for ``lock_timeout`` seconds.
        SsmpatchError: the rpm database is damaged and could not be repaired.
    """
    wait_for_system(context, pid_files, lock_files)
    rebuilt = repair_database(context, database)
    try:
        text = read_bytes(log).decode(errors="replace")
    except (OSError, ValueError):
        return rebuilt
    return (*rebuilt, *_finish_updates(context, database, list(unfinished(text))))


def repair_database(context: Context, database: Database) -> tuple[str, ...]:
    """Rebuild the rpm database when it cannot be read; return what was done, in words.

    A readable database is left alone, since rpm completes interrupted writes itself when it opens the database, and
    so is one that has packages which a rebuild would forget, or that is read-only.

    Raises:
        SsmpatchError: the database cannot be read after that either, or must not be rebuilt.
    """
    try:
        database.read()
        return ()
    except SsmpatchError as exc:
        problem = str(exc)
        if REBUILD not in problem:
            raise SsmpatchError(problem, code=2) from exc
    result = _run(context, "--rebuilddb")
    try:
        database.read()
    except SsmpatchError as exc:
        raise SsmpatchError(f"{problem}; it was tried and did not help: {result.words}", code=2) from exc
    done = f"{problem.partition(';')[0]}; rpm --rebuilddb repaired it"
    if skips_packages(result.stdout):
        done += f", but without packages that it could not read; install them again: {result.words}"
    return (done,)


def _run(context: Context, *arguments: str) -> CommandResult:
    """Run an rpm that changes the system; it goes on when this process ends."""
    log = context.work_dir / "rpm-output.log"
    open_log(log, now=context.host.now())
    return detached.run(context, rpm_argv(context.root, *arguments), timeout=_LIMIT, output=log)


def _finish_updates(context: Context, database: Database, updates: Iterable[Update]) -> Iterator[str]:
    """Erase the old versions of packages whose update was interrupted, and yield what was done.

    rpm installs the new version, then erases the old one; a kill in between leaves both. Packages that are meant to
    have several versions, such as kernels, are in no update and stay untouched.
    """
    present = {(package.name, package.arch, package.evr) for package in database.read()}
    for name, arch, known, new in updates:
        others = [evr for n, a, evr in present if (n, a) == (name, arch) and compare_evr(evr, new) < 0]
        for old in others if known is None else [known]:
            if {(name, arch, old), (name, arch, new)} <= present:
                left = f"{name}-{old.removeprefix('0:')}.{arch}"
                result = _run(context, "-e", "--nodeps", "--", left)
                said = f"and rpm cannot erase it: {result.words}" if result.code else "which is erased now"
                yield f"the update of {name}.{arch} to {new} was interrupted and left {left} behind, {said}"
