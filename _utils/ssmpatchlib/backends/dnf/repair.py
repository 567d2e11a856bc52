# SPDX-License-Identifier: Apache-2.0
"""Completing what an interrupted dnf left, before anything new is begun."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import Context
from ..rpm.installed import Database
from ..rpm.locks import wait_idle
from ..rpm.repair import finish_updates, repair_database
from . import answer
from .command import SYSTEM_LOCK
from .waiting import LOG

_PID_FILES = ("var/lib/dnf/rpmdb_lock.pid", "var/cache/dnf/metadata_lock.pid", "var/cache/dnf/download_lock.pid")
_TABLE = re.compile(r"^ ?Package +Arch", re.M)
_ENDED = re.compile(r"^(?:Complete!|Error: |Transaction failed|Nothing to do|Operation aborted)", re.M)


def repair(context: Context, database: Database) -> tuple[str, ...]:
    """Wait for what still runs, rebuild a database that cannot be read, erase what an update had not erased yet.

    Raises:
        Busy: another program worked on this system for ``lock_timeout`` seconds.
        SsmpatchError: the rpm database is damaged and could not be repaired.
    """
    wait_idle(context, _PID_FILES, (SYSTEM_LOCK,))
    return (*repair_database(context, database), *finish_updates(context, database, _interrupted(context, database)))


def _interrupted(context: Context, database: Database) -> Iterator[tuple[str, str, str, str]]:
    """The updates of the last run of dnf, when its output has no end."""
    try:
        text = (context.work_dir / LOG).read_text(errors="replace")
    except OSError:
        return
    tables = list(_TABLE.finditer(text))
    if not tables or _ENDED.search(text, tables[-1].start()):
        return
    rows = answer.read_reply(text[tables[-1].start() :], "").rows
    new = {row.id: row.evr for row in rows if row.action == answer.UPGRADE}
    for package in database.read():
        if package.id in new and package.evr != new[package.id]:
            yield package.name, package.arch, package.evr, new[package.id]
