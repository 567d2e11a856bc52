# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: grouped, to count the approved ones fast (benchmarks/rpm.py, "scan")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ...model import Advisory, NotInstalled, Package, Version
from . import to_advisory
from .metadata import Metadata
from .offers import Search


def find_not_installed(search: Search, *, without: Collection[str], non_security: bool) -> NotInstalled:
    """Return the packages on offer except ``without`` (``name.arch``); unless ``non_security`` those with an advisory.

    Nearly all packages are plain: only one repository has them, and their advisories need no check by version. Plain
    packages are counted by the numbers of their advisories. Their versions without an advisory count by the oldest one,
    since a rule that approves one of these also approves all that were built earlier.
    """
    special = _special(search)
    known = {*special, *without}
    count = _Count()
    for offering in search.offerings:
        _count_plain(search, offering.metadata, count, known, non_security=non_security)
    for id_ in special.difference(without):
        if search.fits(id_):
            versions = search.versions(id_, non_security=non_security)
            count.add([advisory for version in versions for advisory in version.advisories])
    return NotInstalled(
        tuple(count.advisories), tuple(count.groups.items()), lambda: _build(search, without, special, non_security)
    )


def _special(search: Search) -> set[str]:
    """Return the ``name.arch`` of the packages that have to be checked version by version."""
    found = search.shared_ids()
    for offering in search.offerings:
        found.update(offering.metadata.mentions)
        if offering.touches:
            found.update(offering.touches(offering.metadata))
    return found


@dataclass(slots=True)
class _Count:
    """Packages counted by the numbers of their advisories."""

    advisories: list[Advisory] = field(default_factory=list)
    groups: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def add(self, found: Iterable[Advisory]) -> None:
        """Count one package by its advisories; a package without any is not counted."""
        first = len(self.advisories)
        self.advisories.extend(found)
        if len(self.advisories) > first:
            self.groups[tuple(range(first, len(self.advisories)))] += 1


def _count_plain(
    search: Search, metadata: Metadata, count: _Count, known: Collection[str], *, non_security: bool
) -> None:
    """Count the plain packages of a repository, without those in ``known``."""
    first = len(count.advisories)
    capitalize = search.rules.capitalize
    count.advisories.extend(to_advisory.from_outline(outline, capitalize=capitalize) for outline in metadata.outlines)
    kinds = Counter(
        kind
        for arch in metadata.oldest
        if search.architectures is None or arch in search.architectures
        for kind in _kinds(metadata, arch, known, non_security=non_security)
    )
    without_advisory: dict[int, int] = {}
    for (numbers, built), number in kinds.items():
        group = [first + each for each in numbers]
        if built is not None:
            if built not in without_advisory:
                without_advisory[built] = len(count.advisories)
                count.advisories.append(to_advisory.without_advisory(built))
            group.append(without_advisory[built])
        count.groups[tuple(group)] += number


def _kinds(
    metadata: Metadata, arch: str, known: Collection[str], *, non_security: bool
) -> Iterator[tuple[tuple[int, ...], int | None]]:
    """Return each package's advisories, and the build time of its oldest version without an advisory."""
    spoken = metadata.spoken.get(arch, {})
    if not non_security:
        return ((numbers, None) for id_, numbers in spoken.items() if id_ not in known)
    silent = metadata.silent.get(arch, {})
    return ((spoken.get(id_, ()), silent.get(id_)) for id_ in metadata.oldest[arch] if id_ not in known)


def _build(search: Search, without: Collection[str], special: Collection[str], non_security: bool) -> Iterator[Package]:
    known = {*special, *without}
    for place, offering in enumerate(search.offerings):
        if non_security:
            ids = (id_ for id_ in offering.metadata.offers if id_ not in known)
            found: Iterator[tuple[str, Iterable[Version]]] = ((id_, search.versions(id_)) for id_ in ids)
        else:
            found = search.advised(place, without=known)
        yield from _packages(search, found)
    rest = ((id_, search.versions(id_, non_security=non_security)) for id_ in sorted(special) if id_ not in without)
    yield from _packages(search, rest)


def _packages(search: Search, found: Iterable[tuple[str, Iterable[Version]]]) -> Iterator[Package]:
    for id_, offered in found:
        if search.fits(id_):
            versions = tuple(offered)
            if versions:
                yield Package(versions[0].name, versions[0].arch, None, None, versions)
