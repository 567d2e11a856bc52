# SPDX-License-Identifier: Apache-2.0
"""Tells a package manager that refuses everything from one that refuses some packages without naming them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model import Target

#: So many runs that bring in nothing, all with the same words, are refused for a reason that is no package's.
_CERTAIN = 12
#: From so many on single targets are tried instead of halves: one that can be installed ends the suspicion.
_SUSPECTED = 3
#: The golden ratio spreads the single targets that are tried over all that are left.
_STEP = 0.618
REFUSED = "refused together with every other package; a warning says why"


@dataclass(slots=True)
class Refusal:
    """What the runs of a package manager have in common so far; ``words`` are those of the last one."""

    words: str = ""
    runs: int = 0
    disproved: bool = False

    def note(self, words: str, *, refused: bool) -> None:
        """Take note of a run; one that was not ``refused``, or has other words, is no refusal of everything."""
        self.disproved = self.disproved or not refused or (self.runs > 0 and _plain(words) != _plain(self.words))
        self.words = words
        self.runs += 1

    @property
    def certain(self) -> bool:
        """Whether everything is refused."""
        return not self.disproved and self.runs >= _CERTAIN

    def of_all(self, count: int) -> bool:
        """Return whether everything is refused when ``count`` targets were to be installed and none is left to try."""
        return not self.disproved and self.runs > _SUSPECTED and count > _SUSPECTED

    def take(self, queue: list[list[Target]]) -> list[Target]:
        """Remove from a queue of groups what is to be tried next: the first group, or a single target on suspicion."""
        if self.disproved or self.runs < _SUSPECTED:
            return queue.pop(0)
        left = [target for group in queue for target in group]
        chosen = left[int(len(left) * (self.runs * _STEP % 1))]
        groups = ([target for target in group if target is not chosen] for group in queue)
        queue[:] = [group for group in groups if group]
        return [chosen]


def _plain(words: str) -> str:
    """Return words without numbers, which may differ between runs; those in names stay."""
    return re.sub(r"(?<![\w.+~-])\d+(?![\w.+~-])", "0", words)
