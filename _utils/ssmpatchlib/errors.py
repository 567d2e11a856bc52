# SPDX-License-Identifier: Apache-2.0
"""The engine's errors. Each names the thing, the value and the remedy, and carries the process's return code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class SsmpatchError(Exception):
    """An operation failed. ``code`` is the return code, ``info`` what was reached before (a partial report)."""

    code = 1

    def __init__(self, message: str, *, code: int | None = None, info: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.info = dict(info or {})


class InvalidInput(SsmpatchError):
    """Arguments, configuration or a document are wrong; nothing was done. ``problems`` are ``path: what`` lines."""

    def __init__(self, message: str, *, problems: Sequence[str] = (), code: int | None = None) -> None:
        super().__init__(message, code=code)
        self.problems = tuple(problems)


class Busy(SsmpatchError):
    """Another operation (ours or the package manager's) holds the lock."""

    code = 4


class RebootAttemptsExhausted(SsmpatchError):
    """A reboot was requested as often as allowed and the machine did not boot."""

    code = 3


class NoReport(SsmpatchError):
    """No report is stored yet."""
