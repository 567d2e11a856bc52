# SPDX-License-Identifier: Apache-2.0
"""The events that operations send to the master."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..masking import masked, masked_plain
from .session import Session

if TYPE_CHECKING:
    from ..patching.progress import Progress

#: Seconds between two events about one phase of one batch.
PROGRESS_SECONDS = 15.0


def fire(session: Session, operation: str, step: str, data: Mapping[str, Any]) -> None:
    """Send ``ssmpatch/<minion>/<operation>/<step>``; a failure to send is only logged."""
    _send(session, f"ssmpatch/<id>/{operation}/{step}", data)


class ProgressEvents:
    """Sends ``ssmpatch/<minion>/install/progress``: for each phase of each batch, and in between now and then."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told: set[tuple[str, int]] = set()
        self._last = float("-inf")

    def tell(self, progress: Progress) -> None:
        """Send an event where the settings want any and the phase is new or the last event is old."""
        now = self._session.host.now()
        step = (progress.phase, progress.batch)
        # The clock may be set back meanwhile.
        if step in self._told and abs(now - self._last) < PROGRESS_SECONDS:
            return
        self._told.add(step)
        self._last = now
        if self._session.settings.progress_events:
            fire(self._session, "install", "progress", {"run_id": self._session.run_id, **asdict(progress)})


def _send(session: Session, tag: str, data: Mapping[str, Any]) -> None:
    try:
        session.caller.fire(tag, masked_plain(data))
    except Exception as exc:  # noqa: BLE001 - whatever the bus says, patching goes on
        session.caller.log.warning("ssmpatch: event %s could not be sent: %s", tag, masked(str(exc)))
