# SPDX-License-Identifier: Apache-2.0
"""Repairing what an interrupted transaction left in the rpm database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...errors import SsmpatchError
from .. import Context
from .installed import Database, rpm_argv

_LIMIT = 1800


def repair_database(context: Context, database: Database) -> tuple[str, ...]:
    """Rebuild the rpm database when it cannot be read; return what was done, in words.

    A database that can be read is left alone: rpm completes interrupted writes itself when it opens it.

    Raises:
        SsmpatchError: there is no database at all.
    """
    try:
        database.read()
        return ()
    except SsmpatchError as exc:
        problem = str(exc)
    result = context.host.run(rpm_argv(context.root, "--rebuilddb"), timeout=_LIMIT)
    try:
        database.read()
    except SsmpatchError as exc:
        raise SsmpatchError(f"{problem}; it was tried and did not help: {result.words}", code=2) from exc
    return (f"{problem.partition(';')[0]}; rpm --rebuilddb repaired it",)


def finish_updates(context: Context, database: Database, updates: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    """Erase the old versions of packages whose update was interrupted after the new version was in; say so.

    rpm installs the new version, then erases the old one; a kill in between leaves both. ``updates`` are the name,
    architecture, old and new version of what was under way: packages of which several versions belong here stay
    untouched.
    """
    present = {(package.name, package.arch, package.evr) for package in database.read()}
    for name, arch, old, new in updates:
        if {(name, arch, old), (name, arch, new)} <= present:
            left = f"{name}-{old.removeprefix('0:')}.{arch}"
            result = context.host.run(rpm_argv(context.root, "-e", "--nodeps", left), timeout=_LIMIT)
            said = f"and rpm cannot erase it: {result.words}" if result.code else "which is erased now"
            yield f"the update of {name}.{arch} to {new} was interrupted and left {left} behind, {said}"
