# SPDX-License-Identifier: Apache-2.0
"""Reads a repository's index of metadata files, repomd.xml."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from . import xmltext
from .metadata import DamagedMetadata

#: Types of the files that list packages, advisories and modules, in order of preference.
PRIMARY = ("primary", "primary_zck")
UPDATEINFO = ("updateinfo", "updateinfo_zck")
MODULES = ("modules", "modules_zck")

_DATA = re.compile(rb"<data[\s>]")
_CHECKSUM = re.compile(rb"<checksum\s([^>]*)>\s*([0-9A-Fa-f]+)\s*<")
_LOCATION = re.compile(rb"<location\s([^>]*)>")
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One metadata file of a repository: its type (``primary``, ``updateinfo``, …), local path and checksum."""

    type: str
    path: Path
    checksum_type: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Repomd:
    """The metadata files of a repository by type."""

    revision: str
    records: dict[str, Record]

    def find(self, *types: str) -> Record | None:
        """Return the first record of these types whose file is here, else the first that the repository lists."""
        listed = [self.records[type_] for type_ in types if type_ in self.records]
        return next((record for record in listed if record.path.exists()), listed[0] if listed else None)


def read_repomd(path: Path) -> Repomd:
    """Read a repomd.xml.

    A file's path is the one that the document gives, relative to the repository's directory, or else beside the
    document, where yum 3 keeps it.

    Raises:
        DamagedMetadata: the document is missing, cut short or not a repomd.xml.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise DamagedMetadata(f"repomd.xml: {exc.strerror or exc}") from exc
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
    return Repomd(xmltext.child(content, b"revision") or "", records)


def _record(element: bytes, path: Path) -> Record | None:
    type_ = xmltext.attributes(element[: element.find(b">")]).get("type")
    location = _LOCATION.search(element)
    href = xmltext.attributes(location.group(1)).get("href", "") if location else ""
    if not type_ or not href:
        return None
    checksum = _CHECKSUM.search(element)
    return Record(
        type=type_,
        path=_local_path(path, href),
        checksum_type=xmltext.attributes(checksum.group(1)).get("type", "") if checksum else "",
        checksum=checksum.group(2).decode().lower() if checksum else "",
    )


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
    name = {"sha": "sha1"}.get(record.checksum_type, record.checksum_type)
    try:
        digest = hashlib.new(name, usedforsecurity=False)
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
