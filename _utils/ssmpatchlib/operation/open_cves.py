# SPDX-License-Identifier: Apache-2.0
"""What the open CVEs of a host come to: whether the fix may be installed, and if not, what keeps it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..advisories.of_repositories import only
from ..cve_words import (
    BEYOND_FROZEN,
    FIX_AVAILABLE,
    KEPT_OUT,
    NO_FIX,
    NOT_KNOWN,
    SEVERITIES,
    counted_severity,
    severity_rank,
)
from ..evaluate import Judged
from ..model import Carrier, CveData, Judgement, OpenCves, Package
from ..report import CveGroup, CvesPart
from ..versions import sort_key

#: What still runs the code from before an update where a kernel waits for a reboot.
THE_KERNEL = "the kernel"
#: The most CVE ids of a report.
MOST_IDS = 5000
#: The most packages of one source that a report names.
MOST_PACKAGES = 20


class Outcome(NamedTuple):
    """What an open CVE comes to. ``available`` is the ``name.arch:version`` with the fix, ``""`` without one.

    ``updates`` are all of them: what has to be installed so that each package of the source has the fix.
    """

    state: str
    available: str = ""
    approved: bool = False
    reason: str = ""
    updates: tuple[str, ...] = ()


_UNFIXED = Outcome(NO_FIX)
#: Why there will be no fix.
ENDED = "the vendor no longer supports this package"
_UNSUPPORTED = Outcome(NO_FIX, reason=ENDED)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Says what open CVEs come to on a host as it was judged; ``known`` has what was said of a carrier before."""

    judged: Judged
    packages: Mapping[str, Package]
    known: dict[Carrier, Outcome] = field(default_factory=dict)

    def of(self, group: OpenCves) -> Outcome:
        """Return what the CVEs of a group come to."""
        if group.problem:
            return Outcome(NOT_KNOWN, reason=group.problem)
        if not group.fixed:
            return _UNSUPPORTED if group.unsupported else _UNFIXED
        if group.waiting:
            return Outcome(
                FIX_AVAILABLE, reason=f"{group.source} {group.waiting} is installed and does not run yet: reboot"
            )
        found = [self._known(carrier) for carrier in group.carriers if carrier.id in self.packages]
        if not found:
            only = "only subscribers get it (Ubuntu Pro, LTSS)" if group.subscription else self._nowhere
            return Outcome(KEPT_OUT, reason=only)
        worst = min(found, key=lambda outcome: (_ORDER[outcome.state], outcome.approved))
        if worst.state != FIX_AVAILABLE:
            return worst
        return worst._replace(updates=tuple(dict.fromkeys(outcome.available for outcome in (worst, *found))))

    @property
    def _nowhere(self) -> str:
        return _NOWHERE + (_BUT_UNREAD if self.judged.inventory.unread else "")

    def _known(self, carrier: Carrier) -> Outcome:
        if carrier not in self.known:
            self.known[carrier] = self._of_carrier(carrier)
        return self.known[carrier]

    def _of_carrier(self, carrier: Carrier) -> Outcome:
        """What the first version with the fix comes to, or a later one that may be installed sooner."""
        package = self.packages[carrier.id]
        order = sort_key(self.judged.inventory.family.version_order)
        least = order(carrier.version)
        found = [
            self.judged.judge.answer(package, version)
            for version in (*package.versions, *package.outranked)
            if order(version.version) >= least
        ]
        if not found:
            return Outcome(KEPT_OUT, reason=self._nowhere)
        return _outcome(package, max(found, key=lambda each: (not each.kept_out and not each.rejected, each.approved)))


_NOWHERE = "the repositories that are enabled on this host do not have it"
_BUT_UNREAD = "; not all of them could be read, see the warnings"
#: What counts when packages of one source differ: the host has the fix when all of them have it.
_ORDER = {NOT_KNOWN: 0, KEPT_OUT: 1, BEYOND_FROZEN: 2, FIX_AVAILABLE: 3}


def _outcome(package: Package, judgement: Judgement) -> Outcome:
    version = judgement.version
    name = f"{version.id}:{version.version}" if version.replaces(package) else f"{package.id}:{version.version}"
    if version.held_back:
        return Outcome(BEYOND_FROZEN, name, judgement.approved, judgement.kept_out or judgement.reason)
    if judgement.kept_out or judgement.rejected:
        return Outcome(KEPT_OUT, name, judgement.approved, judgement.kept_out or judgement.reason)
    return Outcome(FIX_AVAILABLE, name, judgement.approved, judgement.reason)


def outcomes(judged: Judged) -> Outcomes:
    """Return what says of open CVEs what they come to."""
    return Outcomes(judged, {package.id: package for package in judged.inventory.packages if package.installed})


def rank(severity: str, exploited: object) -> tuple[bool, int]:
    """Return the place of a CVE in a list: those that are exploited first, then by severity; the smallest is first."""
    return not exploited, -severity_rank(severity)


def describe(judged: Judged, *, wanted: bool) -> CvesPart | None:
    """Return the report's ``cves``; None where nothing says anything of CVEs and nobody asked for it.

    Args:
        wanted: whether a feed of advisories is configured.
    """
    data = judged.cves
    if not data.data and not wanted:
        return None
    says = outcomes(judged)
    found = [(group, says.of(group)) for group in data.open if not group.unimportant]
    left = MOST_IDS
    shown: list[CveGroup] = []
    for group, outcome in sorted(found, key=_place):
        if left:
            shown.append(_described(_at_most(left, group), outcome))
            left -= min(left, len(group.cves))
    return CvesPart(
        data=data.data,
        time=data.time,
        problem=data.problem,
        counts=_counts(data, found),
        open=tuple(shown),
        left_out=sum(len(group.cves) for group, _outcome in found) - (MOST_IDS - left),
    )


def _place(found: tuple[OpenCves, Outcome]) -> tuple[Any, ...]:
    """The place in the order in which people need them: exploited, severity, age."""
    group, _outcome = found
    return *rank(group.severity, group.exploited), group.published or "9", group.source, group.cves[:1]


def _at_most(number: int, group: OpenCves) -> OpenCves:
    """Return a group with so many of its CVEs, those that are exploited before others."""
    if len(group.cves) <= number:
        return group
    since = dict(group.exploited)
    return only(group, set(sorted(group.cves, key=lambda cve: cve not in since)[:number]))


def _described(group: OpenCves, outcome: Outcome) -> CveGroup:
    exploited = group.exploited
    # In the order of the fields: by their names it takes twice the time, and a kernel has thousands.
    return CveGroup(
        group.source,
        group.installed,
        outcome.state,
        group.fixed,
        group.severity,
        ",".join(group.advisories),
        ",".join([cve for cve, _since in exploited]) if exploited else "",
        ",".join([since for _cve, since in exploited]) if exploited else "",
        ",".join(group.cves),
        group.published,
        ",".join(group.packages[:MOST_PACKAGES]),
        outcome.available,
        "yes" if outcome.approved else "",
        "yes" if group.subscription else "",
        THE_KERNEL if group.waiting else "",
        outcome.reason,
    )


def _counts(data: CveData, found: Iterable[tuple[OpenCves, Outcome]]) -> dict[str, int]:
    """How many CVEs are open, each counted once with the worst that is said of it."""
    worst: dict[str, tuple[int, str]] = {}
    fixable: dict[str, bool] = {}
    exploited: set[str] = set()
    unknown: set[str] = set()
    for group, outcome in found:
        if group.problem:
            unknown.update(group.cves)
            continue
        can = outcome.state == FIX_AVAILABLE
        if group.exploited:
            exploited.update(cve for cve, _since in group.exploited)
        severity = (severity_rank(group.severity), group.severity)
        for cve in group.cves:
            worst[cve] = max(worst[cve], severity) if cve in worst else severity
            fixable[cve] = fixable.get(cve, True) and can
    unimportant = {cve for group in data.open if group.unimportant for cve in group.cves}
    words: Counter[str] = Counter()
    for word, number in Counter(word for _rank, word in worst.values()).items():
        words[counted_severity(word)] += number
    return {
        "open": len(worst),
        "exploited": len(exploited & worst.keys()),
        "fixable": sum(fixable.values()),
        "unknown": len(unknown - worst.keys()),
        "unimportant": len(unimportant - worst.keys()),
        **{word: words[word] for word in SEVERITIES},
    }
