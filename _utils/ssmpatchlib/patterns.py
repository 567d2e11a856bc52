# SPDX-License-Identifier: Apache-2.0
"""Patch-list patterns: which entry of an approved, rejected or override list names a package version."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import versions
from .model import Family, OverrideEntry, Package, Version

#: Answers with the pattern that names the version, or ``""``.
Matcher = Callable[[Package, Version], str]

_OPERATOR = re.compile(r"\s*(<=|>=|!=|<|>|=)\s*([^\s<>=!]+)")
_OPERATOR_ENTRY = re.compile(r"^\s*([^\s<>=!]+)((?:\s*(?:<=|>=|!=|<|>|=)\s*[^\s<>=!]+)+)\s*$")


def compile_patterns(patterns: Sequence[str], *, family: Family) -> Matcher:
    """Compile a patch list.

    An entry names a version by any of the family's forms, case-insensitively; ``*``, ``?`` and ``[...]`` are globs over
    a whole form. Where the family has operators, entries such as ``foo >= 2-1`` or ``foo > 1-1 < 3-1`` compare
    versions too. The first entry that matches is the answer.

    Rule: docs/rules.md, Name forms.

    Raises:
        ValueError: the family's forms are not known.
    """
    make = _FORMS.get(family.name_forms)
    if make is None:
        raise ValueError(f"{family.name_forms!r} are no name forms; use {' or '.join(_FORMS)}")
    exact: dict[str, str] = {}
    globs: list[tuple[re.Pattern[str], str]] = []
    comparisons: list[_Comparison] = []
    for pattern in patterns:
        comparison = _parse_comparison(pattern, family.version_order) if family.operators else None
        lowered = pattern.strip().lower()
        if comparison:
            comparisons.append(comparison)
        elif any(char in lowered for char in "*?["):
            globs.append((re.compile(fnmatch.translate(lowered)), pattern))
        else:
            exact.setdefault(lowered, pattern)
    if not patterns:
        return lambda package, version: ""

    def match(package: Package, version: Version) -> str:
        names = _forms(package, version, make)
        for name in names:
            if name in exact:
                return exact[name]
        for expression, pattern in globs:
            if any(expression.match(name) for name in names):
                return pattern
        for comparison in comparisons:
            if comparison.holds(version):
                return comparison.pattern
        return ""

    return match


def _forms(package: Package, version: Version, make: Callable[[str, str, str], tuple[str, ...]]) -> tuple[str, ...]:
    """Return every lower-case form by which a patch list may name ``version`` of ``package``."""
    out = list(make(version.name.lower(), version.arch.lower(), version.version.lower()))
    for spelling in package.spellings:
        lowered = spelling.lower()
        out.extend((lowered, f"{lowered}:{version.version.lower()}"))
    return tuple(out)


def names_package(pattern: str, package: Package) -> bool:
    """Whether a glob names the package: over ``name``, ``name.arch``, ``name:arch`` and other spellings, any case."""
    expression = re.compile(fnmatch.translate(pattern.strip().lower()))
    names = (package.name, package.id, f"{package.name}:{package.arch}", *package.spellings)
    return any(expression.match(name.lower()) for name in names)


def override_matcher(entry: OverrideEntry, *, family: Family) -> Callable[[Package, Version], bool]:
    """Compile an InstallOverrideList entry: id and title must both name the version; no title names every version.

    Operators are plain text in it. Rule: docs/rules.md, Install.
    """
    family = replace(family, operators=False)
    by_id = compile_patterns((entry.id,), family=family)
    if entry.title is None:
        return lambda package, version: bool(by_id(package, version))
    by_title = compile_patterns((entry.title,), family=family)
    return lambda package, version: bool(by_id(package, version) and by_title(package, version))


def _deb_forms(name: str, arch: str, version: str) -> tuple[str, ...]:
    return (
        name,
        version,
        f"{name}.{arch}",
        f"{name}:{arch}",
        f"{name}-{version}",
        f"{arch}:{version}",
        f"{name}.{arch}:{version}",
        f"{name}:{arch}:{version}",
    )


def _rpm_forms(name: str, arch: str, evr: str) -> tuple[str, ...]:
    epoch, _, version_release = evr.partition(":")
    version, _, _release = version_release.rpartition("-")
    return (
        name,
        f"{name}.{arch}",
        f"{name}-{version}",
        f"{name}-{version_release}",
        f"{name}-{version_release}.{arch}",
        version,
        version_release,
        f"{epoch}:{version_release}",
        f"{name}-{epoch}:{version_release}",
        f"{name}-{epoch}:{version_release}.{arch}",
        f"{epoch}:{name}-{version_release}.{arch}",
        f"{name}.{arch}:{epoch}:{version_release}",
    )


#: What makes the forms of a version from its name, architecture and version, by the ``name_forms`` of a family.
_FORMS = {"deb": _deb_forms, "rpm": _rpm_forms}


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A SUSE entry with operators; every clause must hold."""

    pattern: str
    name: re.Pattern[str]
    clauses: tuple[tuple[str, str], ...]
    key: Callable[[str], Any]

    def holds(self, version: Version) -> bool:
        names = (version.name.lower(), version.id.lower())
        return any(map(self.name.match, names)) and all(
            _clause_holds(operator, wanted, version.version, self.key) for operator, wanted in self.clauses
        )


def _parse_comparison(pattern: str, version_order: str) -> _Comparison | None:
    match = _OPERATOR_ENTRY.match(pattern)
    if not match:
        return None
    name = re.compile(fnmatch.translate(match.group(1).lower()))
    return _Comparison(pattern, name, tuple(_OPERATOR.findall(match.group(2))), versions.sort_key(version_order))


def _clause_holds(operator: str, wanted: str, evr: str, key: Callable[[str], Any]) -> bool:
    epoch, _, version_release = evr.partition(":")
    if any(char in wanted for char in "*?["):
        found = bool(re.match(fnmatch.translate(wanted.lower()), (evr if ":" in wanted else version_release).lower()))
        return found if operator in ("=", "<=", ">=") else not found if operator == "!=" else False
    have = version_release if "-" in wanted else version_release.rpartition("-")[0]
    have_key = key(f"{epoch}:{have}")
    wanted_key = key(wanted if ":" in wanted else f"0:{wanted}")
    holds: dict[str, bool] = {
        "<": have_key < wanted_key,
        "<=": have_key <= wanted_key,
        "=": have_key == wanted_key,
        "!=": have_key != wanted_key,
        ">=": have_key >= wanted_key,
        ">": have_key > wanted_key,
    }
    return holds[operator]
