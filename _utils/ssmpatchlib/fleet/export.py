# SPDX-License-Identifier: Apache-2.0
"""A fleet report as CSV with AWS's export columns, and as JSON. Pieces of text, in order."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..model import LEVELS
from ..times import aws_time
from .cves import CveGroup, HostCves
from .fleetreport import FleetReport, summary_of
from .history_cves import CveTime
from .hosts import HostReport

#: The columns of AWS-ExportPatchReportToS3, all nodes and single node (docs/rules.md, What AWS stores).
HOST_COLUMNS = (
    "Index",
    "Instance ID",
    "Instance name",
    "Instance IP",
    "Platform name",
    "Platform version",
    "SSM Agent version",
    "Patch baseline",
    "Patch group",
    "Compliance status",
    "Compliance severity",
    "Noncompliant Critical severity patch count",
    "Noncompliant High severity patch count",
    "Noncompliant Medium severity patch count",
    "Noncompliant Low severity patch count",
    "Noncompliant Informational severity patch count",
    "Noncompliant Unspecified severity patch count",
)
#: What stands behind the columns of a node: its open CVEs; empty where they are not known.
CVE_COLUMNS = ("Open CVEs", "Exploited CVEs", "CVEs with a fix available")
PATCH_COLUMNS = (
    "Index",
    "Instance ID",
    "Instance name",
    "Patch name",
    "KB ID/Patch ID",
    "Patch state",
    "Last report time",
    "Compliance level",
    "Patch severity",
    "Patch classification",
    "CVE ID",
    "Patch baseline",
    "Logs URL",
    "Instance IP",
    "Platform name",
    "Platform version",
    "SSM Agent version",
)
#: The column of AWS's agent: what is reported here needs none.
_NO_AGENT = ""
#: The last four are the wide forms of the first four, which spreadsheets of East Asia take for these.
_FORMULA = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")
#: What begins a cell of its own where a semicolon or a tab divides cells, as in spreadsheets of most of Europe.
_DIVIDED = re.compile(rf"""([;\t])(?=[\s"']*[{re.escape("".join(_FORMULA))}])""")
_FLUSH = 1 << 16


def csv_text(report: FleetReport, *, details: bool = False) -> Iterator[str]:
    """One line a host, or with ``details`` one a non-compliant patch. A cell can never be a spreadsheet's formula."""
    columns = PATCH_COLUMNS if details else (*HOST_COLUMNS, *CVE_COLUMNS)
    return csv_pieces(columns, _patch_lines(report) if details else _host_lines(report))


def csv_pieces(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Rows as CSV, numbered in the first of the columns, in pieces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for index, row in enumerate(rows, start=1):
        writer.writerow([index, *map(_cell, row)])
        if buffer.tell() > _FLUSH:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    """A leading apostrophe makes spreadsheets take a text as text (OWASP, CSV injection), behind semicolons too."""
    if not isinstance(value, str):
        return value
    text = _DIVIDED.sub(r"\1'", value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _host_lines(report: FleetReport) -> Iterator[list[Any]]:
    for host in report.hosts:
        levels = Counter(row.level for row in host.rows)
        yield [
            host.id,
            host.name,
            host.address,
            host.platform,
            host.platform_version,
            _NO_AGENT,
            host.baseline_id,
            host.patch_group,
            host.verdict,
            host.severity,
            *(levels[level] for level in reversed(LEVELS)),
            *(_numbers(host.cves)),
        ]


def _numbers(cves: HostCves | None) -> tuple[Any, Any, Any]:
    if cves is None or (cves.problem and not cves.counts.open):
        return "", "", ""
    return cves.counts.open, cves.counts.exploited, cves.counts.fixable


def _patch_lines(report: FleetReport) -> Iterator[list[Any]]:
    for host in report.hosts:
        reported = aws_time(host.ended) if host.ended is not None else ""
        for row in host.rows:
            yield [
                host.id,
                host.name,
                row.title,
                row.id,
                row.state,
                reported,
                row.level,
                row.severity,
                row.classification,
                row.cves,
                host.baseline_id,
                "",
                host.address,
                host.platform,
                host.platform_version,
                _NO_AGENT,
            ]


def json_text(report: FleetReport) -> Iterator[str]:
    """One JSON document: ``made``, ``summary``, ``cves``, ``hosts``, a line a host, and ``cve_groups``.

    Hosts mostly have the same CVEs: each group of them is written once, and a host names it by its place.
    """
    numbers: dict[CveGroup, int] = {}
    head = {"made": aws_time(report.made), "summary": summary_of(report), "cves": _cves(report)}
    yield json.dumps(head, ensure_ascii=True)[:-1] + ', "hosts": ['
    for index, host in enumerate(report.hosts):
        yield ("\n" if index == 0 else ",\n") + json.dumps(host_data(host, report, numbers), ensure_ascii=True)
    yield '\n], "cve_groups": ['
    for index, group in enumerate(numbers):
        plain = {**group._asdict(), "exploited": sorted(group.exploited)}
        yield ("\n" if index == 0 else ",\n") + json.dumps(plain, ensure_ascii=True)
    yield "\n]}\n"


def _cves(report: FleetReport) -> list[dict[str, Any]]:
    """Every open CVE, with what is remembered of it."""
    times = {each.id: each for each in report.trends.cves}
    return [{**dataclasses.asdict(each), **_time(times.get(each.id))} for each in report.totals.cves.open]


def _time(time: CveTime | None) -> dict[str, Any]:
    if time is None:
        return {}
    closed = {"closed": time.closed, "mean_seconds": round(time.mean)} if time.closed else {"closed": 0}
    return {"first_seen": aws_time(time.first), **closed}


def host_data(host: HostReport, report: FleetReport, numbers: dict[CveGroup, int]) -> dict[str, Any]:
    """One host as plain data; its groups of CVEs by their places in ``numbers``, where new ones are added."""
    data = host._asdict()
    data["ended"] = aws_time(host.ended) if host.ended is not None else None
    data["age"] = round(report.made - host.ended) if host.ended is not None else None
    data["stale"] = host.stale(report.made, report.stale_after)
    data["counts"] = host.counts._asdict()
    data["old_code"] = host.old_code._asdict() if host.old_code else None
    data["cves"] = _host_cves(host.cves, numbers) if host.cves else None
    data["rows"] = [row._asdict() for row in host.rows]
    data["warnings"] = list(host.warnings)
    return data


def _host_cves(cves: HostCves, numbers: dict[CveGroup, int]) -> dict[str, Any]:
    groups = [numbers.setdefault(group, len(numbers)) for group in cves.groups]
    return {**cves._asdict(), "counts": cves.counts._asdict(), "groups": groups}
