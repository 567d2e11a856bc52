# SPDX-License-Identifier: Apache-2.0
"""Which CVEs are open in the fleet, on how many hosts, by what hosts reported. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from ..cve_words import FIX_AVAILABLE, SEVERITIES, severity_rank
from .cves import CveGroup, HostCves, worst


@dataclass(frozen=True, slots=True)
class CveTotal:
    """A CVE that is open on hosts, and on how many of them a fix is on offer.

    ``severity`` is the highest that a host gives it, ``published`` the earliest time.
    """

    id: str
    severity: str
    exploited: bool
    hosts: int
    fixable: int
    packages: tuple[str, ...]
    advisories: tuple[str, ...]
    published: str


@dataclass(frozen=True, slots=True)
class CveTotals:
    """The open CVEs of a fleet, exploited ones first, then by severity and hosts.

    ``known`` counts the hosts that say all of theirs, ``unknown`` names those that do not, ``affected`` those with an
    open CVE and ``endangered`` those with one that is exploited. ``left_out`` counts what hosts did not list.
    """

    known: int
    unknown: tuple[str, ...]
    affected: tuple[str, ...]
    endangered: tuple[str, ...]
    left_out: int
    open: tuple[CveTotal, ...]

    @property
    def any(self) -> bool:
        """Whether a host says anything of CVEs."""
        return bool(self.known or self.affected or self.unknown)

    @property
    def exploited(self) -> int:
        """How many of the open CVEs are known to be exploited."""
        return sum(each.exploited for each in self.open)

    @property
    def fixable(self) -> int:
        """How many of the open CVEs a host has a fix on offer for."""
        return sum(each.fixable > 0 for each in self.open)

    @property
    def by_severity(self) -> dict[str, int]:
        """How many open CVEs there are of each severity."""
        found = dict.fromkeys(SEVERITIES, 0)
        for each in self.open:
            found[each.severity] += 1
        return found


def add_up_cves(hosts: Sequence[tuple[str, HostCves | None]]) -> CveTotals:
    """Add up what hosts say of CVEs, given by their ids."""
    told = [(name, cves) for name, cves in hosts if cves is not None]
    return CveTotals(
        known=sum(not cves.problem for _, cves in told),
        unknown=tuple(name for name, cves in hosts if cves is None or cves.problem) if told else (),
        affected=tuple(name for name, cves in told if cves.counts.open),
        endangered=tuple(name for name, cves in told if cves.counts.exploited),
        left_out=sum(cves.left_out for _, cves in told),
        open=tuple(sorted(_open([cves.groups for _, cves in told]), key=_urgency)),
    )


def _urgency(each: CveTotal) -> tuple[bool, int, int, str]:
    return (not each.exploited, -severity_rank(each.severity), -each.hosts, each.id)


def _open(hosts: Sequence[tuple[CveGroup, ...]]) -> Iterable[CveTotal]:
    """Every CVE with its hosts. Those that stand in the same groups are counted together: most hosts are alike."""
    groups, members = _members(hosts)
    together: dict[tuple[int, ...], list[str]] = {}
    for cve, found in _places(groups).items():
        together.setdefault(tuple(found), []).append(cve)
    for places, ids in together.items():
        some = [groups[place] for place in places]
        affected = _union([members[place] for place in places])
        fixable = _union(members[place] for place in places if groups[place].state == FIX_AVAILABLE)
        severity = worst(group.severity for group in some)
        packages = tuple(sorted({group.package for group in some}))
        advisories = tuple(sorted({name for group in some for name in group.advisories}))
        published = min(filter(None, map(attrgetter("published"), some)), default="")
        for cve in ids:
            exploited = any(cve in group.exploited for group in some)
            yield CveTotal(cve, severity, exploited, affected, fixable, packages, advisories, published)


def _members(hosts: Sequence[tuple[CveGroup, ...]]) -> tuple[list[CveGroup], list[Sequence[int]]]:
    """Every distinct group, and the places of the hosts that have it."""
    alike: dict[int, list[int]] = {}
    for place, groups in enumerate(hosts):
        alike.setdefault(id(groups), []).append(place)
    found: dict[CveGroup, list[int]] = {}
    for places in alike.values():
        for group in filter(attrgetter("is_open"), hosts[places[0]]):
            found.setdefault(group, []).extend(places)
    return list(found), list(found.values())


def _places(groups: Sequence[CveGroup]) -> Mapping[str, list[int]]:
    """In which groups each CVE stands."""
    found: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        for cve in group.ids:
            found.setdefault(cve, []).append(place)
    return found


def _union(members: Iterable[Sequence[int]]) -> int:
    """How many hosts there are in some lists of hosts, each counted once."""
    return len(set().union(*members))
