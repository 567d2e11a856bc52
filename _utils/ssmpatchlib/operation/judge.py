# SPDX-License-Identifier: Apache-2.0
"""A host judged by its baseline: its packages read, what a feed and the frozen set say of them, and the verdicts."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from .. import versions
from ..baseline.defaults import ORIGIN
from ..baseline.filter_values import Reach, find_reach
from ..evaluate import Judged, attribute_values, evaluate, hold_back, make_judge
from ..model import Baseline, CveData, FrozenSet, Inventory
from ..rules import asks_for_advisories
from ..store import ledger
from .advised import with_advisories
from .session import Session


def judge_host(session: Session, *, now: float, inventory: Inventory | None = None) -> Judged:
    """Return the host judged by its baseline; without an ``inventory`` the packages are read first."""
    with collector_paused():
        if inventory is not None:
            return _judge(session, now, inventory, None, scanned=False)
        found = session.backend.inventory(non_security=session.non_security)
        everything = partial(session.backend.inventory, non_security=True)
        return _judge(session, now, found, None if session.non_security else everything, scanned=True)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector while very many small values without cycles are made (benchmarks/rpm.py, "scan")."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _judge(
    session: Session, now: float, inventory: Inventory, read_all: Callable[[], Inventory] | None, *, scanned: bool
) -> Judged:
    advised = with_advisories(session, inventory, now=now, read_all=read_all, scanned=scanned)
    inventory = advised.inventory
    by_feed = _is_by_feed(session, inventory, advised.cves)
    if session.frozen is not None:
        inventory = hold_back(inventory, session.frozen)
    first_seen, warnings = _first_seen(session, inventory, now, by_feed=by_feed)
    if asks_for_advisories(session.baseline, switch=inventory.family.non_security_switch):
        inventory = dataclasses.replace(inventory, unread=(*inventory.unread, *inventory.lost))
        warnings = (*warnings, *_unadvised(inventory))
    baseline = _without_delays(session.baseline) if by_feed and _is_default(session) else session.baseline
    judge = make_judge(
        baseline=baseline,
        inventory=inventory,
        products=session.os_info.products,
        now=now,
        first_seen=first_seen,
    )
    evaluation = evaluate(judge=judge, baseline=baseline, inventory=inventory)
    reach = reach_of(session, inventory, by_feed=by_feed)
    said = (
        *advised.warnings,
        *(f"baseline {session.baseline.name}: {problem}" for problem in reach.problems),
        *_ignored(session, inventory, by_feed=by_feed),
        *_vanished(session.frozen, inventory),
        *warnings,
    )
    return Judged(inventory, judge, evaluation, decidable=not reach.nothing, warnings=said, cves=advised.cves)


def _is_by_feed(session: Session, inventory: Inventory, cves: CveData) -> bool:
    """Return whether the advisories of the inventory are those of a feed."""
    return bool(cves.data) and not inventory.family.has_dates


def _is_default(session: Session) -> bool:
    """Return whether AWS's default baseline is in force, and nobody has asked for its delay.

    AWS approves at once by those of systems whose archives have no dates; fixes must not come later with a feed.
    """
    return session.baseline.origin == ORIGIN and session.settings.approval_delay == "published"


def _without_delays(baseline: Baseline) -> Baseline:
    rules = tuple(dataclasses.replace(rule, approve_after_days=None) for rule in baseline.rules)
    return dataclasses.replace(baseline, rules=rules)


def reach_of(session: Session, inventory: Inventory, *, by_feed: bool) -> Reach:
    """Return what of the session's baseline cannot apply on this host."""
    os_info = session.os_info
    return find_reach(
        session.baseline,
        family=os_info.family,
        products=os_info.products,
        by_feed=by_feed,
        seen=lambda key: attribute_values(inventory, key),
    )


def _first_seen(
    session: Session, inventory: Inventory, now: float, *, by_feed: bool
) -> tuple[Mapping[str, float] | None, tuple[str, ...]]:
    """Return when this host first saw the versions without a date, where that counts, and warnings.

    The dates of a feed may be lost, so that versions with one are remembered too.
    """
    if session.settings.approval_delay != "first_seen" and not by_feed:
        return None, ()
    ids = [
        f"{package.id}:{version.version}"
        for package in inventory.packages
        if package.installed
        for version in package.versions
        if not inventory.family.has_dates or all(advisory.released is None for advisory in version.advisories)
    ]
    return ledger.first_seen(ids, session.settings.place(now))


def _unadvised(inventory: Inventory) -> tuple[str, ...]:
    """Return a warning where the baseline asks for advisories and no repository publishes any with a type."""
    if inventory.advised:
        return ()
    return (
        "no enabled repository publishes advisories with a type (updateinfo), so that no update is known to be a "
        "security fix: what the rules approve by CLASSIFICATION, SEVERITY or as security updates cannot be found "
        "missing; enable a repository that has them, or approve with CLASSIFICATION * and EnableNonSecurity",
    )


def _vanished(frozen: FrozenSet | None, inventory: Inventory) -> tuple[str, ...]:
    """Return a warning for each frozen version that is newer than the installed one and not on offer."""
    if frozen is None:
        return ()
    order = versions.sort_key(inventory.family.version_order)
    return tuple(
        f"{package.id}: the frozen version {limit} is not on offer any more"
        for package in inventory.packages
        if package.installed is not None
        and (limit := frozen.versions.get(package.id))
        and order(limit) > order(package.installed.version)
        and all(version.version != limit for version in package.versions)
    )


def _ignored(session: Session, inventory: Inventory, *, by_feed: bool) -> tuple[str, ...]:
    """Return a warning for each setting of the baseline that has no effect on this package family."""
    baseline, family = session.baseline, inventory.family
    found = []
    delayed = [r for r in baseline.rules if r.approve_after_days or r.approve_until_date]
    undated = not by_feed and not family.has_dates and session.settings.approval_delay != "first_seen"
    if undated and delayed and not baseline.origin.startswith("built-in"):
        found.append(
            f"ApproveAfterDays and ApproveUntilDate are not applied: {family.name} repositories have no release dates; "
            "configure the vendor's advisories (ssmpatch:advisories), or set approval_delay: first_seen to count from "
            "when this host first saw a version"
        )
    if not family.non_security_switch and not baseline.non_security:
        found.append("EnableNonSecurity has no effect on SUSE: updates without a patch are judged as if it were true")
    if baseline.available_security_updates_compliance_status:
        found.append(
            "AvailableSecurityUpdatesComplianceStatus has no effect on Linux: AWS applies it on Windows only, and here "
            "an update that the baseline does not approve is not judged"
        )
    return tuple(found)
