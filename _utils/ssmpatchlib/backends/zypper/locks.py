# SPDX-License-Identifier: Apache-2.0
"""Reads zypper's locks, by which the administrator keeps packages and patches as they are; writes none."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ...versions.rpm import satisfies

LOCKED = "locked by the administrator (zypper addlock)"

_TRUE = frozenset({"1", "yes", "true", "on", "always"})
_FALSE = frozenset({"0", "no", "false", "off", "never"})
_OPERATORS = {"=": "EQ", "==": "EQ", "!=": "NE", "<>": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
_VERSION = re.compile(r"([=<>!]*)\s*(\S+)")
#: An architecture after the name in a relation, which libzypp takes off.
_ARCH = re.compile(r"\.(?:noarch|x86_64|i[3-6]86|aarch64|armv\w+|ppc64(?:le)?|s390x?|riscv64|src|nosrc)$")
#: A name with a relation, as a dependency is written: the sign stands between blanks.
_RELATION = re.compile(r"(\S+)\s+(==?|!=|<>|[<>]=?)\s+(\S+)")
_NAME, _STRINGS, _COMPLEX = "solvable_name", ("query_string", "global_string"), "complex"
_KNOWN = frozenset(
    {"type", "kind", "match_type", "string_type", "case_sensitive", "require_all", "install_status", "repo", "version"}
    | {_NAME, *_STRINGS, _COMPLEX}
)
#: libzypp's name for the rpm database among its repositories.
_SYSTEM = "@System"

#: Returns whether ``name``, ``arch``, ``evr`` is what one condition of a lock names.
_Test = Callable[[str, str, str], bool]


class _Relation(NamedTuple):
    """A name with a range of versions; ``compiled`` says that the name is compared as the lock says, else exactly."""

    name: str
    operator: str = ""
    version: str = ""
    arch: str = ""
    compiled: bool = True


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock: any of ``tests`` names a package; without ``kinds`` or ``repositories`` it holds for all of them.

    ``installed`` tells whether it is for installed packages only (True) or for others only (False).
    """

    text: str
    tests: tuple[_Test, ...]
    kinds: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()
    installed: bool | None = None

    def is_for(self, kind: str) -> bool:
        """Return whether the lock holds for packages, or for patches."""
        return not self.kinds or kind in self.kinds

    def holds(self, repository: str, name: str, arch: str, evr: str) -> bool:
        """Return whether the lock names a version of a package in a repository."""
        return (
            (not self.repositories or repository in self.repositories)
            and self.installed in (None, repository == _SYSTEM)
            and any(test(name, arch, evr) for test in self.tests)
        )


@dataclass(frozen=True, slots=True)
class Locks:
    """All locks of a system; ``warnings`` name the locks that are not understood."""

    entries: tuple[Lock, ...] = ()
    patches: tuple[Lock, ...] = ()
    warnings: tuple[str, ...] = ()

    def on_installed(self, name: str, arch: str, evr: str) -> str:
        """Return why an installed package stays as it is, ``""`` when nothing locks it."""
        return self.on_offer(_SYSTEM, name, arch, evr)

    def on_offer(self, repository: str, name: str, arch: str, evr: str) -> str:
        """Return why a version in a repository is not taken, ``""`` when nothing locks it."""
        for lock in self.entries:
            if lock.holds(repository, name, arch, evr):
                return f"{LOCKED}: {lock.text}"
        return ""

    def on_patch(self, repository: str, name: str, edition: str) -> str:
        """Return why an edition of a patch of a repository is not installed, ``""`` when nothing locks it."""
        for lock in self.patches:
            if lock.holds(repository, name, "noarch", edition):
                return f"{LOCKED}: patch {name}"
        return ""


def read_locks(path: Path | None) -> Locks:
    """Read /etc/zypp/locks. Rule: zypper(8), "Package Locks Management"; locks(5); libzypp's PoolQuery."""
    try:
        text = path.read_text(errors="replace") if path else ""
    except FileNotFoundError:
        return Locks()
    except OSError as exc:
        return Locks(warnings=(f"{path}: cannot be read: {exc.strerror or exc}; zypper itself respects its locks",))
    entries, warnings = [], []
    for record in _records(text):
        lock = _parse(record)
        if lock:
            entries.append(lock)
        else:
            words = ", ".join(f"{key}: {value}" for key, values in record.items() for value in values)
            warnings.append(f"{path}: a lock is not understood here ({words}); zypper itself respects it")
    packages = tuple(lock for lock in entries if lock.is_for("package"))
    return Locks(packages, tuple(lock for lock in entries if lock.is_for("patch")), tuple(warnings))


def _records(text: str) -> Iterable[dict[str, list[str]]]:
    record: dict[str, list[str]] = {}
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if colon:
            record.setdefault(key.strip(), []).append(value.strip())
        elif record:
            yield record
            record = {}


def _parse(record: Mapping[str, list[str]]) -> Lock | None:
    """Return the lock of a record; None for one that compares what is not known here."""
    matching = _Matching(record)
    if not _KNOWN.issuperset(record):
        return None
    try:
        tests = tuple(_tests(record, matching))
    except (ValueError, RecursionError, re.error):
        return None
    kinds = frozenset([*record.get("type", ()), *record.get("kind", ())])
    status = {"installed": True, "not-installed": False}.get(record.get("install_status", [""])[-1])
    return Lock(
        text=_text(record, kinds),
        tests=tests,
        kinds=kinds,
        repositories=frozenset(record.get("repo", ())),
        installed=status,
    )


def _text(record: Mapping[str, list[str]], kinds: frozenset[str]) -> str:
    """Return a lock as people would write it: names, versions, kinds other than packages."""
    names = [*record.get(_NAME, ()), *(value for key in _STRINGS for value in record.get(key, ()))]
    names += record.get(_COMPLEX, ())
    version = record.get("version", [""])[-1]
    return " ".join(filter(None, [*sorted(kinds - {"package"}), ", ".join(names) or "*", version]))


def _tests(record: Mapping[str, list[str]], matching: _Matching) -> Iterable[_Test]:
    """Return the conditions of a lock, any of which suffices, each within ``version``.

    A single relation without an architecture, its name compared as the lock says, is all that libzypp asks for; it
    leaves ``version`` out then.

    Raises:
        ValueError: one of them is not understood.
    """
    operator, version = _limit(record.get("version", [""])[-1])
    strings = [value for key in _STRINGS for value in record.get(key, ()) if value]
    relations = dict.fromkeys([*_relations(record), *map(_words, record.get(_COMPLEX, ()))])
    tests = [
        _test(matching.compile([*strings, r.name]) if r.compiled else r.name.__eq__, r.operator, r.version, r.arch)
        for r in relations
    ]
    plain = [value for value in record.get(_NAME, ()) if not _RELATION.fullmatch(value)]
    if plain or not relations:
        tests.append(_test(matching.compile([*strings, *plain]), "", "", ""))
    elif len(relations) == 1 and all(r.compiled and not r.arch for r in relations):
        return tests
    limit = _test(lambda name: True, operator, version, "")
    return [partial(_both, limit, test) for test in tests]


def _both(one: _Test, other: _Test, name: str, arch: str, evr: str) -> bool:
    return one(name, arch, evr) and other(name, arch, evr)


def _relations(record: Mapping[str, list[str]]) -> Iterable[_Relation]:
    for value in record.get(_NAME, ()):
        if relation := _RELATION.fullmatch(value):
            name, sign, version = relation.groups()
            yield _Relation(_ARCH.sub("", name), _OPERATORS[sign], version)


def _limit(value: str) -> tuple[str, str]:
    """Return the operator and the version of a lock; ``""`` for both without a limit.

    Raises:
        ValueError: it is not understood.
    """
    version = _VERSION.fullmatch(value)
    if not version:
        if value:
            raise ValueError(value)
        return "", ""
    sign = version.group(1) or "=="
    if sign not in _OPERATORS:
        raise ValueError(value)
    return _OPERATORS[sign], version.group(2)


def _words(value: str) -> _Relation:
    """Return the relation of a ``complex`` entry.

    Raises:
        ValueError: it compares something else than names.
    """
    words = shlex.split(value)
    if len(words) != 5 or words[:2] != ["AttrMatchData", "solvable:name"]:
        raise ValueError(value)
    compiled, predicate = words[3] == "C", shlex.split(words[4])
    if not predicate:
        return _Relation(words[2], compiled=compiled)
    if predicate[0] != "SolvableRange" or len(predicate) not in (3, 4):
        raise ValueError(value)
    sign, version = predicate[1:3]
    if sign not in ("", "ANY") and sign not in _OPERATORS:
        raise ValueError(value)
    return _Relation(words[2], _OPERATORS.get(sign, ""), version, "".join(predicate[3:]), compiled)


def _test(matches: Callable[[str], object], operator: str, version: str, arch: str) -> _Test:
    return lambda name, its_arch, evr: (
        bool(matches(name)) and arch in ("", its_arch) and (not evr or _within(evr, operator, version))
    )


def _within(evr: str, operator: str, version: str) -> bool:
    return not satisfies(evr, "EQ", version) if operator == "NE" else satisfies(evr, operator, version)


class _Matching:
    """How a lock compares names: ``match_type`` and ``case_sensitive``."""

    def __init__(self, record: Mapping[str, list[str]]) -> None:
        kinds = [*record.get("match_type", ()), *record.get("string_type", ())]
        self._kind = next((kind for kind in reversed(kinds) if kind in _EXPRESSIONS), "substring")
        words = [word.lower() for word in record.get("case_sensitive", ()) if word.lower() in _TRUE | _FALSE]
        self._flags = 0 if words and words[-1] in _TRUE else re.IGNORECASE

    def compile(self, patterns: Sequence[str]) -> Callable[[str], object]:
        """Return the comparison with some patterns, any of which suffices; without patterns everything matches."""
        expressions = map(_EXPRESSIONS[self._kind], patterns)
        return re.compile("|".join(f"(?:{each})" for each in expressions), self._flags).search


#: What a pattern of each kind is as a regular expression.
_EXPRESSIONS: Mapping[str, Callable[[str], str]] = {
    "exact": lambda pattern: rf"\A{re.escape(pattern)}\Z",
    "glob": lambda pattern: rf"\A{fnmatch.translate(pattern.replace('[^', '[!'))}",
    "substring": re.escape,
    "regex": lambda pattern: pattern,
    "word": lambda pattern: rf"\b{re.escape(pattern)}\b",
}
