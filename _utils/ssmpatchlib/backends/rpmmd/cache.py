# SPDX-License-Identifier: Apache-2.0
"""Keeps what was read of an unchanged repository on disk; it exists for speed (benchmarks/rpm.py, "scan")."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from ... import files
from . import advisory_types, repomd
from .metadata import Metadata

#: The version of the stored form: raise it whenever the readers return something else.
FORM = 6

_MAGIC = b"ssmpatch repository metadata\n"
_DIGEST = 32
#: No copy is larger, in bytes.
_LARGEST = 1 << 31
_T = TypeVar("_T")


def load(
    index: repomd.Repomd, *, types: Sequence[str], directory: Path, name: str, read: Callable[[], Metadata]
) -> Metadata:
    """Return the metadata of a repository, from the copy in ``directory`` if that is current, else from ``read``.

    A copy is current for the same checksums of the repository's files, the same interpreter and the same version of
    the readers. Metadata with ``damage`` are not stored. A failure to store is no error.
    """
    key = _key(index, types)
    path = directory / _file_name(name)
    stored = _read(path, key)
    if stored is not None:
        return stored
    metadata = read()
    if not metadata.damage:
        _write(path, key, metadata)
    return metadata


def forget_others(directory: Path, names: Sequence[str]) -> None:
    """Remove the stored metadata of all repositories but ``names``."""
    keep = set(map(_file_name, names))
    try:
        for path in directory.glob("*.metadata"):
            if path.name not in keep:
                path.unlink(missing_ok=True)
    except OSError:
        return


def _file_name(name: str) -> str:
    """Return the file of a repository; a name that could lead elsewhere, or is too long, stands as its digest."""
    fine = len(name) < 200 and not any(char in name for char in "/\0") and name.isprintable()
    return f"{name if fine else hashlib.sha256(name.encode(errors='replace')).hexdigest()}.metadata"


def _key(index: repomd.Repomd, types: Sequence[str]) -> bytes:
    found = [index.find(*group) for group in (types, repomd.UPDATEINFO, repomd.MODULES)]
    words = [
        f"form {FORM}",
        *Metadata.__slots__,
        sys.version,
        *(f"{r.type} {r.checksum_type} {r.checksum}" if r else "none" for r in found),
    ]
    return hashlib.sha256("\n".join(words).encode()).digest()


def _read(path: Path, key: bytes) -> Metadata | None:
    try:
        content = files.read_bytes(path, max_bytes=_LARGEST)
    except (OSError, ValueError):
        return None
    start = len(_MAGIC)
    digest, body = content[start + len(key) : start + len(key) + _DIGEST], content[start + len(key) + _DIGEST :]
    if content[: start + len(key)] != _MAGIC + key or hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        return None
    return _thaw(marshal.loads(body))  # noqa: S302 - our own file in our own directory, whole by its digest


def _write(path: Path, key: bytes, metadata: Metadata) -> None:
    body = marshal.dumps(_freeze(metadata))
    digest = hashlib.blake2b(body, digest_size=_DIGEST).digest()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "wb") as stream:
                stream.write(b"".join((_MAGIC, key, digest, body)))
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError:
        return


class Rows(Mapping[str, _T]):
    """Rows by key, each unpacked when it is asked for, since most never are."""

    __slots__ = ("_frozen",)

    def __init__(self, frozen: dict[str, bytes]) -> None:
        self._frozen = frozen

    def __getitem__(self, key: str) -> _T:
        row: _T = marshal.loads(self._frozen[key])  # noqa: S302 - a part of our own file
        return row

    def __contains__(self, key: object) -> bool:
        return key in self._frozen

    def __iter__(self) -> Iterator[str]:
        return iter(self._frozen)

    def __len__(self) -> int:
        return len(self._frozen)

    def keys(self) -> KeysView[str]:
        """Return a dict's view of the keys, which is faster than a Mapping's."""
        return self._frozen.keys()


class Records(Sequence[_T]):
    """Records by number, each unpacked when it is asked for and made of a tuple by ``make``."""

    __slots__ = ("_frozen", "_make")

    def __init__(self, frozen: Sequence[bytes], make: Callable[[Any], _T]) -> None:
        self._frozen = frozen
        self._make = make

    @overload
    def __getitem__(self, number: int) -> _T: ...
    @overload
    def __getitem__(self, number: slice) -> Records[_T]: ...
    def __getitem__(self, number: int | slice) -> _T | Records[_T]:
        if isinstance(number, slice):
            return Records(self._frozen[number], self._make)
        return self._make(marshal.loads(self._frozen[number]))  # noqa: S302 - a part of our own file

    def __len__(self) -> int:
        return len(self._frozen)


def _freeze_rows(rows: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: marshal.dumps(row) for key, row in rows.items()}


def _freeze(metadata: Metadata) -> tuple[Any, ...]:
    return (
        _freeze_rows(metadata.offers),
        metadata.replacements,
        metadata.provisions,
        tuple(marshal.dumps(tuple(advisory)) for advisory in metadata.advisories),
        tuple(map(tuple, metadata.outlines)),
        _freeze_rows(metadata.advised),
        metadata.mentions,
        *map(_freeze_rows, (metadata.spoken, metadata.oldest, metadata.silent)),
        tuple(tuple(module) for module in metadata.modules),
        tuple(map(tuple, metadata.builds)),
        metadata.default_streams,
        metadata.problems,
    )


def _thaw(frozen: tuple[Any, ...]) -> Metadata:
    (
        offers,
        replacements,
        provisions,
        advisories,
        outlines,
        advised,
        mentions,
        spoken,
        oldest,
        silent,
        modules,
        builds,
        defaults,
        problems,
    ) = frozen
    return Metadata(
        offers=Rows(offers),
        replacements=replacements,
        provisions=provisions,
        advisories=Records(advisories, advisory_types.AdvisoryRecord._make),
        outlines=tuple(map(advisory_types.Outline._make, outlines)),
        advised=Rows(advised),
        mentions=mentions,
        spoken=Rows(spoken),
        oldest=Rows(oldest),
        silent=Rows(silent),
        modules=tuple(map(advisory_types.ModuleRef._make, modules)),
        builds=tuple(map(advisory_types.ModuleBuild._make, builds)),
        default_streams=defaults,
        problems=problems,
    )
