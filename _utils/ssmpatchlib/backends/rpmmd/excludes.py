# SPDX-License-Identifier: Apache-2.0
"""The packages that the administrator keeps dnf from taking: excludes, includes and version locks."""

from __future__ import annotations

import configparser
import fnmatch
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...versions.rpm import satisfies
from ..rpm.installed import InstalledPackage
from .repofiles import DnfConfig, Repository

EXCLUDED = "excluded by the administrator (excludepkgs)"
NOT_INCLUDED = "excluded by the administrator (not in includepkgs)"
LOCKED = "locked by the administrator (versionlock)"

_LOCK_PLUGIN = "etc/dnf/plugins/versionlock.conf"
_LOCK_LIST = "etc/dnf/plugins/versionlock.list"
_LOCK_TOML = "etc/dnf/versionlock.toml"
_COMPARATORS = {"=": "EQ", "==": "EQ", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}

#: Returns why dnf must not take ``name``, ``arch``, ``evr`` from a repository, ``""`` when it may.
Blocker = Callable[[Repository, str, str, str], str]
#: Returns which of a list of patterns names ``name``, ``arch``, ``evr``, ``""`` for none.
Matcher = Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Locks:
    """Version locks.

    ``refuses`` returns the entry that keeps ``name``, ``arch``, ``evr`` out, ``holds`` the one that locks a name.
    """

    refuses: Callable[[str, str, str], str]
    holds: Callable[[str], str] = field(default=lambda name: "")
    warnings: tuple[str, ...] = ()


def make_blocker(config: DnfConfig, locks: Locks) -> Blocker | None:
    """Return a function that says why dnf must not take a package; None where it may take all.

    Rule: dnf.conf(5), ``excludepkgs``, ``includepkgs``, ``disable_excludes``. A repository's own lists hold for it
    alone; includes of the main section and of repositories add up.
    """
    if "all" in config.disabled_excludes:
        by_config: Blocker | None = None
    else:
        by_config = _config_blocker(config)
    if by_config is None and locks is NO_LOCKS:
        return None

    def blocked(repository: Repository, name: str, arch: str, evr: str) -> str:
        reason = by_config(repository, name, arch, evr) if by_config else ""
        return reason or _with_entry(LOCKED, locks.refuses(name, arch, evr))

    return blocked


def make_keeper(config: DnfConfig, locks: Locks) -> Callable[[InstalledPackage], str]:
    """Return a function that says why an installed package must not be replaced by one of another name."""
    off = config.disabled_excludes & {"all", "main"}
    excludes = compile_matcher(() if off else config.excludes)

    def keeps(package: InstalledPackage) -> str:
        entry = excludes(package.name, package.arch, package.evr) if excludes else ""
        return _with_entry(EXCLUDED, entry) or _with_entry(LOCKED, locks.holds(package.name))

    return keeps


def _with_entry(words: str, entry: str) -> str:
    """Return what an entry of the administrator's does, with the entry itself; ``""`` without one."""
    return f"{words}: {entry}" if entry else ""


def _config_blocker(config: DnfConfig) -> Blocker | None:
    main = "main" not in config.disabled_excludes
    excludes = compile_matcher(config.excludes if main else ())
    includes = compile_matcher(config.includes if main else ())
    by_repository = {
        repository.id: (compile_matcher(repository.excludes), compile_matcher(repository.includes))
        for repository in config.repositories
        if (repository.excludes or repository.includes) and repository.id not in config.disabled_excludes
    }
    if not excludes and not includes and not by_repository:
        return None

    def blocked(repository: Repository, name: str, arch: str, evr: str) -> str:
        own_excludes, own_includes = by_repository.get(repository.id, (None, None))
        entries = (matcher(name, arch, evr) for matcher in (excludes, own_excludes) if matcher)
        if entry := next(filter(None, entries), ""):
            return _with_entry(EXCLUDED, entry)
        if (includes or own_includes) and not any(
            matcher and matcher(name, arch, evr) for matcher in (includes, own_includes)
        ):
            return NOT_INCLUDED
        return ""

    return blocked


def compile_matcher(patterns: Sequence[str]) -> Matcher | None:
    """Return a matcher of dnf's package patterns: globs over every NEVRA form, with case; None without patterns."""
    if not patterns:
        return None
    exact = frozenset(pattern for pattern in patterns if not any(char in pattern for char in "*?["))
    globs = [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in patterns if pattern not in exact]

    def matches(name: str, arch: str, evr: str) -> str:
        forms = nevra_forms(name, arch, evr)
        if not exact.isdisjoint(forms):
            return next(form for form in forms if form in exact)
        return next((pattern for pattern, glob in globs if any(map(glob.match, forms))), "")

    return matches


def nevra_forms(name: str, arch: str, evr: str) -> tuple[str, ...]:
    """Return the ways dnf lets people write a package: ``name``, ``name.arch``, ``name-[epoch:]version[-release]…``."""
    epoch, _, version_release = evr.partition(":")
    version = version_release.rpartition("-")[0]
    return (
        name,
        f"{name}.{arch}",
        f"{name}-{version_release}.{arch}",
        f"{name}-{evr}.{arch}",
        f"{epoch}:{name}-{version_release}.{arch}",
        f"{name}-{version_release}",
        f"{name}-{evr}",
        f"{name}-{version}",
        f"{name}-{epoch}:{version}",
    )


NO_LOCKS = Locks(lambda name, arch, evr: "")


def read_locks(root: Path, *, generation: int) -> Locks:
    """Read the version locks of dnf 4's plugin or of dnf 5; the locks count even if the plugin is not installed."""
    path = root / (_LOCK_LIST if generation == 4 else _LOCK_TOML)
    if generation == 4:
        path = _plugin_list(root, path)
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return NO_LOCKS
    except OSError as exc:
        return Locks(NO_LOCKS.refuses, warnings=(f"version locks: {path} cannot be read: {exc.strerror or exc}",))
    return parse_list(text) if generation == 4 else _parse_toml(text, path)


def _plugin_list(root: Path, usual: Path) -> Path:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((root / _LOCK_PLUGIN).read_text(errors="replace"))
        if not parser.getboolean("main", "enabled", fallback=True):
            return root / "dev/null/disabled"
        named = parser.get("main", "locklist", fallback="")
    except (OSError, ValueError, configparser.Error):
        return usual
    return root / named.lstrip("/") if named else usual


def parse_list(text: str) -> Locks:
    """Read the list of dnf 4's plugin or yum's: a locked name may only have the listed versions; ``!`` excludes one."""
    entries = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    kept = [entry for entry in entries if not entry.startswith("!")]
    excluded = compile_matcher([entry[1:].strip() for entry in entries if entry.startswith("!")])
    if not entries:
        return NO_LOCKS
    names = [_name_pattern(entry) for entry in kept]
    locked = compile_matcher(names)

    def holds(name: str) -> str:
        named = locked(name, "", ":-") if locked else ""
        return ", ".join(entry for entry in kept if named and _name_pattern(entry) == named)

    allowed = compile_matcher(kept)

    def refuses(name: str, arch: str, evr: str) -> str:
        entry = excluded(name, arch, evr) if excluded else ""
        if entry:
            return f"!{entry}"
        return "" if allowed and allowed(name, arch, evr) else holds(name)

    return Locks(refuses, holds)


def _name_pattern(entry: str) -> str:
    """Return the name in a lock entry, which is all of an entry that is no NEVRA."""
    match = re.fullmatch(r"(?:\d+:)?(.+?)-(?:(?:\d+|\*):)?[^-:]+-[^-]+", entry)
    return match.group(1) if match else entry


def _parse_toml(text: str, path: Path) -> Locks:
    """Read dnf 5's file: alternatives by name (or glob), each a list of conditions that must all hold."""
    try:
        tomllib = importlib.import_module("tomllib")
    except ImportError:
        return Locks(
            NO_LOCKS.refuses,
            warnings=(f"version locks: {path} needs Python 3.11 to be read; dnf itself respects them",),
        )
    try:
        locked = [(str(package["name"]), _conditions(package)) for package in tomllib.loads(text).get("packages", [])]
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        return Locks(NO_LOCKS.refuses, warnings=(f"version locks: {path} is not understood: {exc}",))
    if not locked:
        return NO_LOCKS

    def holds(name: str) -> str:
        return ", ".join(dict.fromkeys(pattern for pattern, _ in locked if fnmatch.fnmatchcase(name, pattern)))

    def refuses(name: str, arch: str, evr: str) -> str:
        alternatives = [conditions for pattern, conditions in locked if fnmatch.fnmatchcase(name, pattern)]
        allowed = any(
            all(_holds(key, operator, value, arch, evr) for key, operator, value in conditions)
            for conditions in alternatives
        )
        return "" if allowed else holds(name)

    return Locks(refuses, holds)


def _conditions(package: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = package.get("conditions", [])
    return [(str(c["key"]), str(c.get("comparator", "=")), str(c["value"])) for c in found]


def _holds(key: str, operator: str, value: str, arch: str, evr: str) -> bool:
    epoch, _, version_release = evr.partition(":")
    if key == "arch":
        return (arch == value) is (operator != "!=")
    if key == "epoch":
        have, wanted = epoch, value
    elif key == "version":
        have, wanted = f"0:{version_release.rpartition('-')[0]}", f"0:{value}"
    elif key == "release":
        have, wanted = f"0:{version_release.rpartition('-')[2]}", f"0:{value}"
    else:
        have, wanted = evr, value
    if any(char in value for char in "*?["):
        found = any(fnmatch.fnmatchcase(form, value) for form in (have, have.partition(":")[2]))
        return found is (operator != "!=")
    if operator == "!=":
        return not satisfies(have, "EQ", wanted)
    return satisfies(have, _COMPARATORS.get(operator, "EQ"), wanted)
