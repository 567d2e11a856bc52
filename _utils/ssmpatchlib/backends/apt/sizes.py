# SPDX-License-Identifier: Apache-2.0
"""Computes what an installation downloads and how much room it takes, from the indexes and dpkg's status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...names import number
from ..answers import Sizes, Step
from .config import AptCommand, AptPaths
from .index import Row, read_blocks
from .status import get_field, read_status
from .targets import IndexTarget

#: Name, architecture (the native one for ``all``) and version.
Key = tuple[str, str, str]


def sizes_of(command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], steps: Sequence[Step]) -> Sizes:
    """Return what steps download (without files that the archive cache has already) and what they add on disk."""
    wanted = {(step.name, step.arch, step.new) for step in steps if step.new}
    download = disk = 0
    for target in sorted((t for t in targets if t.usable), key=lambda t: not t.security):
        if not wanted:
            break
        for (name, version, arch, *_), paragraph in _paragraphs(command, paths, target, wanted):
            size = _number(get_field(paragraph, "Size"))
            cached = paths.archives / f"{name}_{version.replace(':', '%3a')}_{arch}.deb"
            download += 0 if cached.exists() and cached.stat().st_size == size else size
            disk += _number(get_field(paragraph, "Installed-Size")) * 1024
    return Sizes(download, disk - _present_size(paths, {step.id for step in steps if step.old}))


def versions_of(command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget]) -> set[Key]:
    """Return the versions that some indexes offer."""
    return {
        (name, paths.architecture if arch == "all" else arch, version)
        for target in targets
        for block in read_blocks(command, paths, target)
        for name, version, arch, _priority, _section in block.rows
    }


def _paragraphs(
    command: AptCommand, paths: AptPaths, target: IndexTarget, wanted: set[Key]
) -> Iterator[tuple[Row, str]]:
    """Yield an index's rows and paragraphs of the wanted versions, and remove these from ``wanted``."""
    for block in read_blocks(command, paths, target):
        found = []
        for row in block.rows:
            name, version, arch, _priority, _section = row
            key = (name, paths.architecture if arch == "all" else arch, version)
            if key in wanted:
                wanted.discard(key)
                found.append(row)
        yield from block.paragraphs(found)


def _present_size(paths: AptPaths, ids: set[str]) -> int:
    status = read_status(paths.status, architecture=paths.architecture)
    present = (p for p in status if f"{p.name}.{p.arch}" in ids)
    return sum(_number(get_field(p.paragraph, "Installed-Size")) * 1024 for p in present)


def _number(text: str) -> int:
    return number(text) or 0
