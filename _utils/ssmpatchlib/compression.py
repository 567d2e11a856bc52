# SPDX-License-Identifier: Apache-2.0
"""Reads compressed files in pieces, whatever they are compressed with."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import lzma
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import SsmpatchError
from .host import Host

#: Bytes of a file, decompressed, beyond which it counts as damaged; real ones are ten times smaller.
LARGEST = 4 << 30
#: Bytes in a piece: few enough for memory, enough that the work per piece does not count.
PIECE = 1 << 18

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\0ZCK1", "zchunk"),
)
_OPENERS: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, "plain": open}
_PROGRAMS = {"zstd": ("zstd", "-dcq", "--"), "zchunk": ("unzck", "-c")}


class Damaged(SsmpatchError):
    """A compressed file cannot be read to its end."""


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield the decompressed content of a file in pieces of at most ``PIECE`` bytes, none but the last much smaller.

    gzip, bzip2, xz, zstd, zchunk and plain files are told apart by their first bytes. zstd and zchunk are read with
    the system's libzstd and libzck, which package managers that fetch such files are linked with, else with the
    programs ``zstd`` and ``unzck``.

    Raises:
        Damaged: the file cannot be opened, is cut short or damaged, is larger than ``LARGEST``, or cannot be
            decompressed on this host.
    """
    try:
        kind = _kind(path)
        if kind == "zstd":
            pieces = _gathered(_read_zstd(path))
        elif kind == "zchunk":
            pieces = _gathered(_read_zchunk(path))
        else:
            pieces = _read_by_library(path, kind)
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > LARGEST:
                raise OSError(f"larger than {LARGEST >> 30} GiB")
            yield piece
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as exc:
        raise Damaged(f"{path.name}: {exc}") from exc


def _read_by_library(path: Path, kind: str) -> Iterator[bytes]:
    with _OPENERS[kind](path, "rb") as handle:
        yield from iter(lambda: handle.read(PIECE), b"")


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces to such of about ``PIECE`` bytes: a file of many tiny frames would cost the work of many pieces."""
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > PIECE:
            yield b"".join(kept)
            kept, size = [], 0
        kept.append(piece)
        size += len(piece)
    if kept:
        yield b"".join(kept)


def _kind(path: Path) -> str:
    with open(path, "rb") as handle:
        start = handle.read(8)
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), "plain")


class _Buffer(ctypes.Structure):
    """``ZSTD_inBuffer`` and ``ZSTD_outBuffer``."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t))


def _read_zstd(path: Path) -> Iterator[bytes]:
    try:
        library = ctypes.CDLL("libzstd.so.1")
    except OSError:
        yield from _read_by_program(path, "zstd")
        return
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    library.ZSTD_decompressStream.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Buffer), ctypes.POINTER(_Buffer))
    library.ZSTD_freeDStream.argtypes = (ctypes.c_void_p,)
    library.ZSTD_isError.argtypes = (ctypes.c_size_t,)
    library.ZSTD_getErrorName.argtypes = (ctypes.c_size_t,)
    library.ZSTD_getErrorName.restype = ctypes.c_char_p
    stream = library.ZSTD_createDStream()
    room = ctypes.create_string_buffer(PIECE)
    expected = 0
    try:
        with open(path, "rb") as handle:
            for data in iter(lambda: handle.read(PIECE), b""):
                source = _Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
                filled = True
                while filled or source.used < source.size:
                    target = _Buffer(ctypes.cast(room, ctypes.c_void_p), PIECE, 0)
                    expected = library.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
                    if library.ZSTD_isError(expected):
                        raise OSError(f"zstd: {library.ZSTD_getErrorName(expected).decode()}")
                    filled = target.used == PIECE
                    if target.used:
                        yield ctypes.string_at(room, target.used)
        if expected:
            raise EOFError("the file ends before its compressed data does")
    finally:
        library.ZSTD_freeDStream(stream)


def _read_zchunk(path: Path) -> Iterator[bytes]:
    try:
        library = ctypes.CDLL("libzck.so.1")
    except OSError:
        yield from _read_by_program(path, "zchunk")
        return
    library.zck_create.restype = ctypes.c_void_p
    library.zck_init_read.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.zck_read.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    library.zck_read.restype = ctypes.c_ssize_t
    library.zck_close.argtypes = (ctypes.c_void_p,)
    library.zck_free.argtypes = (ctypes.POINTER(ctypes.c_void_p),)
    context = ctypes.c_void_p(library.zck_create())
    room = ctypes.create_string_buffer(PIECE)
    try:
        with open(path, "rb") as handle:
            if not library.zck_init_read(context, handle.fileno()):
                raise OSError("zchunk: the header is damaged")
            while (count := library.zck_read(context, room, PIECE)) > 0:
                yield ctypes.string_at(room, count)
            if count < 0 or not library.zck_close(context):
                raise OSError("zchunk: the data is damaged or cut short")
    finally:
        library.zck_free(ctypes.byref(context))


def _read_by_program(path: Path, kind: str) -> Iterator[bytes]:
    argv = (*_PROGRAMS[kind], str(path))
    try:
        process = subprocess.Popen(  # noqa: S603 - argv list, no shell
            argv, env=Host.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError as exc:
        raise OSError(f"nothing here can read {kind} files; install {argv[0]}") from exc
    with process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
        try:
            while piece := process.stdout.read(PIECE):
                yield piece
            words = process.stderr.read().decode(errors="replace").strip()
            process.wait()
        finally:
            process.kill()
    if process.returncode:
        raise OSError(words or f"{argv[0]} ended with code {process.returncode}")
