# SPDX-License-Identifier: Apache-2.0
"""What a fleet's reports add up to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..model import COMPLIANT, FAILED, LEVELS, MISSING, NON_COMPLIANT
from .cve_totals import CveTotals, add_up_cves
from .hosts import NO_REPORT, UNREACHABLE, VERDICTS, HostReport, level_rank


@dataclass(frozen=True, slots=True)
class Share:
    """How the hosts of one group stand: ``verdicts`` has a number for each verdict."""

    name: str
    verdicts: Mapping[str, int]

    @property
    def hosts(self) -> int:
        """How many hosts the group has."""
        return sum(self.verdicts.values())

    @property
    def compliant(self) -> float:
        """The compliant part, 0 to 1; of all hosts, those without a report included."""
        return self.verdicts[COMPLIANT] / self.hosts if self.hosts else 0.0


@dataclass(frozen=True, slots=True)
class PackageTotal:
    """A package that hosts lack: on how many, at which highest level, in which versions."""

    id: str
    hosts: int
    level: str
    states: tuple[str, ...]
    available: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a fleet report. ``levels`` counts non-compliant patches by compliance level.

    ``let_in`` is how many hosts are compliant without what their frozen sets hold back, ``old_code`` names those that
    run code which an update replaced.
    """

    hosts: int
    verdicts: Mapping[str, int]
    let_in: int
    patches: Mapping[str, int]
    levels: Mapping[str, int]
    stale: tuple[str, ...]
    unreachable: tuple[str, ...]
    no_report: tuple[str, ...]
    reboots: tuple[str, ...]
    old_code: tuple[str, ...]
    by_system: tuple[Share, ...]
    by_baseline: tuple[Share, ...]
    by_group: tuple[Share, ...]
    by_ring: tuple[Share, ...]
    worst: tuple[HostReport, ...]
    packages: tuple[PackageTotal, ...]
    cves: CveTotals

    @property
    def compliant(self) -> float:
        """The compliant part of all hosts, 0 to 1; a host that says nothing is not compliant."""
        return self.verdicts[COMPLIANT] / self.hosts if self.hosts else 0.0

    @property
    def frozen_compliant(self) -> float:
        """The part of all hosts, 0 to 1, that is compliant without what their frozen sets hold back."""
        return self.let_in / self.hosts if self.hosts else 0.0


def add_up(hosts: Sequence[HostReport], *, now: float, stale_after: float) -> Totals:
    """Add up the reports of a fleet.

    Args:
        now: epoch seconds.
        stale_after: seconds after which a report is stale.
    """
    patches: Counter[str] = Counter()
    levels: Counter[str] = Counter(dict.fromkeys(reversed(LEVELS), 0))
    for host in hosts:
        patches.update(host.counts._asdict())
        levels.update(row.level for row in host.rows)
    bad = [host for host in hosts if host.counts.non_compliant or host.rows]
    return Totals(
        hosts=len(hosts),
        verdicts=_verdicts(hosts),
        let_in=sum(host.frozen_verdict == COMPLIANT for host in hosts),
        patches=dict(patches) if hosts else dict.fromkeys(HostReport._field_defaults["counts"]._fields, 0),
        levels=dict(levels),
        stale=_ids(host for host in hosts if host.stale(now, stale_after)),
        unreachable=_ids(host for host in hosts if host.verdict == UNREACHABLE),
        no_report=_ids(host for host in hosts if host.verdict == NO_REPORT),
        reboots=_ids(host for host in hosts if host.reboot_pending),
        old_code=_ids(host for host in hosts if host.old_code and host.old_code.is_any),
        by_system=_shares(hosts, lambda host: host.system),
        by_baseline=_shares(hosts, lambda host: host.baseline or "none"),
        by_group=_shares(hosts, lambda host: host.group or "none") if any(host.group for host in hosts) else (),
        by_ring=_shares(hosts, lambda host: host.ring or "none") if any(host.ring for host in hosts) else (),
        worst=tuple(sorted(bad, key=_badness)),
        packages=_packages(hosts),
        cves=add_up_cves([(host.id, host.cves) for host in hosts]),
    )


def _ids(hosts: Iterable[HostReport]) -> tuple[str, ...]:
    return tuple(host.id for host in hosts)


def _verdicts(hosts: Iterable[HostReport]) -> dict[str, int]:
    found = Counter(host.verdict for host in hosts)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _shares(hosts: Sequence[HostReport], key: Callable[[HostReport], str]) -> tuple[Share, ...]:
    groups: dict[str, list[HostReport]] = {}
    for host in hosts:
        groups.setdefault(key(host), []).append(host)
    shares = [Share(name, _verdicts(members)) for name, members in groups.items()]
    return tuple(sorted(shares, key=lambda share: (-share.hosts, share.name)))


def _badness(host: HostReport) -> tuple[int, int, int, str]:
    return (-level_rank(host.severity), -host.counts.failed, -host.counts.non_compliant, host.id)


def _packages(hosts: Iterable[HostReport]) -> tuple[PackageTotal, ...]:
    """What is to be installed, most widely missing first; each host counts once for a package."""
    found: dict[str, tuple[set[str], set[str], set[str]]] = {}
    counts: Counter[str] = Counter()
    for host in hosts:
        here = set()
        for row in host.rows:
            if row.state not in (MISSING, FAILED):
                continue
            here.add(row.id)
            levels, states, available = found.setdefault(row.id, (set(), set(), set()))
            levels.add(row.level)
            states.add(row.state)
            available.add(row.available)
        counts.update(here)
    packages = [
        PackageTotal(
            id=package,
            hosts=number,
            level=max(found[package][0], key=level_rank),
            states=tuple(sorted(found[package][1])),
            available=tuple(sorted(filter(None, found[package][2]))),
        )
        for package, number in counts.items()
    ]
    return tuple(sorted(packages, key=lambda each: (-each.hosts, -level_rank(each.level), each.id)))


def percent(part: float) -> str:
    """``98.4 %``: a share of 0 to 1, rounded so that only all is 100 % and only none is 0 %."""
    if part in (0.0, 1.0):
        return f"{part:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, part * 100)):.1f} %"


#: Words for verdicts, in the order in which they are shown.
WORDS: Mapping[str, str] = {
    COMPLIANT: "compliant",
    NON_COMPLIANT: "non-compliant",
    "UNKNOWN": "unknown",
    NO_REPORT: "no report",
    UNREACHABLE: "unreachable",
}
