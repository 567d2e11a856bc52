# SPDX-License-Identifier: Apache-2.0
"""Judges packages by the baseline: a Verdict for each package, a Judgement for each version, with reasons. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from . import patterns, versions
from .cve_words import severity_rank
from .model import (
    BLOCK,
    FAILED,
    INSTALLED,
    INSTALLED_OTHER,
    INSTALLED_REJECTED,
    LEVELS,
    MISSING,
    Advisory,
    Baseline,
    CveData,
    FrozenSet,
    Inventory,
    Judgement,
    NotInstalled,
    Package,
    Verdict,
    Version,
)
from .rules import ApprovalRules
from .wording import amount

#: The most advisories of vanished versions that one reason names.
_NAMED = 3


#: Why a frozen set holds a version back that it names no version of.
NOT_IN_SET = "not in it"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdicts of the installed packages, and how many approved packages are not installed."""

    verdicts: tuple[Verdict, ...]
    not_applicable: int


@dataclass(frozen=True, slots=True)
class Judge:
    """The functions that judge one version of one package.

    ``answer`` returns the judgement with its reason, ``rejects`` the entry of the rejected list that names the version.
    ``by_advisory`` returns whether a version with this advisory is approved; it is None where the baseline asks for
    more than the advisory (names, dates of its own).
    """

    answer: Callable[[Package, Version], Judgement]
    rejects: Callable[[Package, Version], str]
    by_advisory: Callable[[Advisory], bool] | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A host as it is now, and what the baseline says of it.

    ``decidable`` is False where the baseline can approve nothing on this host, so that nothing can be found missing.
    ``cves`` are those that are open.
    """

    inventory: Inventory
    judge: Judge
    evaluation: Evaluation
    decidable: bool = True
    warnings: tuple[str, ...] = ()
    cves: CveData = CveData()


def evaluate(*, judge: Judge, baseline: Baseline, inventory: Inventory) -> Evaluation:
    """Judge every package of ``inventory``. Rule: docs/rules.md, Baselines; States and counters.

    Of several approved versions the highest that may be taken counts, or the highest of all when none may; newer ones
    that are kept out are named in the reason. A package without an approved version is InstalledOther, or
    InstalledRejected when the installed version is rejected with BLOCK. An approved package that is not installed is
    NotApplicable.
    """
    verdicts = []
    not_installed = []
    for package in inventory.packages:
        if package.installed is not None:
            verdicts.append(judge_package(judge=judge, baseline=baseline, inventory=inventory, package=package))
        else:
            not_installed.append(package)
    not_applicable = _count_approved(judge, not_installed) + _count_not_installed(judge, inventory.not_installed)
    return Evaluation(tuple(verdicts), not_applicable)


def _count_not_installed(judge: Judge, not_installed: NotInstalled) -> int:
    if judge.by_advisory is None:
        return _count_approved(judge, not_installed.build())
    approved = {number for number, advisory in enumerate(not_installed.advisories) if judge.by_advisory(advisory)}
    return sum(count for numbers, count in not_installed.groups if not approved.isdisjoint(numbers))


def _count_approved(judge: Judge, packages: Iterable[Package]) -> int:
    if judge.by_advisory is None:
        return sum(any(judge.answer(package, version).approved for version in package.versions) for package in packages)
    approves = judge.by_advisory
    return sum(any(approves(advisory) for v in package.versions for advisory in v.advisories) for package in packages)


def judge_package(*, judge: Judge, baseline: Baseline, inventory: Inventory, package: Package) -> Verdict:
    """Return the verdict of one installed package."""
    installed = package.installed
    assert installed is not None  # noqa: S101 - callers pass installed packages only
    judgements = [judge.answer(package, version) for version in package.versions]
    outranked = [judge.answer(package, version) for version in package.outranked]
    present = judge.answer(package, installed)
    best = choose_update(judgements, installed)
    wanted = [j for j in judgements if not _same(j.version, installed)]
    if best is None or _same(best.version, installed):
        return _present_verdict(package, present, best, baseline, inventory, _offered(package, wanted, outranked))
    cves = _cves(wanted, best, inventory.family.cves_of)
    advisory = best.advisory or best.version.advisories[0]
    above = wanted[wanted.index(best) + 1 :]
    return Verdict(
        package,
        MISSING,
        best.version,
        _join(
            best.reason,
            _replacing(package, best),
            best.kept_out,
            _kept_out(package, [*above, *outranked]),
            package.broken,
        ),
        level=best.level,
        target=best.version,
        classification=advisory.classification,
        severity=advisory.severity,
        cves=cves,
    )


def choose_update(judgements: Sequence[Judgement], installed: Version) -> Judgement | None:
    """Return the highest approved version that may be taken, of versions in ascending order; None if none is approved.

    When nothing approved above the installed version may be taken, it is the highest that is kept out, one within the
    frozen set before those beyond it.
    """
    approved = [j for j in judgements if j.approved]
    newer = list(itertools.takewhile(lambda j: not _same(j.version, installed), reversed(approved)))
    free = (j for j in newer if not j.kept_out)
    within = (j for j in newer if not j.version.held_back)
    return next(itertools.chain(free, within, reversed(approved)), None)


def _present_verdict(
    package: Package,
    present: Judgement,
    best: Judgement | None,
    baseline: Baseline,
    inventory: Inventory,
    offered: str,
) -> Verdict:
    installed = present.version
    approval = best or (present if present.approved else None)
    if approval:
        advisory = approval.advisory or installed.advisories[0]
        state = MISSING if package.broken else INSTALLED
        return Verdict(
            package,
            state,
            installed,
            _join(approval.reason, offered, package.broken),
            level=approval.level,
            target=installed if package.broken else None,
            classification=advisory.classification,
            severity=advisory.severity,
        )
    state = INSTALLED_REJECTED if present.rejected and baseline.rejected_patches_action == BLOCK else INSTALLED_OTHER
    own = [advisory for advisory in installed.advisories if not advisory.vanished]
    described = best_advisory(own) if own and inventory.family.describe_unapproved else None
    return Verdict(
        package,
        MISSING if package.broken else state,
        installed,
        _join(present.reason, offered, package.broken),
        target=installed if package.broken else None,
        classification=described.classification if described else "",
        severity=described.severity if described else "",
    )


def _offered(package: Package, wanted: Sequence[Judgement], outranked: Sequence[Judgement]) -> str:
    """Return why the newest version on offer is not approved, and which approved one is kept out."""
    refused = f"{_named(package, wanted[-1])} is on offer: {wanted[-1].reason}" if wanted else ""
    return _join(refused, _kept_out(package, outranked))


def _kept_out(package: Package, judgements: Sequence[Judgement]) -> str:
    """Return what keeps the newest approved version out, ``""`` when no version is approved."""
    newest = next((j for j in reversed(judgements) if j.approved and j.kept_out), None)
    return f"{_named(package, newest)} is approved, but {newest.kept_out}" if newest else ""


def _replacing(package: Package, judgement: Judgement) -> str:
    """Return which other package takes the place of this one, ``""`` for a version of the package itself."""
    version = judgement.version
    return f"{version.id} replaces {package.id}" if version.replaces(package) else ""


def _named(package: Package, judgement: Judgement) -> str:
    """Return a version as people know it: with the package's name where that is another one."""
    version = judgement.version
    return f"{version.id} {version.version}" if version.replaces(package) else version.version


def make_judge(
    *,
    baseline: Baseline,
    inventory: Inventory,
    products: Sequence[str],
    now: float,
    first_seen: Mapping[str, float] | None = None,
) -> Judge:
    """Return the functions that judge one version by a baseline.

    Args:
        products: the values that a PRODUCT filter may name this host by.
        now: the time of the judgement, epoch seconds.
        first_seen: epoch seconds by ``name.arch:version``, used as the release date where there is none.
    """
    family = inventory.family
    clock = dt.datetime.fromtimestamp(now, dt.timezone.utc)
    approves = patterns.compile_patterns(baseline.approved_patches, family=family)
    names_rejected = patterns.compile_patterns(baseline.rejected_patches, family=family)
    references = {entry.strip().lower(): entry for entry in baseline.approved_patches}
    refused = {entry.strip().lower(): entry for entry in baseline.rejected_patches}
    switch = family.non_security_switch
    rules = ApprovalRules(baseline, products=products, now=clock, switch=switch)

    def release_of(package: Package, version: Version, advisory: Advisory) -> dt.datetime | None:
        if advisory.released is None and first_seen:
            seen = first_seen.get(f"{package.id}:{version.version}")
            # What is seen for the first time was there before, so that a delay of no days is none.
            return dt.datetime.fromtimestamp(min(seen, now - 1), dt.timezone.utc) if seen is not None else None
        return advisory.released

    def by_reference(advisory: Advisory, entries: Mapping[str, str]) -> str:
        return next((entries[r] for r in sorted(advisory.references) if r in entries), "")

    def rejects(package: Package, version: Version) -> str:
        found = names_rejected(package, version)
        if found or not refused or not family.rejects_by_id:
            return found
        return next(filter(None, (by_reference(advisory, refused) for advisory in version.advisories)), "")

    def answers(package: Package, version: Version) -> Iterator[tuple[Advisory, str, str]]:
        named = approves(package, version)
        for advisory in version.advisories:
            entry = named or (references and by_reference(advisory, references))
            if entry and (advisory.metadata or not switch or baseline.approved_patches_enable_non_security):
                reason = f"approved by the approved list: {entry}"
                yield advisory, baseline.approved_patches_compliance_level, reason
            elif entry:
                yield advisory, "", f"named by the approved list ({entry}), but not a security update"
            level, reason = rules.answer(advisory, release_of(package, version, advisory))
            yield advisory, level, reason

    def judge(package: Package, version: Version) -> Judgement:
        found = decide(package, version)
        kept_out = version.blocked or package.locked
        if not kept_out or (package.installed and _same(version, package.installed)):
            return found
        return replace(found, kept_out=kept_out)

    def decide(package: Package, version: Version) -> Judgement:
        entry = rejects(package, version)
        if entry:
            reason = f"rejected by the rejected list: {entry} ({baseline.rejected_patches_action})"
            return Judgement(version, False, reason, rejected=True)
        given = list(answers(package, version))
        approvals = [answer for answer in given if answer[1]]
        if not approvals:
            return Judgement(version, False, min(given, key=lambda answer: _rank(answer[0]))[2])
        level = max((answer[1] for answer in approvals), key=LEVELS.index)
        advisories = tuple(answer[0] for answer in approvals)
        reason = next(answer[2] for answer in approvals if answer[1] == level)
        reason = _join(reason, _vanished(advisories))
        return Judgement(version, True, reason, level=level, advisory=best_advisory(advisories), approvals=advisories)

    # What was first seen when says nothing of packages that are not installed, which are judged by advisory.
    names_matter = bool(baseline.approved_patches or baseline.rejected_patches)
    return Judge(judge, rejects, None if names_matter else rules.approve)


def attribute_values(inventory: Inventory, key: str) -> set[str]:
    """Return the values of a filter key that versions of the inventory have, in lower case."""
    of_packages = (
        advisory
        for package in inventory.packages
        for version in (*package.versions, *((package.installed,) if package.installed else ()))
        for advisory in version.advisories
    )
    found = (advisory.attributes.get(key) for advisory in (*of_packages, *inventory.not_installed.advisories))
    return {value.lower() for value in found if value}


def beyond_frozen(frozen: FrozenSet, inventory: Inventory) -> Callable[[Version], str]:
    """Return a function that says where a frozen set ends before a version, ``""`` where it does not."""
    key = versions.sort_key(inventory.family.version_order)

    def beyond(version: Version) -> str:
        limit = frozen.versions.get(version.id)
        return f"ends at {limit}" if limit is not None and key(version.version) > key(limit) else ""

    return beyond


def held_back_by(why: str) -> str:
    """Return the reason of what a frozen set holds back."""
    return f"held back by the frozen set ({why})"


def hold_back(inventory: Inventory, frozen: FrozenSet) -> Inventory:
    """Return the inventory with every update beyond a frozen set kept out; what it is judged by stays as it is.

    Of a package that the set says nothing of a version may come in where an update of the set needs it.
    """
    beyond = beyond_frozen(frozen, inventory)

    def why(package: Package, version: Version) -> str:
        if package.installed is None or _same(version, package.installed):
            return ""
        return beyond(version) if version.id in frozen.versions else NOT_IN_SET

    def limited(package: Package) -> Package:
        found = tuple(_held_back(version, why(package, version)) for version in package.versions)
        return replace(package, versions=found) if found != package.versions else package

    return replace(inventory, packages=tuple(map(limited, inventory.packages)))


def _held_back(version: Version, why: str) -> Version:
    if not why:
        return version
    blocked = _join(version.blocked, held_back_by(why))
    return replace(version, blocked=blocked, held_back=True, dependency_only=not version.blocked and why == NOT_IN_SET)


def after_install(verdict: Verdict, *, failures: Mapping[str, str], only_listed: bool, attempted: bool) -> Verdict:
    """Return the verdict as an Install reports it: Missing becomes Failed, with the package manager's words.

    With an override list (``only_listed``) only what failed of the list becomes Failed. Rule: docs/rules.md, States and
    counters.
    """
    if verdict.state != MISSING:
        return verdict
    words = failures.get(verdict.package.id, "")
    if words:
        # The scan's reason may have these words already, such as those of a lock.
        reason = verdict.reason if words in verdict.reason.split("; ") else _join(words, verdict.reason)
        return replace(verdict, state=FAILED, reason=reason)
    if only_listed:
        return replace(verdict, reason=_join(verdict.reason, "not attempted: not in the install override list"))
    return replace(verdict, state=FAILED, reason=_join(verdict.reason, "" if attempted else "not attempted"))


def best_advisory(advisories: Sequence[Advisory]) -> Advisory:
    """Return the advisory that describes a version: security first, then highest severity, then lowest id."""
    return min(advisories, key=_rank)


def _rank(advisory: Advisory) -> tuple[bool, int, str]:
    return advisory.classification.lower() != "security", -severity_rank(advisory.severity), advisory.id


def _vanished(advisories: Iterable[Advisory]) -> str:
    """Return which approving advisories name versions that are gone, ``""`` for none."""
    gone = [f"{advisory.id} names {advisory.vanished}, which is gone" for advisory in advisories if advisory.vanished]
    return "; ".join(gone[:_NAMED]) + (
        f"; {amount(len(gone) - _NAMED, 'more such advisory')}" if len(gone) > _NAMED else ""
    )


def _cves(wanted: Sequence[Judgement], best: Judgement, source: str) -> tuple[str, ...]:
    """Return the CVE ids of the versions after the installed one up to the approved one, sorted."""
    found: set[str] = set()
    for judgement in wanted:
        for advisory in judgement.version.advisories if source == "skipped" else judgement.approvals:
            found.update(advisory.cves)
        if judgement is best:
            break
    return tuple(sorted(found))


def _same(one: Version, other: Version) -> bool:
    return one is other or (one.id, one.version, one.build) == (other.id, other.version, other.build)


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
