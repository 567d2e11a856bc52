# SPDX-License-Identifier: Apache-2.0
"""The data block of the page: every text, row and group of CVEs once, hosts as lists of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...model import LEVELS
from ..cves import CveGroup, HostCves
from ..fleetreport import FleetReport
from ..hosts import VERDICTS, HostReport, Row, level_rank
from ..totals import WORDS

STALE, REBOOT, FROZEN = 1, 2, 4
#: The levels by which the page sorts and colours severities.
_LEVELS = {"critical": "CRITICAL", "high": "HIGH", "medium": "MEDIUM", "low": "LOW"}
_UNSAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


class _Index:
    """Numbers texts and rows in the order in which they are first seen."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self.rows: dict[Row, int] = {}
        self.groups: dict[CveGroup, int] = {}
        self.sets: dict[tuple[CveGroup, ...], int] = {}

    def text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts)) if text else -1

    def row(self, row: Row) -> int:
        return self.rows.setdefault(row, len(self.rows))

    def group(self, group: CveGroup) -> int:
        return self.groups.setdefault(group, len(self.groups))

    def set(self, groups: tuple[CveGroup, ...]) -> int:
        return self.sets.setdefault(groups, len(self.sets))


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
    yield ',"cveSets":' + _safe([[index.group(group) for group in groups] for groups in index.sets])
    yield ',"cveGroups":' + _safe([_group(group, index) for group in index.groups])
    known = {each.id for each in report.totals.cves.open}
    times = [[index.text(t.id), round(t.first), t.closed, round(t.mean)] for t in report.trends.cves if t.id in known]
    yield ',"cveTimes":' + _safe(times)
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
        *_cves(host.cves, index),
    ]


def _cves(cves: HostCves | None, index: _Index) -> list[int]:
    """The set of the host's groups, how many CVEs are open and exploited (-1: not known), and why."""
    if cves is None:
        return [-1, -1, -1, -1]
    known = cves.counts.open > 0 or not cves.problem
    counts = [cves.counts.open, cves.counts.exploited] if known else [-1, -1]
    return [index.set(cves.groups), *counts, index.text(cves.problem)]


def _group(group: CveGroup, index: _Index) -> list[Any]:
    return [
        index.text(group.package),
        index.text(group.installed),
        index.text(group.state),
        index.text(group.fixed),
        LEVELS.index(_LEVELS.get(group.severity, LEVELS[0])),
        index.text(",".join(group.advisories)),
        [index.text(cve) for cve in sorted(group.exploited)],
        [index.text(cve) for cve in group.ids],
        index.text(group.published),
        index.text(group.reason),
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
