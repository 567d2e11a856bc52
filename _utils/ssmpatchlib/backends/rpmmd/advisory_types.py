# SPDX-License-Identifier: Apache-2.0
"""The records that the reader of updateinfo.xml returns: advisories and their parts."""

from __future__ import annotations

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
