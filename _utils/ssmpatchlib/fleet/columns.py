# SPDX-License-Identifier: Apache-2.0
"""Text in columns of a terminal, where a Chinese, Japanese or Korean character takes two. Pure."""

from __future__ import annotations

import re
import textwrap
import unicodedata

# Stands behind each wide character while lines are broken, so that it counts twice; no text that is shown has it.
_SECOND = "\0"
_PARTS = re.compile(rf"[^{_SECOND}]{_SECOND}|(?:[^{_SECOND}](?!{_SECOND}))+")


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text with spaces that fill so many columns; ``right``: with the spaces before it."""
    spaces = " " * (columns - width(text))
    return spaces + text if right else text + spaces


def cut(text: str, columns: int) -> str:
    """Return the text, or as much of it as fits into so many columns with ``…`` at its end."""
    if width(text) <= columns:
        return text
    taken = room = 0
    while taken < len(text) and (room := room + _cells(text[taken])) < columns:
        taken += 1
    return text[:taken] + "…"


def wrapped(text: str, columns: int, *, first: str = "", rest: str = "") -> list[str]:
    """Return a text in lines of at most so many columns; ``first`` begins the first of them, ``rest`` the others."""
    if text.isascii():
        return textwrap.wrap(text, columns, initial_indent=first, subsequent_indent=rest)
    doubled = "".join(char + _SECOND * (_cells(char) - 1) for char in text)
    lines = _Wrapper(columns, initial_indent=first, subsequent_indent=rest).wrap(doubled)
    return [line.replace(_SECOND, "") for line in lines]


class _Wrapper(textwrap.TextWrapper):
    """Breaks lines at spaces and hyphens, and before and behind each wide character, as is usual for these."""

    def _split(self, text: str) -> list[str]:
        return [part for chunk in super()._split(text) for part in _PARTS.findall(chunk)]


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
