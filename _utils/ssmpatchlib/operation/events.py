# SPDX-License-Identifier: Apache-2.0
"""The events that operations send to the master."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..masking import masked, masked_plain
from .session import Session


def fire(session: Session, operation: str, step: str, data: Mapping[str, Any]) -> None:
    """Send ``ssmpatch/<minion>/<operation>/<step>``; a failure to send is only logged."""
    _send(session, f"ssmpatch/<id>/{operation}/{step}", data)


def fire_progress(session: Session, data: Mapping[str, Any]) -> None:
    """Send ``salt/ssmpatch/<minion>/install/progress``."""
    _send(session, "salt/ssmpatch/<id>/install/progress", data)


def _send(session: Session, tag: str, data: Mapping[str, Any]) -> None:
    try:
        session.caller.fire(tag, masked_plain(data))
    except Exception as exc:  # noqa: BLE001 - whatever the bus says, patching goes on
        session.caller.log.warning("ssmpatch: event %s could not be sent: %s", tag, masked(str(exc)))
