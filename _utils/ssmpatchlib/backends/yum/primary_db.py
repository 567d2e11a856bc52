# SPDX-License-Identifier: Apache-2.0
"""Reads the packages of a repository from the file that yum 3 fetches: an SQLite database, or primary.xml."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..rpmmd import primary
from ..rpmmd.compression import read_pieces
from ..rpmmd.metadata import DamagedMetadata
from ..rpmmd.primary import Obsoletes, OfferedPackage

#: Types of the records in repomd.xml that list packages, in yum's order of preference.
TYPES = ("primary_db", "primary")

_MAGIC = b"SQLite format 3\0"
_PACKAGES = (
    "SELECT pkgKey, name, arch, epoch, version, release, time_build, rpm_vendor FROM packages"
    " WHERE arch NOT IN ('src', 'nosrc') ORDER BY pkgKey"
)
_OBSOLETES = "SELECT pkgKey, name, flags, epoch, version, release FROM obsoletes"


def read_packages(path: Path) -> Iterator[OfferedPackage]:
    """Yield the packages of a repository; source packages are left out.

    Raises:
        DamagedMetadata: the file is damaged.
    """
    pieces = read_pieces(path)
    first = next(pieces, b"")
    if not first.startswith(_MAGIC):
        yield from primary.read_primary(_joined(first, pieces))
        return
    with tempfile.NamedTemporaryFile(prefix="ssmpatch-primary-", suffix=".sqlite") as handle:
        handle.writelines(_joined(first, pieces))
        handle.flush()
        yield from _read_database(Path(handle.name))


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _read_database(path: Path) -> Iterator[OfferedPackage]:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        try:
            obsoletes: dict[int, list[Obsoletes]] = {}
            for key, name, flags, epoch, version, release in database.execute(_OBSOLETES):
                evr = _evr(epoch, version, release) if flags and version else ""
                obsoletes.setdefault(key, []).append(Obsoletes(name, flags if evr else "", evr))
            for key, name, arch, epoch, version, release, built, vendor in database.execute(_PACKAGES):
                yield OfferedPackage(
                    name,
                    arch,
                    _evr(epoch, version, release),
                    int(built or 0),
                    vendor or "",
                    tuple(obsoletes.get(key, ())),
                    (),
                )
        finally:
            database.close()
    except sqlite3.Error as exc:
        raise DamagedMetadata(f"not a database of packages: {exc}") from exc


def _evr(epoch: str | None, version: str, release: str | None) -> str:
    return f"{epoch or '0'}:{version}" + (f"-{release}" if release else "")
