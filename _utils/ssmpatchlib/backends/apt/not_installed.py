# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: tuples and groups, for speed (benchmarks/apt.py, "EnableNonSecurity")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...model import Advisory, NotInstalled, Package, Version
from .policy import Key, Policy
from .targets import IndexTarget

#: Version, number of its advisory, number of its index, and whether it is for all architectures.
Offer = tuple[str, int, int, bool]


@dataclass(slots=True)
class Offers:
    """The offers of packages that are not installed, by ``(name, arch)``; a list where a package has several.

    ``forbidden`` are those that a pin keeps out, with their priorities.
    """

    advisories: list[Advisory] = field(default_factory=list)
    indexes: list[IndexTarget] = field(default_factory=list)
    rows: dict[Key, Offer | list[Offer]] = field(default_factory=dict)
    forbidden: dict[Key, Sequence[tuple[Offer, int]]] = field(default_factory=dict)

    def of(self, key: Key) -> Sequence[Offer]:
        """Return the offers of one package."""
        found = self.rows[key]
        return found if isinstance(found, list) else (found,)

    def forbid(self, policy: Policy) -> None:
        """Take out the versions that apt's pins forbid, which have a priority below 0; they are kept to be named."""
        for key in policy.of_version.keys() & self.rows.keys():
            ranked = [(policy.offered(key, offer[0], [self.indexes[offer[2]]]), offer) for offer in self.of(key)]
            forbidden = [(offer, rank.priority) for rank, offer in ranked if rank.priority < 0]
            if not forbidden:
                continue
            self.forbidden[key] = forbidden
            allowed = [offer for rank, offer in ranked if rank.priority >= 0]
            if allowed:
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
        for key in self.rows:
            offers = self.of(key)
            spellings = (f"{key[0]}.all",) if offers[0][3] else ()
            versions, outranked = tuple(self._versions(key, offers)), tuple(self._forbidden(key))
            yield Package(*key, versions=versions, spellings=spellings, outranked=outranked)
        for key in self.forbidden.keys() - self.rows.keys():
            yield Package(*key, outranked=tuple(self._forbidden(key)))

    def _forbidden(self, key: Key) -> Iterable[Version]:
        for offer, priority in self.forbidden.get(key, ()):
            for version in self._versions(key, [offer]):
                yield replace(version, blocked=f"kept out by a pin (priority {priority})")

    def _versions(self, key: Key, offers: Sequence[Offer]) -> Iterable[Version]:
        merged: dict[str, list[Offer]] = {}
        for offer in offers:
            merged.setdefault(offer[0], []).append(offer)
        for version, same in merged.items():
            advisories = tuple(self.advisories[offer[1]] for offer in same)
            yield Version(*key, version, advisories, self.indexes[same[0][2]].description)
