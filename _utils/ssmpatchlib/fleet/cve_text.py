# SPDX-License-Identifier: Apache-2.0
"""The fleet's CVEs for a terminal of so many columns, as JSON and as CSV. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..cve_words import FIX_AVAILABLE, FIXED, NOT_AFFECTED, NOT_KNOWN, OPEN_STATES
from ..errors import InvalidInput
from ..input_errors import either
from ..times import aws_time
from ..wording import amount, some_of
from .cve_answers import UNREACHABLE, CveRow, Standing
from .cve_report import Asked, CveReport
from .cve_totals import CveTotal
from .export import csv_pieces
from .fleetreport import FleetReport
from .formatting import date_and_time
from .grid import aligned, fitted, grid, listed

FORMATS = ("table", "json", "csv")
ROW_COLUMNS = (
    "Index", "Asked", "Host", "State", "CVE", "Package", "Installed", "Fixed in", "Available", "Approved", "Reason",
    "Severity", "Exploited", "Published", "Advisories", "Still running the old code",
)  # fmt: skip
OPEN_COLUMNS = (
    "Index", "CVE", "Severity", "Exploited", "Hosts", "Fix available on", "Packages", "Advisories", "Published",
)  # fmt: skip
#: How many packages and advisories of a CVE a table names.
_SOME = 2
#: From how many columns on a table names advisories.
_WIDE = 110
#: How many open CVEs a table shows; the other formats have all.
MOST_SHOWN = 500
_HEADINGS = ("host", "package", "installed", "fixed in", "on offer")


def render_asked(report: CveReport, *, format: str, columns: int) -> Iterator[str]:
    """How hosts stand to the CVEs that were asked for, in one of the formats, in pieces.

    Raises:
        InvalidInput: there is no such format.
    """
    if format == "table":
        return (f"{line}\n" for line in _asked_lines(report, columns))
    if format == "json":
        return _asked_json(report)
    return csv_pieces(ROW_COLUMNS, _asked_rows(report)) if format == "csv" else _refuse(format)


def render_open(report: FleetReport, *, format: str, columns: int) -> Iterator[str]:
    """The open CVEs of the fleet in one of the formats, in pieces.

    Raises:
        InvalidInput: there is no such format.
    """
    if format == "table":
        return (f"{line}\n" for line in _open_lines(report, columns))
    if format == "json":
        return _open_json(report)
    return csv_pieces(OPEN_COLUMNS, map(_open_row, report.totals.cves.open)) if format == "csv" else _refuse(format)


def _refuse(format: str) -> Iterator[str]:
    raise InvalidInput(f"format: {format!r} is not allowed; use {either(FORMATS)}")


# --- how hosts stand to what was asked -------------------------------------------------------------


def _asked_lines(report: CveReport, columns: int) -> Iterator[str]:
    for number, asked in enumerate(report.asked):
        if number:
            yield ""
        yield from fitted(_title(asked), columns)
        yield from fitted(
            f"  {amount(len(asked.hosts), 'host')} of {report.target}, {date_and_time(report.made)}", columns
        )
        most = max(len(f"{each:,}") for each in asked.numbers.values())
        yield from (f"    {each:>{most},}  {state}" for state, each in asked.numbers.items())
        for state in asked.numbers:
            yield from _state_lines(state, [host for host in asked.hosts if host.state == state], columns)


def _title(asked: Asked) -> str:
    since = "exploited" if asked.exploited == "yes" else f"exploited since {asked.exploited}"
    facts = [asked.severity, since if asked.exploited else ""]
    facts += [f"published {asked.published[:10]}" if asked.published else "", some_of(asked.advisories, 6)]
    return ", ".join(filter(None, (asked.id, *facts)))


def _state_lines(state: str, hosts: Sequence[Standing], columns: int) -> Iterator[str]:
    title = state
    if state in OPEN_STATES:
        yield from _open_state(title, hosts, columns)
    elif state in (FIXED, NOT_AFFECTED):
        old = [f"{host.host}: {', '.join(host.restart)}" for host in hosts if host.restart]
        yield from listed(
            f"{title}, and still running the old code", old, per_line=True, columns=columns, most=len(old)
        )
        names = [host.host for host in hosts if not host.restart]
        yield from listed(title, names, columns=columns, most=len(names))
    else:
        for reason, names in _by_reason(hosts).items():
            yield from listed(f"{title}: {reason}" if reason else title, names, columns=columns, most=len(names))


def _by_reason(hosts: Sequence[Standing]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host in hosts:
        found.setdefault(host.reason if host.state != UNREACHABLE else "", []).append(host.host)
    return found


def _open_state(title: str, hosts: Sequence[Standing], columns: int) -> Iterator[str]:
    """A table of the rows of affected hosts, those with one reason together."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for host in hosts:
        for row in host.rows:
            if row.state in OPEN_STATES or row.state == NOT_KNOWN:
                found.setdefault(_reason(row, title), []).append(_cells(host.host, row))
    yield ""
    yield f"  {title} ({len(hosts):,})"
    rows = [cells for some in found.values() for cells in some]
    heading, *lines = aligned((_HEADINGS, *rows), columns=columns, indent=6 if any(found) else 4)
    yield from heading
    told = iter(lines)
    for reason, some in found.items():
        yield from fitted(f"    {reason}", columns) if reason else ()
        for _ in some:
            yield from next(told)


def _reason(row: CveRow, state: str) -> str:
    """Why a row is not patched yet, with its state where that is not the host's."""
    words = [row.state if row.state != state else "", row.reason]
    if row.state == FIX_AVAILABLE and not row.approved:
        words.append("not approved")
    if row.subscription:
        words.append("by subscription")
    return "; ".join(filter(None, words))


def _cells(host: str, row: CveRow) -> tuple[str, ...]:
    offered = row.available.rpartition(":")[2] if row.available.count(":") == 1 else row.available
    return host, row.package, row.installed, row.fixed, offered


def _asked_json(report: CveReport) -> Iterator[str]:
    cves = [
        {
            "id": asked.id,
            "severity": asked.severity,
            "exploited": asked.exploited,
            "published": asked.published,
            "advisories": asked.advisories,
            "references": asked.references,
            "numbers": asked.numbers,
        }
        for asked in report.asked
    ]
    head = {"made": aws_time(report.made), "target": report.target, "cves": cves}
    states = [{host.host: host for host in asked.hosts} for asked in report.asked]
    yield json.dumps(head)[:-1] + ', "hosts": ['
    for number, answer in enumerate(report.answers):
        known = {asked.id: each[answer.id] for asked, each in zip(report.asked, states, strict=True)}
        plain = {
            **answer._asdict(),
            "rows": [row._asdict() for row in answer.rows],
            "states": {id_: host.state for id_, host in known.items()},
            "reasons": {id_: host.reason for id_, host in known.items() if host.reason},
        }
        yield ("\n" if number == 0 else ",\n") + json.dumps(plain)
    yield "\n]}\n"


def _asked_rows(report: CveReport) -> Iterator[Sequence[Any]]:
    for asked in report.asked:
        for host in asked.hosts:
            for row in host.rows:
                yield (
                    asked.id, host.host, row.state, row.cve, row.package, row.installed, row.fixed, row.available,
                    "yes" if row.approved else "no", row.reason, row.severity, row.exploited, row.published,
                    " ".join(row.advisories), " ".join(row.restart),
                )  # fmt: skip
            if not host.rows:
                yield asked.id, host.host, host.state, "", "", "", "", "", "", host.reason, "", "", "", "", ""


# --- what is open in the fleet ---------------------------------------------------------------------


def _open_lines(report: FleetReport, columns: int) -> Iterator[str]:
    cves = report.totals.cves
    yield from fitted(f"Open CVEs of {report.target}, {date_and_time(report.made)}", columns)
    yield ""
    facts = [
        amount(len(cves.open), "open CVE"),
        f"{cves.exploited:,} exploited",
        f"{cves.fixable:,} with a fix on offer",
    ]
    yield from fitted("  " + ", ".join(facts), columns)
    yield from fitted(f"  {amount(len(cves.affected), 'host')} affected, {cves.known:,} known in full", columns)
    if cves.left_out:
        yield from fitted(f"  {cves.left_out:,} more that hosts count and do not list", columns)
    shown = cves.open[:MOST_SHOWN]
    wide = columns >= _WIDE
    headings = ("CVE", "severity", "", "hosts", "fixable", "packages", *(["advisories"] * wide))
    rows = [_open_cells(each, wide=wide) for each in shown]
    title = "By exploitation, severity and hosts"
    yield from grid(title, headings, rows, more=len(cves.open) - len(shown), columns=columns)
    for reason, names in _not_known(report).items():
        yield from listed(f"not known: {reason}", names, columns=columns, most=len(names))


def _open_cells(each: CveTotal, *, wide: bool) -> tuple[str, ...]:
    exploited = "exploited" if each.exploited else ""
    cells = (each.id, each.severity, exploited, f"{each.hosts:>5,}", f"{each.fixable:>7,}")
    if not wide:
        return *cells, some_of(each.packages, 1)
    return *cells, some_of(each.packages, _SOME), some_of(each.advisories, _SOME)


def _not_known(report: FleetReport) -> dict[str, list[str]]:
    """The hosts of which it is not known which CVEs are open, by the reason."""
    found: dict[str, list[str]] = {}
    for host in report.hosts:
        if host.cves is None:
            found.setdefault(host.problem or "its report says nothing of CVEs", []).append(host.id)
        elif host.cves.problem:
            found.setdefault(host.cves.problem, []).append(host.id)
    return found


def _open_json(report: FleetReport) -> Iterator[str]:
    head = {
        "made": aws_time(report.made),
        "target": report.target,
        "hosts": report.totals.hosts,
        "known": report.totals.cves.known,
        "affected": len(report.totals.cves.affected),
        "not_known": _not_known(report),
    }
    yield json.dumps(head)[:-1] + ', "cves": ['
    for number, each in enumerate(report.totals.cves.open):
        plain = {name: getattr(each, name) for name in CveTotal.__slots__}
        yield ("\n" if number == 0 else ",\n") + json.dumps(plain)
    yield "\n]}\n"


def _open_row(each: CveTotal) -> Sequence[Any]:
    return (
        each.id, each.severity, "yes" if each.exploited else "no", each.hosts, each.fixable, " ".join(each.packages),
        " ".join(each.advisories), each.published,
    )  # fmt: skip
