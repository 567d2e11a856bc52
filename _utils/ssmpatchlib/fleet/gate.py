# SPDX-License-Identifier: Apache-2.0
"""Which minion belongs to which ring and batch, and whether a ring may be followed by the next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .formatting import amount
from .minion_states import FAILURES, PASSED, UNREACHABLE, Minion
from .settings import Ring


@dataclass(frozen=True, slots=True)
class PlannedRing:
    """A ring with its minions. ``elsewhere`` are those that match it too but belong to an earlier ring."""

    ring: Ring
    minions: tuple[str, ...]
    elsewhere: int = 0

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """The minions in the batches in which they are patched."""
        size = max(1, self.ring.batch.of(len(self.minions)))
        return tuple(self.minions[start : start + size] for start in range(0, len(self.minions), size))


def make_plan(rings: Sequence[Ring], matched: Sequence[Iterable[str]]) -> tuple[PlannedRing, ...]:
    """Give every minion to the first ring that matches it, sorted by id.

    Args:
        matched: for each ring the ids that its target matches.
    """
    taken: set[str] = set()
    planned = []
    for ring, ids in zip(rings, matched, strict=True):
        found = set(ids)
        planned.append(PlannedRing(ring, tuple(sorted(found - taken)), len(found & taken)))
        taken |= found
    return tuple(planned)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a ring stands: ``counts`` by phase; ``problems`` is empty when the gate is open."""

    counts: Mapping[str, int]
    problems: tuple[str, ...]


def too_many_failures(planned: PlannedRing, minions: Mapping[str, Minion]) -> str:
    """Why no further batch may begin, ``""`` when one may. Unreachable minions are no failures here."""
    failures = [name for name in planned.minions if minions[name].phase in FAILURES]
    allowed = planned.ring.max_failures.of(len(planned.minions))
    if len(failures) <= allowed:
        return ""
    first = failures[0]
    return (
        f"{amount(len(failures), 'minion')} failed, max_failures is {planned.ring.max_failures}; "
        f"{first}: {minions[first].reason}"
    )


def judge(planned: PlannedRing, minions: Mapping[str, Minion]) -> Outcome:
    """Evaluate the gate of a ring whose minions have all ended.

    A minion counts as compliant when a scan said so and every check returned what it should; one that could not be
    reached never does.
    """
    counts = Counter(minions[name].phase for name in planned.minions)
    total, passed = len(planned.minions), sum(counts[phase] for phase in PASSED)
    problems = []
    least = planned.ring.gate.min_compliant
    enough = passed * 100 >= least.value * total - 1e-9 if least.percent else passed >= min(least.value, total)
    if not enough:
        away = counts[UNREACHABLE]
        lost = f", {away} of the others could not be reached" if away else ""
        problems.append(f"{passed} of {amount(total, 'minion')} compliant, min_compliant is {least}{lost}")
    failures = too_many_failures(planned, minions)
    if failures:
        problems.append(failures)
    return Outcome(dict(sorted(counts.items())), tuple(problems))


def forecast(
    plan: Sequence[PlannedRing], *, start: float, batch_seconds: float
) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """When each ring and each of its batches would begin, epoch seconds, if a batch takes ``batch_seconds``."""
    times = []
    at = start
    for planned in plan:
        begins = tuple(at + number * batch_seconds for number in range(len(planned.batches)))
        times.append((at, begins))
        at += len(begins) * batch_seconds + planned.ring.soak
    return tuple(times)
