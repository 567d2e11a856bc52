# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: tuples and groups, for speed (benchmarks/apt.py, "EnableNonSecurity")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...model import Advisory, NotInstalled, Package, Version
from .policy import Key, Policy
from .targets import IndexTarget

#: Version, number of its advisory, number of its index, and whether it is for all architectures.
Offer = tuple[str, int, int, bool]


@dataclass(slots=True)
class Offers:
    """The offers of packages that are not installed, by ``(name, arch)``; a list where a package has several."""

    advisories: list[Advisory] = field(default_factory=list)
    indexes: list[IndexTarget] = field(default_factory=list)
    rows: dict[Key, Offer | list[Offer]] = field(default_factory=dict)

    def of(self, key: Key) -> Sequence[Offer]:
        """Return the offers of one package."""
        found = self.rows[key]
        return found if isinstance(found, list) else (found,)

    def forbid(self, policy: Policy) -> None:
        """Remove the versions that apt's pins forbid, which have a priority below 0."""
        for key in policy.of_version.keys() & self.rows.keys():
            offers = self.of(key)
            ranks = (policy.offered(key, offer[0], [self.indexes[offer[2]]]) for offer in offers)
            if allowed := [offer for offer, rank in zip(offers, ranks, strict=True) if rank.priority >= 0]:
                self.rows[key] = allowed
            else:
                del self.rows[key]

    def counted(self) -> NotInstalled:
        """Return the packages in groups of the same advisories, with the function that builds them."""
        kinds = Counter(
            offers[1] if isinstance(offers, tuple) else tuple(offer[1] for offer in offers)
            for offers in self.rows.values()
        )
        groups = ((kind if isinstance(kind, tuple) else (kind,), count) for kind, count in kinds.items())
        return NotInstalled(tuple(self.advisories), tuple(groups), self.build)

    def build(self) -> Iterator[Package]:
        """Yield the packages with their versions."""
        for name, arch in self.rows:
            offers = self.of((name, arch))
            spellings = (f"{name}.all", f"{name}:all") if offers[0][3] else ()
            yield Package(name, arch, versions=tuple(self._versions(name, arch, offers)), spellings=spellings)

    def _versions(self, name: str, arch: str, offers: Sequence[Offer]) -> Iterable[Version]:
        merged: dict[str, list[Offer]] = {}
        for offer in offers:
            merged.setdefault(offer[0], []).append(offer)
        for version, same in merged.items():
            advisories = tuple(self.advisories[offer[1]] for offer in same)
            yield Version(name, arch, version, advisories, self.indexes[same[0][2]].description)
