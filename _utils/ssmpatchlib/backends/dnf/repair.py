# SPDX-License-Identifier: Apache-2.0
"""Reads which updates an interrupted dnf had begun."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..rpm.repair import Update
from . import answer

PID_FILES = ("var/lib/dnf/rpmdb_lock.pid", "var/cache/dnf/metadata_lock.pid", "var/cache/dnf/download_lock.pid")
_TABLE = re.compile(r"^ ?Package +Arch", re.M)
_ENDED = re.compile(r"^(?:Complete!|Error: |Transaction failed|Nothing to do|Operation aborted)", re.M)


def unfinished(text: str) -> Iterator[Update]:
    """Yield the updates that the last run of dnf had begun, if its output shows that it was interrupted."""
    tables = list(_TABLE.finditer(text))
    if tables and not _ENDED.search(text, tables[-1].start()):
        for row in answer.read_reply(text[tables[-1].start() :], "").rows:
            if row.action == answer.UPGRADE:
                yield Update(row.name, row.arch, None, row.evr)
