# SPDX-License-Identifier: Apache-2.0
"""From dpkg's status and apt's indexes to the packages that a baseline judges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SsmpatchError
from ...model import Family, Inventory, Notice, Package, UnreadSource, Version
from ...versions_deb import sort_key
from .config import AptCommand, AptPaths
from .index import Entry, read_entries
from .policy import STATUS_PRIORITY, Pin, Policy, read_policy
from .status import BROKEN, Installed, build_of, installed_time, read_status
from .targets import IndexTarget

FAMILY = Family(name="apt", version_order="deb", has_dates=False, describe_unapproved=True)

_Key = tuple[str, str]
#: Version, notice, index and whether it is for all architectures, of a package that is not installed.
_Absent = tuple[str, Notice, IndexTarget, bool]


@dataclass(slots=True)
class _Offer:
    """What the indexes have of one version while they are read."""

    version: str
    build: str
    notices: list[Notice]
    indexes: list[IndexTarget]


@dataclass(slots=True)
class _Collected:
    """What the indexes have while they are read: offers of installed packages, plain tuples of all others."""

    offers: dict[_Key, list[_Offer]] = field(default_factory=dict)
    absent: dict[_Key, list[_Absent]] = field(default_factory=dict)
    unread: list[UnreadSource] = field(default_factory=list)


def read_inventory(
    command: AptCommand,
    paths: AptPaths,
    targets: Sequence[IndexTarget],
    *,
    pins: Sequence[Pin],
    non_security: bool,
) -> Inventory:
    """Return every package with the versions that apt's policy lets win over the installed one.

    Without ``non_security`` only indexes of security archives are read, unless another archive has a higher priority:
    then the installed version's own has to be known.

    Raises:
        SsmpatchError: dpkg's status or apt's policy cannot be read.
    """
    status = read_status(paths.status, architecture=paths.architecture)
    usable = [t for t in targets if t.usable]
    highest = max((t.priority for t in usable), default=0)
    read_all = non_security or any(t.security and t.priority < max(highest, STATUS_PRIORITY) for t in usable)
    relevant = usable if read_all else [t for t in usable if t.security]
    collected = _collect(command, paths, relevant, status)
    policy = read_policy(
        command,
        paths,
        pins=pins,
        installed=[_spell(key, paths) for key in collected.offers],
        absent=(_spell(key, paths) for key in collected.absent),
    )
    packages = [_installed_package(p, collected, policy, paths) for p in status if p.status != "config-files"]
    packages += _absent_packages(status, collected, policy, security_only=not non_security)
    unread = [*collected.unread, *_unread(targets)]
    return Inventory(FAMILY, tuple(packages), tuple(unread), _warnings(paths))


def _collect(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], status: Sequence[Installed]
) -> _Collected:
    collected = _Collected()
    offers, absent, native = collected.offers, collected.absent, paths.architecture
    installed = {(p.name, p.arch) for p in status if p.status != "config-files"}
    notices: dict[tuple[str, str, bool], Notice] = {}
    for target in targets:
        try:
            for entry in read_entries(command, paths, Path(target.path)):
                notice_key = (entry.priority, entry.section, target.security)
                notice = notices.get(notice_key)
                if notice is None:
                    notice = notices[notice_key] = make_notice(*notice_key)
                is_all = entry.arch == "all"
                key = (entry.name, native if is_all else entry.arch)
                if key in installed:
                    _add(offers.setdefault(key, []), target, entry, notice)
                elif target.priority >= 0:
                    absent.setdefault(key, []).append((entry.version, notice, target, is_all))
        except SsmpatchError as exc:
            collected.unread.append(UnreadSource(target.description, str(exc)))
    return collected


def make_notice(priority: str, section: str, security: bool) -> Notice:
    """Return what an archive says about a version; on apt the classification is Security or nothing.

    Filters of the keys that apt systems do not know are not applied. Filter values are lower-cased and the archive's
    words are not, so a priority or section with capitals matches nothing but ``*`` (filter-value-case).
    """
    classification = "Security" if security else ""
    attributes = {
        "PRIORITY": priority if priority == priority.lower() else "",
        "SECTION": section if section == section.lower() else "",
        "CLASSIFICATION": None,
        "SEVERITY": None,
    }
    return Notice(metadata=security, attributes=attributes, classification=classification, severity=priority)


def _add(offers: list[_Offer], target: IndexTarget, entry: Entry, notice: Notice) -> None:
    build = build_of(entry.paragraph)
    for offer in offers:
        if offer.version == entry.version and offer.build == build:
            if notice not in offer.notices:
                offer.notices.append(notice)
            offer.indexes.append(target)
            return
    offers.append(_Offer(entry.version, build, [notice], [target]))


def _installed_package(package: Installed, collected: _Collected, policy: Policy, paths: AptPaths) -> Package:
    key = (package.name, package.arch)
    offers = collected.offers.get(key, [])
    build = build_of(package.paragraph) if offers else ""
    same = next((o for o in offers if o.version == package.version and o.build == build), None)
    notices = tuple(same.notices) if same else (make_notice(package.priority, package.section, False),)
    present = Version(package.version, notices, origin=_origin(same), build=build)
    floor = policy.priority(*key, package.version, same.indexes if same else (), True)
    own = sort_key(package.version)
    allowed = [
        offer
        for offer in offers
        if _may_replace(offer, package.version, own, same is not None)
        and policy.priority(*key, offer.version, offer.indexes, False) >= floor
    ]
    versions = sorted(
        [*([present] if same else []), *map(_version, reversed(allowed))], key=lambda v: sort_key(v.version)
    )
    return Package(
        package.name,
        package.arch,
        installed=present,
        installed_time=installed_time(paths.status.parent / "info", package),
        versions=tuple(versions),
        spellings=_spellings(package.name, package.arch, package.declared_arch == "all", paths),
        locked="held" if package.held else "",
        broken=_broken(package),
    )


def _may_replace(offer: _Offer, installed: str, own: Any, present_on_offer: bool) -> bool:
    """Whether an offer is newer, or another build of a version whose installed build no repository has."""
    if offer.version == installed:
        return not present_on_offer
    return bool(sort_key(offer.version) > own)


def _absent_packages(
    status: Sequence[Installed], collected: _Collected, policy: Policy, *, security_only: bool
) -> Iterable[Package]:
    """Packages that are not installed; removed ones whose configuration is left count with their version."""
    for (name, arch), rows in collected.absent.items():
        if security_only and not any(row[2].security for row in rows):
            continue
        versions = _absent_versions(name, arch, rows, policy)
        yield Package(name, arch, versions=versions, spellings=(f"{name}.all",) if rows[0][3] else ())
    for have in status:
        if have.status == "config-files" and (have.name, have.arch) not in collected.absent:
            notice = make_notice(have.priority, have.section, False)
            yield Package(have.name, have.arch, versions=(Version(have.version, (notice,)),))


def _absent_versions(name: str, arch: str, rows: Sequence[_Absent], policy: Policy) -> tuple[Version, ...]:
    if len(rows) == 1 and not policy.of_version:
        version, notice, target, _is_all = rows[0]
        return (Version(version, (notice,), origin=target.description),)
    merged: dict[str, list[_Absent]] = {}
    for row in rows:
        merged.setdefault(row[0], []).append(row)
    return tuple(
        Version(version, tuple(row[1] for row in same), origin=same[0][2].description)
        for version, same in merged.items()
        if policy.priority(name, arch, version, [row[2] for row in same], False) >= 0
    )


def _version(offer: _Offer) -> Version:
    return Version(offer.version, tuple(offer.notices), origin=_origin(offer), build=offer.build)


def _origin(offer: _Offer | None) -> str:
    return offer.indexes[0].description if offer else ""


def _spell(key: _Key, paths: AptPaths) -> str:
    return key[0] if key[1] == paths.architecture else f"{key[0]}:{key[1]}"


def _spellings(name: str, arch: str, is_all: bool, paths: AptPaths) -> tuple[str, ...]:
    if arch != paths.architecture:
        return (f"{name}:{arch}", f"{name}:{arch}.{arch}")
    return (f"{name}.all",) if is_all else ()


def _broken(package: Installed) -> str:
    if package.status in BROKEN:
        return f"dpkg left it {package.status}; run dpkg --configure -a, or let an install repair it"
    return "dpkg says that it must be installed again" if package.status == "reinst-required" else ""


def _unread(targets: Sequence[IndexTarget]) -> Iterable[UnreadSource]:
    for target in targets:
        if defect := target.defect:
            yield UnreadSource(target.description, defect)
    for repository in dict.fromkeys(t.repository for t in targets if not t.trusted):
        yield UnreadSource(repository, "not trusted (unsigned, or its key is unknown): its packages are left out")
    if not targets:
        yield UnreadSource("apt", "no repository is enabled: nothing can be known to be missing")


def _warnings(paths: AptPaths) -> tuple[str, ...]:
    if any((paths.status.parent / "updates").glob("[0-9]*")):
        return ("dpkg was interrupted: run dpkg --configure -a, or let an install repair it",)
    return ()
