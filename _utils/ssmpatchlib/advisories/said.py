# SPDX-License-Identifier: Apache-2.0
"""What a feed says of a host as a value, and the versions of a package of which it may say something. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..model import OpenCves, Package, Version
from .sources import Source, source_of


class Said(NamedTuple):
    """What the vendor says of an update: an advisory, or without an ``id`` CVEs that it fixes and no advisory names.

    ``released`` is when the advisory was published, in AWS's format, ``""`` where that is not known.
    """

    id: str
    released: str
    severity: str
    cves: tuple[str, ...]
    subscription: bool = False


class Found(NamedTuple):
    """What a feed says of a host: of each update by ``Step.key``, and the open CVEs."""

    updates: Mapping[str, tuple[Said, ...]]
    open: tuple[OpenCves, ...]


class Step(NamedTuple):
    """One version of an installed package, its source, and the source that it follows, None for what is installed."""

    version: Version
    own: Source
    before: Source | None

    @property
    def key(self) -> str:
        """By which ``Found`` knows what the vendor says of the step."""
        return "\t".join((*self.own, self.before.version if self.before else ""))


def steps(package: Package) -> Iterator[Step]:
    """Yield every version of an installed package, the installed one first; a step to another source says nothing."""
    installed = package.installed
    if installed is None:
        return
    first = source_of(installed)
    yield Step(installed, first, None)
    for versions in (package.versions, package.outranked):
        before = first
        for version in versions:
            own = source_of(version)
            if version is installed:
                yield Step(version, own, None)
            elif own.name == before.name:
                yield Step(version, own, before)
            before = own


def sources_of(packages: Iterable[Package]) -> set[str]:
    """Return the source packages of what is installed, and of its updates."""
    return {step.own.name for package in packages for step in steps(package)}
