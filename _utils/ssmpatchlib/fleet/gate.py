# SPDX-License-Identifier: Apache-2.0
"""Which minion belongs to which ring and batch, and whether a ring may be followed by the next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..windows import next_open
from ..wording import amount
from .minion_states import FAILURES, PASSED, POSTPONED, UNREACHABLE, Minion
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
    """How a ring stands: ``counts`` by phase; ``problems`` is empty when the gate is open.

    ``passed`` minions are compliant by their frozen sets, ``compliant`` of these by the baseline alone.
    """

    counts: Mapping[str, int]
    passed: int
    compliant: int
    problems: tuple[str, ...]

    @property
    def figures(self) -> dict[str, int]:
        """How many minions are compliant, by the frozen set and by the baseline, as plain data."""
        return {"by_frozen_set": self.passed, "by_baseline": self.compliant}


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


_LEFT = {UNREACHABLE: "could not be reached", POSTPONED: "left to the next maintenance window"}


def left_behind(phases: Iterable[str]) -> str:
    """Say who has neither passed nor failed; ``""`` without any."""
    counts = Counter(phases)
    return ", ".join(f"{amount(counts[phase], 'minion')} {words}" for phase, words in _LEFT.items() if counts[phase])


def judge(planned: PlannedRing, minions: Mapping[str, Minion]) -> Outcome:
    """Evaluate the gate of a ring whose minions have all ended.

    A minion counts as compliant when a scan said so, by the frozen set where it has one, and every check returned what
    it should; one that could not be reached never does.
    """
    counts = Counter(minions[name].phase for name in planned.minions)
    total = len(planned.minions)
    done = [minions[name] for name in planned.minions if minions[name].phase in PASSED]
    passed, compliant = len(done), sum(not minion.held_back for minion in done)
    problems = []
    least = planned.ring.gate.min_compliant
    enough = passed * 100 >= least.value * total - 1e-9 if least.percent else passed >= min(least.value, total)
    if not enough:
        left = [f"{counts[phase]} of the others {words}" for phase, words in _LEFT.items() if counts[phase]]
        lost = "".join(f", {words}" for words in left)
        figures = "compliant" if passed == compliant else f"compliant by the frozen set ({compliant} by the baseline)"
        problems.append(f"{passed} of {amount(total, 'minion')} {figures}, min_compliant is {least}{lost}")
    failures = too_many_failures(planned, minions)
    if failures:
        problems.append(failures)
    return Outcome(dict(sorted(counts.items())), passed, compliant, tuple(problems))


def forecast(
    plan: Sequence[PlannedRing],
    *,
    start: float,
    batch_seconds: float,
    opens: Mapping[str, float] | None = None,
    longest: float = 0,
) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """When each ring and each of its batches would begin, epoch seconds.

    Args:
        batch_seconds: how long a batch takes.
        opens: when the maintenance windows of those minions open that are closed now.
        longest: a minion whose window stays closed for longer is not waited for (seconds).
    """
    awaited = {name: at for name, at in (opens or {}).items() if at - start <= longest}
    times = []
    at = start
    for planned in plan:
        if planned.ring.window is not None:
            at = next_open((planned.ring.window,), at) or at
        begins = []
        for batch in planned.batches:
            first = [max(at, awaited.get(name, at)) for name in batch]
            begins.append(min(first))
            at = max(first) + batch_seconds
        times.append((begins[0], tuple(begins)))
        at += planned.ring.soak
    return tuple(times)
