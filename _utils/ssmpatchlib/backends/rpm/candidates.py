# SPDX-License-Identifier: Apache-2.0
"""From installed packages and repositories to the packages that a baseline judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ...model import Package, Version
from ...versions_rpm import satisfies, sort_key
from . import notices
from .installed import InstalledPackage
from .search import Offering, Rules, Search

__all__ = ["Offering", "Rules", "find_packages"]


def find_packages(
    *,
    installed: Mapping[str, InstalledPackage],
    offerings: Sequence[Offering],
    rules: Rules,
    non_security: bool,
) -> tuple[Package, ...]:
    """Return the installed packages with their updates, and packages on offer that are not installed.

    Without ``non_security`` packages that are not installed and have no advisory are left out.

    Rule: decisions.md, "Trust" (an advisory whose version has left the repositories counts for the lowest newer
    version there; that of the installed version always counts) and "Baseline and matching" (priorities, obsoletes and
    architecture changes, retracted).
    """
    search = Search(offerings, rules)
    replacing = _Replacing(search, installed)
    packages = [_installed_package(search, replacing, package) for package in installed.values()]
    architectures = search.architectures
    for id_, versions in search.offered(without={*installed, *replacing.used}, non_security=non_security):
        name, _, arch = id_.rpartition(".")
        if architectures is None or arch in architectures:
            packages.append(Package(name, arch, None, None, versions))
    return tuple(packages)


def _installed_package(search: Search, replacing: _Replacing, package: InstalledPackage) -> Package:
    mentions = search.mentions(package.id)
    spoken = mentions.get(package.evr, ())
    present = Version(package.evr, tuple(spoken) or (notices.without_advisory(package.build_time),))
    versions = list(search.versions(package.id, mentions=mentions, package=package))
    if others := list(replacing.other_architecture(package)):
        versions = sorted((*versions, *others), key=lambda version: sort_key(version.version))
    versions.extend(replacing.other_name(package))
    return Package(
        package.name,
        package.arch,
        installed=present,
        installed_time=float(package.installed_time) if package.installed_time else None,
        versions=tuple(versions),
    )


class _Replacing:
    """Packages of another architecture or name that the package manager would install in place of one that is."""

    def __init__(self, search: Search, installed: Mapping[str, InstalledPackage]) -> None:
        self._search = search
        self._installed = installed
        self.used: set[str] = set()
        self._obsoleting = self._find_obsoleting() if search.rules.obsoletes else {}

    def other_architecture(self, package: InstalledPackage) -> Iterator[Version]:
        """Updates from or to noarch."""
        arch = self._search.rules.native if package.arch == "noarch" else "noarch"
        other = f"{package.name}.{arch}"
        if other in self._installed or not self._search.has(other):
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
        for other, evr, name, operator, wanted in self._search.replacements():
            if name not in by_name or other in self._installed:
                continue
            other_name, _, arch = other.rpartition(".")
            for package in by_name[name]:
                fits = arch == package.arch or "noarch" in (arch, package.arch)
                if fits and name != other_name and satisfies(package.evr, operator, wanted):
                    found.setdefault(package.id, {}).setdefault(other, set()).add(evr)
        return found
