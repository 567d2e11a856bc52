# SPDX-License-Identifier: Apache-2.0
"""When an install may begin: the configured maintenance window, in words of AWS's times."""

from __future__ import annotations

from ..config import Settings
from ..errors import OutsideWindow
from ..times import aws_time
from ..windows import is_open, next_open

#: The window does not open within the time that is looked ahead.
NEVER = "never"


def opening(settings: Settings, now: float) -> str | None:
    """Return when the window opens, None when an install may begin now (it is open, or there is none)."""
    if settings.window is None or is_open((settings.window,), now):
        return None
    opens = next_open((settings.window,), now)
    return NEVER if opens is None else aws_time(opens)


def may_begin(settings: Settings, at: float) -> bool:
    """Return whether an install, one of its batches or a restart of a service may begin."""
    return opening(settings, at) is None


def require_open(settings: Settings, now: float) -> None:
    """Refuse an install outside of its window.

    Raises:
        OutsideWindow: the window is closed; it says when it opens.
    """
    opens = opening(settings, now)
    if opens is not None:
        raise OutsideWindow(opens)
