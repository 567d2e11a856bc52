# SPDX-License-Identifier: Apache-2.0
"""Reads the records of an OSV export: a zip, a tar, JSON lines or one document, compressed or not, or a directory.

Everything is read in pieces and in memory; nothing is unpacked, and the names in an archive are only shown.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import files
from ..compression import Damaged, read_pieces
from ..names import one_line

#: Bytes of one record, of all records of a source together, and how many records: real ones have a tenth.
MOST_RECORD = 32 << 20
MOST_TEXT = 16 << 30
MOST_RECORDS = 1_000_000
#: Bytes of a zip's list of its members, all of which is read into memory: a quarter of a million of them.
_MOST_DIRECTORY = 24 << 20
_BLOCK = 512
_ZIP = b"PK"
_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
#: Bytes of those records, and of the zip's end in which they must begin: the comment after them has at most 64 KiB.
_END_SIZE, _END64_SIZE, _LOCATOR64_SIZE = 22, 56, 20
_TAIL = (1 << 16) + _END_SIZE + _END64_SIZE + _LOCATOR64_SIZE
#: The types of regular files in a tar.
_REGULAR = (b"\0", b"0", b"7")
_TOO_LARGE = f"larger than {MOST_RECORD >> 20} MiB"
_PIECE = 1 << 20


class Piece(NamedTuple):
    """One record as it stands in the export, with what it is called there, or with why it cannot be read."""

    name: str
    data: bytes
    problem: str = ""


def read_records(path: Path) -> Iterator[Piece]:
    """Yield the records of an export one by one.

    Raises:
        Damaged: it is cut short, damaged, too large or nothing that records are read from.
    """
    number = size = 0
    for piece in _pieces_of(path):
        number, size = number + 1, size + len(piece.data)
        if number > MOST_RECORDS:
            raise Damaged(f"more than {MOST_RECORDS:,} records")
        if size > MOST_TEXT:
            raise Damaged(f"records of more than {MOST_TEXT >> 30} GiB")
        yield piece


def fingerprint(path: Path, *, meanwhile: Callable[[], object] = lambda: None) -> str:
    """Return a SHA-256 of everything that ``read_records`` would read.

    Args:
        meanwhile: is called now and then, and may raise what ends it.

    Raises:
        Damaged: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in _files(path):
                meanwhile()
                data = _content(file)
                digest.update(f"{file.relative_to(path)}\0{len(data)}\0".encode(errors="surrogateescape") + data)
        else:
            with open(path, "rb") as handle:
                for data in iter(lambda: handle.read(_PIECE), b""):
                    meanwhile()
                    digest.update(data)
    except (OSError, ValueError) as exc:
        raise Damaged(f"{getattr(exc, 'strerror', None) or exc}") from exc
    return digest.hexdigest()


def read_document(path: Path, *, most: int) -> bytes:
    """Return the decompressed content of a file.

    Raises:
        Damaged: it cannot be read, or has more than ``most`` bytes.
    """
    data = _Stream(read_pieces(path)).read(most + 1)
    if len(data) > most:
        raise Damaged(f"larger than {most >> 20} MiB")
    return data


def _pieces_of(path: Path) -> Iterator[Piece]:
    if path.is_dir():
        return (_of_file(path, file) for file in _files(path))
    try:
        with open(path, "rb") as handle:
            begins = handle.read(4)
    except OSError as exc:
        raise Damaged(f"{exc.strerror or exc}") from exc
    if begins.startswith(_ZIP):
        return _from_zip(path)
    stream = _Stream(read_pieces(path))
    first = stream.peek(_BLOCK)
    if _is_header(first):
        return _from_tar(stream)
    if not first.lstrip().startswith(b"{"):
        raise Damaged("neither a zip, a tar, a directory nor JSON")
    return _from_lines(stream)


def _files(directory: Path) -> list[Path]:
    def unreadable(exc: OSError) -> None:
        raise Damaged(f"{exc.filename}: {exc.strerror}")

    found: list[Path] = []
    for place, _, names in os.walk(directory, onerror=unreadable):
        found += (Path(place, name) for name in names if name.endswith(".json"))
        if len(found) > MOST_RECORDS:
            raise Damaged(f"more than {MOST_RECORDS:,} records")
    return sorted(found)


def _content(file: Path) -> bytes:
    """What a file holds; of one that is no record nothing, which ``_of_file`` says."""
    try:
        return files.read_bytes(file, max_bytes=MOST_RECORD)
    except (OSError, ValueError):
        return b""


def _of_file(directory: Path, file: Path) -> Piece:
    name = str(file.relative_to(directory))
    try:
        return Piece(name, files.read_bytes(file, max_bytes=MOST_RECORD))
    except OSError as exc:
        return Piece(name, b"", exc.strerror or str(exc))
    except ValueError as exc:
        return Piece(name, b"", str(exc))


def _from_zip(path: Path) -> Iterator[Piece]:
    try:
        with open(path, "rb") as handle:
            _check_directory(handle.fileno())
            with zipfile.ZipFile(handle) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".json"):
                        yield _member(archive, member)
    except (OSError, ValueError, zipfile.BadZipFile, struct.error, NotImplementedError) as exc:
        raise Damaged(f"not a whole zip: {exc}") from exc


def _check_directory(descriptor: int) -> None:
    """Refuse a zip whose list of members would fill the memory; one whose end is not found is left to the reader.

    The list's size stands in the records at the zip's end (APPNOTE.TXT, 4.3.14 to 4.3.16); they are looked for where
    ``zipfile`` does.
    """
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    plain = len(tail) - _END_SIZE
    end = plain if plain >= 0 and tail.startswith(_END, plain) else tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_SIZE:
        return
    lengths = [*struct.unpack_from("<L", tail, end + 12)]
    locator = end - _LOCATOR64_SIZE
    if locator >= 0 and tail.startswith(_LOCATOR64, locator):
        lengths = [length for length in lengths if length != 0xFFFFFFFF]
        named = struct.unpack_from("<Q", tail, locator + 8)[0]
        for offset in (named, size - len(tail) + locator - _END64_SIZE):
            record = os.pread(descriptor, _END64_SIZE, offset) if 0 <= offset < size else b""
            if record.startswith(_END64) and len(record) == _END64_SIZE:
                lengths += struct.unpack_from("<Q", record, 40)
    if max(lengths, default=0) > _MOST_DIRECTORY:
        raise ValueError(f"a list of members of {max(lengths)} bytes")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Piece:
    name = one_line(member.filename)
    # Other methods cannot be decompressed in bounded pieces.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Piece(name, b"", "compressed by an unusual method")
    try:
        with archive.open(member) as handle:
            data = handle.read(MOST_RECORD + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as exc:
        return Piece(name, b"", one_line(str(exc)))
    return Piece(name, data) if len(data) <= MOST_RECORD else Piece(name, b"", _TOO_LARGE)


def _from_tar(stream: _Stream) -> Iterator[Piece]:
    """Of a tar only regular files count; what else it holds (links, devices, long names) is passed over."""
    while True:
        header = stream.read(_BLOCK)
        if len(header) == _BLOCK and not any(header):
            return
        if not _is_header(header):
            raise Damaged("the tar is cut short or damaged")
        size = _number(header[124:136])
        if size < 0:
            raise Damaged("the tar is damaged")
        name = one_line(header[:100].split(b"\0")[0].decode(errors="replace"))
        if header[156:157] not in _REGULAR or not size:
            stream.skip(-(-size // _BLOCK) * _BLOCK)
            continue
        if size > MOST_RECORD:
            stream.skip(size)
            yield Piece(name, b"", _TOO_LARGE)
        else:
            data = stream.read(size)
            if len(data) < size:
                raise Damaged("the tar is cut short")
            yield Piece(name, data)
        stream.skip(-size % _BLOCK)


def _is_header(block: bytes) -> bool:
    """Whether it is a header of tar: its checksum is that of its bytes, with blanks in the place of the checksum."""
    if len(block) != _BLOCK or not any(block):
        return False
    return _number(block[148:156]) == sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")


def _number(field: bytes) -> int:
    """A number of tar: octal digits, or for large ones the bytes themselves after a set bit; -1 for anything else."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        return -1
    return int(digits or b"0", 8)


def _from_lines(stream: _Stream) -> Iterator[Piece]:
    number = 0
    while (line := stream.line()) is not None:
        number += 1
        if number == 1 and line.strip() == b"{":
            # One record over many lines.
            data = line + stream.read(MOST_RECORD)
            yield Piece("line 1", data) if len(data) <= MOST_RECORD else Piece("line 1", b"", _TOO_LARGE)
            return
        if len(line) > MOST_RECORD:
            yield Piece(f"line {number}", b"", _TOO_LARGE)
        elif line.strip():
            yield Piece(f"line {number}", line)


class _Stream:
    """Bytes that come in pieces, read by size or by line; no more than ``MOST_RECORD`` and a piece is held."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._held += piece
        return bool(piece)

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay; fewer at the end."""
        while len(self._held) < size and self._more():
            pass
        return bytes(self._held[:size])

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        data = self.peek(size)
        del self._held[: len(data)]
        return data

    def skip(self, size: int) -> None:
        """Pass over bytes.

        Raises:
            Damaged: there are not so many.
        """
        while size > len(self._held):
            size -= len(self._held)
            self._held.clear()
            if not self._more():
                raise Damaged("it is cut short")
        del self._held[:size]

    def line(self) -> bytes | None:
        """The next line with its end, None at the end; of one that is too long only as much as shows that it is."""
        looked = 0
        while (end := self._held.find(b"\n", looked)) < 0:
            looked = len(self._held)
            if looked > MOST_RECORD:
                data = self.read(MOST_RECORD + 1)
                self._pass_line()
                return data
            if not self._more():
                return self.read(looked) or None
        return self.read(end + 1)

    def _pass_line(self) -> None:
        while (end := self._held.find(b"\n")) < 0:
            self._held.clear()
            if not self._more():
                return
        del self._held[: end + 1]
