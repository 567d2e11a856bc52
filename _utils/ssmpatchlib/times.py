# SPDX-License-Identifier: Apache-2.0
"""Times as AWS writes them, and spans of time as people say them. Pure."""

from __future__ import annotations

import datetime as dt
import re

_AWS_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def aws_time(epoch: float) -> str:
    """Return epoch seconds as AWS writes them: ``2021-11-02T04:15:51Z``."""
    return dt.datetime.fromtimestamp(int(epoch), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(value: object) -> dt.datetime | None:
    """Return the time of what ``aws_time`` returns, aware, None for anything else."""
    epoch = epoch_of(value)
    return None if epoch is None else dt.datetime.fromtimestamp(epoch, dt.timezone.utc)


def epoch_of(value: object) -> float | None:
    """Return the epoch seconds of what ``aws_time`` returns, None for anything else."""
    if not isinstance(value, str) or not _AWS_TIME.fullmatch(value):
        return None
    try:
        return dt.datetime.fromisoformat(value[:-1]).replace(tzinfo=dt.timezone.utc).timestamp()
    except ValueError:
        return None


def duration(seconds: float) -> str:
    """Return seconds in whole units, rounded down: ``40 s``, ``12 min``, ``5 h``, ``3 days``."""
    if seconds < 120:
        return f"{int(seconds)} s"
    if seconds < 7200:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if seconds < 172800 else f"{int(seconds // 86400)} days"
