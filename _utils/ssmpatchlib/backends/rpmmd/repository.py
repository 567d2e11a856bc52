# SPDX-License-Identifier: Apache-2.0
"""Reads one repository's metadata from a package manager's cache, and names what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...model import UnreadSource
from . import repomd
from .cache import load as load_cached
from .metadata import DamagedMetadata, Metadata


def read_repository(
    repomd_file: Path,
    *,
    name: str,
    stored_as: str,
    cache: Path,
    age: float | None,
    absent: str,
    unread: list[UnreadSource],
    types: Sequence[str] = repomd.PRIMARY,
    read: Callable[[repomd.Repomd], Metadata] | None = None,
) -> Metadata | None:
    """Return the metadata of a repository; None, and an entry in ``unread``, when they cannot be read.

    Args:
        repomd_file: the package manager's copy of the repository's index.
        name: the repository's name for people.
        stored_as: the repository's file name in ``cache``.
        cache: where parsed metadata are kept.
        age: seconds since the copy was found current, None when not known.
        absent: what to say when there is no copy.
        types: the records of the index that list packages.
        read: the function that reads them, in place of the usual reader.
    """
    if not repomd_file.exists():
        unread.append(UnreadSource(name, absent))
        return None
    try:
        index = repomd.read_repomd(repomd_file)
    except DamagedMetadata as exc:
        unread.append(UnreadSource(name, str(exc)))
        return None
    metadata = load_cached(index, types=types, directory=cache, name=stored_as, read=lambda: (read or _read)(index))
    if metadata.damage:
        unread.append(UnreadSource(name, "; ".join(metadata.damage), age))
    return metadata


def _read(index: repomd.Repomd) -> Metadata:
    """Read the metadata with the usual reader, which is loaded here because most scans do not need it."""
    from .reader import read_metadata

    return read_metadata(index)
