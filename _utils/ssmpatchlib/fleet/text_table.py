# SPDX-License-Identifier: Apache-2.0
"""A fleet report as text that every terminal can show: 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import COMPLIANT, NON_COMPLIANT
from ..wording import amount
from .fleetreport import FleetReport
from .formatting import date_and_time, span
from .grid import fitted, grid, listed
from .hosts import HostReport
from .totals import WORDS, Share, Totals, percent

SHOWN = 10


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
        *_cves(totals),
    ]
    lines = [part for line in summary for part in fitted(line)]
    lines += _shares("By system", totals.by_system)
    lines += _shares("By baseline", totals.by_baseline)
    lines += _shares(f"By {report.group_by}", totals.by_group)
    lines += _worst(report, totals.worst)
    lines += grid(
        "Most missing packages",
        ("package", "hosts", "level", "to install"),
        [(each.id, f"{each.hosts:,}", each.level, ", ".join(each.available)) for each in totals.packages[:SHOWN]],
        more=len(totals.packages) - SHOWN,
    )
    lines += grid(
        "Oldest open patches",
        ("host", "package", "level", "known for"),
        [(each.host, each.patch, each.level, span(report.made - each.since)) for each in report.trends.oldest[:SHOWN]],
    )
    lines += grid(
        "Mean time to patch",
        ("level", "patches", "time"),
        [(level, f"{number:,}", span(mean)) for level, number, mean in report.trends.mean_seconds],
    )
    seen = dict(report.trends.last_seen)
    unreachable = [
        f"{name} (last report {date_and_time(seen[name])})" if name in seen else name for name in totals.unreachable
    ]
    lines += listed("Unreachable", unreachable)
    problems = {host.id: host.problem for host in report.hosts if host.problem}
    lines += listed("No report", [f"{name}: {problems.get(name, '')}" for name in totals.no_report], per_line=True)
    lines += listed("Stale", totals.stale)
    lines += listed("Waiting for a reboot", totals.reboots)
    old = [f"{host.id}: {host.old_code.words}" for host in report.hosts if host.old_code and host.old_code.is_any]
    lines += listed("Running code that an update replaced", old, per_line=True)
    lines += listed("Warnings", (*report.warnings, *report.trends.warnings), per_line=True)
    return "\n".join(lines) + "\n"


def _held_back(totals: Totals) -> list[str]:
    number = totals.patches["held_back"]
    if not number:
        return []
    share = percent(totals.frozen_compliant)
    return [f"  {number:,} of the missing held back by frozen sets; {share} of hosts compliant without these"]


def _cves(totals: Totals) -> list[str]:
    cves = totals.cves
    if not cves.any:
        return []
    unknown = f", not known of {amount(len(cves.unknown), 'host')}" if cves.unknown else ""
    on = f"on {amount(len(cves.affected), 'host')}"
    exploited = f", {cves.exploited:,} exploited on {amount(len(cves.endangered), 'host')}" if cves.exploited else ""
    return [f"  {amount(len(cves.open), 'open CVE')} {on}{exploited}{unknown}"]


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
    return grid(title, headings, rows, more=len(shares) - SHOWN, numbers=5)


def _worst(report: FleetReport, worst: Sequence[HostReport]) -> list[str]:
    rows = []
    for host in worst[:SHOWN]:
        counts = host.counts
        age = span(report.made - host.ended) if host.ended is not None else ""
        rows.append((host.id, host.severity, f"{counts.missing}", f"{counts.failed}", f"{counts.pending}", age))
    headings = ("host", "level", "missing", "failed", "pending", "report age")
    return grid("Worst hosts", headings, rows, more=len(worst) - SHOWN)
