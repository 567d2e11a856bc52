# SPDX-License-Identifier: Apache-2.0
"""Carries a transaction out batch by batch; after a failure the rest of the batch is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backends import PackageManager
from ..backends.answers import InstallRun
from ..errors import NOT_STARTED, Busy
from ..files import Unwritable
from ..host import Host
from ..model import ExecutionResult, Offer, Target, Transaction
from ..versions import sort_key
from .progress import BatchWatch, Progress
from .refusal import REFUSED, Refusal
from .space import NoRoom, output_problem, space_problem


def execute(
    manager: PackageManager,
    transaction: Transaction,
    *,
    host: Host,
    output: Path,
    on_progress: Callable[[Progress], None],
    may_start_batch: Callable[[], bool],
) -> ExecutionResult:
    """Install the batches of a transaction one after the other; return what failed, with the package manager's words.

    Args:
        output: the directory that the package manager's output goes to.
        may_start_batch: asked before each batch: whether the maintenance window is still open.
    """
    downloads, system = manager.places
    needs = ((downloads, transaction.download_size or 0), (system, transaction.disk_size or 0))
    problem = space_problem(needs, output=output)
    failures = {blocked.target.id: blocked.reason for blocked in transaction.blocked}
    warnings: list[str] = []
    hints: list[str] = []
    for number, targets in enumerate(transaction.batches, 1):
        if problem or not may_start_batch():
            manager.drop_held()
            reason = problem or NOT_STARTED
            failures.update({target.id: reason for target in targets})
            continue
        numbers = (number, len(transaction.batches))
        batch = _Batch(manager, host, output, list(transaction.hidden), numbers, on_progress, began=host.now())
        failures.update(batch.install(targets))
        warnings += batch.warnings
        hints += batch.hints
        problem = batch.stopped
    return ExecutionResult(failures, tuple(dict.fromkeys(warnings)), tuple(dict.fromkeys(hints)))


@dataclass(slots=True)
class _Batch:
    """A batch while it is installed, with what is hidden from the next run and the warnings so far.

    ``blame`` are words about targets that failed, ``said`` about others that are not installed, ``needed`` about what
    failed and is no target.
    """

    manager: PackageManager
    host: Host
    output: Path
    hidden: list[Offer]
    numbers: tuple[int, int]
    on_progress: Callable[[Progress], None]
    began: float
    blame: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    stopped: str = ""

    def install(self, targets: Sequence[Target]) -> dict[str, str]:
        """Install some targets; return words about each that is not installed in the end, and about what they need.

        After a failure the others are tried again; where no target is blamed and none came in, in halves, as often as
        ``Limits`` allow it, until it is clear that everything is refused.
        """
        limits = self.manager.limits
        halvings = limits.halvings
        queue = [list(targets)]
        refusal = Refusal()
        for _round in range(limits.rounds):
            if not queue or self.stopped or refusal.certain:
                break
            group = refusal.take(queue)
            left, goes_on = self._attempt(group)
            refusal.note(self.said.get(group[0].id, ""), refused=len(left) == len(group) and not goes_on)
            if (goes_on or self.stopped) and left:
                queue.insert(0, left)
            elif len(left) > 1 and halvings:
                halvings -= 1
                middle = len(left) // 2
                queue[:0] = [left[:middle], left[middle:]]
        self._give_up(refusal, targets, [target for group in queue for target in group])
        present = self.manager.installed()
        there = {target.id for target in targets if self._is_there(target, present)}
        needed = {id_: words for id_, words in self.needed.items() if id_ not in present}
        return {id_: words for id_, words in {**needed, **self.said, **self.blame}.items() if id_ not in there}

    def _give_up(self, refusal: Refusal, targets: Sequence[Target], left: Sequence[Target]) -> None:
        """Note the words about targets that are not tried any more; a refusal of everything is said once."""
        if not self.stopped and (refusal.certain or (not left and refusal.of_all(len(targets)))):
            self.warnings.append(f"{self.manager.name} refuses every package: {refusal.words}")
            self.said.update({target.id: REFUSED for target in targets})
            return
        for target in left:
            words = f"not installed after several attempts: {self.said.get(target.id, 'no reason was given')}"
            self.said[target.id] = self.stopped or words

    def _attempt(self, group: Sequence[Target]) -> tuple[list[Target], bool]:
        """Run the package manager once; return what is left to install, and whether that may succeed now."""
        watch = BatchWatch(self.host, self.numbers, len(group), self.began, self.on_progress)
        try:
            run = self.manager.install(group, hidden=self.hidden, watch=watch)
        except (Busy, NoRoom, Unwritable) as exc:
            self.stopped = str(exc)
            return list(group), False
        self.warnings += run.warnings
        self.hints += run.reboot_hints
        present = self.manager.installed()
        missing = [target for target in group if not self._is_there(target, present)]
        left = self._learn(run, group, missing)
        if left:
            self.stopped = run.stopped
        new = [offer for offer in run.culprits if offer not in self.hidden]
        self.hidden += new
        return left, bool(new) or len(left) < len(group)

    def _learn(self, run: InstallRun, group: Sequence[Target], missing: Sequence[Target]) -> list[Target]:
        """Note what was said; hide what failed of the targets that are not installed, and return the others."""
        wanted = {target.id for target in group}
        self.needed.update({id_: words for id_, words in run.failures.items() if id_ not in wanted})
        failed = [target for target in missing if target.id in run.failures]
        self.blame.update({target.id: run.failures[target.id] for target in failed})
        self.hidden += [Offer(target.name, target.arch, target.version) for target in failed]
        left = [target for target in missing if target.id not in run.failures]
        said = "; ".join(filter(None, (run.said, output_problem(self.output) if left else "")))
        self.said.update({target.id: said for target in left})
        return left

    def _is_there(self, target: Target, present: Mapping[str, str]) -> bool:
        """Return whether a target, or a newer version that another target needs, is installed."""
        key: Callable[[str], Any] = sort_key(self.manager.family.version_order)
        version = present.get(target.id)
        return version is not None and key(version) >= key(target.version)
