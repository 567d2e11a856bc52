# SPDX-License-Identifier: Apache-2.0
"""Completing what an interrupted zypper left, before anything new is begun."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Context
from ..rpm.installed import Database
from ..rpm.locks import wait_idle
from ..rpm.repair import finish_updates, repair_database
from . import answer
from .install import LOG

_PID_FILES = ("run/zypp.pid", "var/run/zypp.pid")


def repair(context: Context, database: Database) -> tuple[str, ...]:
    """Wait for what still runs, rebuild a database that cannot be read, erase what an update had not erased yet.

    Raises:
        Busy: another program worked on this system for ``lock_timeout`` seconds.
        SsmpatchError: the rpm database is damaged and could not be repaired.
    """
    wait_idle(context, _PID_FILES)
    return (*repair_database(context, database), *finish_updates(context, database, _interrupted(context)))


def _interrupted(context: Context) -> Iterator[tuple[str, str, str, str]]:
    """The updates of the last run of zypper, when its output has no end: its summary names old and new versions."""
    try:
        text = (context.work_dir / LOG).read_text(errors="replace").rpartition("<?xml version")[2]
    except OSError:
        return
    if text and "</stream>" not in text:
        for row in answer.read_reply(text).rows:
            if row.action == "upgrade" and row.old:
                yield row.name, row.arch, row.old, row.evr
