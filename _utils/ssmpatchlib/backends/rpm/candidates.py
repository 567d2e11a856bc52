# SPDX-License-Identifier: Apache-2.0
"""From installed packages and repositories to the packages that a baseline judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...model import Notice, Package, Version
from ...versions_rpm import satisfies, sort_key
from . import notices
from .installed import InstalledPackage
from .metadata import Metadata
from .updateinfo import Advisory, ModuleRef

_X86_32 = frozenset({"i386", "i486", "i586", "i686", "athlon", "geode"})
_X86 = _X86_32 | {"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4", "amd64", "ia32e"}
_FAMILIES = {"x86_64": _X86, **dict.fromkeys(_X86_32, _X86_32)}


@dataclass(frozen=True, slots=True)
class Offering:
    """A repository whose packages may be installed.

    A smaller ``priority`` hides the same package of repositories with a larger one. ``hides(name.arch, name, evr)``
    says that the package manager does not show a package at all; ``blocks(name, arch, evr)`` says why it must not
    take one that it has. ``applies`` says whether the module that an advisory is for is active.
    """

    name: str
    metadata: Metadata
    priority: int = 99
    hides: Callable[[str, str, str], bool] | None = None
    blocks: Callable[[str, str, str], str] | None = None
    applies: Callable[[ModuleRef], bool] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a package manager chooses: the notice of an advisory, and what may replace what.

    ``native`` is the architecture of the machine. With ``bare_uninstalled`` a package that is not installed is judged
    as if no advisory spoke of it.
    ``acceptable(installed, vendor)`` says whether an offer's vendor may follow the installed package's.
    """

    notice: Callable[[Advisory], Notice]
    native: str
    obsoletes: bool = True
    acceptable: Callable[[InstalledPackage, str], bool] | None = None
    bare_uninstalled: bool = False


def find_packages(
    *,
    installed: Mapping[str, InstalledPackage],
    offerings: Sequence[Offering],
    rules: Rules,
    non_security: bool,
) -> tuple[Package, ...]:
    """Return the installed packages with their updates, and packages on offer that are not installed.

    Without ``non_security`` packages that are not installed and have no advisory are left out.

    Rule: docs/rules.md (an advisory whose version has left the repositories counts for the lowest newer
    version there; that of the installed version always counts) and "Baseline and matching" (priorities, obsoletes and
    architecture changes, retracted).
    """
    search = _Search(offerings, rules)
    replacing = _Replacing(search, installed)
    packages = [_installed_package(search, replacing, package) for package in installed.values()]
    for id_ in search.known_ids(non_security=non_security):
        if id_ in installed or id_ in replacing.used:
            continue
        name, _, arch = id_.rpartition(".")
        if rules.bare_uninstalled:
            versions = tuple(search.bare_versions(id_))
        else:
            versions = tuple(search.versions(id_, non_security=non_security))
        if versions and search.is_native(arch):
            packages.append(Package(name, arch, versions=versions))
    return tuple(packages)


def _installed_package(search: _Search, replacing: _Replacing, package: InstalledPackage) -> Package:
    spoken = search.mentions(package.id).get(package.evr, ())
    present = Version(package.evr, tuple(spoken) or (notices.without_advisory(package.build_time),))
    versions = [*search.versions(package.id, package=package), *replacing.other_architecture(package)]
    versions.sort(key=lambda version: sort_key(version.version))
    versions.extend(replacing.other_name(package))
    return Package(
        package.name,
        package.arch,
        installed=present,
        installed_time=float(package.installed_time) if package.installed_time else None,
        versions=tuple(versions),
    )


@dataclass(slots=True)
class _Offer:
    """One version on offer, with the repositories that have it."""

    evr: str
    build_time: int
    vendor: str
    repositories: list[Offering] = field(default_factory=list)


class _Search:
    """The repositories together, asked for one ``name.arch`` at a time."""

    def __init__(self, offerings: Sequence[Offering], rules: Rules) -> None:
        self.offerings = offerings
        self.rules = rules
        self._notices: list[dict[int, Notice | None]] = [{} for _ in offerings]
        self._one_priority = len({offering.priority for offering in offerings}) < 2
        family = _FAMILIES.get(rules.native)
        self._family = family | {"noarch"} if family else None

    def is_native(self, arch: str) -> bool:
        """Whether packages of an architecture can be installed on this machine."""
        return self._family is None or arch in self._family

    def known_ids(self, *, non_security: bool) -> Iterable[str]:
        """Every ``name.arch`` on offer; without ``non_security`` those that advisories speak of."""
        found: dict[str, None] = {}
        for offering in self.offerings:
            metadata = offering.metadata
            found.update(dict.fromkeys(metadata.offers if non_security else metadata.mentions))
        return found

    def mentions(self, id_: str) -> dict[str, list[Notice]]:
        """The notices that advisories give the versions of a package, by evr; a retracted version has no notices."""
        found: dict[str, list[Notice]] = {}
        for place, offering in enumerate(self.offerings):
            metadata, applies = offering.metadata, offering.applies
            for evr, number, module in metadata.mentions.get(id_, ()):
                if module >= 0 and applies and not applies(metadata.modules[module]):
                    continue
                given = found.setdefault(evr, [])
                notice = self._notice(place, number)
                if notice is not None and notice not in given:
                    given.append(notice)
        return found

    def _notice(self, place: int, number: int) -> Notice | None:
        known = self._notices[place]
        if number not in known:
            advisory = self.offerings[place].metadata.advisories[number]
            known[number] = None if advisory.status == notices.RETRACTED else self.rules.notice(advisory)
        return known[number]

    def offers(self, id_: str) -> list[_Offer]:
        """What the repositories offer of a package after priorities and filters, oldest first."""
        name = id_.rpartition(".")[0]
        limit = None if self._one_priority else self._best_priority(id_)
        found: dict[str, _Offer] = {}
        sources = 0
        for offering in self.offerings:
            rows = offering.metadata.offers.get(id_)
            if not rows or (limit is not None and offering.priority > limit):
                continue
            sources += 1
            for evr, build_time, _size, vendor in rows:
                if offering.hides and offering.hides(id_, name, evr):
                    continue
                offer = found.get(evr)
                if offer is None:
                    offer = found[evr] = _Offer(evr, build_time, vendor)
                offer.repositories.append(offering)
        offers = list(found.values())
        return sorted(offers, key=lambda offer: sort_key(offer.evr)) if sources > 1 else offers

    def _best_priority(self, id_: str) -> int | None:
        """The best priority among the repositories that have the package, in any architecture that could replace it."""
        name, _, arch = id_.rpartition(".")
        ids = {id_, f"{name}.noarch"} if arch != "noarch" else {id_, f"{name}.{self.rules.native}"}
        having = [o.priority for o in self.offerings if any(i in o.metadata.offers for i in ids)]
        return min(having, default=None)

    def versions(
        self, id_: str, *, package: InstalledPackage | None = None, newer: bool = False, non_security: bool = True
    ) -> Iterator[Version]:
        """Yield the versions on offer with their notices, oldest first.

        With ``package`` only those not older than it (``newer``: only newer ones) that may follow it.
        """
        mentions = self.mentions(id_)
        if not mentions and not non_security:
            return
        offers = self.offers(id_)
        retracted = {evr for evr, given in mentions.items() if not given and self._is_retracted(id_, evr)}
        inherited = self._inherited(offers, mentions, package)
        floor = sort_key(package.evr) if package else None
        name, _, arch = id_.rpartition(".")
        for offer in offers:
            key = sort_key(offer.evr) if floor else None
            if floor and key and (key < floor or (newer and key == floor)):
                continue
            if offer.evr in retracted or (package and not self._may_follow(package, offer)):
                continue
            given = (*mentions.get(offer.evr, ()), *inherited.get(offer.evr, ()))
            if not given:
                if not non_security:
                    continue
                given = (notices.without_advisory(offer.build_time),)
            yield Version(offer.evr, given, offer.repositories[0].name, blocked=_blocked(offer, name, arch))

    def bare_versions(self, id_: str) -> Iterator[Version]:
        """Yield the versions on offer as if no advisory spoke of them, oldest first."""
        name, _, arch = id_.rpartition(".")
        for offer in self.offers(id_):
            notice = notices.without_advisory(offer.build_time)
            yield Version(offer.evr, (notice,), offer.repositories[0].name, blocked=_blocked(offer, name, arch))

    def _may_follow(self, package: InstalledPackage, offer: _Offer) -> bool:
        acceptable = self.rules.acceptable
        return acceptable is None or offer.evr == package.evr or acceptable(package, offer.vendor)

    def _is_retracted(self, id_: str, evr: str) -> bool:
        return any(
            mentioned == evr and offering.metadata.advisories[number].status == notices.RETRACTED
            for offering in self.offerings
            for mentioned, number, _module in offering.metadata.mentions.get(id_, ())
        )

    @staticmethod
    def _inherited(
        offers: Sequence[_Offer], mentions: Mapping[str, Sequence[Notice]], package: InstalledPackage | None
    ) -> dict[str, list[Notice]]:
        """Notices of versions that are gone, by the lowest version on offer that is not older."""
        present = {offer.evr for offer in offers}
        found: dict[str, list[Notice]] = {}
        for evr, given in mentions.items():
            if evr in present or not given:
                continue
            key = sort_key(evr)
            if package and key <= sort_key(package.evr):
                continue
            heir = next((offer for offer in offers if sort_key(offer.evr) >= key), None)
            if heir:
                own = mentions.get(heir.evr, ())
                kept = found.setdefault(heir.evr, [])
                kept.extend(notice for notice in given if notice not in own and notice not in kept)
        return found


def _blocked(offer: _Offer, name: str, arch: str) -> str:
    """Why an offer must not be taken: what every repository that has it says."""
    reason = ""
    for repository in offer.repositories:
        reason = repository.blocks(name, arch, offer.evr) if repository.blocks else ""
        if not reason:
            return ""
    return reason


class _Replacing:
    """Packages of another architecture or name that the package manager would install in place of one that is."""

    def __init__(self, search: _Search, installed: Mapping[str, InstalledPackage]) -> None:
        self._search = search
        self._installed = installed
        self.used: set[str] = set()
        self._obsoleting = self._find_obsoleting() if search.rules.obsoletes else {}

    def other_architecture(self, package: InstalledPackage) -> Iterator[Version]:
        """Updates from or to noarch."""
        arch = self._search.rules.native if package.arch == "noarch" else "noarch"
        other = f"{package.name}.{arch}"
        if other in self._installed or not any(other in o.metadata.offers for o in self._search.offerings):
            return
        for version in self._search.versions(other, package=package, newer=True):
            self.used.add(other)
            yield replace(version, arch=arch)

    def other_name(self, package: InstalledPackage) -> Iterator[Version]:
        """Packages that obsolete the installed one."""
        for other, allowed in self._obsoleting.get(package.id, {}).items():
            name, _, arch = other.rpartition(".")
            for version in self._search.versions(other):
                if version.version in allowed:
                    self.used.add(other)
                    yield replace(version, name=name, arch=arch if arch != package.arch else "")

    def _find_obsoleting(self) -> dict[str, dict[str, set[str]]]:
        """``{installed name.arch: {name.arch on offer: versions that obsolete it}}``."""
        by_name: dict[str, list[InstalledPackage]] = {}
        for package in self._installed.values():
            by_name.setdefault(package.name, []).append(package)
        found: dict[str, dict[str, set[str]]] = {}
        for offering in self._search.offerings:
            for other, evr, name, operator, wanted in offering.metadata.replacements:
                if name not in by_name or other in self._installed:
                    continue
                arch = other.rpartition(".")[2]
                for package in by_name[name]:
                    fits = arch == package.arch or "noarch" in (arch, package.arch)
                    if fits and package.name != other.rpartition(".")[0] and satisfies(package.evr, operator, wanted):
                        found.setdefault(package.id, {}).setdefault(other, set()).add(evr)
        return found
