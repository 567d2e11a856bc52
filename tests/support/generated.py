# SPDX-License-Identifier: Apache-2.0
"""Generated cases: as many as asked for, each from a random generator of its own, so that one can run alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Cases:
    """Numbers and random generators of the cases of one test: `for number, random in cases`."""

    topic: str
    seed: int
    numbers: range

    def __iter__(self) -> Iterator[tuple[int, Random]]:
        for number in self.numbers:
            yield number, self.random(number)

    def __len__(self) -> int:
        return len(self.numbers)

    def random(self, number: int) -> Random:
        """Return the random generator of one case; it depends on nothing but topic, seed and number."""
        return Random(f"{self.topic}:{self.seed}:{number}")

    def again(self, number: int) -> str:
        """Return the arguments that run just this case again, for the message of a failure."""
        return f"-k {self.topic} --seed {self.seed} --case {number}"
