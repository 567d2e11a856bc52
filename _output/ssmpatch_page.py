# SPDX-License-Identifier: Apache-2.0
"""
Lay out what the ``ssmpatch`` outputter has to say
==================================================

Used by the ``ssmpatch`` outputter, which knows what the returns mean; this one knows only pages: a title and its parts,
each a tuple that begins with its kind. Every text is made printable here, whatever a minion has sent: white space as
single spaces, and what steers a terminal as ``?``. What is no page is printed by Salt's ``nested`` outputter.

``("field", label, sentences, color)``
    ``Label   sentence``, each further sentence on a line of its own; nothing where all are empty.

``("table", title, color, rows, headings)``
    Nothing without rows. Rows are ``(cells, group, note)``. Rows of one group stand together, below the words of the
    group; a note stands behind its row, else below it. Columns are as wide as what is usual in them: a cell that is
    much longer than the others moves the rest of its own row and of no other.

``("list", title, color, sentences)``
    A titled list of sentences; nothing without any.

``("gap",)``
    An empty line.

A Chinese, Japanese or Korean character takes two columns. The engine lays out its own tables by the same widths; it is
not imported here, since a return is shown where there may be no engine.

The page is as wide as the terminal, and 100 columns where there is none. It has colours where Salt has them.
"""

from __future__ import annotations

import re
import shutil
import textwrap
import typing
import unicodedata
from collections.abc import Mapping, Sequence

import salt.utils.color

if typing.TYPE_CHECKING:
    __opts__: dict[str, typing.Any]
    __salt__: dict[str, typing.Any]

__virtualname__ = "ssmpatch_page"

_WITHOUT_TERMINAL = (100, 24)
_LABEL = 12
_NARROWEST = 20
# By how much a cell may be longer than three quarters of its column before it counts as an exception.
_SLACK = 10
_NARROWEST_COLUMN = 12
# Stands behind each wide character while lines are broken, so that it counts twice; printable text has none.
_SECOND = "\0"
_PARTS = re.compile(rf"[^{_SECOND}]{_SECOND}|(?:[^{_SECOND}](?!{_SECOND}))+")
_NUMBER = re.compile(r"[\d,./]*")


class _Row(typing.NamedTuple):
    """One line of a table: aligned cells, and what is said of this row alone."""

    cells: tuple[str, ...]
    note: str


class _Columns(typing.NamedTuple):
    """How wide the columns of a table are, and which of them stand to the right."""

    widths: tuple[int, ...]
    numbers: tuple[bool, ...]

    @classmethod
    def of(cls, headings: Sequence[str], rows: Sequence[Sequence[str]], *, room: int) -> _Columns:
        """The columns for these rows of cells; the first gives way where ``room`` is too small for all."""
        columns = list(zip(*rows, strict=True))
        widths = [_usual(column) for column in columns]
        if headings:
            widths = [max(width, _width(heading)) for width, heading in zip(widths, headings, strict=True)]
        excess = sum(width + 2 for width in widths if width) - 2 - room
        widths[0] = min(widths[0], max(_NARROWEST_COLUMN, widths[0] - max(0, excess)))
        return cls(tuple(widths), tuple(bool(headings) and all(map(_NUMBER.fullmatch, each)) for each in columns))

    @property
    def end(self) -> int:
        """Where what follows the last column begins."""
        return sum(width + 2 for width in self.widths if width)

    def lines(self, cells: Sequence[str], *, indent: int, width: int) -> list[str]:
        """The cells on one line, or on as many as it takes; none is cut off."""
        lines = [" " * indent]
        start = indent
        for cell, column, number in zip(cells, self.widths, self.numbers, strict=True):
            text = " " * (column - _width(cell)) * number + cell
            taken = _width(lines[-1])
            line = lines[-1] + (" " * (start - taken) if taken + 2 <= start else "  " * (start > indent))
            start += column + 2 if column else 0
            if not cell:
                continue
            if _width(line) + _width(text) > width:
                lines += [" " * (indent + 4)] if lines[-1].strip() else []
                line, text = lines[-1], cell
            fitting, rest = _split(text, width - _width(line))
            lines[-1] = line + fitting
            while rest:
                fitting, rest = _split(rest, width - indent - 4)
                lines.append(" " * (indent + 4) + fitting)
        return lines


def _usual(cells: Sequence[str]) -> int:
    """The greatest width that is no exception; empty cells do not count."""
    lengths = sorted(_width(cell) for cell in cells if cell) or [0]
    most = lengths[(len(lengths) - 1) * 3 // 4] + _SLACK
    return max(length for length in lengths if length <= most)


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _width(text: str) -> int:
    """How many columns of the terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _split(text: str, columns: int) -> tuple[str, str]:
    """As much of a text as fits into so many columns, and the rest; at least one character of it."""
    if text.isascii():
        return text[:columns], text[columns:]
    taken = room = 0
    while taken < len(text) and (room := room + _cells(text[taken])) <= columns:
        taken += 1
    taken = max(1, taken)
    return text[:taken], text[taken:]


class _Wrapper(textwrap.TextWrapper):
    """Breaks lines at spaces, and before and behind each wide character, as is usual for these."""

    def _split(self, text: str) -> list[str]:
        return [part for chunk in super()._split(text) for part in _PARTS.findall(chunk)]


def _text(value: typing.Any) -> str:
    """One line of printable text."""
    spaced = "" if value is None else " ".join(str(value).split())
    if spaced.isprintable():
        return spaced
    return "".join("?" if unicodedata.category(char)[0] == "C" else char for char in spaced)


class _Page:
    """The lines of one page, with the width and the colours they are printed in."""

    def __init__(self, *, width: int, colors: Mapping[str, str]) -> None:
        self.width = width
        self.colors = colors
        self.lines: list[str] = []

    def paint(self, color: str, text: str) -> str:
        return f"{self.colors[color]}{text}{self.colors['ENDC']}" if color and text else text

    def gap(self) -> None:
        self.lines.append("")

    def wrapped(self, text: str, indent: int) -> list[str]:
        """The text in lines that begin after ``indent`` spaces."""
        doubled = text if text.isascii() else "".join(char + _SECOND * (_cells(char) - 1) for char in text)
        lines = _Wrapper(max(self.width - indent, 2), break_on_hyphens=False).wrap(doubled)
        return [" " * indent + line.replace(_SECOND, "") for line in lines]

    def field(self, label: str, sentences: Sequence[str], color: str) -> None:
        lead = f"  {label:<{_LABEL}}"
        for sentence in map(_text, sentences):
            for line in self.wrapped(sentence, len(lead)):
                self.lines.append(lead + self.paint(color, line.lstrip()))
                lead = " " * len(lead)

    def heading(self, title: str, color: str) -> None:
        lines = self.wrapped(_text(title), 2)
        self.lines += ["", *(f"  {self.paint(color, line.lstrip())}" for line in lines)]

    def bullets(self, title: str, color: str, sentences: Sequence[str]) -> None:
        if sentences:
            self.heading(title, color)
        for sentence in map(_text, sentences):
            first, *rest = self.wrapped(sentence, 6) or [""]
            self.lines += [f"    - {first.lstrip()}", *rest]

    def table(self, title: str, color: str, rows: Sequence[Sequence[typing.Any]], headings: Sequence[str]) -> None:
        if not rows:
            return
        groups: dict[str, list[_Row]] = {}
        for cells, group, note in rows:
            row = _Row(tuple(map(_text, cells)), _text(note))
            groups.setdefault(_text(group), []).append(row)
        indent = 6 if any(groups) else 4
        every = [row.cells for members in groups.values() for row in members]
        columns = _Columns.of(headings, every, room=self.width - indent)
        self.heading(f"{title} ({len(rows)})", color)
        if headings:
            self.lines += columns.lines(headings, indent=indent, width=self.width)
        for words, members in groups.items():
            self.lines += self.wrapped(words, indent - 2)
            for member in members:
                self.row(member, columns, color, indent)

    def row(self, row: _Row, columns: _Columns, color: str, indent: int) -> None:
        lines = columns.lines(row.cells, indent=indent, width=self.width)
        if row.note:
            taken = _width(lines[0])
            beside = next((at for at in (indent + columns.end, taken + 2) if at + _width(row.note) <= self.width), 0)
            if len(lines) == 1 and beside > taken:
                lines[0] += " " * (beside - taken) + row.note
            else:
                lines += self.wrapped(row.note, indent + 4)
        end = indent + len(row.cells[0])
        self.lines += [" " * indent + self.paint(color, lines[0][indent:end]) + lines[0][end:], *lines[1:]]


def _harmless(data: typing.Any) -> typing.Any:
    """The data with ``?`` for whatever in its texts and keys steers a terminal; lines stay lines."""
    if isinstance(data, str):
        return (
            data
            if data.isprintable()
            else "".join(char if char.isprintable() or char == "\n" else "?" for char in data)
        )
    if isinstance(data, Mapping):
        return {_harmless(key): _harmless(value) for key, value in data.items()}
    return [_harmless(each) for each in data] if isinstance(data, (list, tuple)) else data


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text of a page, ``{title, parts}``, and of anything else as Salt's ``nested`` has it."""
    if not isinstance(data, Mapping) or set(data) != {"title", "parts"}:
        return str(__salt__["nested"](_harmless(data), **kwargs))
    width = max(shutil.get_terminal_size(_WITHOUT_TERMINAL).columns, _NARROWEST)
    page = _Page(width=width, colors=salt.utils.color.get_colors(__opts__.get("color"), __opts__.get("color_theme")))
    page.lines += [page.paint("CYAN", line) for line in page.wrapped(_text(data["title"]), 0)]
    draw: dict[str, typing.Any] = {"field": page.field, "table": page.table, "list": page.bullets, "gap": page.gap}
    for kind, *content in data["parts"]:
        draw[kind](*content)
    return "\n".join(line.rstrip() for line in page.lines)
