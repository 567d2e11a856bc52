# SPDX-License-Identifier: Apache-2.0
"""The data block of the page: every text and every equal row once, hosts as lists of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...model import LEVELS
from ..fleetreport import FleetReport
from ..hosts import VERDICTS, HostReport, Row, level_rank
from ..totals import WORDS

STALE, REBOOT, FROZEN = 1, 2, 4
_UNSAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


class _Index:
    """Numbers texts and rows in the order in which they are first seen."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self.rows: dict[Row, int] = {}

    def text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts)) if text else -1

    def row(self, row: Row) -> int:
        return self.rows.setdefault(row, len(self.rows))


def data_json(report: FleetReport) -> Iterator[str]:
    """The data as JSON that may stand inside a script element, in pieces."""
    index = _Index()
    head = {
        "made": round(report.made),
        "groupBy": report.group_by,
        "levels": LEVELS,
        "verdicts": VERDICTS,
        "words": [WORDS[verdict] for verdict in VERDICTS],
    }
    yield _safe(head)[:-1] + ',"hosts":['
    pieces: list[str] = []
    for host in report.hosts:
        pieces.append(("," if pieces else "") + _safe(_host(host, report, index)))
        if len(pieces) == 1000:
            yield "".join(pieces)
            pieces = [""]
    yield "".join(pieces) + '],"rows":' + _safe([_row(row, index) for row in index.rows])
    yield ',"strings":' + _safe(list(index.texts)) + "}"


def _safe(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).translate(_UNSAFE)


def _host(host: HostReport, report: FleetReport, index: _Index) -> list[Any]:
    flags = STALE * host.stale(report.made, report.stale_after) + REBOOT * host.reboot_pending + FROZEN * host.frozen
    return [
        index.text(host.id),
        VERDICTS.index(host.verdict),
        round(host.ended or 0),
        *host.counts[:4],
        level_rank(host.severity) if host.severity else -1,
        index.text(host.name),
        index.text(host.address),
        index.text(host.system),
        index.text(host.product),
        index.text(host.baseline),
        index.text(host.group),
        index.text(host.agent),
        flags,
        index.text(host.problem),
        index.text(host.running),
        index.text(host.patch_group),
        [index.text(warning) for warning in host.warnings],
        [index.row(row) for row in host.rows],
        host.counts.held_back,
        index.text(host.ring),
        index.text(host.old_code.words if host.old_code else ""),
        int(host.old_code is not None and host.old_code.is_any),
    ]


def _row(row: Row, index: _Index) -> list[int]:
    return [
        index.text(row.id),
        index.text(row.title),
        index.text(row.state),
        level_rank(row.level),
        index.text(row.classification),
        index.text(row.severity),
        index.text(row.cves),
        index.text(row.installed),
        index.text(row.available),
        index.text(row.reason),
        index.text(row.installed_time),
        int(row.held_back),
        index.text(row.advisories),
    ]
