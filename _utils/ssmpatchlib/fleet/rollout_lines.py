# SPDX-License-Identifier: Apache-2.0
"""What a rollout tells people while it goes on: lines, made of what its journal says. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from ..wording import amount
from . import gate, journal, minion_states
from .formatting import date_and_time, span
from .gate import PlannedRing
from .journal import Rollout

#: Seconds between two lines that count the minions of one batch.
COUNT_SECONDS = 15.0
#: How many failures are told by name at once.
NAMED = 10
_VERIFYING = {minion_states.TO_VERIFY, minion_states.VERIFYING} | minion_states.TESTED
_PHASES = {
    "failed": minion_states.FAILURES,
    "waiting for their windows": {minion_states.WINDOW},
    "busy with another operation": {minion_states.BUSY},
    "installing": {minion_states.INSTALLING},
    "rebooting": {minion_states.REBOOTING},
    "being verified": _VERIFYING,
    "left for a later window": {minion_states.POSTPONED},
    "not reached": {minion_states.UNREACHABLE},
}


class Narrator:
    """Compares a rollout with what it has told of it, and returns what is new."""

    def __init__(self) -> None:
        self._begun = False
        self._ring = -1
        self._batch = -1
        self._status = ""
        self._counts = ""
        self._counted = float("-inf")
        self._failed: set[str] = set()
        self._frozen = False

    def news(self, rollout: Rollout, *, now: float) -> list[str]:
        """The lines about what has happened since the last call, each with the time of day in UTC."""
        clock = dt.datetime.fromtimestamp(now, dt.timezone.utc).strftime("%H:%M:%S")
        return [f"{clock} {line}" for line in self._news(rollout, now)]

    def _news(self, rollout: Rollout, now: float) -> Iterator[str]:
        if not self._begun:
            self._begun = True
            yield _beginning(rollout)
        planned, progress = rollout.plan[rollout.ring], rollout.progress[rollout.ring]
        if progress.started:
            yield from self._of_ring(rollout, planned, progress, now)
        yield from self._failures(rollout)
        if rollout.frozen and not self._frozen:
            self._frozen = True
            yield f"frozen for the later rings: {', '.join(sorted(rollout.frozen))}"
        if rollout.status != journal.RUNNING:
            yield _ending(rollout, now)

    def _of_ring(self, rollout: Rollout, planned: PlannedRing, progress: journal.Progress, now: float) -> Iterator[str]:
        ring = f"ring {planned.ring.name}"
        if self._ring != rollout.ring:
            self._ring, self._batch, self._status = rollout.ring, -1, ""
            yield f"{ring} ({rollout.ring + 1} of {len(rollout.plan)}): {_size(planned)}"
        if progress.batch != self._batch and progress.status == "patching" and progress.batch < len(planned.batches):
            self._batch, self._counted = progress.batch, float("-inf")
            if len(planned.batches) > 1:
                minions = amount(len(planned.batches[progress.batch]), "minion")
                yield f"{ring}: batch {progress.batch + 1} of {len(planned.batches)}, {minions}"
        yield from self._count(ring, planned, rollout, now)
        if progress.status != self._status:
            self._status = progress.status
            yield from _status_lines(ring, planned, progress, rollout)

    def _count(self, ring: str, planned: PlannedRing, rollout: Rollout, now: float) -> Iterator[str]:
        counts = _counts(planned, rollout)
        idle = all(
            rollout.minions[name].phase in minion_states.ENDED | {minion_states.WAITING} for name in planned.minions
        )
        if counts == self._counts or not counts or (now - self._counted < COUNT_SECONDS and not idle):
            return
        self._counts, self._counted = counts, now
        yield f"{ring}: {counts}"

    def _failures(self, rollout: Rollout) -> Iterator[str]:
        failed = {name for name, minion in rollout.minions.items() if minion.phase in minion_states.FAILURES}
        new = sorted(failed - self._failed)
        self._failed = failed
        yield from (f"{name}: {rollout.minions[name].reason or 'not compliant'}" for name in new[:NAMED])
        if len(new) > NAMED:
            yield f"and {len(new) - NAMED:,} more failed; see ssmpatch.rollout_status"


def _beginning(rollout: Rollout) -> str:
    if any(minion.phase != minion_states.WAITING for minion in rollout.minions.values()):
        return f"rollout {rollout.id} goes on in ring {rollout.plan[rollout.ring].ring.name}"
    return f"rollout {rollout.id}: {amount(len(rollout.plan), 'ring')}, {amount(len(rollout.minions), 'minion')}"


def _ending(rollout: Rollout, now: float) -> str:
    reason = f": {rollout.reason}" if rollout.reason else ""
    return f"rollout {rollout.status} after {span(max(0.0, now - rollout.created))}{reason}"


def _size(planned: PlannedRing) -> str:
    batches = len(planned.batches)
    return amount(len(planned.minions), "minion") + (f" in {amount(batches, 'batch')}" if batches > 1 else "")


def _counts(planned: PlannedRing, rollout: Rollout) -> str:
    """How many minions of a ring are where, ``""`` while none has got anywhere."""
    phases = Counter(rollout.minions[name].phase for name in planned.minions)
    passed = sum(phases[phase] for phase in minion_states.PASSED)
    numbers = ((sum(phases[phase] for phase in some), words) for words, some in _PHASES.items())
    others = [f"{number:,} {words}" for number, words in numbers if number]
    return (
        ", ".join([f"{passed:,} of {amount(len(planned.minions), 'minion')} patched", *others])
        if passed or others
        else ""
    )


def _status_lines(ring: str, planned: PlannedRing, progress: journal.Progress, rollout: Rollout) -> Iterator[str]:
    status = progress.status
    if status == "gate open":
        passed = gate.judge(planned, rollout.minions).passed
        yield f"{ring}: gate open, {passed:,} of {amount(len(planned.minions), 'minion')} compliant"
    elif status == "gate closed":
        yield f"{ring}: gate closed"
    elif status == "soaking":
        until = f", until {date_and_time(progress.soak_until)}"
        yield f"{ring}: soaks for {span(planned.ring.soak)}{until}"
    elif status not in ("waiting", "patching", "done"):
        yield f"{ring}: {status}"
