# SPDX-License-Identifier: Apache-2.0
"""Finds the packages that a baseline judges, from the installed packages and the repositories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain

from ...model import Advisory, NotInstalled, Package, Retracted, Version
from ...versions.rpm import satisfies
from ..rpm.installed import InstalledPackage
from . import to_advisory, vanished
from .not_installed import find_not_installed
from .offers import Offering, Rules, Search
from .vanished import Advisories

#: ``{installed name.arch: {name.arch on offer: {its version: (operator, version) of the names that it obsoletes}}}``
_Obsoleting = dict[str, dict[str, dict[str, list[tuple[str, str]]]]]

__all__ = ["Offering", "Rules", "Search", "find_installed", "find_packages"]


def find_packages(
    *,
    installed: Mapping[str, InstalledPackage],
    offerings: Sequence[Offering],
    rules: Rules,
    non_security: bool,
) -> tuple[tuple[Package, ...], NotInstalled, Retracted]:
    """Return the installed packages with their updates, the others on offer, and what tells which are retracted.

    Without ``non_security``, packages that are not installed and have no advisory are left out.
    """
    search = Search(offerings, rules)
    packages, used = find_installed(search, installed)
    others = find_not_installed(search, without={*installed, *used}, non_security=non_security)
    return packages, others, cache(search.retracted)


def find_installed(
    search: Search, installed: Mapping[str, InstalledPackage]
) -> tuple[tuple[Package, ...], Collection[str]]:
    """Return the installed packages with their updates, and the ``name.arch`` on offer that would replace one.

    An advisory whose version has left the repositories counts for the lowest newer version, there or installed; the
    advisories of the installed version always count. Rule: docs/rules.md, Trust; Baselines; States and counters.
    """
    replacing = _Replacing(search, installed)
    return tuple(_installed_package(search, replacing, package) for package in installed.values()), replacing.used


def _installed_package(search: Search, replacing: _Replacing, package: InstalledPackage) -> Package:
    mentions = search.mentions(package.id)
    elsewhere = replacing.vanished_elsewhere(package)
    spoken = search.of_installed(package, mentions, elsewhere) if mentions or elsewhere else ()
    if spoken := (*spoken, *replacing.of_replaced(package)):
        mentions[package.evr] = list(spoken)
    advisories = tuple(spoken) or (to_advisory.without_advisory(package.build_time),)
    other = replacing.other_architecture(package)
    versions = search.updates(package, mentions=mentions, elsewhere=elsewhere, other=other)
    replacing.used.update(version.id for version in versions if version.arch != package.arch)
    successors = replacing.other_names(package, versions, elsewhere)
    kept = search.rules.keep_obsolete
    outranked = search.outranked(package, mentions=mentions, other=other)
    if kept:
        outranked += [replace(version, blocked=version.blocked or kept) for _, version in successors]
    if not kept:
        versions = _placed(versions, successors)
        replacing.used.update(version.id for _, version in successors)
    locks, keeps = search.rules.locks, search.rules.keeps
    source, source_version = package.source
    return Package(
        package.name,
        package.arch,
        installed=Version(
            package.name, package.arch, package.evr, advisories, source=source, source_version=source_version
        ),
        installed_time=float(package.installed_time) if package.installed_time else None,
        versions=tuple(versions),
        outranked=tuple(outranked),
        obsoleted_by=tuple(replacing.obsoleted_by.get(package.id, ())),
        locked=locks(package) if locks else "",
        kept=keeps(package) if keeps else "",
    )


def _placed(versions: Sequence[Version], successors: Iterable[tuple[int, Version]]) -> list[Version]:
    """Return versions with others at their places among them."""
    after: dict[int, list[Version]] = {}
    for place, version in successors:
        after.setdefault(place, []).append(version)
    places = range(len(versions) + 1)
    return [version for n in places for version in (*after.get(n, ()), *versions[n : n + 1])]


class _Replacing:
    """Packages of another architecture or name that the package manager would install in place of installed ones."""

    def __init__(self, search: Search, installed: Mapping[str, InstalledPackage]) -> None:
        self._search = search
        self._installed = installed
        self.used: set[str] = set()
        self._by_name: dict[str, list[InstalledPackage]] = {}
        for package in installed.values():
            self._by_name.setdefault(package.name, []).append(package)
        #: ``{installed name.arch: (name.arch, version) of the offers of other packages that obsolete it}``
        self.obsoleted_by: dict[str, list[tuple[str, str]]] = {}
        #: ``{installed name.arch: (name, operator, version) of what its version obsoletes and is not installed}``
        self._replaced: dict[str, list[tuple[str, str, str]]] = {}
        self._obsoleting = self._find_obsoleting()
        search.refused = self._refused()

    def other_architecture(self, package: InstalledPackage) -> str:
        """Return the ``name.arch`` that an update from or to noarch would have; ``""`` where there is none."""
        other = self._elsewhere(package)
        return other if other not in self._installed and self._search.has(other) else ""

    def vanished_elsewhere(self, package: InstalledPackage) -> Advisories:
        """Return the advisories that name vanished versions of the package to or from noarch."""
        other = self._elsewhere(package)
        return {} if other in self._installed else self._search.vanished_advisories(other)

    def of_replaced(self, package: InstalledPackage) -> list[Advisory]:
        """Return the advisories of vanished fixes of packages of other names whose successor an installed one is."""
        found: list[Advisory] = []
        for name, operator, wanted in self._replaced.get(package.id, ()):
            for id_ in (f"{name}.{package.arch}", self._elsewhere(package._replace(name=name))):
                if gone := self._search.vanished_advisories(id_):
                    offered = [version.version for version in self._search.versions(id_)]
                    lost = vanished.within(gone, above=offered[-1]) if offered else gone
                    found.extend(chain.from_iterable(vanished.obsoleted(lost, [(operator, wanted)]).values()))
        return found

    def _elsewhere(self, package: InstalledPackage) -> str:
        return f"{package.name}.{self._search.rules.native if package.arch == 'noarch' else 'noarch'}"

    def other_names(
        self, package: InstalledPackage, versions: Sequence[Version], elsewhere: Advisories
    ) -> list[tuple[int, Version]]:
        """Return the versions of other packages that obsolete an installed one, with their places among its versions.

        A replacement comes after the versions that it obsoletes, too. Without ``obsoletes_any`` only one counts that
        obsoletes the newest version. They are hidden by a repository of a better priority that has the package. Fixes
        that vanished and that no version of the package contains count for the replacement that obsoletes them, too;
        ``elsewhere`` are those of another architecture.
        """
        obsoleting = self._obsoleting.get(package.id)
        if not obsoleting:
            return []
        free = [place for place, version in enumerate(versions) if not version.blocked]
        gone = vanished.joined(self._search.vanished_advisories(package.id), elsewhere)
        lost = vanished.within(gone, above=versions[-1].version if versions else package.evr) if gone else {}
        found = []
        for other, ranges in obsoleting.items():
            for version in self._heirs(package, other, ranges, lost):
                allowed = ranges[version.version]
                covered = [n for n in free if any(satisfies(versions[n].version, *wanted) for wanted in allowed)]
                if covered[-1:] == free[-1:]:
                    found.append((len(versions), version))
                elif self._search.rules.obsoletes_any:
                    found.append((max(covered, default=-1) + 1, version))
        return found

    def _heirs(
        self, package: InstalledPackage, other: str, ranges: Mapping[str, Sequence[tuple[str, str]]], lost: Advisories
    ) -> Iterator[Version]:
        """Yield the versions of a package that obsolete another, with the advisories of older ones that do not.

        Those of ``lost`` versions count for the first that obsoletes them.
        """
        passed: list[Advisory] = []
        limit = self._search.best_priority(package.id)
        for version in self._search.versions(other, within=limit, after=package):
            if version.version in ranges:
                own = version.advisories
                contained = vanished.obsoleted(lost, ranges[version.version])
                lost = vanished.without(lost, contained)
                passed.extend(chain.from_iterable(contained.values()))
                yield replace(version, advisories=(*own, *(each for each in passed if each not in own)))
                passed = []
            else:
                passed.extend(advisory for advisory in version.advisories if advisory.metadata)

    def _find_obsoleting(self) -> _Obsoleting:
        """Return the offers that obsolete installed packages."""
        found: _Obsoleting = {}
        for other, evr, name, operator, wanted in self._search.replacements():
            if name not in self._by_name:
                taken = self._installed.get(other)
                if taken and taken.evr == evr:
                    self._replaced.setdefault(other, []).append((name, operator, wanted))
                continue
            other_name, _, arch = other.rpartition(".")
            for package in self._by_name[name]:
                fits = arch == package.arch or "noarch" in (arch, package.arch)
                if not fits or name == other_name or not satisfies(package.evr, operator, wanted):
                    continue
                self.obsoleted_by.setdefault(package.id, []).append((other, evr))
                if other not in self._installed:
                    ranges = found.setdefault(package.id, {}).setdefault(other, {})
                    ranges.setdefault(evr, []).append((operator, wanted))
        return found

    def _refused(self) -> dict[tuple[str, str], str]:
        """Return the offers that would obsolete a package which must not be replaced, with the reason."""
        keeps = self._search.rules.keeps
        found: dict[tuple[str, str], str] = {}
        for id_, evr, name, operator, wanted in self._search.replacements() if keeps else ():
            for package in self._by_name.get(name, ()):
                replaces = satisfies(package.evr, operator, wanted) and id_.rpartition(".")[0] != name
                if replaces and (why := keeps(package)):  # type: ignore[misc]
                    found[(id_, evr)] = f"obsoletes {name}, which is {why}"
        return found
