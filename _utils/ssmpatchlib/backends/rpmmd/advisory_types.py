# SPDX-License-Identifier: Apache-2.0
"""What advisories say, record by record, as their reader hands it on."""

from __future__ import annotations

from typing import NamedTuple


class PackageRef(NamedTuple):
    """The package that an advisory speaks of; ``evr`` is ``epoch:version-release``."""

    name: str
    arch: str
    evr: str


class ModuleRef(NamedTuple):
    """The build of a module stream that a collection belongs to; ``""`` where the advisory does not say."""

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
    """One advisory, as the repository words it.

    ``type`` is ``""`` when the advisory has none. ``severity`` is None without the element, ``""`` when it is empty.
    ``issued`` and ``updated`` are epoch seconds, UTC, None where absent or unreadable. ``references`` are
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
    """What rules ask of an advisory: its type and severity, as ``AdvisoryRecord`` has them, and when it was published.

    ``released`` is its ``updated``, else its ``issued``.
    """

    type: str
    severity: str | None
    released: int | None


def outline(advisory: AdvisoryRecord) -> Outline:
    """Return what rules ask of an advisory."""
    return Outline(advisory.type, advisory.severity, advisory.issued if advisory.updated is None else advisory.updated)
