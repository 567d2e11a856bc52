# SPDX-License-Identifier: Apache-2.0
"""Reads the administrator's excludes, includes and version locks against the packages that they may name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ..rpm.installed import InstalledPackage
from ..rpmmd.excludes import (
    Blocker,
    Compiler,
    Locks,
    Matcher,
    config_blocker,
    installed_blocker,
    make_blocker,
)
from ..rpmmd.metadata import Metadata, Replacement
from ..rpmmd.repofiles import DnfConfig, Repository, plugin_directories
from ..rpmmd.specs import Nevra, Universe, compile_specs, readings_of_dnf5
from .modules import ModuleFilter
from .versionlock import read_locks

_Read = Sequence[tuple[Repository, Metadata]]


@dataclass(frozen=True, slots=True)
class Entries:
    """What the entries say, in words: ``blocker`` of an offer, ``excluded`` of an installed package, ``locks``."""

    blocker: Blocker | None
    excluded: Callable[[InstalledPackage], str]
    locks: Locks


def read_entries(
    root: Path,
    config: DnfConfig,
    installed: Sequence[InstalledPackage],
    read: _Read,
    *,
    generation: int,
    filtering: ModuleFilter | None,
) -> Entries:
    """Read the entries, for the installed packages and those of the repositories."""
    compiler = _compiler(installed, read, generation)
    by_config = config_blocker(config, compiler)
    shown = _Shown(installed, read, generation, by_config if generation == 4 else None, filtering)
    locks = read_locks(
        root,
        generation=generation,
        universe=Universe(shown.packages()),
        replacements=shown.replacements(),
        plugins=plugin_directories(root, config.main),
    )
    return Entries(make_blocker(by_config, locks), installed_blocker(config, compiler), locks)


def _compiler(installed: Sequence[InstalledPackage], read: _Read, generation: int) -> Compiler:
    """Return how patterns are read: among all packages, by dnf 5 a repository's own among that repository's."""
    offers = (row for _, metadata in read for row in _offers(metadata))
    everything = Universe(chain(_installed(installed), offers))
    own = {repository.id: Universe(_offers(metadata)) for repository, metadata in read}

    def compiler(patterns: Sequence[str], repository: str) -> Matcher | None:
        if generation == 5:
            return compile_specs(patterns, own.get(repository, everything), readings_of_dnf5)
        return compile_specs(patterns, everything)

    return compiler


@dataclass(frozen=True, slots=True)
class _Shown:
    """The packages that dnf knows when it applies version locks: dnf 4 what it shows, dnf 5 all that is on offer."""

    installed: Sequence[InstalledPackage]
    read: _Read
    generation: int
    by_config: Blocker | None
    filtering: ModuleFilter | None

    def packages(self) -> Iterator[Nevra]:
        """Yield the packages."""
        if self.generation == 4:
            yield from _installed(self.installed)
        for repository, metadata in self.read:
            for name, arch, evr in _offers(metadata):
                if self._shows(repository, name, arch, evr):
                    yield name, arch, evr

    def replacements(self) -> Iterator[Replacement]:
        """Yield the offers that obsolete other packages."""
        for repository, metadata in self.read:
            for row in metadata.replacements:
                name, _, arch = row[0].rpartition(".")
                if self._shows(repository, name, arch, row[1]):
                    yield row

    def _shows(self, repository: Repository, name: str, arch: str, evr: str) -> bool:
        if self.generation == 5:
            return True
        hidden = self.filtering and not repository.hotfixes and self.filtering.hides(f"{name}.{arch}", name, evr)
        return not hidden and not (self.by_config and self.by_config(repository, name, arch, evr))


def _installed(installed: Sequence[InstalledPackage]) -> Iterator[Nevra]:
    for package in installed:
        yield package.name, package.arch, package.evr


def _offers(metadata: Metadata) -> Iterator[Nevra]:
    for id_, rows in metadata.offers.items():
        name, _, arch = id_.rpartition(".")
        for row in rows:
            yield name, arch, row[0]
