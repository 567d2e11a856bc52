# SPDX-License-Identifier: Apache-2.0
"""What operations tell while they work: events to the master, and lines in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..masking import masked, masked_plain
from ..times import duration
from .session import Session

if TYPE_CHECKING:
    from ..patching.progress import Progress
    from ..store.lock import OperationLock

#: Seconds between two events, and two lines of the log, about one phase of one batch.
PROGRESS_SECONDS = 15.0


def fire(session: Session, operation: str, step: str, data: Mapping[str, Any]) -> None:
    """Send ``ssmpatch/<minion>/<operation>/<step>``; a failure to send is only logged."""
    _send(session, f"ssmpatch/<id>/{operation}/{step}", data)


def tell(session: Session, word: str, data: Mapping[str, Any]) -> None:
    """Send ``ssmpatch/<minion>/<word>``, which is about no operation that runs; a failure to send is only logged."""
    _send(session, f"ssmpatch/<id>/{word}", data)


class ProgressTeller:
    """Tells of each phase of each batch, and in between now and then: a line in the log, and an event.

    The event is ``ssmpatch/<minion>/install/progress``; the line is at level info.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told: set[tuple[str, int]] = set()
        self._last = float("-inf")

    def tell(self, progress: Progress) -> None:
        """Tell it where the phase is new or the last event is old; the event only where the settings want any."""
        now = self._session.host.now()
        step = (progress.phase, progress.batch)
        # The clock may be set back meanwhile.
        if step in self._told and abs(now - self._last) < PROGRESS_SECONDS:
            return
        self._told.add(step)
        self._last = now
        self._session.caller.log.info("ssmpatch install: %s", _line(progress))
        if self._session.settings.progress_events:
            fire(self._session, "install", "progress", {"run_id": self._session.run_id, **asdict(progress)})


def enter(session: Session, lock: OperationLock, operation: str, phase: str) -> None:
    """Begin a phase of an operation: for ``status`` and those who wait, and as a line in the log at level info."""
    lock.phase(phase)
    session.caller.log.info("ssmpatch %s: %s", operation, phase)


def _line(progress: Progress) -> str:
    expected = f", expected {duration(progress.expected)}" if progress.expected else ""
    return (
        f"{progress.phase}, batch {progress.batch} of {progress.batches}, {progress.detail}, "
        f"elapsed {duration(progress.elapsed)}{expected}"
    )


def _send(session: Session, tag: str, data: Mapping[str, Any]) -> None:
    try:
        session.caller.fire(tag, masked_plain(data))
    except Exception as exc:  # noqa: BLE001 - whatever the bus says, patching goes on
        session.caller.log.warning("ssmpatch: event %s could not be sent: %s", tag, masked(str(exc)))
