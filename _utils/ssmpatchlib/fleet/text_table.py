# SPDX-License-Identifier: Apache-2.0
"""A fleet report as text that every terminal can show: 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model import COMPLIANT, NON_COMPLIANT
from ..wording import amount
from .columns import padded, width, wrapped
from .fleetreport import FleetReport
from .formatting import date_and_time, span
from .hosts import HostReport
from .totals import WORDS, Share, Totals, percent

WIDTH = 80
# By how much a cell may be longer than three quarters of its column before it counts as an exception.
SLACK = 10
SHOWN = 10
NAMES_SHOWN = 30


def table_text(report: FleetReport) -> str:
    """The whole report as text."""
    totals = report.totals
    summary = [
        f"Fleet report for {report.target}, {date_and_time(report.made)}",
        "",
        f"  {percent(totals.compliant)} of {amount(totals.hosts, 'host')} compliant",
        "  " + ", ".join(f"{totals.verdicts[verdict]:,} {word}" for verdict, word in WORDS.items()),
        "  "
        + ", ".join(f"{totals.patches[key]:,} {key}" for key in ("missing", "failed", "rejected"))
        + f", {totals.patches['pending']:,} pending a reboot",
        *_held_back(totals),
        f"  {amount(len(totals.stale), 'stale report')} (older than {span(report.stale_after)}), "
        f"{amount(len(totals.reboots), 'host')} waiting for a reboot",
        *([f"  {amount(len(totals.old_code), 'host')} running code that an update replaced"] * bool(totals.old_code)),
    ]
    lines = [part for line in summary for part in _wrapped(line)]
    lines += _shares("By system", totals.by_system)
    lines += _shares("By baseline", totals.by_baseline)
    lines += _shares(f"By {report.group_by}", totals.by_group)
    lines += _worst(report, totals.worst)
    lines += _grid(
        "Most missing packages",
        ("package", "hosts", "level", "to install"),
        [(each.id, f"{each.hosts:,}", each.level, ", ".join(each.available)) for each in totals.packages[:SHOWN]],
        more=len(totals.packages) - SHOWN,
    )
    lines += _grid(
        "Oldest open patches",
        ("host", "package", "level", "known for"),
        [(each.host, each.patch, each.level, span(report.made - each.since)) for each in report.trends.oldest[:SHOWN]],
    )
    lines += _grid(
        "Mean time to patch",
        ("level", "patches", "time"),
        [(level, f"{number:,}", span(mean)) for level, number, mean in report.trends.mean_seconds],
    )
    seen = dict(report.trends.last_seen)
    unreachable = [
        f"{name} (last report {date_and_time(seen[name])})" if name in seen else name for name in totals.unreachable
    ]
    lines += _names("Unreachable", unreachable)
    problems = {host.id: host.problem for host in report.hosts if host.problem}
    lines += _names("No report", [f"{name}: {problems.get(name, '')}" for name in totals.no_report], per_line=True)
    lines += _names("Stale", totals.stale)
    lines += _names("Waiting for a reboot", totals.reboots)
    old = [f"{host.id}: {host.old_code.words}" for host in report.hosts if host.old_code and host.old_code.is_any]
    lines += _names("Running code that an update replaced", old, per_line=True)
    lines += _names("Warnings", (*report.warnings, *report.trends.warnings), per_line=True)
    return "\n".join(lines) + "\n"


def _held_back(totals: Totals) -> list[str]:
    number = totals.patches["held_back"]
    if not number:
        return []
    share = percent(totals.frozen_compliant)
    return [f"  {number:,} of the missing held back by frozen sets; {share} of hosts compliant without these"]


def _shares(title: str, shares: Sequence[Share]) -> list[str]:
    rows = [
        (
            share.name,
            f"{share.hosts:,}",
            percent(share.compliant),
            f"{share.verdicts[COMPLIANT]:,}",
            f"{share.verdicts[NON_COMPLIANT]:,}",
            f"{share.hosts - share.verdicts[COMPLIANT] - share.verdicts[NON_COMPLIANT]:,}",
        )
        for share in shares[:SHOWN]
    ]
    headings = ("", "hosts", "compliant", "yes", "no", "not known")
    return _grid(title, headings, rows, more=len(shares) - SHOWN, numbers=5)


def _worst(report: FleetReport, worst: Sequence[HostReport]) -> list[str]:
    rows = []
    for host in worst[:SHOWN]:
        counts = host.counts
        age = span(report.made - host.ended) if host.ended is not None else ""
        rows.append((host.id, host.severity, f"{counts.missing}", f"{counts.failed}", f"{counts.pending}", age))
    headings = ("host", "level", "missing", "failed", "pending", "report age")
    return _grid("Worst hosts", headings, rows, more=len(worst) - SHOWN)


def _grid(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, more: int = 0, numbers: int = 0
) -> list[str]:
    """A titled table; nothing without rows. The last ``numbers`` columns are right-aligned.

    A cell that is much longer than the others of its column moves the rest of its own row only.
    """
    if not rows:
        return []
    columns = zip(*rows, strict=True)
    widths = [max(width(heading), _usual(column)) for heading, column in zip(headings, columns, strict=True)]
    lines = ["", f"  {title}"]
    for row in (headings, *rows):
        cells = []
        for column, (cell, room) in enumerate(zip(row, widths, strict=True)):
            cells.append(padded(cell, room, right=column >= len(headings) - numbers))
        lines += _wrapped(("    " + "  ".join(cells)).rstrip())
    if more > 0:
        lines.append(f"    and {more:,} more")
    return lines


def _usual(cells: Sequence[str]) -> int:
    """The greatest width that is no exception."""
    lengths = sorted(map(width, cells))
    most = lengths[(len(lengths) - 1) * 3 // 4] + SLACK
    return max(length for length in lengths if length <= most)


def _wrapped(line: str) -> list[str]:
    """The line, in as many as it takes; what does not fit is indented further."""
    if width(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return wrapped(line.strip(), WIDTH, first=indent, rest=indent + "    ")


def _names(title: str, names: Iterable[str], *, per_line: bool = False) -> list[str]:
    """A titled list of names; nothing without any."""
    found = list(names)
    if not found:
        return []
    shown = found[:NAMES_SHOWN]
    lines = ["", f"  {title} ({len(found):,})"]
    if per_line:
        for name in shown:
            lines += wrapped(name, WIDTH, first="    ", rest="      ")
    else:
        lines += wrapped(", ".join(shown), WIDTH, first="    ", rest="    ")
    if len(found) > NAMES_SHOWN:
        lines.append(f"    and {len(found) - NAMES_SHOWN:,} more")
    return lines
