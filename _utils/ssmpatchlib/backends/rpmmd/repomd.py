# SPDX-License-Identifier: Apache-2.0
"""Reads a repository's index of metadata files, repomd.xml."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ...names import one_line
from . import xmltext
from .metadata import DamagedMetadata

#: Types of the files that list packages, advisories and modules, in order of preference.
PRIMARY = ("primary", "primary_zck")
UPDATEINFO = ("updateinfo", "updateinfo_zck")
MODULES = ("modules", "modules_zck")

_DATA = re.compile(rb"<data[\s>]")
_CHECKSUM = re.compile(xmltext.tag("checksum").pattern + rb"\s*([0-9A-Fa-f]+)\s*<")
_LOCATION = xmltext.tag("location")
#: The checksums that repositories have; others of hashlib's need a length, which nobody gives.
_CHECKSUM_TYPES = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_SIZE = re.compile(r"[0-9]{1,18}")
_LONGEST_HREF = 1000
_LONGEST_NAME = 200
_LARGEST = 16 << 20
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One metadata file of a repository: its type (``primary``, ``updateinfo``, …), local path, checksum and size.

    The size is in bytes; None where the index does not say it.
    ``defect`` says why the file cannot be read by what the index says of it; ``path`` is then the index itself.
    """

    type: str
    path: Path
    checksum_type: str
    checksum: str
    defect: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Repomd:
    """The metadata files of a repository by type."""

    revision: str
    records: dict[str, Record]

    def find(self, *types: str) -> Record | None:
        """Return the first record of these types whose file is here, else the first that the repository lists."""
        listed = [self.records[type_] for type_ in types if type_ in self.records]
        present = (record for record in listed if not record.defect and record.path.exists())
        return next(present, listed[0] if listed else None)


def read_repomd(path: Path) -> Repomd:
    """Read a repomd.xml.

    A file's path is the one that the document gives, relative to the repository's directory, or else beside the
    document, where yum 3 keeps it.

    Raises:
        DamagedMetadata: the document is missing, cut short or not a repomd.xml.
    """
    try:
        with open(path, "rb") as handle:
            content = handle.read(min(_LARGEST, os.fstat(handle.fileno()).st_size) + 1)
    except OSError as exc:
        raise DamagedMetadata(f"repomd.xml: {exc.strerror or exc}") from exc
    if len(content) > _LARGEST:
        raise DamagedMetadata(f"repomd.xml: larger than {_LARGEST >> 20} MiB")
    if b"<repomd" not in content:
        raise DamagedMetadata("repomd.xml: not an index of repository metadata")
    records = {}
    try:
        for element in xmltext.elements([content], opening=_DATA, closing=b"</data>", end=b"</repomd>"):
            record = _record(element, path)
            if record:
                records[record.type] = record
    except DamagedMetadata as exc:
        raise DamagedMetadata(f"repomd.xml: {exc}") from exc
    return Repomd(one_line(xmltext.child(content, b"revision") or ""), records)


def _record(element: bytes, path: Path) -> Record | None:
    type_ = xmltext.own_attributes(element).get("type", "")
    location = _LOCATION.search(element)
    href = xmltext.attributes(location.group(1)).get("href", "") if location else ""
    if not _TYPE.fullmatch(type_) or not href:
        return None
    checksum = _CHECKSUM.search(element)
    kind = xmltext.attributes(checksum.group(1)).get("type", "") if checksum else ""
    written = checksum.group(2).decode().lower() if checksum else ""
    kind = {"sha": "sha1"}.get(kind, kind)
    if kind not in _CHECKSUM_TYPES or len(written) > _LONGEST_NAME:
        return Record(type_, path, "", "", defect=f"checksum type {one_line(kind, 40)!r} is not supported")
    if not _is_path(href):
        return Record(type_, path, "", "", defect=f"location {one_line(href, 60)!r} is no path of a file")
    size = (xmltext.child(element, b"size") or "").strip()
    number = int(size) if _SIZE.fullmatch(size) else None
    return Record(type=type_, path=_local_path(path, href), checksum_type=kind, checksum=written, size=number)


def _is_path(href: str) -> bool:
    """Return whether every file system has such paths, and people can read them."""
    fine = href.isprintable() and len(href) <= _LONGEST_HREF
    return fine and max(len(part.encode()) for part in href.split("/")) <= _LONGEST_NAME


def _local_path(repomd: Path, href: str) -> Path:
    """Return the path of a file, which is always inside the directories of the repository."""
    beside = repomd.parent / href.rpartition("/")[2]
    below = repomd.parent.parent / href
    if beside.exists() or ".." in Path(href).parts or href.startswith("/"):
        return beside
    return below


def verify(record: Record) -> None:
    """Compare a file with its checksum.

    Raises:
        DamagedMetadata: the file is missing, cannot be read or is not the one that the index lists.
    """
    if record.defect:
        raise DamagedMetadata(f"{record.type}: {record.defect}")
    try:
        digest = hashlib.new(record.checksum_type, usedforsecurity=False)
    except ValueError as exc:
        raise DamagedMetadata(f"{record.type}: checksum type {record.checksum_type!r} is not supported") from exc
    try:
        with open(record.path, "rb") as handle:
            while data := handle.read(_READ):
                digest.update(data)
    except OSError as exc:
        raise DamagedMetadata(f"{record.type}: {record.path.name}: {exc.strerror or exc}") from exc
    if digest.hexdigest() != record.checksum:
        raise DamagedMetadata(f"{record.type}: {record.path.name} is not the file that repomd.xml lists")
