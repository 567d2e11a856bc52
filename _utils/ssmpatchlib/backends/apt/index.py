# SPDX-License-Identifier: Apache-2.0
"""The content of Packages indexes, read in pieces: only the few fields that a judgement needs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...host import Host
from .config import AptCommand, AptPaths

_PIECE = 1 << 21


class Entry(NamedTuple):
    """One paragraph of an index: ``block[start : end + 1]`` is its text, with a newline before and after."""

    name: str
    version: str
    arch: str
    priority: str
    section: str
    block: str
    start: int
    end: int

    @property
    def paragraph(self) -> str:
        """The whole text."""
        return self.block[self.start : self.end + 1]


def read_entries(command: AptCommand, paths: AptPaths, path: Path) -> Iterator[Entry]:
    """Yield the entries of an index that apt keeps plain or compressed (lz4, zstd, xz, bzip2, gzip).

    Raises:
        SsmpatchError: the file cannot be read or unpacked.
    """
    try:
        for block in _blocks(_pieces(command.host, paths, path, command.env)):
            yield from _entries(block)
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

    latin-1 keeps every byte one character, so that searching stays fast; the fields read here are ASCII.
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


def _entries(block: str) -> Iterator[Entry]:
    """Yield the paragraphs of a block; written out, since it runs for every package of the distribution."""
    find = block.find
    start, last = 0, len(block) - 1
    while start < last:
        end = find("\n\n", start + 1)
        if end < 0:
            end = last
        name = find("\nPackage: ", start, end)
        version = find("\nVersion: ", start, end)
        if name >= 0 and version >= 0:
            arch = find("\nArchitecture: ", start, end)
            priority = find("\nPriority: ", start, end)
            section = find("\nSection: ", start, end)
            yield Entry(
                block[name + 10 : find("\n", name + 10)],
                block[version + 10 : find("\n", version + 10)],
                block[arch + 15 : find("\n", arch + 15)] if arch >= 0 else "",
                block[priority + 11 : find("\n", priority + 11)] if priority >= 0 else "",
                block[section + 10 : find("\n", section + 10)] if section >= 0 else "",
                block,
                start,
                end,
            )
        start = end + 1
