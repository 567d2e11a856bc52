# SPDX-License-Identifier: Apache-2.0
"""A fleet report as CSV with AWS's export columns, as JSON, and as a Prometheus text file. Pieces of text, in order."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..model import COMPLIANT, LEVELS, NON_COMPLIANT
from ..times import aws_time
from .fleetreport import FleetReport, summary_of
from .hosts import VERDICTS, HostReport

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
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_FLUSH = 1 << 16


def csv_text(report: FleetReport, *, details: bool = False) -> Iterator[str]:
    """One line a host, or with ``details`` one a non-compliant patch. A cell can never be a spreadsheet's formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(PATCH_COLUMNS if details else HOST_COLUMNS)
    rows = _patch_lines(report) if details else _host_lines(report)
    for index, row in enumerate(rows, start=1):
        writer.writerow([index, *map(_cell, row)])
        if buffer.tell() > _FLUSH:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    """A leading apostrophe makes spreadsheets take a text as text (OWASP, CSV injection)."""
    if isinstance(value, str) and value.lstrip().startswith(_FORMULA):
        return "'" + value
    return value


def _host_lines(report: FleetReport) -> Iterator[list[Any]]:
    for host in report.hosts:
        levels = Counter(row.level for row in host.rows)
        yield [
            host.id,
            host.name,
            host.address,
            host.platform,
            host.platform_version,
            host.agent,
            host.baseline_id,
            host.patch_group,
            host.verdict,
            host.severity,
            *(levels[level] for level in reversed(LEVELS)),
        ]


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
                host.agent,
            ]


def json_text(report: FleetReport) -> Iterator[str]:
    """One JSON document: ``made``, ``summary`` and ``hosts``, a line a host."""
    head = {"made": aws_time(report.made), "summary": summary_of(report)}
    yield json.dumps(head, ensure_ascii=True)[:-1] + ', "hosts": ['
    for index, host in enumerate(report.hosts):
        yield ("\n" if index == 0 else ",\n") + json.dumps(host_data(host, report), ensure_ascii=True)
    yield "\n]}\n"


def host_data(host: HostReport, report: FleetReport) -> dict[str, Any]:
    """One host as plain data."""
    data = host._asdict()
    data["ended"] = aws_time(host.ended) if host.ended is not None else None
    data["age"] = round(report.made - host.ended) if host.ended is not None else None
    data["stale"] = host.stale(report.made, report.stale_after)
    data["counts"] = host.counts._asdict()
    data["rows"] = [row._asdict() for row in host.rows]
    data["warnings"] = list(host.warnings)
    return data


def prometheus_text(report: FleetReport) -> Iterator[str]:
    """Gauges in Prometheus' text format, for node_exporter's textfile directory."""
    totals, hosts = report.totals, report.hosts
    reported = [host for host in hosts if host.ended is not None]
    yield from _metric("ssmpatch_report_time_seconds", "When this file was made.", [((), report.made)])
    yield from _metric(
        "ssmpatch_hosts", "Hosts by verdict.", [((("compliance", v.lower()),), totals.verdicts[v]) for v in VERDICTS]
    )
    yield from _metric("ssmpatch_stale_hosts", "Hosts whose report is too old.", [((), len(totals.stale))])
    yield from _metric("ssmpatch_reboot_pending_hosts", "Hosts that wait for a reboot.", [((), len(totals.reboots))])
    yield from _metric(
        "ssmpatch_noncompliant_patches",
        "Non-compliant patches of all hosts by compliance level.",
        [((("level", level.lower()),), number) for level, number in totals.levels.items()],
    )
    yield from _metric(
        "ssmpatch_held_back_patches",
        "Missing patches of all hosts that their frozen sets hold back.",
        [((), totals.patches["held_back"])],
    )
    yield from _metric(
        "ssmpatch_frozen_compliant_hosts",
        "Hosts that are compliant without what their frozen sets hold back.",
        [((), totals.let_in)],
    )
    yield from _metric(
        "ssmpatch_host_compliant",
        "1 when the host's report says compliant, 0 when it says anything else or there is none.",
        [(_host(host), int(host.verdict == COMPLIANT)) for host in hosts],
    )
    yield from _metric(
        "ssmpatch_host_noncompliant_patches",
        "Non-compliant patches of the host by state.",
        [
            ((*_host(host), ("state", state)), number)
            for host in reported
            if host.verdict == NON_COMPLIANT
            for state, number in zip(host.counts._fields[:4], host.counts[:4], strict=True)
            if number
        ],
    )
    yield from _metric(
        "ssmpatch_host_held_back_patches",
        "Missing patches of the host that its frozen set holds back.",
        [(_host(host), host.counts.held_back) for host in reported if host.frozen],
    )
    yield from _metric(
        "ssmpatch_host_reboot_pending",
        "1 when the host waits for a reboot.",
        [(_host(host), 1) for host in hosts if host.reboot_pending],
    )
    yield from _metric(
        "ssmpatch_host_report_time_seconds",
        "When the host's report was made.",
        [(_host(host), host.ended or 0.0) for host in reported],
    )


def _host(host: HostReport) -> tuple[tuple[str, str], ...]:
    return (("minion", host.id),)


def _metric(name: str, text: str, samples: Iterable[tuple[tuple[tuple[str, str], ...], float]]) -> Iterator[str]:
    lines = [f"# HELP {name} {text}\n# TYPE {name} gauge\n"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_label(text)}"' for key, text in labels)
        shown = f"{value:d}" if isinstance(value, int) else f"{value:.0f}"
        lines.append(f"{name}{{{inside}}} {shown}\n" if inside else f"{name} {shown}\n")
        if len(lines) >= 1000:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
