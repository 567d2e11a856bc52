# SPDX-License-Identifier: Apache-2.0
"""Follows what a package manager prints while it works, and turns it into progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..backends import Context, Progress
from ..host import Host
from ..model import Transaction


@dataclass(frozen=True, slots=True)
class Step:
    """How far a package manager is by its own words: ``done`` of ``total`` steps, 0 of 0 where it does not say."""

    phase: str
    done: int = 0
    total: int = 0
    detail: str = ""


def watch_batch(
    context: Context,
    log: str,
    *,
    read: Callable[[str], Step],
    transaction: Transaction,
    number: int,
    on_progress: Callable[[Progress], None],
) -> Watch:
    """Return what follows a transaction's batch of this number, whose output goes to ``log`` of the work directory."""
    return Watch(
        context.host,
        context.work_dir / log,
        read=read,
        numbers=(number, len(transaction.batches)),
        count=len(transaction.batches[number - 1]),
        on_progress=on_progress,
    )


class Watch:
    """Follows the output that is added to a file; ``read`` makes a step of it.

    Args:
        numbers: which batch it is of how many.
        count: how many packages there are; what is said as long as the output says nothing.
    """

    def __init__(
        self,
        host: Host,
        log: Path,
        *,
        read: Callable[[str], Step],
        numbers: tuple[int, int],
        count: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._host = host
        self._log = log
        self._read = read
        self._numbers = numbers
        self._count = count
        self._send = on_progress
        self._start = 0
        self._began = host.now()
        self._last: Step | None = None

    def begin(self, count: int | None = None) -> None:
        """Watch what is added to the file from now on; of ``count`` packages, where that has changed."""
        self._count = self._count if count is None else count
        self._start = self._log.stat().st_size if self._log.exists() else 0
        self.report()

    def report(self) -> None:
        """Send the phase and the share that is done, when either has changed."""
        step = self._read(self._new_text())
        if step == self._last:
            return
        self._last = step
        elapsed = max(0.0, self._host.now() - self._began)
        known = step.phase == "installing" and 0 < step.done <= step.total
        expected = elapsed * step.total / step.done if known else None
        detail = step.detail or (f"step {step.done} of {step.total}" if step.total else f"{self._count} packages")
        self._send(Progress(step.phase, *self._numbers, elapsed=elapsed, expected=expected, detail=detail))

    def _new_text(self) -> str:
        try:
            with open(self._log, "rb") as handle:
                handle.seek(self._start)
                return handle.read().decode(errors="replace")
        except OSError:
            return ""
