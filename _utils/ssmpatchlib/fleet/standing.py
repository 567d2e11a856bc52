# SPDX-License-Identifier: Apache-2.0
"""How the last rollout stands, in numbers, for what watches the fleet. Pure but for reading the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..store.lock import current
from . import journal
from .minion_states import PHASES

INTERRUPTED = "interrupted"
STATUSES = tuple(sorted(journal.STATUSES | {INTERRUPTED}))
_LOCK_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class RingStanding:
    """One ring: ``hosts`` by phase. Times are epoch seconds, 0 while the ring has not begun or ended."""

    name: str
    hosts: Mapping[str, int]
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class RolloutStanding:
    """A rollout: ``status`` is one of ``STATUSES``, ``ended`` 0 while it can go on by itself or was interrupted."""

    status: str
    started: float
    ended: float
    rings: tuple[RingStanding, ...]


def last_rollout(state_dir: Path, *, now: float) -> RolloutStanding | None:
    """Return how the last rollout stands, None when there has been none.

    Raises:
        SsmpatchError: its journal cannot be read.
    """
    latest = journal.latest(state_dir)
    if not latest:
        return None
    rollout = journal.load(state_dir, latest, now=now)
    running = rollout.status == journal.RUNNING
    gone = running and current(state_dir, _LOCK_ROOT) is None
    return RolloutStanding(
        status=INTERRUPTED if gone else rollout.status,
        started=rollout.created,
        ended=0 if running else rollout.updated,
        rings=tuple(
            RingStanding(
                planned.ring.name,
                {
                    **dict.fromkeys(sorted(PHASES), 0),
                    **Counter(rollout.minions[name].phase for name in planned.minions),
                },
                progress.started,
                progress.ended,
            )
            for planned, progress in zip(rollout.plan, rollout.progress, strict=True)
        ),
    )
