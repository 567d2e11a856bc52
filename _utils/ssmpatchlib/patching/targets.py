# SPDX-License-Identifier: Apache-2.0
"""The targets of an install, what it must not bring in, and the verdicts after it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import patterns
from ..evaluate import Judged, after_install, best_advisory, beyond_frozen, held_back_by
from ..model import (
    BLOCK,
    FAILED,
    MISSING,
    Advisory,
    Baseline,
    FrozenSet,
    InstallOverrideList,
    Inventory,
    Package,
    Target,
    Verdict,
    Version,
)
from ..versions import sort_key
from .safety import Forbidden


def choose_targets(judged: Judged, override: InstallOverrideList | None) -> list[Target]:
    """Return the versions that an install is to bring in.

    Without an override list these are the Missing ones that no frozen set holds back. With one they are the newest
    version on offer of every installed package that the list names, one that may be taken before others, whatever the
    baseline says of it. What is half-installed comes again in its own version where no other one is wanted: it was
    begun as an approved update, or as what one needs. Rule: docs/rules.md, Install.
    """
    if override is None:
        verdicts = judged.evaluation.verdicts
        wanted = [
            (v.package, v.target, v.reason)
            for v in verdicts
            if v.state == MISSING and v.target and not v.held_back and _may_come_again(v.package, v.target, judged)
        ]
    else:
        wanted = list(_overridden(judged, override))
        listed = {package.id for package, _version, _reason in wanted}
        others = (p for p in judged.inventory.packages if p.reinstall and p.id not in listed)
        wanted += [(package, package.installed, package.broken) for package in others if package.installed]
    return [
        Target(
            version.name,
            version.arch,
            version.version,
            reason=reason,
            replaces=package.id if version.replaces(package) else "",
        )
        for package, version, reason in wanted
    ]


def _may_come_again(package: Package, version: Version, judged: Judged) -> bool:
    """Return whether a version may be installed; of one that is half-installed already, whether nothing rejects it."""
    return not package.reinstall or version != package.installed or not judged.judge.rejects(package, version)


def half_installed(targets: Iterable[Target], inventory: Inventory) -> list[Target]:
    """Return the targets whose packages are half-installed, so that installing them mends the system."""
    ids = {package.id for package in inventory.packages if package.reinstall}
    return [target for target in targets if (target.replaces or target.id) in ids]


def reached(targets: Iterable[Target], inventory: Inventory) -> set[str]:
    """Return the ids of the targets that are completely installed, in their version or a newer one."""
    key = sort_key(inventory.family.version_order)
    working = {p.id: p.installed.version for p in inventory.packages if p.installed and not p.broken}
    return {t.id for t in targets if t.id in working and key(working[t.id]) >= key(t.version)}


def _overridden(judged: Judged, override: InstallOverrideList) -> Iterable[tuple[Package, Version, str]]:
    inventory = judged.inventory
    matchers = [(e, patterns.override_matcher(e, family=inventory.family)) for e in override.entries]
    for package in inventory.packages:
        installed = package.installed
        if installed is None:
            continue
        newer = [v for v in reversed(package.versions) if (v.version, v.build) != (installed.version, installed.build)]
        for version in sorted(newer, key=lambda version: version.blocked != ""):
            entry = next((e for e, matches in matchers if matches(package, version)), None)
            if entry and (override.lifts_rejected or not judged.judge.rejects(package, version)):
                yield package, version, f"named by the install override list: {entry.title or entry.id}"
                break


def forbids(
    baseline: Baseline, judged: Judged, override: InstallOverrideList | None, frozen: FrozenSet | None
) -> Forbidden | None:
    """Return a function that says why a version must not come in as a dependency; None if every version may.

    An override list lifts the rejected list unless it says that it does not, and never the frozen set. How far the set
    goes with installed packages stands in the inventory.
    """
    lifted = override is not None and override.lifts_rejected
    blocks = not lifted and baseline.rejected_patches_action == BLOCK and bool(baseline.rejected_patches)
    beyond = beyond_frozen(frozen, judged.inventory) if frozen else None
    if not blocks and beyond is None:
        return None

    def forbidden(package: Package, version: Version) -> str:
        if blocks and (entry := judged.judge.rejects(package, version)):
            return f"rejected by the rejected list: {entry} (BLOCK)"
        why = beyond(version) if beyond and package.installed is None else ""
        return held_back_by(why) if why else ""

    return forbidden


def final_verdicts(
    verdicts: Iterable[Verdict],
    *,
    targets: Iterable[Target],
    failures: Mapping[str, str],
    listed: bool,
) -> tuple[Verdict, ...]:
    """Return the verdicts of the second scan as an Install reports them: one state per patch, Failed before Missing.

    What was to be installed and is not there is Failed even where the index no longer says that it is missing.

    Args:
        targets: the targets of the install.
        failures: the package manager's words by ``name.arch`` of the target, or of a package that a target needs.
        listed: whether an override list chose the targets.
    """
    by_package = {target.replaces or target.id: target for target in targets}
    final = []
    for verdict in verdicts:
        target = by_package.get(verdict.package.id)
        words = failures.get(target.id if target else verdict.package.id, "")
        if listed and target and words:
            if verdict.state != MISSING:
                final.append(verdict)
            final.append(_failure(verdict, target, words))
            continue
        if verdict.held_back:
            final.append(verdict)
            continue
        if target and words and verdict.state != MISSING:
            final.append(_failure(verdict, target, words))
            continue
        known = {verdict.package.id: words} if words else {}
        final.append(after_install(verdict, failures=known, only_listed=listed, attempted=target is not None))
    return tuple(final)


def _failure(verdict: Verdict, target: Target, words: str) -> Verdict:
    """Return the verdict of a target that is not installed; no rule of now wants it, so its level is UNSPECIFIED."""
    unknown = Version(target.name, target.arch, target.version, (Advisory(metadata=False),))
    aimed = next((v for v in verdict.package.versions if v.version == target.version), unknown)
    advisory = best_advisory(aimed.advisories)
    return Verdict(
        verdict.package,
        FAILED,
        aimed,
        f"{words}; {target.reason}",
        target=aimed,
        classification=advisory.classification,
        severity=advisory.severity,
    )
