# SPDX-License-Identifier: Apache-2.0
"""Puts what a feed says on the versions of an inventory, in place of what the archive alone says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..model import Advisory, Inventory, Package, Version
from ..times import moment_of
from .said import Found, Said, steps

_SECURITY = "Security"


def advise(inventory: Inventory, found: Found, *, classify: bool) -> Inventory:
    """Return the inventory with the advisories of a feed on the versions that they name.

    A version with a fix is a security update wherever it comes from. CLASSIFICATION and SEVERITY become attributes that
    filters are compared with; a SEVERITY filter is not applied to a security update of which the feed says no severity,
    as on rpm. Rule: docs/rules.md, Baselines: advisories of a feed.

    Args:
        classify: whether a filter compares these attributes; without one what no advisory names stays as it is.
    """
    if not classify:
        return replace(inventory, packages=tuple(_named(package, found) for package in inventory.packages))
    others = inventory.not_installed
    not_installed = replace(
        others,
        advisories=tuple(map(_classified, others.advisories)),
        build=lambda: (_advised(package, found) for package in others.build()),
    )
    packages = tuple(_advised(package, found) for package in inventory.packages)
    return replace(inventory, packages=packages, not_installed=not_installed)


def remember(inventory: Inventory, found: Found) -> Inventory:
    """Return the inventory with what stays true of a feed that cannot be used any more: the ids of versions."""
    return replace(inventory, packages=tuple(_remembered(package, found) for package in inventory.packages))


def _remembered(package: Package, found: Found) -> Package:
    said = {id(step.version): found.updates.get(step.key, ()) for step in steps(package)}

    def remembered(version: Version) -> Version:
        words = said.get(id(version))
        if not words:
            return version
        references = _references(words)
        advisories = (replace(each, references=references) for each in version.advisories)
        return replace(version, advisories=tuple(advisories))

    versions, outranked = (tuple(map(remembered, each)) for each in (package.versions, package.outranked))
    return replace(package, versions=versions, outranked=outranked)


def _references(said: Iterable[Said]) -> frozenset[str]:
    return frozenset(name.lower() for words in said for name in (words.id, *words.cves) if name)


def _named(package: Package, found: Found) -> Package:
    """Return a package with advisories, the same one where none names a version of it."""
    named = package.installed is not None and any(step.key in found.updates for step in steps(package))
    return _advised(package, found) if named else package


def _advised(package: Package, found: Found) -> Package:
    if package.installed is None:
        versions, outranked = (tuple(map(_plain, each)) for each in (package.versions, package.outranked))
        return replace(package, versions=versions, outranked=outranked)
    said = {id(step.version): found.updates.get(step.key, ()) for step in steps(package)}

    def with_said(version: Version) -> Version:
        words = said.get(id(version), ())
        return replace(version, advisories=_merged(version.advisories, words)) if words else _plain(version)

    installed = with_said(package.installed)
    return replace(
        package,
        installed=installed,
        versions=tuple(installed if each is package.installed else with_said(each) for each in package.versions),
        outranked=tuple(map(with_said, package.outranked)),
    )


def _plain(version: Version) -> Version:
    return replace(version, advisories=tuple(map(_classified, version.advisories)))


def _classified(advisory: Advisory) -> Advisory:
    """What the archive says, with the attributes that filters are compared with."""
    severity = None if advisory.metadata else ""
    attributes = {**advisory.attributes, "CLASSIFICATION": advisory.classification, "SEVERITY": severity}
    return replace(advisory, attributes=attributes)


def _merged(archive: Sequence[Advisory], said: Sequence[Said]) -> tuple[Advisory, ...]:
    """The vendor's advisories of a version, with the attributes that the archive gives it.

    A fix that no advisory names is of the version's own time, that of its last advisory; an advisory has its own.
    """
    last = max(words.released for words in said)
    kinds = {tuple(sorted(each.attributes.items(), key=str)): each for each in archive}
    dated = [(words, words.released if words.id else last) for words in said]
    return tuple(_advisory(each, words, released) for each in kinds.values() for words, released in dated)


def _advisory(archive: Advisory, said: Said, released: str) -> Advisory:
    attributes = {**archive.attributes, "CLASSIFICATION": _SECURITY, "SEVERITY": said.severity or None}
    return Advisory(
        metadata=True,
        attributes=attributes,
        classification=_SECURITY,
        severity=said.severity or archive.severity,
        id=said.id,
        released=moment_of(released),
        cves=said.cves,
        references=_references((said,)),
    )
