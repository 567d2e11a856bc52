# SPDX-License-Identifier: Apache-2.0
"""Waiting, with a bound, for other programs that work on the system."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Busy
from ..host import CommandResult
from . import Context

_IDLE_POLL = 0.5
_RETRY_POLL = 2.0


def wait_idle(context: Context, holder: Callable[[], str]) -> None:
    """Wait until ``holder`` returns ``""``, which means that no other program works on the system.

    Raises:
        Busy: another program still worked after ``lock_timeout`` seconds.
    """
    waited = 0.0
    while busy := holder():
        if waited >= context.lock_timeout:
            raise Busy(f"busy: {busy}; waited {context.lock_timeout} s for it; try again later")
        # Seconds waited are counted, since the clock may be set meanwhile.
        context.host.sleep(_IDLE_POLL)
        waited += _IDLE_POLL


def retry_locked(
    context: Context, run: Callable[[], CommandResult], *, is_locked: Callable[[CommandResult], bool]
) -> CommandResult:
    """Run a command again and again while it fails because another program has the lock; return its result.

    Raises:
        Busy: the lock was held for ``lock_timeout`` seconds; the message has the command's words.
    """
    waited = 0.0
    while True:
        began = time.monotonic()
        result = run()
        waited += time.monotonic() - began
        if not is_locked(result):
            return result
        if waited >= context.lock_timeout:
            raise Busy(f"busy: the package manager's lock was held for {context.lock_timeout} s: {result.words}")
        context.host.sleep(_RETRY_POLL)
        waited += _RETRY_POLL
