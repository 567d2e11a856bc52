# SPDX-License-Identifier: Apache-2.0
"""Reads zypper's package locks, by which the administrator keeps packages as they are; writes none."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...versions.rpm import satisfies

LOCKED = "locked by the administrator (zypper addlock)"

_OPERATORS = {"=": "EQ", "==": "EQ", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
_VERSION = re.compile(r"(==|<=|>=|=|<|>)?\s*(\S+)")
#: The fields of a lock that are understood here.
_KNOWN = frozenset({"type", "match_type", "case_sensitive", "solvable_name", "query_string", "repo", "version"})
#: libzypp's name for the rpm database among its repositories.
_SYSTEM = "@System"


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock on packages; without ``repositories`` it holds for every repository and for installed packages."""

    text: str
    matches: Callable[[str], bool]
    operator: str = ""
    version: str = ""
    repositories: frozenset[str] = frozenset()

    def holds(self, name: str, evr: str) -> bool:
        """Return whether the lock names a version of a package."""
        return self.matches(name) and satisfies(evr, self.operator, self.version)


@dataclass(frozen=True, slots=True)
class Locks:
    """All locks of a system; ``warnings`` name the locks that are not understood."""

    entries: tuple[Lock, ...] = ()
    warnings: tuple[str, ...] = ()

    def on_installed(self, name: str, evr: str) -> str:
        """Return why an installed package stays as it is, ``""`` when nothing locks it."""
        return self.on_offer(_SYSTEM, name, evr)

    def on_offer(self, repository: str, name: str, evr: str) -> str:
        """Return why a version in a repository is not taken, ``""`` when nothing locks it."""
        for lock in self.entries:
            if (not lock.repositories or repository in lock.repositories) and lock.holds(name, evr):
                return f"{LOCKED}: {lock.text}"
        return ""


def read_locks(path: Path | None) -> Locks:
    """Read /etc/zypp/locks. Rule: zypper(8), "Package Locks Management"; locks(5)."""
    try:
        text = path.read_text(errors="replace") if path else ""
    except FileNotFoundError:
        return Locks()
    except OSError as exc:
        return Locks(warnings=(f"{path}: cannot be read: {exc.strerror or exc}; zypper itself respects its locks",))
    entries, warnings = [], []
    for record in _records(text):
        if record.get("type", ["package"]) != ["package"]:
            continue
        lock = _parse(record)
        if lock:
            entries.append(lock)
        else:
            words = ", ".join(f"{key}: {value}" for key, values in record.items() for value in values)
            warnings.append(f"{path}: a lock is not understood here ({words}); zypper itself respects it")
    return Locks(tuple(entries), tuple(warnings))


def _records(text: str) -> Iterable[dict[str, list[str]]]:
    record: dict[str, list[str]] = {}
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if colon:
            record.setdefault(key.strip().lower(), []).append(value.strip())
        elif not line.strip() and record:
            yield record
            record = {}


def _parse(record: dict[str, list[str]]) -> Lock | None:
    names = [*record.get("solvable_name", ()), *record.get("query_string", ())]
    matchers = [_name_matcher(name, record) for name in names]
    version = _VERSION.fullmatch(record.get("version", [""])[0])
    if not names or None in matchers or not _KNOWN.issuperset(record) or ("version" in record and not version):
        return None
    usable = [matcher for matcher in matchers if matcher]
    limit = f" {' '.join(filter(None, version.groups()))}" if version else ""
    return Lock(
        text=", ".join(names) + limit,
        matches=lambda name: any(matcher(name) for matcher in usable),
        operator=_OPERATORS[version.group(1) or "="] if version else "",
        version=version.group(2) if version else "",
        repositories=frozenset(record.get("repo", ())),
    )


def _name_matcher(pattern: str, record: dict[str, list[str]]) -> Callable[[str], bool] | None:
    """Return the comparison that a lock asks for; None for one that libzypp does not have."""
    kind = record.get("match_type", ["substring"])[0].lower()
    same_case = record.get("case_sensitive", ["off"])[0].lower() in ("on", "true", "1", "yes")
    expressions = {
        "exact": re.escape(pattern),
        "glob": fnmatch.translate(pattern),
        "substring": f".*{re.escape(pattern)}.*",
        "regex": f".*(?:{pattern}).*",
    }
    if kind not in expressions:
        return None
    try:
        compiled = re.compile(expressions[kind], 0 if same_case else re.IGNORECASE)
    except re.error:
        return None
    return lambda name: compiled.fullmatch(name) is not None
