# SPDX-License-Identifier: Apache-2.0
"""Reads what a repository's Release file says of its indexes and of their priority."""

from __future__ import annotations

import re
from pathlib import Path

from .paragraphs import reader

COMPRESSED = (".lz4", ".zst", ".xz", ".gz", ".bz2", ".lzma")
#: What apt takes for true.
YES = frozenset({"yes", "true", "with", "on", "enable", "1"})
#: A compressed index of so few bytes has no package: even the shortest paragraph takes more.
_MOST_OF_EMPTY = 40
_LISTED = re.compile(r"\n[ \t]+[0-9a-fA-F]{32,}[ \t]+([0-9]{1,18})[ \t]+(\S+)[ \t]*(?=\n)")
_read_flags = reader("NotAutomatic", "ButAutomaticUpgrades")
read_supported = reader("Components", "Architectures")


def read_release(prefix: str) -> str:
    """Return the Release file beside an index, beginning and ending with a newline; ``""`` when there is none."""
    for suffix in ("InRelease", "Release") if prefix else ():
        try:
            return "\n" + Path(prefix + suffix).read_text(encoding="utf-8", errors="replace").rstrip("\n") + "\n"
        except OSError:
            continue
    return ""


def lists(release: str, index: str) -> bool:
    """Return whether a Release file lists an index, named with ``/`` or ``_``."""
    return f" {index}".replace("/", "_") in release.replace("/", "_").replace("\t", " ")


def is_empty(release: str, index: str) -> bool:
    """Return whether a Release file lists an index, named with ``/`` or ``_``, with a size of 0.

    Where it lists only compressed forms, one that is too small for a package is enough.
    """
    wanted = plain(index).replace("/", "_")
    sizes = {
        name: int(size) for size, path in _LISTED.findall(release) if plain(name := path.replace("/", "_")) == wanted
    }
    if wanted in sizes:
        return not sizes[wanted]
    return any(size <= _MOST_OF_EMPTY for size in sizes.values())


def size_of(release: str, index: str) -> int | None:
    """Return the size that a Release file has of an index."""
    return next((int(size) for size, path in _LISTED.findall(release) if path == index), None)


def plain(path: str) -> str:
    """Return a path without the ending of a compressed file."""
    return next((path.removesuffix(ending) for ending in COMPRESSED if path.endswith(ending)), path)


def release_priority(release: str) -> int:
    """Return the priority that apt gives the versions of a repository without pins."""
    flags = _read_flags(release)
    if flags.get("NotAutomatic", "").lower() not in YES:
        return 500
    return 100 if flags.get("ButAutomaticUpgrades", "").lower() in YES else 1
