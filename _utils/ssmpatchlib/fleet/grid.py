# SPDX-License-Identifier: Apache-2.0
"""Titled tables and lists of names for a terminal of so many columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .columns import padded, width, wrapped

WIDTH = 80
#: By how much a cell may be longer than three quarters of its column before it counts as an exception.
SLACK = 10
NAMES_SHOWN = 30


def grid(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    more: int = 0,
    numbers: int = 0,
    columns: int = WIDTH,
) -> list[str]:
    """A titled table; nothing without rows. The last ``numbers`` columns are right-aligned.

    A cell that is much longer than the others of its column moves the rest of its own row only.
    """
    if not rows:
        return []
    lines = ["", *fitted(f"  {title}", columns)]
    lines += [line for some in aligned((headings, *rows), numbers=numbers, columns=columns) for line in some]
    if more > 0:
        lines.append(f"    and {more:,} more")
    return lines


def aligned(
    rows: Sequence[Sequence[str]], *, numbers: int = 0, columns: int = WIDTH, indent: int = 4
) -> list[list[str]]:
    """The lines of each row, in columns; the first row has the headings."""
    headings, *others = rows
    cells = zip(*others, strict=True)
    widths = [max(width(heading), _usual(column)) for heading, column in zip(headings, cells, strict=True)]
    lines = []
    for row in rows:
        words = []
        for place, (cell, room) in enumerate(zip(row, widths, strict=True)):
            words.append(padded(cell, room, right=place >= len(headings) - numbers))
        lines.append(fitted((" " * indent + "  ".join(words)).rstrip(), columns))
    return lines


def _usual(cells: Sequence[str]) -> int:
    """The greatest width that is no exception."""
    lengths = sorted(map(width, cells))
    most = lengths[(len(lengths) - 1) * 3 // 4] + SLACK
    return max(length for length in lengths if length <= most)


def fitted(line: str, columns: int = WIDTH) -> list[str]:
    """The line, in as many as it takes; what does not fit is indented further."""
    if width(line) <= columns:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return wrapped(line.strip(), columns, first=indent, rest=indent + "    ")


def listed(
    title: str, names: Iterable[str], *, per_line: bool = False, columns: int = WIDTH, most: int = NAMES_SHOWN
) -> list[str]:
    """A titled list of names, at most ``most`` of them; nothing without any."""
    found = list(names)
    if not found:
        return []
    shown = found[:most]
    lines = ["", *fitted(f"  {title} ({len(found):,})", columns)]
    if per_line:
        for name in shown:
            lines += wrapped(name, columns, first="    ", rest="      ")
    else:
        lines += wrapped(", ".join(shown), columns, first="    ", rest="    ")
    if len(found) > most:
        lines.append(f"    and {len(found) - most:,} more")
    return lines
