# SPDX-License-Identifier: Apache-2.0
"""The records that the readers return: advisories and their parts, builds of modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PackageRef(NamedTuple):
    """The package that an advisory names; ``evr`` is ``epoch:version-release``."""

    name: str
    arch: str
    evr: str


class ModuleRef(NamedTuple):
    """The build of a module stream that a collection belongs to; a value that the advisory does not give is ``""``."""

    name: str
    stream: str
    version: str
    context: str
    arch: str


class ModuleBuild(NamedTuple):
    """One build of a module stream.

    ``requires`` are the alternatives of its dependencies: each maps module names to the accepted streams (``-stream``
    excludes one, an empty list accepts any). ``artifacts`` are ``(name, arch, epoch:version-release)``.
    ``demodularized`` are the names of packages that left the stream.
    """

    name: str
    stream: str
    version: str
    context: str
    arch: str
    requires: tuple[Mapping[str, tuple[str, ...]], ...]
    artifacts: tuple[tuple[str, str, str], ...]
    demodularized: tuple[str, ...] = ()


class Collection(NamedTuple):
    """Packages of an advisory, and the module build they belong to if any."""

    module: ModuleRef | None
    packages: tuple[PackageRef, ...]


class AdvisoryRecord(NamedTuple):
    """One advisory, in the repository's words.

    ``type`` is ``""`` when the advisory has none. ``severity`` is None without the element, ``""`` when it is empty.
    ``issued`` and ``updated`` are epoch seconds, UTC, None where missing or unreadable. ``references`` are
    ``(type, id)``. ``reboot_suggested`` and ``restart_suggested`` hold for the whole advisory when one package says so.
    """

    id: str
    type: str
    severity: str | None
    status: str
    version: str
    title: str
    issued: int | None
    updated: int | None
    references: tuple[tuple[str, str], ...]
    reboot_suggested: bool
    restart_suggested: bool
    collections: tuple[Collection, ...]


class Outline(NamedTuple):
    """The part of an advisory that approval rules ask for; ``released`` is its ``updated``, else its ``issued``."""

    type: str
    severity: str | None
    released: int | None


def outline(advisory: AdvisoryRecord) -> Outline:
    """Return the part of an advisory that approval rules ask for."""
    return Outline(advisory.type, advisory.severity, advisory.issued if advisory.updated is None else advisory.updated)
