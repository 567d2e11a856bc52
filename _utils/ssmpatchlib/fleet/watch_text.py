# SPDX-License-Identifier: Apache-2.0
"""Watched operations as text: a line for each change, or lines of a terminal that are written anew. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..wording import amount
from .columns import cut, padded
from .columns import width as width_of
from .formatting import span
from .watched import COMPLETE, ENDED, FAILED, RUNNING, SILENT, Watched

_UP, _CLEAR = "\x1b[{}A", "\x1b[J"
_OUTCOMES = {
    COMPLETE: "complete after {}",
    FAILED: "failed after {}",
    ENDED: "ended after {}",
    SILENT: "silent after {}, the minion does not answer",
}


def line(watched: Watched, *, now: float) -> str:
    """One operation on one line."""
    name, operation, state, *rest = _cells(watched, now)
    between = ", " if watched.state == RUNNING else " "
    return f"{name}: {operation}{between}" + ", ".join(filter(None, (state, *rest)))


def frame(
    ended: Sequence[Watched], running: Sequence[Watched], *, now: float, size: tuple[int, int], above: int
) -> tuple[str, int]:
    """What to write to a terminal of ``size`` (columns, rows), and how many lines of it the next frame replaces.

    Args:
        ended: have ended since the last frame; their lines stay.
        above: how many lines of the last frame are replaced.
    """
    columns, rows = size
    live = _table(running, now=now, width=columns - 1, rows=max(1, rows - 2))
    stay = [cut(line(each, now=now), columns - 1) for each in ended]
    up = _UP.format(above) if above else ""
    return f"\r{up}{_CLEAR}" + "".join(f"{each}\n" for each in (*stay, *live)), len(live)


def _table(running: Sequence[Watched], *, now: float, width: int, rows: int) -> list[str]:
    """The operations in columns, those that take longest first; as many as there is room for, the others counted."""
    ordered = sorted(running, key=lambda each: (each.began, each.id))
    shown = ordered if len(ordered) <= rows else ordered[: rows - 1]
    table = [_cells(each, now) for each in shown]
    widths = [max(map(width_of, column)) for column in zip(*table, strict=True)]
    if widths:
        # Without the batches, which come last.
        over = sum(widths[:-1]) + 2 * (len(widths) - 2) - width
        widths[0] = min(widths[0], max(12, widths[0] - over))
    fitted = [[padded(cut(cell, most), most) for cell, most in zip(row, widths, strict=True) if most] for row in table]
    lines = ["  ".join(cells) for cells in fitted]
    if more := len(ordered) - len(shown):
        lines.append(f"and {amount(more, 'more host')}")
    return [cut(each.rstrip(), width) for each in lines]


def _cells(watched: Watched, now: float) -> tuple[str, ...]:
    """Host, operation, phase, packages, times, and the batch where there are several; the last is cut first."""
    whole = span(max(0.0, now - watched.began))
    if watched.state != RUNNING:
        words = f" ({watched.outcome})" if watched.outcome else ""
        return (watched.id, watched.operation, f"{_OUTCOMES[watched.state].format(whole)}{words}", "", "", "")
    batch = f"batch {watched.batch} of {watched.batches}" if watched.batches > 1 else ""
    return (watched.id, watched.operation, watched.phase, watched.detail, whole + _expected(watched, now), batch)


def _expected(watched: Watched, now: float) -> str:
    """How long it should take; while further batches follow only what the batch should take."""
    if watched.expected is None:
        return ""
    if watched.batch == watched.batches:
        return f" of about {span(watched.expected + watched.step_began - watched.began)}"
    return f", batch {span(max(0.0, now - watched.step_began))} of about {span(watched.expected)}"
