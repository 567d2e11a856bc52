# SPDX-License-Identifier: Apache-2.0
"""Reads the version locks of dnf 4's plugin and of dnf 5, and finds what they keep out."""

from __future__ import annotations

import configparser
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...names import number
from ...versions.rpm import satisfies, sort_key
from ..rpmmd.excludes import LOCKED, NO_LOCKS, Locks, with_entry
from ..rpmmd.metadata import Replacement
from ..rpmmd.specs import NA, NAME, NEV, NEVR, NEVRA, Reading, Universe, readings, text_test

_PLUGINS = "etc/dnf/plugins"
_LIST = "etc/dnf/plugins/versionlock.list"
_TOML = "etc/dnf/versionlock.toml"
_FORMS = (NEVRA, NEVR, NEV, NA, NAME)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "==": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "<>": lambda one, other: one != other,
    "!=": lambda one, other: one != other,
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One lock: ``names`` are the tests of a locked name (None for any), ``reading`` tells the versions it allows."""

    text: str
    names: Sequence[Callable[[str], bool] | None]
    reading: Reading | _Conditions | None

    def holds(self, name: str) -> bool:
        """Return whether the name is locked."""
        return any(test is None or test(name) for test in self.names)

    def allows(self, name: str, arch: str, evr: str) -> bool:
        """Return whether the lock names this version."""
        return self.reading is not None and self.reading.matches(name, arch, evr)


def read_locks(
    root: Path,
    *,
    generation: int,
    universe: Universe,
    replacements: Iterable[Replacement] = (),
    plugins: Sequence[Path] = (),
) -> Locks:
    """Read the version locks; they count even if the plugin is not installed.

    Args:
        plugins: the directories of the plugin's configuration, without any the usual one.
        universe: the packages that dnf knows when it applies the locks.
        replacements: the offers that obsolete other packages; those that would obsolete what is locked are kept out.
    """
    path = root / _TOML if generation == 5 else _plugin_list(root, plugins or [root / _PLUGINS])
    try:
        text = path.read_text(errors="replace") if path else ""
    except FileNotFoundError:
        return NO_LOCKS
    except OSError as exc:
        return Locks(NO_LOCKS.refuses, warnings=(f"version locks: {path} cannot be read: {exc.strerror or exc}",))
    if generation == 5:
        return _toml_locks(text, path, universe, replacements)
    return _list_locks(text, universe, replacements)


def _plugin_list(root: Path, directories: Iterable[Path]) -> Path | None:
    """Return the list that the plugin's configuration names; None where the plugin is switched off."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        for path in filter(Path.exists, (directory / "versionlock.conf" for directory in directories)):
            parser.read_string(path.read_text(errors="replace"))
        if not parser.getboolean("main", "enabled", fallback=True):
            return None
        named = parser.get("main", "locklist", fallback="")
    except (OSError, ValueError, configparser.Error):
        return root / _LIST
    return root / named.lstrip("/") if named else root / _LIST


def _list_locks(text: str, universe: Universe, replacements: Iterable[Replacement]) -> Locks:
    """Read the plugin's list: a locked name may only have the listed versions, and ``!`` excludes one.

    Rule: dnf-versionlock(8). An entry is read in the first way that names a package; each way that was tried locks its
    name.
    """
    lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
    kept: list[_Entry] = []
    excluded: list[_Entry] = []
    for line in filter(None, lines):
        entry = _read_entry(line, line.removeprefix("!"), universe)
        (excluded if line.startswith("!") else kept).append(entry)
    return _make_locks(kept, excluded, universe, replacements) if kept or excluded else NO_LOCKS


def _read_entry(line: str, pattern: str, universe: Universe) -> _Entry:
    names = []
    for reading in readings(pattern, _FORMS):
        names.append(reading.named)
        if universe.has(reading):
            return _Entry(line, names, reading)
    return _Entry(line, names, None)


def _make_locks(
    kept: Sequence[_Entry], excluded: Sequence[_Entry], universe: Universe, replacements: Iterable[Replacement]
) -> Locks:
    def holds(name: str) -> str:
        return with_entry(LOCKED, ", ".join(entry.text for entry in kept if entry.holds(name)))

    replacing = _obsoleters(kept, holds, universe, replacements)

    def refuses(name: str, arch: str, evr: str) -> str:
        unwanted = next((entry.text for entry in excluded if entry.allows(name, arch, evr)), "")
        if unwanted:
            return with_entry(LOCKED, unwanted)
        if any(entry.allows(name, arch, evr) for entry in kept):
            return ""
        return holds(name) or replacing.get((f"{name}.{arch}", evr), "")

    return Locks(refuses, holds)


def _obsoleters(
    kept: Iterable[_Entry], holds: Callable[[str], str], universe: Universe, replacements: Iterable[Replacement]
) -> dict[tuple[str, str], str]:
    """Return the offers, by ``(name.arch, evr)``, that would obsolete a locked version, with the reason."""
    locked: dict[str, list[str]] = {}
    for entry in kept:
        for name, _arch, evr in universe.find(entry.reading) if entry.reading else ():
            locked.setdefault(name, []).append(evr)
    return {
        (id_, offered): f"obsoletes {name}, which is {holds(name)}"
        for id_, offered, name, operator, wanted in (replacements if locked else ())
        if any(satisfies(evr, operator, wanted) for evr in locked.get(name, ()))
    }


@dataclass(frozen=True, slots=True)
class _Conditions:
    """dnf 5's form of a lock: a name (or glob), and conditions that must all hold."""

    name: str
    tests: Sequence[Callable[[str, str], bool]]
    named: Callable[[str], bool] | None

    def matches(self, name: str, arch: str, evr: str) -> bool:
        """Return whether a package fulfils all conditions."""
        return (self.named is None or self.named(name)) and all(test(arch, evr) for test in self.tests)


def _toml_locks(text: str, path: Path | None, universe: Universe, replacements: Iterable[Replacement]) -> Locks:
    """Read dnf 5's file. Rule: dnf5-versionlock(8); what is invalid in it does not count."""
    try:
        tomllib = importlib.import_module("tomllib")
    except ImportError:
        words = f"version locks: {path} needs Python 3.11 to be read; dnf itself respects them"
        return Locks(NO_LOCKS.refuses, warnings=(words,))
    try:
        document = tomllib.loads(text)
        packages = document.get("packages", []) if document.get("version") == "1.0" else []
        kept = [_package_entry(package) for package in packages if package.get("name") and package.get("conditions")]
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        return Locks(NO_LOCKS.refuses, warnings=(f"version locks: {path} is not understood: {exc}",))
    return _make_locks(kept, (), universe, replacements) if kept else NO_LOCKS


def _package_entry(package: Mapping[str, Any]) -> _Entry:
    named = text_test(str(package["name"]))
    conditions = [tuple(_text(c.get(key)) for key in ("key", "comparator", "value")) for c in package["conditions"]]
    tests = [test for condition in conditions if (test := _condition(*condition))]
    words = " and ".join(f"{key} {comparator} {value}" for key, comparator, value in conditions)
    return _Entry(f"{package['name']} {words}", [named], _Conditions(str(package["name"]), tests, named))


def _text(value: object) -> str:
    """Return a value that is text; to dnf 5 another one is none."""
    return value if isinstance(value, str) else ""


def _condition(key: str, comparator: str, value: str) -> Callable[[str, str], bool] | None:
    """Return the test of one condition; None for one that dnf skips."""
    compare = _COMPARISONS.get(comparator)
    if compare is None or not value:
        return None
    if key == "arch" and comparator in ("=", "==", "!=", "<>"):
        return lambda arch, evr: compare(arch, value)
    if key == "epoch" and number(value) is not None:
        return lambda arch, evr: compare(int(evr.partition(":")[0] or 0), int(value))
    if key == "evr":
        wanted = sort_key(value)
        return lambda arch, evr: compare(sort_key(evr), wanted)
    return None
