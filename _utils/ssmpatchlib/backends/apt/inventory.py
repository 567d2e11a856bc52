# SPDX-License-Identifier: Apache-2.0
"""Reads the packages that a baseline judges from dpkg's status and apt's indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...model import Advisory, Family, Inventory, Package, UnreadSource, Version
from ...names import left_out, one_line
from ...versions.deb import sort_key
from .. import NO_REPOSITORY
from .again import OFFERED_AGAIN
from .archive_words import Words, read_words
from .config import AptCommand, AptPaths, ignored_sources
from .index import Block, Row, read_blocks
from .not_installed import Offers
from .policy import Key, Pin, Policy, Rank, read_policy
from .source_field import read_source
from .status import BROKEN, HALF_INSTALLED, HALF_REMOVED, Installed, build_of, doubts, installed_time, read_status
from .targets import Indexes, IndexTarget

#: From this priority on apt takes a version that is older than the installed one.
_DOWNGRADES = 1000
FAMILY = Family(
    name="apt",
    version_order="deb",
    name_forms="deb",
    has_dates=False,
    describe_unapproved=True,
    rejects_by_id=True,
)


@dataclass(slots=True)
class _Offer:
    """The entries that the indexes have of one version, while they are read."""

    version: str
    build: str
    advisories: list[Advisory]
    indexes: list[IndexTarget]
    source: tuple[str, str]


@dataclass(slots=True)
class _Collected:
    """The offers of installed packages and of all other packages, while the indexes are read."""

    offers: dict[Key, list[_Offer]] = field(default_factory=dict)
    not_installed: Offers = field(default_factory=Offers)
    unread: list[UnreadSource] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_inventory(
    command: AptCommand,
    paths: AptPaths,
    indexes: Indexes,
    *,
    pins: Sequence[Pin],
    non_security: bool,
    words_file: Path,
    again: Mapping[Key, Set[str]],
) -> Inventory:
    """Return every package with the versions that apt's policy lets win over the installed one.

    Without ``non_security`` only the indexes of security archives are read, unless another archive has a higher
    priority, so that the priority of the installed version has to be known. What the others say of installed versions
    is kept in ``words_file``. ``again`` are the builds that were installed in vain.

    Raises:
        SsmpatchError: dpkg's status or apt's policy cannot be read.
    """
    status = read_status(paths.status, architecture=paths.architecture)
    usable = [t for t in indexes.targets if t.usable]
    highest = max((indexes.status_priority, *(t.priority for t in usable)))
    read_all = non_security or any(t.security and t.priority < highest for t in usable)
    relevant = usable if read_all else [t for t in usable if t.security]
    collected = _collect(command, paths, relevant, status)
    policy = read_policy(
        command,
        paths,
        pins=pins,
        status_priority=indexes.status_priority,
        installed=[_spell(key, paths) for key in collected.offers],
        not_installed=(_spell(key, paths) for key in collected.not_installed.rows),
    )
    present = [_present(p, collected, again) for p in status if p.status != "config-files"]
    others = [target for target in usable if target not in relevant]
    elsewhere = [each.package for each in present if each.same is None] if others else []
    words = read_words(command, paths, others, elsewhere, file=words_file)
    packages = [_installed_package(each, collected, policy, paths, words) for each in present]
    packages += _removed_packages(status, collected)
    collected.not_installed.forbid(policy)
    doubtful = (UnreadSource("dpkg", words) for words in doubts(paths.status, status))
    unread = dict.fromkeys([*collected.unread, *_unread(indexes.targets), *doubtful])
    warnings = (*_warnings(paths), *collected.warnings)
    return Inventory(FAMILY, tuple(packages), tuple(unread), warnings, collected.not_installed.counted())


def _collect(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], status: Sequence[Installed]
) -> _Collected:
    collected = _Collected()
    installed = {(p.name, p.arch) for p in status if p.status != "config-files"}
    names = {name for name, _arch in installed}
    kinds: dict[tuple[str, str, bool], int] = {}
    for target in targets:
        collected.not_installed.indexes.append(target)
        strange: list[Row] = []
        damage = ""
        try:
            for block in read_blocks(command, paths, target):
                strange.extend(block.strange)
                damage = damage or block.damage
                _collect_block(block, target, collected, installed, kinds, paths.architecture)
        except SsmpatchError as exc:
            collected.unread.append(UnreadSource(target.description, str(exc)))
        _report_strange(strange, target, collected, names)
        if damage:
            words = f"index {target.path} is damaged: its line {one_line(damage, 60)!r} is no field"
            collected.unread.append(UnreadSource(target.description, words))
    return collected


def _report_strange(strange: Sequence[Row], target: IndexTarget, collected: _Collected, installed: Set[str]) -> None:
    """Warn of packages that were not read; where they may be updates of installed ones, the index counts as unread."""
    for words in left_out([" ".join(row[:3]) for row in strange], "dpkg"):
        if any(not row[0] or not row[1] or row[0] in installed for row in strange):
            collected.unread.append(UnreadSource(target.description, words))
        else:
            collected.warnings.append(f"{target.description}: {words}")


def _collect_block(
    block: Block,
    target: IndexTarget,
    collected: _Collected,
    installed: Set[Key],
    kinds: dict[tuple[str, str, bool], int],
    native: str,
) -> None:
    """Add the rows of a block; the code is written out because it runs for every package of the distribution."""
    not_installed, index, security = (
        collected.not_installed.rows,
        len(collected.not_installed.indexes) - 1,
        target.security,
    )
    advisories, wanted = collected.not_installed.advisories, []
    keep = target.priority >= 0
    for row in block.rows:
        name, version, arch, priority, section = row
        is_all = arch == "all"
        key = (name, native if is_all else arch)
        if key in installed:
            wanted.append(row)
            continue
        kind = kinds.get((priority, section, security))
        if kind is None:
            kind = kinds[priority, section, security] = len(advisories)
            advisories.append(make_advisory(priority, section, security))
        if not keep:
            continue
        offer = (version, kind, index, is_all)
        have = not_installed.setdefault(key, offer)
        if isinstance(have, list):
            have.append(offer)
        elif have is not offer:
            not_installed[key] = [have, offer]
    for (name, version, arch, priority, section), paragraph in block.paragraphs(wanted):
        key = (name, native if arch == "all" else arch)
        advisory = make_advisory(priority, section, security)
        found = _Offer(version, build_of(paragraph), [advisory], [target], read_source(paragraph))
        _add(collected.offers.setdefault(key, []), found)


def make_advisory(priority: str, section: str, security: bool) -> Advisory:
    """Return an archive's entry as the advisory of a version; on apt the classification is Security or nothing.

    Filters with keys that apt systems do not know are not applied. A priority or section with capitals is matched by
    ``*`` alone, since AWS compares it with lower-cased filter values.
    """
    classification = "Security" if security else ""
    attributes = {
        "PRIORITY": priority if priority == priority.lower() else "",
        "SECTION": section if section == section.lower() else "",
        "CLASSIFICATION": None,
        "SEVERITY": None,
    }
    return Advisory(metadata=security, attributes=attributes, classification=classification, severity=priority)


def _add(offers: list[_Offer], new: _Offer) -> None:
    for offer in offers:
        if offer.build == new.build and _equal(offer.version, new.version):
            offer.advisories += [advisory for advisory in new.advisories if advisory not in offer.advisories]
            offer.indexes += new.indexes
            return
    offers.append(new)


class _Present(NamedTuple):
    """An installed package, with its build where it is on offer, and the offer of just this version and build.

    The offer has another build where it was installed in vain, and then it is ``again`` too.
    """

    package: Installed
    build: str
    same: _Offer | None
    again: bool = False


def _present(package: Installed, collected: _Collected, again: Mapping[Key, Set[str]]) -> _Present:
    key = (package.name, package.arch)
    offers = collected.offers.get(key)
    if not offers:
        return _Present(package, "", None)
    build = build_of(package.paragraph)
    same = next((o for o in offers if o.build == build and _equal(o.version, package.version)), None)
    if same is None and build in again.get(key, ()):
        vain = (o for o in offers if o.build in again[key] and _equal(o.version, package.version))
        same = next(vain, None)
    return _Present(package, build, same, same is not None and same.build != build)


def _installed_package(
    present: _Present, collected: _Collected, policy: Policy, paths: AptPaths, words: Mapping[Key, Words]
) -> Package:
    package, build, same, again = present
    key = (package.name, package.arch)
    offers = collected.offers.get(key, [])
    said = words.get(key) or ((package.priority, package.section),)
    advisories = same.advisories if same else [make_advisory(priority, section, False) for priority, section in said]
    source, source_version = read_source(package.paragraph)
    installed = Version(
        *key,
        package.version,
        tuple(advisories),
        origin=_origin(same),
        build=build,
        source=source,
        source_version=source_version,
    )
    allowed, outranked = _weigh(package, same, offers, policy)
    if same and again:
        outranked = (_version(key, same, OFFERED_AGAIN), *outranked)
    return Package(
        package.name,
        package.arch,
        installed=installed,
        installed_time=installed_time(f"{paths.status.parent}/info", package),
        versions=(*([installed] if same else []), *allowed),
        outranked=outranked,
        spellings=_spellings(package.name, package.arch, package.declared_arch == "all", paths),
        locked=_locked(present, policy),
        broken=_broken(package),
        reinstall=package.status in HALF_INSTALLED,
    )


def _weigh(
    package: Installed, same: _Offer | None, offers: Sequence[_Offer], policy: Policy
) -> tuple[tuple[Version, ...], tuple[Version, ...]]:
    """Return the offers that apt's policy lets win over the installed version, and the newer ones that it does not.

    Both are in ascending order. Other builds of the installed version count as newer where no repository has the
    installed build, ``same``.
    """
    others = [offer for offer in reversed(offers) if offer is not same]
    if not others:
        return (), ()
    key = (package.name, package.arch)
    installed = policy.installed(key, package.version, same.indexes if same else ())
    ranked = sorted(((policy.offered(key, o.version, o.indexes), o) for o in others), key=lambda each: each[0][:2])
    ranks = [installed, *(rank for rank, _offer in ranked), *policy.others(key)]
    allowed: list[Version] = []
    outranked: list[Version] = []
    for rank, offer in ranked:
        if rank.key > installed.key or (rank.key == installed.key and same is None):
            words, by_pin = _kept_out(rank, installed, ranks)
            (outranked if words else allowed).append(_version(key, offer, words, overruled=by_pin))
    return tuple(allowed), tuple(outranked)


def _kept_out(rank: Rank, installed: Rank, others: Iterable[Rank]) -> tuple[str, bool]:
    """Return why apt's policy does not let a version win over the installed one and over all others before it.

    With the words comes whether a pin does it.

    Below 1 a version never is a candidate, from 1000 on also one that is older than the installed one. Rule:
    apt_preferences(5).
    """
    before = [r for r in others if r.key < rank.key and (r.key >= installed.key or r.priority >= _DOWNGRADES)]
    above = [other for other in before if other.priority > rank.priority]
    if rank.priority > 0 and not above:
        return "", False
    if rank.pinned:
        return f"kept out by a pin (priority {rank.priority})", True
    if any(each.pinned for each in above):
        highest = max(each.priority for each in above)
        return f"kept out by a pin on an older version (priority {highest}, here {rank.priority})", True
    return f"kept out by its priority ({rank.priority})", False


def _equal(one: str, other: str) -> bool:
    """Return whether two versions are the same for dpkg (``0:1.1`` and ``1.1``)."""
    return one == other or sort_key(one) == sort_key(other)


def _removed_packages(status: Sequence[Installed], collected: _Collected) -> Iterable[Package]:
    """Yield removed packages whose configuration is left and which no repository has, in their last version."""
    for have in status:
        if have.status == "config-files" and (have.name, have.arch) not in collected.not_installed.rows:
            advisory = make_advisory(have.priority, have.section, False)
            version = Version(have.name, have.arch, have.version, (advisory,))
            yield Package(have.name, have.arch, versions=(version,))


def _version(key: Key, offer: _Offer, blocked: str, *, overruled: bool = False) -> Version:
    return Version(
        *key,
        offer.version,
        tuple(offer.advisories),
        origin=_origin(offer),
        blocked=blocked,
        build=offer.build,
        overruled=overruled,
        source=offer.source[0],
        source_version=offer.source[1],
    )


def _origin(offer: _Offer | None) -> str:
    return offer.indexes[0].description if offer else ""


def _spell(key: Key, paths: AptPaths) -> str:
    return key[0] if key[1] == paths.architecture else f"{key[0]}:{key[1]}"


def _spellings(name: str, arch: str, is_all: bool, paths: AptPaths) -> tuple[str, ...]:
    if arch != paths.architecture:
        return (f"{name}:{arch}.{arch}",)
    return (f"{name}.all", f"{name}:all") if is_all else ()


def _locked(present: _Present, policy: Policy) -> str:
    """Return why a package must stay as it is; apt would install a version that is asked for whatever its pin is."""
    package, _build, same, _again = present
    if package.held:
        return "held (apt-mark hold)"
    if package.status == HALF_REMOVED:
        return "being removed"
    if package.status in HALF_INSTALLED and same:
        rank = policy.offered((package.name, package.arch), package.version, same.indexes)
        if rank.priority < 0:
            return f"kept out by a pin (priority {rank.priority})"
    return ""


def _broken(package: Installed) -> str:
    if package.status == HALF_REMOVED:
        return f"dpkg was interrupted while it removed it: end that with apt-get remove {_spelled(package)}"
    if package.status in HALF_INSTALLED:
        again = f"apt-get install --reinstall {_spelled(package)}"
        return f"dpkg left it {package.status}: it must be installed again ({again})"
    if package.status in BROKEN:
        return f"dpkg left it {package.status}; run dpkg --configure -a, or let an install repair it"
    return ""


def _spelled(package: Installed) -> str:
    return package.name if package.declared_arch in ("all", "") else f"{package.name}:{package.arch}"


def _unread(targets: Sequence[IndexTarget]) -> Iterable[UnreadSource]:
    for target in targets:
        if defect := target.defect:
            yield UnreadSource(target.description, defect)
    for repository in dict.fromkeys(t.repository for t in targets if not t.trusted):
        yield UnreadSource(repository, "not trusted (unsigned, or its key is unknown): its packages are left out")
    if not targets:
        yield UnreadSource("apt", NO_REPOSITORY)


def _warnings(paths: AptPaths) -> Iterable[str]:
    if any((paths.status.parent / "updates").glob("[0-9]*")):
        yield "dpkg was interrupted: run dpkg --configure -a, or let an install repair it"
    for path in ignored_sources(paths):
        yield f"{path} is not read by apt: name it *.list or *.sources, with letters, digits, _, - and . only"
