# SPDX-License-Identifier: Apache-2.0
"""What is known of an operation that is watched: read from events and from ``ssmpatch.status``. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..times import epoch_of
from .untrusted import clean

RUNNING = "running"
COMPLETE = "complete"
FAILED = "failed"
#: It has ended, and how is not known: its last event was not seen.
ENDED = "ended"
SILENT = "silent"

_TAG = re.compile(r"ssmpatch/(?P<minion>[^/]+)/(?P<operation>[a-z]{1,20})/(?P<step>start|progress|complete|failed)")
_PHASE = re.compile(r"(?P<phase>[^(]{1,40}) \(batch (?P<batch>[0-9]{1,6})/(?P<batches>[0-9]{1,6})\)")
_LONGEST = 10 * 86400.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of an operation."""

    minion: str
    operation: str
    step: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """An operation of one minion. Times are epoch seconds of the master.

    ``began`` is when the operation began, ``step_began`` when its batch did, which takes ``expected`` seconds where
    that is known. ``heard`` is when the minion last said something.
    """

    id: str
    operation: str
    run_id: str
    began: float
    heard: float
    state: str = RUNNING
    phase: str = "preparing"
    batch: int = 0
    batches: int = 0
    detail: str = ""
    step_began: float = 0.0
    expected: float | None = None
    outcome: str = ""


def read_event(tag: Any, event: Any) -> Heard | None:
    """An event of an operation; None for any other, and for one that another minion sent than it speaks of."""
    found = _TAG.fullmatch(tag) if isinstance(tag, str) else None
    if found is None or not isinstance(event, Mapping) or event.get("id") != found["minion"]:
        return None
    data = event.get("data")
    return Heard(found["minion"], found["operation"], found["step"], data) if isinstance(data, Mapping) else None


def after_event(known: Watched | None, heard: Heard, *, now: float) -> Watched | None:
    """What is known after an event; None while no operation of the minion was seen running."""
    run_id, over = clean(heard.data.get("run_id"), 64), heard.step in (COMPLETE, FAILED)
    if known is None or known.run_id != run_id:
        if over:  # Of an operation that nobody saw running.
            return known
        known = Watched(clean(heard.minion, 100), heard.operation, run_id, began=now, heard=now, step_began=now)
    if over:
        return _ended(known, heard, now)
    if known.state in (COMPLETE, FAILED):
        return known
    known = replace(known, state=RUNNING, heard=now)
    return _further(known, heard.data, now) if heard.step == "progress" else known


def after_status(known: Watched | None, minion: str, answer: Any, *, asked: float, now: float) -> Watched | None:
    """What is known after a minion's answer to ``ssmpatch.status`` that was asked for at ``asked``."""
    running = answer.get("running") if isinstance(answer, Mapping) else None
    if not isinstance(running, Mapping):
        over = known is not None and known.state == RUNNING and known.heard <= asked
        return replace(known, state=ENDED, heard=now) if known is not None and over else known
    run_id = clean(running.get("run_id"), 64)
    if known is not None and known.run_id == run_id:
        return replace(known, heard=now) if known.state == RUNNING else known
    if known is not None and known.heard > asked:
        return known
    since = epoch_of(running.get("since"))
    began = now if since is None else min(now, max(since, now - _LONGEST))
    found = Watched(
        clean(minion, 100), clean(running.get("operation"), 20), run_id, began=began, heard=now, step_began=began
    )
    return _in_phase(found, clean(running.get("phase"), 60))


def _in_phase(watched: Watched, words: str) -> Watched:
    found = _PHASE.fullmatch(words)
    if found is None:
        return replace(watched, phase=words or watched.phase)
    return replace(watched, phase=found["phase"], batch=int(found["batch"]), batches=int(found["batches"]))


def _further(watched: Watched, data: Mapping[str, Any], now: float) -> Watched:
    elapsed = _seconds(data.get("elapsed"))
    return replace(
        watched,
        phase=clean(data.get("phase"), 40) or watched.phase,
        batch=_count(data.get("batch")),
        batches=_count(data.get("batches")),
        detail=clean(data.get("detail"), 60),
        step_began=now - (elapsed or 0.0),
        expected=_seconds(data.get("expected")),
    )


def _ended(watched: Watched, heard: Heard, now: float) -> Watched:
    words = clean(heard.data.get("compliance" if heard.step == COMPLETE else "error"), 300)
    return replace(watched, state=heard.step, heard=now, outcome=words)


def _seconds(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= _LONGEST else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**6 else 0
