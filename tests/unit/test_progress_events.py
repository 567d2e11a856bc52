# SPDX-License-Identifier: Apache-2.0
"""Progress in events and log: few enough for a fleet of tens of thousands, no events where they are not wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ssmpatchlib.config import Settings
from ssmpatchlib.operation.caller import Caller
from ssmpatchlib.operation.events import ProgressTeller
from ssmpatchlib.patching.progress import Progress


class Clock:
    seconds = 1000.0

    def now(self) -> float:
        return self.seconds


def events(sent: list[tuple[str, Any]], clock: Clock, **settings: Any) -> ProgressTeller:
    caller = Caller(fire=lambda tag, data: sent.append((tag, data)))
    session: Any = SimpleNamespace(caller=caller, host=clock, settings=Settings(**settings), run_id="run-1")
    return ProgressTeller(session)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def progress(phase: str, batch: int, detail: str = "") -> Progress:
    return Progress(phase, batch, 3, elapsed=1.0, expected=None, detail=detail)


def test_one_for_each_phase_of_a_batch_and_one_in_fifteen_seconds() -> None:
    sent: list[tuple[str, Any]] = []
    clock = Clock()
    told = events(sent, clock)
    for batch in (1, 2, 3):
        for phase in ("downloading", "installing", "downloading", "installing"):
            for step in range(20):
                told.tell(progress(phase, batch, f"step {step}"))
                clock.seconds += 0.5
    seconds = 3 * 4 * 20 * 0.5
    assert {tag for tag, _ in sent} == {"ssmpatch/<id>/install/progress"}
    assert [(data["phase"], data["batch"]) for _, data in sent[:2]] == [("downloading", 1), ("installing", 1)]
    assert 3 * 2 <= len(sent) <= 3 * 2 + seconds / 15
    assert sent[0][1] == {
        "run_id": "run-1", "phase": "downloading", "batch": 1, "batches": 3, "elapsed": 1.0, "expected": None,
        "detail": "step 0",
    }  # fmt: skip


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    sent: list[tuple[str, Any]] = []
    clock = Clock()
    told = events(sent, clock)
    told.tell(progress("installing", 1))
    clock.seconds -= 500
    told.tell(progress("installing", 1))
    assert len(sent) == 2


def test_the_log_has_a_line_for_each_event_and_not_one_for_each_step(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    told = events([], Clock(), progress_events=False)
    for batch in (1, 2):
        for step in range(50):
            told.tell(progress("installing", batch, f"{step} of 80 packages"))
    assert lines(caplog) == [
        f"ssmpatch install: installing, batch {batch} of 3, 0 of 80 packages, elapsed 1 s" for batch in (1, 2)
    ]


def test_they_can_be_turned_off() -> None:
    sent: list[tuple[str, Any]] = []
    events(sent, Clock(), progress_events=False).tell(progress("installing", 1))
    assert sent == []
