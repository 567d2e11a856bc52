# SPDX-License-Identifier: Apache-2.0
"""Follows what a package manager prints while it works, and turns it into progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..backends.answers import Reading
from ..host import Host
from ..wording import amount
from .space import NoRoom, output_problem


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of an installation, for events and log lines; times are in seconds, ``expected`` None if unknown."""

    phase: str
    batch: int
    batches: int
    elapsed: float
    expected: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BatchWatch:
    """Follows one run of a package manager on ``count`` packages of the batch ``numbers`` (which of how many).

    ``since`` is when the batch was begun, in epoch seconds.
    """

    host: Host
    numbers: tuple[int, int]
    count: int
    since: float
    on_progress: Callable[[Progress], None]

    def follow(self, log: Path, read: Callable[[str], Reading]) -> Callable[[], None]:
        """Return a function that reports phase and share done when either has changed; report once at once.

        Raises:
            NoRoom: what the package manager prints could not be written.
        """
        start = log.stat().st_size if log.exists() else 0
        before = max(0.0, self.host.now() - self.since)
        last: list[Reading] = []

        def report() -> None:
            reading = read(_text_from(log, start))
            if [reading] == last:
                return
            last[:] = [reading]
            elapsed = max(0.0, self.host.now() - self.since)
            known = reading.phase == "installing" and 0 < reading.done <= reading.total
            expected = before + max(0.0, elapsed - before) * reading.total / reading.done if known else None
            steps = f"step {reading.done} of {reading.total}" if reading.total else amount(self.count, "package")
            detail = reading.detail or steps
            self.on_progress(Progress(reading.phase, *self.numbers, elapsed=elapsed, expected=expected, detail=detail))

        report()
        if problem := output_problem(log.parent):
            raise NoRoom(problem)
        return report


def _text_from(log: Path, start: int) -> str:
    try:
        with open(log, "rb") as handle:
            handle.seek(start)
            return handle.read().decode(errors="replace")
    except OSError:
        return ""
