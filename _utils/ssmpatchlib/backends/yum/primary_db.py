# SPDX-License-Identifier: Apache-2.0
"""Reads the packages of a repository from the file that yum 3 fetches: an SQLite database, or primary.xml."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...names import number, one_line
from ..rpmmd import primary
from ..rpmmd.compression import read_pieces
from ..rpmmd.metadata import DamagedMetadata
from ..rpmmd.primary import OPERATORS, Obsoletes, OfferedPackage

#: Types of the records in repomd.xml that list packages, in yum's order of preference.
TYPES = ("primary_db", "primary")

_MAGIC = b"SQLite format 3\0"
_PACKAGES = (
    "SELECT pkgKey, name, arch, epoch, version, release, time_build, rpm_vendor FROM packages"
    " WHERE arch NOT IN ('src', 'nosrc') ORDER BY pkgKey"
)
#: Steps of SQLite beyond which a database counts as damaged, and how many more for each byte: a view can be endless.
_STEPS = 10_000_000
_STEPS_PER_BYTE = 20
_STEPS_AT_ONCE = 100_000
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
        database.text_factory = lambda raw: raw.decode(errors="replace")
        _bound(database, path.stat().st_size)
        malformed: list[str] = []
        try:
            obsoletes = _obsoletes(database)
            for key, name, arch, epoch, version, release, built, vendor in database.execute(_PACKAGES):
                time = number(str(built or 0))
                if time is None:
                    malformed.append(f"package {one_line(str(name))}: {one_line(str(built), 40)!r} is no time")
                    continue
                yield OfferedPackage(
                    str(name),
                    str(arch),
                    _evr(epoch, version, release),
                    time,
                    str(vendor or ""),
                    tuple(obsoletes.get(key, ())),
                    (),
                )
        finally:
            database.close()
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as exc:
        raise DamagedMetadata(f"not a database of packages: {exc}") from exc
    if malformed:
        raise DamagedMetadata(f"{malformed[0]}; packages left out: {len(malformed)}")


def _bound(database: sqlite3.Connection, size: int) -> None:
    """Let SQLite end what takes more steps than a database of this size needs."""
    left = (_STEPS + _STEPS_PER_BYTE * size) // _STEPS_AT_ONCE

    def enough() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    database.set_progress_handler(enough, _STEPS_AT_ONCE)


def _obsoletes(database: sqlite3.Connection) -> dict[object, list[Obsoletes]]:
    """Return what each package obsoletes, by the package's key."""
    found: dict[object, list[Obsoletes]] = {}
    for key, name, flags, epoch, version, release in database.execute(_OBSOLETES):
        evr = _evr(epoch, version, release) if flags in OPERATORS and version else ""
        found.setdefault(key, []).append(Obsoletes(str(name), flags if evr else "", evr))
    return found


def _evr(epoch: object, version: object, release: object) -> str:
    return f"{epoch or '0'}:{version}" + (f"-{release}" if release else "")
