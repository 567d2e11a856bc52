# SPDX-License-Identifier: Apache-2.0
"""Finds copies of metadata that a power cut left half-written: package managers do not wait until they are on the disk.

dnf and zypper believe an index that is whole: they never fetch again what it lists, and find no package in the rest.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...files import remove
from .metadata import DamagedMetadata
from .repomd import Record, read_repomd, verify


def forget_half_written(indexes: Iterable[Path]) -> Iterator[Path]:
    """Remove the copies of repositories' indexes that list a half-written file, so that a refresh reads them anew.

    Yields:
        Each index, before it is removed, so that what was made of it can go first.

    Raises:
        Unwritable: one cannot be removed.
    """
    for path in indexes:
        try:
            records = read_repomd(path).records.values()
        except DamagedMetadata:
            # A package manager reads an index anew that it cannot understand.
            continue
        cut = [record.path for record in records if not record.defect and record.path != path and _is_cut(record)]
        if cut:
            yield path
            # The index first: whoever is killed here leaves nothing that is believed.
            for each in (path, *cut):
                remove(each)


def _is_cut(record: Record) -> bool:
    """Return whether a file has another size and other content than the index says; by the size alone that may err.

    A repository can name anything in its index, such as a directory.
    """
    try:
        status = record.path.lstat()
    except OSError:
        return False
    if record.size in (None, status.st_size) or not stat.S_ISREG(status.st_mode):
        return False
    try:
        verify(record)
    except DamagedMetadata:
        return True
    return False
