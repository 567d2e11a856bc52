# SPDX-License-Identifier: Apache-2.0
"""Reads Packages indexes in pieces, and only the few fields that a judgement needs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...host import Host
from ...names import DEB_ARCH, DEB_NAME, DEB_VERSION, is_deb
from .config import AptCommand, AptPaths

_PIECE = 1 << 21

#: Name, version, architecture, priority and section of a package.
Row = tuple[str, str, str, str, str]

_FIELDS = ("Package", "Version", "Architecture", "Priority", "Section")
#: What a field must be for its package to be read at all.
_VALUES = {"Package": DEB_NAME, "Version": DEB_VERSION, "Architecture": DEB_ARCH}


class Block(NamedTuple):
    """A piece of an index: its text, of whole paragraphs that begin and end with a newline, and their rows.

    ``strange`` are the packages without a row, which dpkg could not have.
    """

    text: str
    rows: Sequence[Row]
    strange: Sequence[str] = ()

    def paragraphs(self, rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
        """Yield each of some rows, which are in the block's order, with its paragraph."""
        at = 0
        for row in rows:
            while (start := self.text.find(f"\nPackage: {row[0]}\n", at)) >= 0:
                begin, at = _paragraph_around(self.text, start)
                paragraph = self.text[begin : at + 1]
                if _row(paragraph) == row:
                    yield row, paragraph
                    break


def read_blocks(command: AptCommand, paths: AptPaths, path: Path) -> Iterator[Block]:
    """Yield an index that apt keeps plain or compressed (lz4, zstd, xz, bzip2, gzip) block by block.

    Raises:
        SsmpatchError: the file cannot be read or unpacked.
    """
    try:
        for text in _blocks(_pieces(command.host, paths, path, command.env)):
            rows = _usual_rows(text)
            if rows is None:
                found = [row for row in map(_row, _paragraphs(text)) if row[0] and row[1]]
                rows = [row for row in found if is_deb(*row[:3])]
                strange = [" ".join(row[:3]) for row in found if not is_deb(*row[:3])]
                yield Block(text, rows, strange)
            else:
                yield Block(text, rows)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, SsmpatchError) as exc:
        raise SsmpatchError(f"index {path} cannot be read: {exc}") from exc


def _pieces(host: Host, paths: AptPaths, path: Path, env: Mapping[str, str]) -> Iterator[bytes]:
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".lzma": lzma.open}
    if path.suffix in (".lz4", ".zst"):
        helper = paths.methods.parent / "apt-helper"
        yield from host.stream([str(helper), "cat-file", str(path)], env=env, size=_PIECE)
        return
    with openers.get(path.suffix, open)(path, "rb") as handle:  # type: ignore[operator]
        while piece := handle.read(_PIECE):
            yield piece


def _blocks(pieces: Iterator[bytes]) -> Iterator[str]:
    """Join pieces into texts of whole paragraphs, each starting and ending with a newline.

    They are decoded as latin-1, which keeps searching fast; the fields that are read are ASCII.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece
        cut = data.rfind(b"\n\n")
        if cut < 0:
            rest = data
            continue
        yield "\n" + data[: cut + 1].decode("latin-1")
        rest = data[cut + 2 :]
    if rest.strip():
        yield "\n" + rest.decode("latin-1").rstrip("\n") + "\n"


def _usual_rows(text: str) -> Sequence[Row] | None:
    """Return the five fields of every paragraph, by one expression where all paragraphs have them in one order."""
    first = text[: text.find("\n\n") + 1 or None]
    places = {first.find(f"\n{field}: "): field for field in _FIELDS}
    order = tuple(places[place] for place in sorted(places) if place >= 0)
    if len(order) == len(_FIELDS) and order[0] == "Package":
        found = _expression(order).findall(text)
        if len(found) == text.count("\nPackage: "):
            return found if order == _FIELDS else list(map(itemgetter(*map(order.index, _FIELDS)), found))
    return None


@lru_cache(maxsize=8)
def _expression(order: tuple[str, ...]) -> re.Pattern[str]:
    """Return an expression for fields in one order; it exists for speed (benchmarks/apt.py, "EnableNonSecurity")."""
    first, *others = ((name, _VALUES.get(name, ".*")) for name in order)
    start = rf"\n{first[0]}: ({first[1]})(?!.)"
    return re.compile(start + "".join(rf"(?:\n(?!{name}: ).+)*\n{name}: ({value})(?!.)" for name, value in others))


def _row(paragraph: str) -> Row:
    name, version, arch, priority, section = (_field(paragraph, field) for field in _FIELDS)
    return name, version, arch, priority, section


def _field(paragraph: str, name: str) -> str:
    at = paragraph.find(f"\n{name}: ")
    at += len(name) + 3 if at >= 0 else len(paragraph) + 1
    return paragraph[at : paragraph.find("\n", at)]


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    while start < len(text) - 1:
        _begin, end = _paragraph_around(text, start)
        yield text[start : end + 1]
        start = end + 1


def _paragraph_around(text: str, place: int) -> tuple[int, int]:
    """Return the place of the newline that a paragraph begins with, and of the one that it ends with."""
    begin, end = text.rfind("\n\n", 0, place + 1) + 1, text.find("\n\n", place + 1)
    return begin, end if end >= 0 else len(text) - 1
