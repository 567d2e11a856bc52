# SPDX-License-Identifier: Apache-2.0
"""Finds the packages that a pattern names as dnf does: the first of its readings that names a package at all."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from ...versions.rpm import part_key
from .excludes import Matcher

_NAME, _EPOCH, _VERSION, _ARCH = r"([^:(/=<> ]+)", r"(?:([0-9]{1,18}):)?", r"([^-:(/=<> ]+)", r"([^-:.(/=<> ]+)"
_NOTHING = "()()()"
NEVRA = re.compile(rf"{_NAME}-{_EPOCH}{_VERSION}-{_VERSION}\.{_ARCH}")
NEVR = re.compile(f"{_NAME}-{_EPOCH}{_VERSION}-{_VERSION}()")
NEV = re.compile(f"{_NAME}-{_EPOCH}{_VERSION}()()")
NA = re.compile(rf"{_NAME}{_NOTHING}\.{_ARCH}")
NAME = re.compile(f"{_NAME}{_NOTHING}()")
#: The readings of a pattern in the order in which dnf tries them.
MOST_SPECIFIC = (NEVRA, NA, NAME, NEVR, NEV)

#: ``(name, arch, evr)``.
Nevra = tuple[str, str, str]
_Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a pattern; parts that it leaves out, or gives as ``*``, have no test."""

    name: str
    named: _Test | None = None
    epoch: int | None = None
    version: _Test | None = None
    release: _Test | None = None
    arch: _Test | None = None

    def matches(self, name: str, arch: str, evr: str) -> bool:
        """Return whether the pattern, read in this way, names a package."""
        if (self.named and not self.named(name)) or (self.arch and not self.arch(arch)):
            return False
        epoch, _, rest = evr.partition(":")
        version, _, release = rest.rpartition("-")
        return (
            (self.epoch is None or int(epoch or 0) == self.epoch)
            and (self.version is None or self.version(version))
            and (self.release is None or self.release(release))
        )


@dataclass(frozen=True, slots=True)
class _Whole:
    """A glob over whole packages, ``name-[epoch:]version-release.arch``."""

    name: str
    glob: re.Pattern[str]
    epoch: bool

    def matches(self, name: str, arch: str, evr: str) -> bool:
        """Return whether the glob names a package."""
        return self.glob.match(f"{name}-{evr if self.epoch else evr.partition(':')[2]}.{arch}") is not None


class _Readable(Protocol):
    """A reading of a pattern; ``name`` is the name in it, or a glob."""

    @property
    def name(self) -> str: ...

    def matches(self, name: str, arch: str, evr: str) -> bool: ...


class Universe:
    """The packages among which dnf looks for what a pattern names; they are listed when the first pattern asks."""

    def __init__(self, packages: Iterable[Nevra]) -> None:
        self._packages = packages
        self._by_name: dict[str, list[Nevra]] | None = None

    def find(self, reading: _Readable) -> Iterator[Nevra]:
        """Yield the packages that a pattern names, read in one way."""
        known = self._known()
        for rows in known.values() if is_glob(reading.name) else [known.get(reading.name, [])]:
            yield from (row for row in rows if reading.matches(*row))

    def has(self, reading: _Readable) -> bool:
        """Return whether a pattern, read in one way, names any package."""
        return next(self.find(reading), None) is not None

    def _known(self) -> dict[str, list[Nevra]]:
        if self._by_name is None:
            self._by_name = {}
            for row in self._packages:
                self._by_name.setdefault(row[0], []).append(row)
        return self._by_name


def is_glob(pattern: str) -> bool:
    """Return whether a pattern has wildcards."""
    return any(char in pattern for char in "*?[")


def text_test(pattern: str) -> Callable[[str], bool] | None:
    """Return the test of a name or an architecture; None where any will do."""
    if pattern in ("", "*"):
        return None
    return _glob(pattern).match if is_glob(pattern) else pattern.__eq__  # type: ignore[return-value]


def readings(pattern: str, forms: Sequence[re.Pattern[str]] = MOST_SPECIFIC) -> Iterator[Reading]:
    """Yield the ways to read a pattern, in the order of ``forms``."""
    for form in forms:
        if match := form.fullmatch(pattern):
            name, epoch, version, release, arch = match.groups()
            yield Reading(
                name,
                text_test(name),
                int(epoch) if epoch else None,
                _version_test(version),
                _version_test(release),
                text_test(arch),
            )


def compile_specs(patterns: Sequence[str], universe: Universe) -> Matcher | None:
    """Return a matcher of dnf's package patterns, each read in the first way that names a package of ``universe``."""
    if not patterns:
        return None
    found = [(pattern, reading) for pattern in patterns if (reading := _first(pattern, universe))]

    def matches(name: str, arch: str, evr: str) -> str:
        return next((pattern for pattern, reading in found if reading.matches(name, arch, evr)), "")

    return matches


def _first(pattern: str, universe: Universe) -> _Readable | None:
    ways: Iterator[_Readable] = chain(readings(pattern), [_Whole("*", _glob(pattern), ":" in pattern)])
    return next((way for way in ways if universe.has(way)), None)


def _version_test(pattern: str) -> _Test | None:
    """Return the test of a version or a release; one without wildcards is compared as rpm does it."""
    if pattern in ("", "*"):
        return None
    if is_glob(pattern):
        return text_test(pattern)
    key = part_key(pattern)
    return lambda part: part_key(part) == key


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[^", "[!")))
