# SPDX-License-Identifier: Apache-2.0
"""What archives say of installed versions, where a baseline asks for nothing else of them.

It is kept, since reading an archive takes longer than a scan (benchmarks/apt.py, "default baseline").
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from ...files import Unwritable, recall, write_json
from .config import AptCommand, AptPaths
from .index import find_versions
from .policy import Key
from .status import Installed, build_of
from .targets import IndexTarget, identity

#: Priorities and sections, in the order of the indexes.
Words = tuple[tuple[str, str], ...]
#: Version of a package, a checksum of what dpkg says of it, and what is said of the version.
_Known = tuple[str, int, Words]

_FORMAT_VERSION = 1


def read_words(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], installed: Iterable[Installed], *, file: Path
) -> Mapping[Key, Words]:
    """Return what indexes say of installed packages, those in the installed version and build only.

    An index that cannot be read says nothing; whoever needs it for a verdict reads it and reports that.
    """
    present = {(p.name, p.arch): p for p in installed}
    wanted = {key: (p.version, crc32(p.paragraph.encode())) for key, p in present.items()}
    indexes = [_FORMAT_VERSION, *(identity(Path(target.path)) for target in targets)]
    known = _load(file, indexes)
    unknown = {key: present[key] for key, have in wanted.items() if known.get(key, ())[:2] != have}
    if unknown:
        found = _search(command, paths, targets, unknown)
        known = {key: (*have, found[key] if key in unknown else known[key][2]) for key, have in wanted.items()}
        _save(file, indexes, known)
    return {key: known[key][2] for key in wanted if known[key][2]}


def _search(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], wanted: Mapping[Key, Installed]
) -> Mapping[Key, Words]:
    versions = {key: package.version for key, package in wanted.items()}
    builds = {key: build_of(package.paragraph) for key, package in wanted.items()}
    found: dict[Key, Words] = dict.fromkeys(wanted, ())
    for key, (_name, _version, _arch, *words), paragraph in find_versions(command, paths, targets, versions):
        if build_of(paragraph) == builds[key] and tuple(words) not in found[key]:
            found[key] += ((words[0], words[1]),)
    return found


def _load(file: Path, indexes: Sequence[object]) -> dict[Key, _Known]:
    """Return what was kept of these indexes; nothing when it is of others, or the file is damaged."""

    def known(data: Any) -> dict[Key, _Known]:
        if json.dumps(data["indexes"]) != json.dumps(indexes):
            return {}
        return {
            (name, arch): (str(version), int(checksum), tuple((str(p), str(s)) for p, s in words))
            for name, arch, version, checksum, words in data["known"]
        }

    return recall(file, known) or {}


def _save(file: Path, indexes: Sequence[object], known: Mapping[Key, _Known]) -> None:
    """Keep the words; where that fails (read-only, unprivileged) the indexes are read again next time."""
    with contextlib.suppress(Unwritable):
        write_json(file, {"indexes": indexes, "known": [[*key, *row] for key, row in known.items()]})
