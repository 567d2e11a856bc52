# SPDX-License-Identifier: Apache-2.0
"""Reads yum 3's configuration, in the same form as dnf's: main options, repositories, cache, version locks."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...model import UnreadSource
from ..rpmmd.excludes import LOCKED, NO_LOCKS, Locks, with_entry
from ..rpmmd.repofiles import DnfConfig, Repository, read_variables, substitute

MAIN_CONFIG = "etc/yum.conf"
_REPOSITORY_DIRECTORIES = ("/etc/yum/repos.d", "/etc/yum.repos.d")
_VARIABLE_DIRECTORY = "etc/yum/vars"
_CACHE = "/var/cache/yum/$basearch/$releasever"
_PLUGINS = "etc/yum/pluginconf.d"
_TRUE = frozenset({"1", "yes", "true", "on"})

_Sections = dict[str, dict[str, str]]


def read_config(
    root: Path, *, machine: str, sources: Path | None = None, sources_cache: Path | None = None
) -> DnfConfig:
    """Read the configuration of yum below ``root``.

    Args:
        machine: the kernel's word for the architecture.
        sources: a directory of repository files that replaces the system's.
        sources_cache: the directory of their metadata.
    """
    unread: list[UnreadSource] = []
    sections: _Sections = {}
    main_file = root / MAIN_CONFIG
    if main_file.exists():
        _read(main_file, sections, unread)
    main = sections.pop("main", {})
    own = tuple(sections)
    if sources is not None:
        sections = {}
    directories = [sources] if sources is not None else _directories(root, main)
    for directory in directories:
        for path in sorted(directory.glob("*.repo")) if directory.is_dir() else ():
            _read(path, sections, unread)
    variables = read_variables([root / _VARIABLE_DIRECTORY], machine=machine)
    cache = sources_cache or _cache(root, main.get("cachedir", _CACHE), variables)
    return DnfConfig(
        repositories=tuple(
            _repositories(sections, main, variables, cache, priorities=_has_plugin(root, main, "priorities"))
        ),
        cache=cache,
        main=main,
        variables=variables,
        excludes=_words(main.get("exclude", "")),
        disabled_excludes=frozenset(_words(main.get("disable_excludes", ""))),
        own_sections=own,
        repository_directories=tuple(directories),
        unread=tuple(unread),
    )


def read_locks(root: Path, config: DnfConfig) -> Locks:
    """Read the list of yum's versionlock plugin, where the plugin is switched on. Rule: yum-versionlock(1)."""
    if not _has_plugin(root, config.main, "versionlock"):
        return NO_LOCKS
    sections: _Sections = {}
    _read(root / _PLUGINS / "versionlock.conf", sections, [])
    named = sections.get("main", {}).get("locklist", f"/{_PLUGINS}/versionlock.list")
    try:
        return _parse_list((root / named.lstrip("/")).read_text(errors="replace"))
    except FileNotFoundError:
        return NO_LOCKS
    except OSError as exc:
        return Locks(NO_LOCKS.refuses, warnings=(f"version locks: {named} cannot be read: {exc.strerror or exc}",))


def _parse_list(text: str) -> Locks:
    """Read the plugin's list: a locked name may only have the listed versions, and ``!`` excludes one."""
    entries = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    excluded = {_split_entry(entry[1:]): entry for entry in entries if entry.startswith("!")}
    allowed = {_split_entry(entry): entry for entry in entries if not entry.startswith("!")}
    names: dict[str, list[str]] = {}
    for (name, _evr), entry in allowed.items():
        names.setdefault(name, []).append(entry)

    def holds(name: str) -> str:
        return with_entry(LOCKED, ", ".join(names.get(name.lower(), ())))

    def refuses(name: str, arch: str, evr: str) -> str:
        version = (name.lower(), evr.lower())
        return with_entry(LOCKED, excluded.get(version, "")) or ("" if version in allowed else holds(name))

    return Locks(refuses, holds) if entries else NO_LOCKS


def _split_entry(entry: str) -> tuple[str, str]:
    """Return the name and the ``epoch:version-release`` of an entry, ``[epoch:]name-version-release.arch``."""
    epoch, colon, rest = entry.lower().partition(":")
    name, _, version = (rest if colon else entry.lower()).rpartition(".")[0].rpartition("-")[0].rpartition("-")
    release = entry.lower().rpartition(".")[0].rpartition("-")[2]
    return name, f"{epoch if colon else '0'}:{version}-{release}"


def _read(path: Path, sections: _Sections, unread: list[UnreadSource]) -> None:
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#", ";"), default_section="", interpolation=None
    )
    try:
        parser.read_string(path.read_text(errors="replace"), str(path))
    except OSError as exc:
        unread.append(UnreadSource(str(path), f"cannot be read: {exc.strerror or exc}"))
    except configparser.Error as exc:
        unread.append(UnreadSource(str(path), f"yum does not understand this file: {' '.join(str(exc).split())}"))
    for section in parser.sections():
        sections.setdefault(section, {}).update(parser.items(section))


def _directories(root: Path, main: Mapping[str, str]) -> list[Path]:
    return [root / path.lstrip("/") for path in _words(main.get("reposdir", "")) or _REPOSITORY_DIRECTORIES]


def _cache(root: Path, template: str, variables: Mapping[str, str]) -> Path:
    """Return the cache directory; where its path has the release, the directory written last is taken.

    yum takes the release from a package, which is not asked here.
    """
    known = substitute(template, variables).lstrip("/")
    if "$" not in known:
        return root / known
    parts = [part if "$" not in part else "*" for part in Path(known).parts]
    found = [path for path in root.glob(str(Path(*parts))) if path.is_dir()]
    return max(found, key=_written, default=root / Path(*(part for part in parts if part != "*")))


def _written(cache: Path) -> float:
    return max((path.stat().st_mtime for path in cache.glob("*/repomd.xml")), default=0.0)


def _repositories(
    sections: _Sections, main: Mapping[str, str], variables: Mapping[str, str], cache: Path, *, priorities: bool
) -> Iterable[Repository]:
    for section, written in sections.items():
        if not _is_true(written.get("enabled", "1")):
            continue
        id_ = substitute(section, variables)
        yield Repository(
            id=id_,
            name=substitute(written.get("name", id_), variables),
            priority=_integer(written.get("priority"), 99) if priorities else 99,
            cost=_integer(written.get("cost"), 1000),
            excludes=_words(written.get("exclude", "")),
            includes=_words(written.get("includepkgs", "")),
            hotfixes=False,
            cache=cache / id_,
            keys=_words(substitute(written.get("gpgkey", ""), variables)),
            checks_packages=_is_true(written.get("gpgcheck", main.get("gpgcheck", "0"))),
        )


def _has_plugin(root: Path, main: Mapping[str, str], name: str) -> bool:
    """Return whether a plugin is switched on, both in yum's main options and in its own file."""
    path = root / _PLUGINS / f"{name}.conf"
    if not _is_true(main.get("plugins", "0")) or not path.exists():
        return False
    sections: _Sections = {}
    _read(path, sections, [])
    return _is_true(sections.get("main", {}).get("enabled", "0"))


def _is_true(text: str) -> bool:
    return text.strip().lower() in _TRUE


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _integer(text: str | None, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError:
        return default
