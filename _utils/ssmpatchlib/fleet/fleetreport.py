# SPDX-License-Identifier: Apache-2.0
"""A fleet report: hosts, totals and trends together, ready to be printed in any format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..wording import amount
from .cve_totals import CveTotals
from .history import Trends
from .hosts import UNREACHABLE, HostReport, read_host
from .standing import RolloutStanding
from .totals import Totals, add_up
from .untrusted import Pool, clean

#: How many hosts a warning names.
SHOWN_HOSTS = 10


@dataclass(frozen=True, slots=True)
class FleetReport:
    """``made`` is epoch seconds, ``target`` what was asked, ``group_by`` the grain that hosts are grouped by.

    ``rollout`` is how the last rollout stands, None when there has been none.
    """

    made: float
    target: str
    hosts: tuple[HostReport, ...]
    totals: Totals
    stale_after: float
    group_by: str = ""
    trends: Trends = Trends()
    warnings: tuple[str, ...] = ()
    rollout: RolloutStanding | None = None


def make_report(
    answers: Iterable[tuple[str, Any]],
    *,
    expected: Sequence[str],
    target: str,
    clock: Callable[[], float],
    stale_after: float,
    group_by: str = "",
    rings: Mapping[str, str] | None = None,
) -> FleetReport:
    """Read what minions returned.

    Args:
        answers: pairs of minion and return; read one by one, so that they need not all be in memory.
        expected: every minion that was asked; who is not among ``answers`` is unreachable.
        clock: the time, epoch seconds; it goes on while answers, of scans too, are waited for.
        rings: the ring of a rollout that each minion belongs to, by id.
    """
    pool, rings = Pool(), rings or {}
    found: dict[str, HostReport] = {}
    for minion, returned in answers:
        if returned is not None:
            found[minion] = read_host(minion, returned, pool=pool, group_by=group_by, now=clock())
    for minion in expected:
        if minion not in found:
            found[minion] = HostReport(id=clean(minion), verdict=UNREACHABLE, problem="no answer")
    hosts = tuple(found[minion]._replace(ring=rings.get(minion, "")) for minion in sorted(found))
    now = clock()
    return FleetReport(
        made=now,
        target=clean(target),
        hosts=hosts,
        totals=add_up(hosts, now=now, stale_after=stale_after),
        stale_after=stale_after,
        group_by=clean(group_by),
        warnings=tuple(
            _named("cannot be read in full, and is not counted as compliant", {h.id: h.unreadable for h in hosts})
            + _named("is of no time that can be", {h.id: (h.undated,) if h.undated else () for h in hosts})
        ),
    )


def _named(problem: str, said: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The warning about hosts with a problem of their own; none without any."""
    having = [f"{name} ({'; '.join(words)})" for name, words in said.items() if words]
    if not having:
        return []
    more = [f"and {len(having) - SHOWN_HOSTS} more"] if len(having) > SHOWN_HOSTS else []
    return [f"what {amount(len(having), 'host')} said {problem}: {', '.join(having[:SHOWN_HOSTS] + more)}"]


def _cves(cves: CveTotals) -> Mapping[str, Any] | None:
    """The numbers of open CVEs; None where no host says anything of them."""
    if not cves.any:
        return None
    return {
        "open": len(cves.open),
        "exploited": cves.exploited,
        "fixable": cves.fixable,
        "by_severity": cves.by_severity,
        "affected": len(cves.affected),
        "exploited_on": len(cves.endangered),
        "unknown": len(cves.unknown),
        "left_out": cves.left_out,
    }


def summary_of(report: FleetReport) -> Mapping[str, Any]:
    """The numbers of a report as plain data, for events and for callers that wrote the report to a file."""
    totals = report.totals
    return {
        "target": report.target,
        "hosts": totals.hosts,
        "compliant_percent": round(totals.compliant * 100, 2),
        "frozen_compliant_percent": round(totals.frozen_compliant * 100, 2),
        "verdicts": dict(totals.verdicts),
        "patches": dict(totals.patches),
        "levels": {level: number for level, number in totals.levels.items() if number},
        "stale": len(totals.stale),
        "reboot_pending": len(totals.reboots),
        "old_code": len(totals.old_code),
        "cves": _cves(totals.cves),
        "warnings": list(report.warnings),
    }
