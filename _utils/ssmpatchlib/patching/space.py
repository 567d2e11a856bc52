# SPDX-License-Identifier: Apache-2.0
"""Checks whether there is room on disk for what an installation downloads, unpacks and prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import SsmpatchError

#: Bytes to spare beyond what is needed, and bytes for what the package manager prints.
_MARGIN = 64 << 20
_OUTPUT = 1 << 20


class NoRoom(SsmpatchError):
    """There is no room for what a package manager prints."""


def space_problem(needs: Iterable[tuple[Path, int]], *, output: Path) -> str:
    """Return which place has not enough room, ``""`` when all have; needs of one file system add up.

    Args:
        needs: bytes by the place that they go to, which need not exist yet.
        output: where the package manager's output is written.
    """
    wanted: dict[int, tuple[Path, int]] = {}
    for path, size in needs:
        place = _existing(path)
        first, sum_ = wanted.get(place.stat().st_dev, (place, 0))
        wanted[place.stat().st_dev] = first, sum_ + max(size, 0)
    for place, size in wanted.values():
        free = shutil.disk_usage(place).free
        if size and size + _MARGIN > free:
            needed = f"{size >> 20} MiB and {_MARGIN >> 20} MiB to spare are needed"
            return f"not enough disk space at {place}: {needed}, {free >> 20} MiB are free"
    if shutil.disk_usage(_existing(output)).free < _OUTPUT:
        return f"not enough disk space at {_existing(output)}: {_OUTPUT >> 20} MiB are needed for the output"
    return ""


def output_problem(output: Path) -> str:
    """Return why the package manager's output cannot be written, ``""`` when it can."""
    place = _existing(output)
    return f"no space left at {place} for the output" if shutil.disk_usage(place).free < _OUTPUT >> 4 else ""


def _existing(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))
