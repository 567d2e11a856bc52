# SPDX-License-Identifier: Apache-2.0
"""Reads Packages indexes in pieces, and only the few fields that a judgement needs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...host import Host
from ...names import DEB_ARCH, DEB_NAME, DEB_VERSION, is_deb
from ...versions.deb import sort_key
from .config import AptCommand, AptPaths
from .paragraphs import reader, split
from .targets import IndexTarget

_PIECE = 1 << 21
#: Bytes of a paragraph beyond which an index counts as damaged.
_LARGEST = 16 << 20

#: Name, version, architecture, priority and section of a package.
Row = tuple[str, str, str, str, str]

_FIELDS = ("Package", "Version", "Architecture", "Priority", "Section")
#: What a field's value usually is.
_VALUES = {
    "Package": DEB_NAME.replace("A-Z", ""),
    "Version": DEB_VERSION,
    "Architecture": DEB_ARCH,
    "Priority": r"\S+",
    "Section": r"\S+",
}
#: Gives nothing back of what is repeated, which is faster; no older Python's expressions know it.
_ALL = "+" if sys.version_info >= (3, 11) else ""
#: The beginning of a line that may be one of the fields in some spelling.
_LIKE_FIELD = "[PpVvAaSs][AaEeRr][CcRrIi]"
#: A line that is no field, nor more of one; with the lines up to the next colon it is a field's name for apt.
_NO_FIELD = re.compile(r"\n([^:\s][^:\n]*)\n")
_SWALLOWING = re.compile(r"\n[^\s:][^:\n]*\n[^:]*(?::|\Z)")
_read_row = reader(*_FIELDS)


class Block(NamedTuple):
    """A piece of an index: its text, of whole paragraphs that begin and end with a newline, and their rows.

    ``strange`` are the rows of the paragraphs that dpkg could not have, ``damage`` is the first line that is no field.
    ``texts`` are the rows' paragraphs where they are not all spelled alike.
    """

    text: str
    rows: Sequence[Row]
    strange: Sequence[Row] = ()
    texts: Sequence[str] | None = None
    damage: str = ""

    def paragraphs(self, rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
        """Yield each of some rows, which are the block's own and in its order, with its paragraph."""
        if self.texts is not None:
            wanted = {id(row) for row in rows}
            yield from ((row, text) for row, text in zip(self.rows, self.texts, strict=True) if id(row) in wanted)
            return
        at = 0
        for row in rows:
            while (start := self.text.find(f"\nPackage: {row[0]}\n", at)) >= 0:
                begin, at = _paragraph_around(self.text, start)
                paragraph = self.text[begin : at + 1]
                if _usual_row(paragraph) == row:
                    yield row, paragraph
                    break


def read_blocks(command: AptCommand, paths: AptPaths, target: IndexTarget) -> Iterator[Block]:
    """Yield an index that apt keeps plain or compressed (lz4, zstd, xz, bzip2, gzip) block by block.

    Packages that the sources exclude are left out.

    Raises:
        SsmpatchError: the file cannot be read or unpacked.
    """
    path = Path(target.path)
    try:
        for text in _blocks(_pieces(command.host, paths, path, command.env)):
            if "\0" in text:
                raise ValueError(
                    "it is half-written, with zeros in it; apt-get update fetches it anew once it is removed"
                )
            rows = _usual_rows(text)
            block = Block(text, rows) if rows is not None else _block(text)
            yield _taken(block, target) if target.include or target.exclude else block
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, SsmpatchError) as exc:
        raise SsmpatchError(f"index {path} cannot be read: {exc}") from exc


def find_versions(
    command: AptCommand, paths: AptPaths, targets: Iterable[IndexTarget], versions: Mapping[tuple[str, str], str]
) -> Iterator[tuple[tuple[str, str], Row, str]]:
    """Yield what indexes have of one version of each package: its name and architecture, its row and its paragraph.

    An index that cannot be read is passed over; whoever judges by it reads it and reports that.
    """
    native = paths.architecture
    for target in targets:
        with suppress(SsmpatchError):
            for block in read_blocks(command, paths, target):
                keys = [(row[0], native if row[2] == "all" else row[2]) for row in block.rows]
                pairs = zip(block.rows, keys, strict=True)
                found = [(row, key) for row, key in pairs if _is_version(row[1], versions.get(key))]
                key_of = dict(found)
                yield from ((key_of[row], row, text) for row, text in block.paragraphs(row for row, _key in found))


def _is_version(version: str, wanted: str | None) -> bool:
    return wanted is not None and (version == wanted or sort_key(version) == sort_key(wanted))


def _taken(block: Block, target: IndexTarget) -> Block:
    taken = [target.takes(row[0]) for row in block.rows]
    texts = None if block.texts is None else list(compress(block.texts, taken))
    strange = [row for row in block.strange if target.takes(row[0])]
    return block._replace(rows=list(compress(block.rows, taken)), strange=strange, texts=texts)


def _block(text: str) -> Block:
    """Return a block whose paragraphs are not all spelled alike."""
    rows: list[Row] = []
    texts: list[str] = []
    strange: list[Row] = []
    damage = _NO_FIELD.search(text)
    for paragraph in split(_SWALLOWING.sub("\n.:", text) if damage else text):
        row = _row(paragraph)
        if is_deb(*row[:3]):
            rows.append(row)
            texts.append(paragraph)
        else:
            strange.append(row)
    return Block(text, rows, strange, texts, damage[1] if damage else "")


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
    rest = b"\n"
    for piece in pieces:
        data = rest + piece
        cut = begin = data.rfind(b"\n\n", 1)
        if cut < 0:
            cut = data.rfind(b"\n\r\n", 1)
            begin = cut + 1
        if cut < 0 or _is_no_field(data[data.rfind(b"\n", 0, cut) + 1 : cut]):
            if len(data) > _LARGEST:
                raise ValueError(f"a paragraph is larger than {_LARGEST >> 20} MiB")
            rest = data
            continue
        yield str(memoryview(data)[: cut + 1], "latin-1")
        rest = data[begin + 1 :]
    if rest.strip():
        yield rest.decode("latin-1").rstrip("\n") + "\n"


def _is_no_field(line: bytes) -> bool:
    """Return whether a line is no field nor more of one, so that apt does not see the end of a paragraph after it."""
    return b":" not in line and not line[:1].isspace()


def _usual_rows(text: str) -> Sequence[Row] | None:
    """Return the five fields of every paragraph, by one expression, where all paragraphs have them in one order.

    None when a paragraph has them in another order or spelling, or has a field twice.
    """
    first = text[: text.find("\n\n") + 1 or None]
    places = {first.find(f"\n{field}: "): field for field in _FIELDS}
    order = tuple(places[place] for place in sorted(places) if place >= 0)
    if len(order) == len(_FIELDS) and order[0] == "Package":
        parts = _expression(order).split(text)
        if not any(parts[:: len(_FIELDS) + 1]):
            return list(zip(*(parts[order.index(field) + 1 :: len(_FIELDS) + 1] for field in _FIELDS), strict=True))
    return None


@lru_cache(maxsize=8)
def _expression(order: tuple[str, ...]) -> re.Pattern[str]:
    """Return an expression for whole paragraphs with fields in one order, each once.

    It exists for speed (benchmarks/apt.py, "EnableNonSecurity").
    """
    others = rf"(?:\n(?!{_LIKE_FIELD})(?:[A-Za-z0-9-]+{_ALL}:|[ \t]).*{_ALL})*{_ALL}\n"
    return re.compile("\n" + others.join(f"{name}: ({_VALUES[name]})(?=\n(?![ \t]))" for name in order) + others)


def _usual_row(paragraph: str) -> Row:
    name, version, arch, priority, section = (_field(paragraph, field) for field in _FIELDS)
    return name, version, arch, priority, section


def _row(paragraph: str) -> Row:
    """Return the row of a paragraph in any spelling; dpkg and apt know names in lower case only."""
    found = _read_row(paragraph)
    name, version, arch, priority, section = (found.get(field, "") for field in _FIELDS)
    return name.lower(), version, arch, priority, section


def _field(paragraph: str, name: str) -> str:
    at = paragraph.find(f"\n{name}: ")
    at += len(name) + 3 if at >= 0 else len(paragraph) + 1
    return paragraph[at : paragraph.find("\n", at)]


def _paragraph_around(text: str, place: int) -> tuple[int, int]:
    """Return the place of the newline that a paragraph begins with, and of the one that it ends with."""
    begin, end = text.rfind("\n\n", 0, place + 1) + 1, text.find("\n\n", place + 1)
    return begin, end if end >= 0 else len(text) - 1
