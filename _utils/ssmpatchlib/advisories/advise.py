# SPDX-License-Identifier: Apache-2.0
"""Puts what a feed says on the versions of an inventory, in place of what the archive alone says of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import TypeVar

from ..model import Advisory, Inventory, Package, Version
from ..times import moment_of
from .said import Found, Said, steps

_SECURITY = "Security"
_T = TypeVar("_T", Package, Version)


def _replacing(kind: type[_T]) -> Callable[..., _T]:
    """Return what returns a value with other fields, in half the time that ``dataclasses.replace`` takes."""
    names = tuple(each.name for each in fields(kind))
    values = attrgetter(*names)
    return lambda value, **changes: kind(**{**dict(zip(names, values(value), strict=True)), **changes})


_package, _version = _replacing(Package), _replacing(Version)


def advise(inventory: Inventory, found: Found, *, classify: bool) -> Inventory:
    """Return the inventory with the advisories of a feed on the versions that they name.

    A version with a fix is a security update wherever it comes from. CLASSIFICATION and SEVERITY become attributes that
    filters are compared with; a SEVERITY filter is not applied to a security update of which the feed says no severity,
    as on rpm. Rule: docs/rules.md, Baselines: advisories of a feed.

    Args:
        classify: whether a filter compares these attributes; without one what no advisory names stays as it is.
    """
    packages = tuple(_advised(package, found, classify=classify) for package in inventory.packages)
    if not classify:
        return replace(inventory, packages=packages)
    others = inventory.not_installed
    not_installed = replace(
        others,
        advisories=tuple(map(_classified, others.advisories)),
        build=lambda: (_advised(package, found, classify=True) for package in others.build()),
    )
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
        references = frozenset().union(*map(_references, words))
        return _version(version, advisories=tuple(replace(each, references=references) for each in version.advisories))

    versions, outranked = (tuple(map(remembered, each)) for each in (package.versions, package.outranked))
    return replace(package, versions=versions, outranked=outranked)


def _references(words: Said) -> frozenset[str]:
    return frozenset(map(str.lower, (words.id, *words.cves) if words.id else words.cves))


def _advised(package: Package, found: Found, *, classify: bool) -> Package:
    """Return a package with advisories; the same one where none names a version of it and no filter compares them."""
    said = {id(step.version): words for step in steps(package) if (words := found.updates.get(step.key))}
    if not (said or classify):
        return package

    def advised(version: Version) -> Version:
        words = said.get(id(version))
        if words:
            return _version(version, advisories=_merged(version.advisories, words))
        return _version(version, advisories=tuple(map(_classified, version.advisories))) if classify else version

    new = {id(each): advised(each) for each in (package.installed, *package.versions, *package.outranked) if each}
    return _package(
        package,
        installed=package.installed and new[id(package.installed)],
        versions=tuple(new[id(each)] for each in package.versions),
        outranked=tuple(new[id(each)] for each in package.outranked),
    )


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
    if len(archive) > 1:
        archive = tuple({tuple(sorted(each.attributes.items(), key=str)): each for each in archive}.values())
    dated = [(words, words.released if words.id else last) for words in said]
    return tuple(_advisory(each, words, released) for each in archive for words, released in dated)


def _advisory(archive: Advisory, said: Said, released: str) -> Advisory:
    attributes = {**archive.attributes, "CLASSIFICATION": _SECURITY, "SEVERITY": said.severity or None}
    return Advisory(
        metadata=True,
        attributes=attributes,
        classification=_SECURITY,
        severity=said.severity or archive.severity,
        id=said.id,
        released=moment_of(released) if released else None,
        cves=said.cves,
        references=_references(said),
    )
