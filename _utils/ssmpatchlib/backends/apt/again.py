# SPDX-License-Identifier: Apache-2.0
"""Remembers what apt offers again for ever: a version that is installed, in a build that no package has.

A repository may describe a package in other words than the package itself has. apt then takes them for two builds of
one version, and installing it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...files import Unwritable, recall, write_json
from ...model import Target
from ...versions.deb import sort_key
from .config import AptCommand, AptPaths
from .index import find_versions
from .policy import Key
from .status import BROKEN, Installed, build_of, installed_time, read_status
from .targets import IndexTarget

#: What is said of a version that is offered again.
OFFERED_AGAIN = "it was installed already, and apt offers it again: its index and the package itself differ"


def read_again(file: Path) -> Mapping[Key, frozenset[str]]:
    """Return the builds on offer that were installed in vain, with the build that came of it, by package.

    An offer is one of them when its own build and that of the installed package both are. Nothing when the file is not
    there or damaged.
    """
    return recall(file, _builds) or {}


def _builds(data: Any) -> Mapping[Key, frozenset[str]]:
    return {(str(name), str(arch)): frozenset(map(str, builds)) for name, arch, builds in data["again"]}


def watch_again(
    command: AptCommand,
    paths: AptPaths,
    targets: Callable[[], Sequence[IndexTarget]],
    wanted: Sequence[Target],
    file: Path,
) -> Callable[[], None]:
    """Return a function to call after an installation: it remembers what was installed again in vain."""
    info = f"{paths.status.parent}/info"
    before = _again(paths, wanted)
    times = {key: installed_time(info, package) for key, package in before.items()}

    def remember() -> None:
        after = _again(paths, wanted) if before else {}
        unpacked = {key: p for key, p in after.items() if key in before and installed_time(info, p) != times[key]}
        if not unpacked:
            return
        builds = {key: {build_of(package.paragraph)} for key, package in unpacked.items()}
        versions = {key: package.version for key, package in unpacked.items()}
        for key, _row, paragraph in find_versions(command, paths, targets(), versions):
            builds[key].add(build_of(paragraph))
        known = {**read_again(file), **builds}
        with suppress(Unwritable):
            write_json(file, {"again": [[*key, sorted(found)] for key, found in sorted(known.items())]})

    return remember


def _again(paths: AptPaths, wanted: Sequence[Target]) -> dict[Key, Installed]:
    """Return the targets that are installed in their version and work."""
    versions = {(target.name, target.arch): sort_key(target.version) for target in wanted}
    status = read_status(paths.status, architecture=paths.architecture)
    return {
        (p.name, p.arch): p
        for p in status
        if (p.name, p.arch) in versions and p.status not in BROKEN and sort_key(p.version) == versions[p.name, p.arch]
    }
