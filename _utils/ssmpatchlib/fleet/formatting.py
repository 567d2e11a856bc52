# SPDX-License-Identifier: Apache-2.0
"""How people read times and sizes."""

from __future__ import annotations

import datetime as dt


def date_and_time(epoch: float | None) -> str:
    """Return ``2026-11-20 06:30 UTC``, or ``never``."""
    if epoch is None:
        return "never"
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """Return seconds rounded to a tenth of a unit: ``40 s``, ``12 min``, ``5.5 h``, ``3.2 days``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f}".removesuffix(".0") + " h"
    return f"{seconds / 86400:.1f}".removesuffix(".0") + " days"
