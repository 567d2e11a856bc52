# SPDX-License-Identifier: Apache-2.0
"""An inventory with the vendor's advisories on it, and the CVEs that are open on this host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..advisories.of_repositories import only
from ..errors import SsmpatchError
from ..model import Baseline, CveData, Inventory, Kernels, OpenCves, Package, UnreadSource
from . import feed
from .session import Session, work_dir

if TYPE_CHECKING:
    from .kept_advisories import Kept

UPDATEINFO = "updateinfo"
_BY_ADVISORY = ("CLASSIFICATION", "SEVERITY")
#: An entry of a list that is the id of a CVE or of an advisory of Debian or Ubuntu.
_ID = re.compile(r"\s*(?:CVE|DSA|DLA|USN|LSN|(?:DEBIAN|UBUNTU)-CVE)-[0-9][0-9-]*\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Advised:
    """An inventory as it is to be judged, what is known of CVEs, and warnings for the report."""

    inventory: Inventory
    cves: CveData = CveData()
    warnings: tuple[str, ...] = ()


def with_advisories(
    session: Session, inventory: Inventory, *, now: float, read_all: Callable[[], Inventory] | None, scanned: bool
) -> Advised:
    """Return the inventory with the configured feed's advisories, and the open CVEs.

    Where repositories publish advisories of their own, these judge; a feed then adds what has no fix yet.

    Args:
        read_all: returns the inventory with all archives, where only those of security updates were read.
        scanned: whether it was read as a scan does.
    """
    name = feed.FILE if scanned else feed.FILE_OF_ALL
    if inventory.family.has_dates:
        return _of_repositories(session, inventory, now, name)
    if session.settings.advisories is None:
        return Advised(inventory)
    try:
        kept = _kept(session, inventory, now, name)
        if read_all is not None and feed.wants_everything(kept.found):
            inventory = read_all()
            kept = _kept(session, inventory, now, feed.FILE_OF_ALL)
    except SsmpatchError as exc:
        return _without(session, inventory, str(exc))
    from ..advisories.advise import advise

    return Advised(
        advise(inventory, kept.found, classify=filters_by_advisory(session.baseline)),
        CveData(kept.release, kept.time, open=kept.found.open),
    )


def _kept(session: Session, inventory: Inventory, now: float, name: str) -> Kept:
    """Return what the feed says of this host, kept in a file of this name.

    Raises:
        SsmpatchError: it is missing, damaged, for another release, or too old.
    """
    assert session.settings.advisories is not None  # noqa: S101 - callers ask only where one is configured
    local = feed.local_feed(session.settings, session.os_info, session.caller)
    kernels = session.backend.kernels()
    kept = feed.kept_for(local, packages_of(inventory, kernels), kernels.others, path=work_dir(session.settings) / name)
    problem = feed.problem_of_age(kept.time, now=now, max_age=session.settings.advisories.max_age)
    if problem:
        raise feed.NoFeed(f"{local.path.name}: {problem}")
    return kept


def packages_of(inventory: Inventory, kernels: Kernels) -> tuple[Package, ...]:
    """Return the packages by every name that the vendors' records may know them by, and as they run."""
    from ..advisories.sources import as_running, under_both_names

    if inventory.family.version_order != "deb":
        return tuple(under_both_names(inventory.packages))
    return tuple(as_running(inventory.packages, dict(kernels.running)))


def _without(session: Session, inventory: Inventory, problem: str) -> Advised:
    """Return the inventory as it is without a feed; where the baseline needs one, nobody knows what is missing.

    What the feed said when it could last be used has the ids for the baseline's lists.
    """
    data, needs = CveData(problem=problem), tuple(_needs(session.baseline))
    if not needs:
        said = f"advisories: {problem}; judged without them, and no CVE is known"
        return Advised(inventory, data, (said,))
    from ..advisories.advise import remember
    from .kept_advisories import recall

    kept = recall(work_dir(session.settings) / feed.FILE)
    missing = UnreadSource("advisories", f"{problem}; the baseline's {' and '.join(needs)} need them")
    return Advised(
        replace(remember(inventory, kept.found) if kept else inventory, unread=(*inventory.unread, missing)), data
    )


def _needs(baseline: Baseline) -> Iterator[str]:
    """What of a baseline asks for advisories."""
    if filters_by_advisory(baseline):
        yield "filters of CLASSIFICATION and SEVERITY"
    if any(map(_ID.fullmatch, (*baseline.approved_patches, *baseline.rejected_patches))):
        yield "lists of CVEs and advisories"


def _of_repositories(session: Session, inventory: Inventory, now: float, name: str) -> Advised:
    from ..advisories.of_repositories import open_cves

    own = open_cves(inventory.packages, running=dict(session.backend.kernels().running))
    problem = "" if inventory.advised else "no enabled repository publishes advisories (updateinfo)"
    data = CveData(UPDATEINFO if inventory.advised else "", problem=problem, open=own)
    if session.settings.advisories is None:
        return Advised(inventory, data)
    try:
        kept = _kept(session, inventory, now, name)
    except SsmpatchError as exc:
        said = f"advisories: {exc}; CVEs are known by the repositories' advisories only"
        return Advised(inventory, data, (said,))
    return Advised(inventory, CveData(kept.release, kept.time, open=(*own, *_more(kept.found.open, own))))


def _more(said: Iterable[OpenCves], own: Iterable[OpenCves]) -> Iterator[OpenCves]:
    """Yield what a feed says of packages of which the repositories' own advisories say nothing by the same CVE."""
    known: dict[str, set[str]] = {}
    for group in own:
        for cve in group.cves:
            known.setdefault(cve, set()).update(group.packages)
    for group in said:
        news = {cve for cve in group.cves if known.get(cve, set()).isdisjoint(group.packages)}
        if news:
            yield only(group, news)


def filters_by_advisory(baseline: Baseline) -> bool:
    """Return whether a filter compares what only an advisory says."""
    filters = (*baseline.global_filters, *(each for rule in baseline.rules for each in rule.filters))
    return any(each.key in _BY_ADVISORY and "*" not in each.values for each in filters)
