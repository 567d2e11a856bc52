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

_RANGE = re.compile(r"\[[^\]]*\]")

#: ``(name, arch, evr)``.
Nevra = tuple[str, str, str]
_Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a pattern; parts that it leaves out, or gives as ``*``, have no test."""

    name: str
    named: _Test | None = None
    epoch: _Test | None = None
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
            (self.epoch is None or self.epoch(epoch or "0"))
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
            yield _reading(name, str(int(epoch)) if epoch else "", version, release, arch)


def readings_of_dnf5(pattern: str) -> Iterator[Reading]:
    """Yield the ways in which dnf 5 reads a pattern: an epoch may be a glob, a range has no separators.

    Versions are compared as they are spelled.
    """
    plain = _RANGE.sub(lambda match: "x" * len(match.group()), pattern)
    if not pattern or plain.count(":") > 1 or any(char in plain for char in "(/=<> "):
        return
    dashes = [place for place, char in enumerate(plain) if char == "-"]
    dot, colon = plain.rfind("."), plain.find(":")
    whole = len(pattern)
    if len(dashes) > 1 and dot > dashes[-1]:
        yield from _evr_reading(pattern, dashes[-2], dashes[-1], dot, colon)
    if colon == -1 and 0 < dot < whole - 1 and (not dashes or dashes[-1] < dot):
        yield _reading(pattern[:dot], "", "", "", pattern[dot + 1 :])
    if colon == -1:
        yield _reading(pattern, "", "", "", "")
    if len(dashes) > 1:
        yield from _evr_reading(pattern, dashes[-2], dashes[-1], whole, colon)
    if dashes:
        yield from _evr_reading(pattern, dashes[-1], whole, whole, colon)


def _evr_reading(pattern: str, name_end: int, version_end: int, release_end: int, colon: int) -> Iterator[Reading]:
    """Yield the reading with these separators, where every part has a character."""
    start = name_end + 1
    if colon != -1:
        if not name_end + 1 < colon < version_end - 1:
            return
        start = colon + 1
    name, version, release = pattern[:name_end], pattern[start:version_end], pattern[version_end + 1 : release_end]
    arch = pattern[release_end + 1 :]
    complete = name and version and (release or version_end == release_end) and (arch or release_end == len(pattern))
    if complete:
        parts = (name, pattern[name_end + 1 : colon] if colon != -1 else "", version, release, arch)
        yield Reading(name, *map(text_test, parts))


def _reading(name: str, epoch: str, version: str, release: str, arch: str) -> Reading:
    tests = (text_test(name), text_test(epoch), _version_test(version), _version_test(release), text_test(arch))
    return Reading(name, *tests)


def compile_specs(
    patterns: Sequence[str], universe: Universe, read: Callable[[str], Iterator[Reading]] = readings
) -> Matcher | None:
    """Return a matcher of dnf's package patterns, each read in the first way that names a package of ``universe``."""
    if not patterns:
        return None
    found = [(pattern, reading) for pattern in patterns if (reading := _first(pattern, universe, read))]

    def matches(name: str, arch: str, evr: str) -> str:
        return next((pattern for pattern, reading in found if reading.matches(name, arch, evr)), "")

    return matches


def _first(pattern: str, universe: Universe, read: Callable[[str], Iterator[Reading]]) -> _Readable | None:
    ways: Iterator[_Readable] = chain(read(pattern), [_Whole("*", _glob(pattern), ":" in pattern)])
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
