# SPDX-License-Identifier: Apache-2.0
"""Carries a rollout out: asks minions, waits, writes down, and stops where a gate is closed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..times import aws_time
from ..windows import is_open, next_open
from . import gate, journal, minion_states
from .frozen import NoFrozenSet
from .journal import Rollout
from .minion_states import Minion
from .rollout_lines import Narrator
from .salt_client import Call, Salt, keywords
from .settings import Limits, Ring

#: While a ring soaks, silent minions are asked again this often (seconds).
LATE_SECONDS = 300
#: Phases whose job may never have been published when the runner was killed: they are asked again.
_ASK_AGAIN = {
    minion_states.CHECKING: minion_states.WAITING,
    minion_states.VERIFYING: minion_states.TO_VERIFY,
    minion_states.TESTING: minion_states.TO_TEST,
}


class Stopped(Exception):
    """The rollout ends before its last ring, with this status and reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Driver:
    """One run of a rollout; everything it knows is in ``rollout``, which is saved before every step."""

    def __init__(
        self,
        rollout: Rollout,
        *,
        salt: Salt,
        state_dir: Path,
        limits: Limits,
        freeze: Callable[[Rollout], dict[str, str]],
    ) -> None:
        self.rollout = rollout
        self.salt = salt
        self.state_dir = state_dir
        self.limits = limits
        self.freeze = freeze
        self._narrator = Narrator()
        self._ring_of = {name: index for index, planned in enumerate(rollout.plan) for name in planned.minions}

    def run(self) -> None:
        """Go on from where the journal is until the end, a closed gate or an abort."""
        rollout = self.rollout
        self._begin_again()
        self._fire("start", rings=[planned.ring.name for planned in rollout.plan])
        try:
            for index in range(rollout.ring, len(rollout.plan)):
                rollout.ring = index
                self._ring(index)
            self._pick_up_late(len(rollout.plan))
            left = gate.left_behind(minion.phase for minion in rollout.minions.values())
            self._end(journal.INCOMPLETE if left else journal.SUCCEEDED, left)
        except Stopped as stopped:
            self._end(stopped.status, str(stopped))

    def _end(self, status: str, reason: str) -> None:
        self.rollout.status, self.rollout.reason = status, reason
        self._save()
        # "complete" only for what is: a monitor that watches for it must not take a stopped rollout for one.
        self._fire("complete" if status in (journal.SUCCEEDED, journal.INCOMPLETE) else status, reason=reason)

    def _begin_again(self) -> None:
        """What failed or was interrupted is tried again; what is done stays done."""
        rollout, now = self.rollout, self.salt.now()
        if rollout.status != journal.RUNNING:
            for name, minion in rollout.minions.items():
                if minion.phase in minion_states.FAILURES | minion_states.LEFT:
                    rollout.minions[name] = Minion(since=now)
            rollout.ring = min((self._ring_of[name] for name in self._not_passed()), default=rollout.ring)
            for progress in rollout.progress[rollout.ring :]:
                progress.batch = 0
                progress.problems = []
                progress.soak_until = 0
        for name, minion in rollout.minions.items():
            if minion.phase in _ASK_AGAIN:
                rollout.minions[name] = minion_states.enter(minion, _ASK_AGAIN[minion.phase], now)
            elif minion.phase not in minion_states.ENDED:
                # The time that nobody watched does not count against the minion.
                rollout.minions[name] = dataclasses.replace(minion, since=now, probed=now)
        rollout.status, rollout.reason = journal.RUNNING, ""
        self._save()

    def _not_passed(self) -> Iterable[str]:
        return (name for name, minion in self.rollout.minions.items() if minion.phase not in minion_states.PASSED)

    def _ring(self, index: int) -> None:
        rollout, planned = self.rollout, self.rollout.plan[index]
        progress = rollout.progress[index]
        progress.started = progress.started or self.salt.now()
        self._wait_for_window(index)
        self._pick_up_late(index)
        progress.status = "patching"
        batches = planned.batches
        while progress.batch < len(batches):
            self._may_go_on(index)
            began = self.salt.now()
            self._fire("batch", ring=planned.ring.name, batch=progress.batch + 1, batches=len(batches))
            self._drive(batches[progress.batch])
            progress.spent.append(round(self.salt.now() - began, 1))
            progress.batch += 1
            self._save()
        self._judge(index)
        if index == 0 and rollout.freeze and len(rollout.plan) > 1 and not rollout.frozen:
            try:
                rollout.frozen = self.freeze(rollout)
            except NoFrozenSet as exc:
                raise Stopped(journal.FAILED, f"ring {planned.ring.name}: {exc}") from exc
            self._save()
        self._soak(index)
        progress.status, progress.ended = "done", self.salt.now()
        self._save()

    def _judge(self, index: int) -> None:
        """Evaluate the gate of a ring; what came back late is judged with it."""
        planned, progress = self.rollout.plan[index], self.rollout.progress[index]
        outcome = gate.judge(planned, self.rollout.minions)
        progress.problems = list(outcome.problems)
        progress.status = "gate closed" if outcome.problems else "gate open"
        self._save()
        self._fire(
            "gate",
            ring=planned.ring.name,
            counts=dict(outcome.counts),
            compliant=outcome.figures,
            problems=list(outcome.problems),
        )
        if outcome.problems:
            raise Stopped(journal.FAILED, f"ring {planned.ring.name}: {'; '.join(outcome.problems)}")

    def _may_go_on(self, index: int) -> None:
        """Before every batch: no abort, and not too many failures in any ring so far."""
        self._heed_abort()
        for planned, progress in zip(self.rollout.plan[: index + 1], self.rollout.progress, strict=False):
            problem = gate.too_many_failures(planned, self.rollout.minions)
            if problem:
                progress.problems = [problem]
                raise Stopped(journal.FAILED, f"ring {planned.ring.name}: {problem}")

    def _heed_abort(self) -> None:
        reason = journal.abort_requested(self.state_dir, self.rollout.id)
        if reason:
            raise Stopped(journal.ABORTED, reason)

    def _wait_for_window(self, index: int) -> None:
        window = self.rollout.plan[index].ring.window
        if window is None:
            return
        while not is_open((window,), self.salt.now()):
            opens = next_open((window,), self.salt.now())
            if opens is None:
                raise Stopped(journal.FAILED, f"ring {self.rollout.plan[index].ring.name}: its window never opens")
            status = f"waits for its window, {aws_time(opens)}"
            if self.rollout.progress[index].status != status:
                self.rollout.progress[index].status = status
                self._save()
            self._heed_abort()
            self.salt.sleep(min(opens - self.salt.now(), self.limits.poll * 6))

    def _soak(self, index: int) -> None:
        planned, progress = self.rollout.plan[index], self.rollout.progress[index]
        if not planned.ring.soak or progress.ended:
            return
        progress.soak_until = progress.soak_until or self.salt.now() + planned.ring.soak
        progress.status = "soaking"
        self._save()
        asked = self.salt.now()
        while self.salt.now() < progress.soak_until:
            self._heed_abort()
            self.salt.sleep(max(0.1, min(self.limits.poll, progress.soak_until - self.salt.now())))
            if self.salt.now() - asked >= LATE_SECONDS:
                self._pick_up_late(index + 1)
                asked = self.salt.now()
        self._may_go_on(index)

    def _pick_up_late(self, rings: int) -> None:
        """Ask again who was left behind in the first ``rings`` rings; patch who has come back or is in its window."""
        late = [
            name
            for planned in self.rollout.plan[:rings]
            for name in planned.minions
            if minion_states.is_late(self.rollout.minions[name], self.salt.now())
        ]
        if not late:
            return
        for name in late:
            self.rollout.minions[name] = Minion(since=self.salt.now())
        self._drive(late)

    def _drive(self, names: Iterable[str]) -> None:
        """Bring every one of these minions to an end."""
        minions = self.rollout.minions
        while active := [name for name in names if minions[name].phase not in minion_states.ENDED]:
            self._publish(active)
            self._pause([minions[name] for name in active])
            before = [minions[name] for name in active]
            self._collect(active)
            now = self.salt.now()
            for name in active:
                minions[name] = minion_states.waited(minions[name], now=now, limits=self.limits)
            if before != [minions[name] for name in active]:
                self._save()

    def _pause(self, active: Sequence[Minion]) -> None:
        """Sleep until answers may be there; longer while everybody waits for his own maintenance window."""
        if any(minion.phase != minion_states.WINDOW for minion in active):
            self.salt.sleep(self.limits.poll)
            return
        self._heed_abort()
        opens = min(minion.opens for minion in active)
        self.salt.sleep(max(self.limits.poll, min(self.limits.poll * 6, opens - self.salt.now())))

    def _publish(self, active: Iterable[str]) -> None:
        """Make the calls that are due: written down first, so that no job is ever out of sight."""
        now = self.salt.now()
        groups: dict[tuple[str, int, str, int], list[str]] = {}
        for name in active:
            minion = self.rollout.minions[name]
            call = minion_states.wanted(minion, now=now, limits=self.limits)
            if not call:
                continue
            index = self._ring_of[name]
            frozen = self._frozen_for(minion, index) if call in (minion_states.INSTALL, minion_states.SCAN) else ""
            if frozen is None:
                reason = f"nothing was tested for {minion.system} in ring {self.rollout.plan[0].ring.name}"
                self.rollout.minions[name] = minion_states.enter(minion, minion_states.FAILED, now, reason=reason)
                continue
            groups.setdefault((call, index, frozen, minion.tested), []).append(name)
        jobs = [(self.salt.new_job(), key, names) for key, names in groups.items()]
        for job, (call, _, _, _), names in jobs:
            for name in names:
                self.rollout.minions[name] = minion_states.called(self.rollout.minions[name], call, job=job, now=now)
        if jobs:
            self._save()
        for job, (call, index, frozen, tested), names in jobs:
            self.salt.publish(job, names, make_call(call, self.rollout.plan[index].ring, frozen, tested))

    def _frozen_for(self, minion: Minion, index: int) -> str | None:
        """The frozen set a minion is to use, ``""`` for none, None where it needs one that there is not."""
        if index == 0 or not self.rollout.frozen:
            return ""
        return self.rollout.frozen.get(minion.system)

    def _collect(self, active: Iterable[str]) -> None:
        minions = self.rollout.minions
        known: dict[str, Mapping[str, Any]] = {}

        def returned(job: str) -> Mapping[str, Any]:
            if job not in known:
                known[job] = self.salt.returns(job) if job else {}
            return known[job]

        for name in active:
            minion = minions[name]
            if name in returned(minion.job):
                ring = self.rollout.plan[self._ring_of[name]].ring
                answer = returned(minion.job)[name]
                minions[name] = minion_states.answered(
                    minion, answer, ring=ring, now=self.salt.now(), limits=self.limits
                )
            elif name in returned(minion.probe):
                minions[name] = minion_states.probed(minion, returned(minion.probe)[name], now=self.salt.now())

    def _save(self) -> None:
        now = self.salt.now()
        journal.save(self.state_dir, self.rollout, now=now)
        for line in self._narrator.news(self.rollout, now=now):
            self.salt.tell(line)

    def _fire(self, what: str, **data: Any) -> None:
        self.salt.fire(f"ssmpatch/rollout/{self.rollout.id}/{what}", {"rollout": self.rollout.id, **data})


def make_call(call: str, ring: Ring, frozen: str, tested: int) -> Call:
    """The Salt functions behind a call's name; of the checks the one that is next."""
    if call == minion_states.CHECK:
        return Call((minion_states.STATUS, minion_states.VERSION, minion_states.DISK), ((), (), ()))
    if call == minion_states.PROBE:
        return Call((minion_states.STATUS,), ((),))
    if call == minion_states.TEST:
        check = ring.gate.checks[tested]
        return Call((check.function,), (check.args,))
    given = {"frozen": frozen} if frozen else {}
    if call == minion_states.SCAN:
        return Call(("ssmpatch.scan",), (keywords(**given),))
    if ring.reboot_option:
        given["reboot_option"] = ring.reboot_option
    return Call(("ssmpatch.install",), (keywords(**given),))
