# SPDX-License-Identifier: Apache-2.0
"""Generated rpm systems with entries that lock or exclude packages, for every package manager that has such entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

from support.generated import Cases

REPOSITORIES = ("one", "two")
#: How many cases share a root; names carry the number of their case, so that entries cannot name another's packages.
BATCH = 100

Package = dict[str, Any]


@dataclass
class Case:
    """The packages of one case, and the entries that name them; ``lists`` by section and kind."""

    number: int
    installed: list[Package] = field(default_factory=list)
    offered: dict[str, list[Package]] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)
    lists: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def name(self, word: str) -> str:
        """Return a name of this case."""
        return f"c{self.number}x-{word}"

    def owns(self, name: str) -> bool:
        """Return whether a package belongs to the case."""
        return name.startswith(self.name(""))

    def packages(self) -> list[Package]:
        """Return all packages, those that are offered twice as well."""
        return [*self.installed, *(package for offered in self.offered.values() for package in offered)]

    def add(
        self,
        name: str,
        random: Random,
        *,
        versions: Sequence[str],
        releases: Sequence[str],
        package: Callable[[str, str, str, str], Package],
    ) -> None:
        """Install a package in the lowest of some versions, and offer all of them, each in one repository or both.

        Args:
            package: makes one of name, epoch, version and release.
        """
        chosen = sorted({(random.choice(("0", "0", "0", "1")), random.choice(versions)) for _ in range(3)})
        made = [package(name, epoch, version, random.choice(releases)) for epoch, version in chosen]
        self.installed.append(made[0])
        for each in made:
            for repository in random.sample(REPOSITORIES, random.choice((1, 1, 2))):
                self.offered.setdefault(repository, []).append(each)


def batches(cases: Cases, make: Callable[[int, Random], Case]) -> Iterator[list[Case]]:
    """Yield the cases, as many together as share a root."""
    made = (make(number, random) for number, random in cases)
    while batch := list(islice(made, BATCH)):
        yield batch
