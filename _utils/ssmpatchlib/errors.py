# SPDX-License-Identifier: Apache-2.0
"""The engine's errors. Each names the thing, the value and the remedy, and carries the process's return code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .masking import harmless, masked, masked_plain

#: Messages go to the master and into logs, and what comes from outside can make them long.
LONGEST_MESSAGE = 25_000


class SsmpatchError(Exception):
    """An operation failed. ``code`` is the return code, ``info`` what was reached before (a partial report).

    Secrets in the message and in ``info`` are masked, and what in the message steers a terminal is ``?``.
    """

    code = 1

    def __init__(self, message: str, *, code: int | None = None, info: Mapping[str, Any] | None = None) -> None:
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[:LONGEST_MESSAGE]}…"
        super().__init__(masked(harmless(message)))
        if code is not None:
            self.code = code
        self.info = masked_plain(dict(info or {}))


class InvalidInput(SsmpatchError):
    """Arguments, configuration or a document are wrong; nothing was done. ``problems`` are ``path: what`` lines."""

    def __init__(self, message: str, *, problems: Sequence[str] = (), code: int | None = None) -> None:
        super().__init__(message, code=code)
        self.problems = tuple(masked(harmless(problem)) for problem in problems)


class Unusable(SsmpatchError):
    """The system refused a file or directory where nobody expected it; the message names it and what helps."""

    def __init__(self, exc: OSError) -> None:
        name = exc.filename if exc.filename is not None else exc.filename2
        where = name.decode(errors="replace") if isinstance(name, bytes) else str(name or "the system")
        reason = (exc.strerror or str(exc)).lower()
        denied = isinstance(exc, PermissionError)
        remedy = "run as root, or let this user read and search it" if denied else "see that it is sound, and try again"
        super().__init__(f"{where}: cannot be used: {reason}; {remedy}")


class Busy(SsmpatchError):
    """Another operation (ours or the package manager's) holds the lock."""

    code = 4


#: Why a target of a later batch has not been installed: no failure, it waits for the next window.
NOT_STARTED = "not started: the maintenance window has closed"


class OutsideWindow(SsmpatchError):
    """An install was refused because the maintenance window is closed; ``info`` has ``next_open``, AWS's time text."""

    _TEXT = "outside of the maintenance window, which opens "

    def __init__(self, next_open: str) -> None:
        message = f"install: {self._TEXT}{next_open}; wait until then; nothing was done (ssmpatch:window)"
        super().__init__(message, info={"next_open": next_open})

    @classmethod
    def next_open_in(cls, text: str) -> str:
        """The time in the text of such an error, as Salt hands it on; ``""`` in any other text."""
        match = re.search(re.escape(cls._TEXT) + r"([0-9TZ:-]{20}|never)", text[:10_000])
        return match[1] if match else ""


class RebootAttemptsExhausted(SsmpatchError):
    """A reboot was requested as often as allowed and the machine did not boot."""

    code = 3


class NoReport(SsmpatchError):
    """No report is stored yet."""
