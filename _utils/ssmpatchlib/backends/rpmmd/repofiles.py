# SPDX-License-Identifier: Apache-2.0
"""Reads dnf's configuration as dnf does: main options, variables and enabled repositories."""

from __future__ import annotations

import configparser
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ...model import UnreadSource
from ...names import one_line
from .. import Context

MAIN_CONFIG = "etc/dnf/dnf.conf"
#: dnf 5 reads the first before the main file, the others after all repositories; in both /etc comes last.
_DROP_INS = ("usr/share/dnf5/libdnf.conf.d", "etc/dnf/libdnf5.conf.d")
_OVERRIDES = ("usr/share/dnf5/repos.override.d", "etc/dnf/repos.override.d")
_REPOSITORY_DIRECTORIES = {
    4: ("/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d"),
    5: ("/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d"),
}
_VARIABLE_DIRECTORIES = {
    4: ("/etc/yum/vars", "/etc/dnf/vars"),
    5: ("/usr/share/dnf5/vars.d", "/etc/dnf/vars"),
}
#: Options whose values from several files dnf 5 adds up.
_LISTS = frozenset({"excludepkgs", "exclude", "includepkgs"})
_CACHES = {4: "/var/cache/dnf", 5: "/var/cache/libdnf5"}

_BASE_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "i486": "i386", "i586": "i386", "i686": "i386"}
_BOOLEANS = {**dict.fromkeys(("1", "yes", "true", "on"), True), **dict.fromkeys(("0", "no", "false", "off"), False)}
_BYTE_ORDER_MARK = "\ufeff"
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^{}]*))?\})")
_HASH_BYTES = 8
#: The ids that dnf and yum accept; they are also names of files.
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Repository:
    """An enabled repository: the options that decide which of its packages count, and where its metadata are.

    A smaller ``priority`` wins. ``cache`` is the directory with ``repodata/repomd.xml``. ``keys`` are the places of its
    signing keys; with ``checks_packages`` its packages must be signed with one of them.
    """

    id: str
    name: str
    priority: int
    cost: int
    excludes: tuple[str, ...]
    includes: tuple[str, ...]
    hotfixes: bool
    cache: Path
    keys: tuple[str, ...] = ()
    checks_packages: bool = False


@dataclass(frozen=True, slots=True)
class DnfConfig:
    """The part of dnf's configuration for one root that the engine needs.

    ``excludes`` and ``includes`` are the main section's. ``disabled_excludes`` are the repositories whose lists
    ``disable_excludes`` turns off; ``main`` stands for the main section and ``all`` for all lists. ``own_sections`` are
    repositories in the main configuration itself. ``unread`` are files that dnf itself skips.
    """

    repositories: tuple[Repository, ...]
    cache: Path
    main: Mapping[str, str]
    variables: Mapping[str, str]
    excludes: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    disabled_excludes: frozenset[str] = frozenset()
    own_sections: tuple[str, ...] = ()
    repository_directories: tuple[Path, ...] = ()
    variable_directories: tuple[Path, ...] = ()
    unread: tuple[UnreadSource, ...] = ()


@dataclass(slots=True)
class _Files:
    """Configuration files while they are read."""

    adds_up: bool = False
    sections: dict[str, dict[str, str]] = field(default_factory=dict)
    unread: list[UnreadSource] = field(default_factory=list)

    def read(self, path: Path) -> None:
        """Add the sections of a file."""
        parser = configparser.RawConfigParser(
            strict=False, delimiters=("=",), comment_prefixes=("#", ";"), default_section="", interpolation=None
        )
        parser.optionxform = str.strip  # type: ignore[method-assign, assignment]
        try:
            text = path.read_text(encoding="utf-8", errors="replace").removeprefix(_BYTE_ORDER_MARK)
            parser.read_string(text, str(path))
        except OSError as exc:
            self.unread.append(UnreadSource(str(path), f"cannot be read: {exc.strerror or exc}"))
            return
        except configparser.Error as exc:
            words = " ".join(str(exc).split())
            self.unread.append(UnreadSource(str(path), f"dnf skips this file: {words}"))
        for section in parser.sections():
            self.add(section, {key: _unquoted(value) for key, value in parser.items(section)})

    def add(self, section: str, options: Mapping[str, str]) -> None:
        """Add options to a section; later values win, except for lists that add up."""
        known = self.sections.setdefault(section, {})
        for key, value in options.items():
            more = self.adds_up and key in _LISTS and value.strip()
            known[key] = f"{known.get(key, '')} {value}" if more else value


def read_config(
    root: Path, *, generation: int, machine: str, sources: Path | None = None, releasever: str = ""
) -> DnfConfig:
    """Read the configuration of dnf ``generation`` (4 or 5) below ``root``.

    Args:
        machine: the kernel's word for the architecture.
        sources: a directory of repository files that replaces the system's.
        releasever: the release in the locations of repositories, in place of the system's.
    """
    files = _Files(adds_up=generation == 5)
    main_file = root / MAIN_CONFIG
    for path in _merged(root, _DROP_INS, ".conf") if generation == 5 else ():
        files.read(path)
    files.sections = {"main": files.sections.get("main", {})}
    if main_file.exists():
        files.read(main_file)
    own = tuple(name for name in files.sections if name != "main")
    main = dict(files.sections.get("main", {}))
    if sources is not None:
        files.sections = {"main": main}
    directories = _directories(root, main, "reposdir", _REPOSITORY_DIRECTORIES[generation])
    for directory in [sources] if sources is not None else directories:
        for path in _listed(directory, ".repo"):
            files.read(path)
    if generation == 5 and sources is None:
        _override(files, root)
    variable_directories = _directories(root, main, "varsdir", _VARIABLE_DIRECTORIES[generation])
    variables = read_variables(variable_directories, machine=machine, releasever=releasever)
    cache = _cache_directory(root, main, generation)
    repositories = tuple(_repositories(files, main, variables, cache))
    return DnfConfig(
        repositories=repositories,
        cache=cache,
        main=main,
        variables=variables,
        excludes=_words(main.get("excludepkgs", ""), main.get("exclude", "")),
        includes=_words(main.get("includepkgs", "")),
        disabled_excludes=_disabled_excludes(main.get("disable_excludes", ""), generation, repositories),
        own_sections=own,
        repository_directories=tuple(directories),
        variable_directories=tuple(variable_directories),
        unread=tuple(files.unread),
    )


def _repositories(
    files: _Files, main: Mapping[str, str], variables: Mapping[str, str], cache: Path
) -> Iterable[Repository]:
    for section, written in files.sections.items():
        if section == "main" or not _is_true(written.get("enabled", ""), default=True):
            continue
        options = {key: substitute(value, variables) for key, value in written.items()}
        id_ = substitute(section, variables)
        if not _ID.fullmatch(id_):
            files.unread.append(UnreadSource(one_line(id_, 60), "dnf knows no repository of such an id and skips it"))
            continue
        urls = [options.get("metalink", ""), options.get("mirrorlist", ""), *_words(options.get("baseurl", ""))]
        yield Repository(
            id=id_,
            name=options.get("name") or id_,
            priority=_integer(options.get("priority"), 99),
            cost=_integer(options.get("cost"), 1000),
            excludes=_words(options.get("excludepkgs", ""), options.get("exclude", "")),
            includes=_words(options.get("includepkgs", "")),
            hotfixes=_is_true(options.get("module_hotfixes", ""), default=False),
            cache=_repository_cache(cache, id_, next((url for url in urls if url), "")),
            keys=_words(options.get("gpgkey", "")),
            checks_packages=_is_true(_first(options, main, "gpgcheck", "pkg_gpgcheck"), default=False),
        )


def _first(options: Mapping[str, str], main: Mapping[str, str], *names: str) -> str:
    """Return an option's value by one of its names, the repository's before the main section's; ``""`` without one."""
    return next((section[name] for section in (options, main) for name in names if name in section), "")


def _disabled_excludes(text: str, generation: int, repositories: Sequence[Repository]) -> frozenset[str]:
    """Return the sections that ``disable_excludes`` names; dnf 5 takes globs, and ``*`` where dnf 4 has ``all``."""
    words = _words(text)
    if generation == 4:
        return frozenset(words)
    if "*" in words:
        return frozenset({"all"})
    named = {repository.id for repository in repositories if any(fnmatchcase(repository.id, word) for word in words)}
    return frozenset({*named, *({"main"} & set(words))})


def _repository_cache(cache: Path, id_: str, url: str) -> Path:
    """Return the directory where dnf keeps a repository, named by id and the first bytes of its location's digest.

    Where the location has variables that only dnf knows, the digest differs, and the newest directory of the id counts.
    """
    digest = hashlib.sha256((url or id_).encode()).hexdigest()[: 2 * _HASH_BYTES]
    exact = cache / f"{id_}-{digest}"
    if exact.is_dir() or not url.count("$"):
        return exact
    pattern = re.compile(re.escape(id_) + r"-[0-9a-f]{16}")
    try:
        others = [path for path in cache.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return exact
    return max(others, key=lambda path: _changed(path / "repodata"), default=exact)


def _changed(repodata: Path) -> float:
    """Return when dnf last wrote or touched a repository's metadata."""
    try:
        return max((path.stat().st_mtime for path in repodata.iterdir()), default=0.0)
    except OSError:
        return 0.0


def _override(files: _Files, root: Path) -> None:
    """Apply dnf 5's override files, whose section names are globs; they change repositories and add none."""
    for path in _merged(root, _OVERRIDES, ".repo"):
        changes = _Files()
        changes.read(path)
        files.unread.extend(changes.unread)
        for pattern, options in changes.sections.items():
            for name in files.sections:
                if name != "main" and fnmatchcase(name, pattern):
                    files.add(name, options)


def read_variables(directories: Iterable[Path], *, machine: str, releasever: str = "") -> dict[str, str]:
    """Return dnf's variables: the architecture's, those of the variable directories, a ``releasever`` that is given."""
    variables = {"arch": machine, "basearch": _BASE_ARCHITECTURES.get(machine, machine)}
    for directory in directories:
        for path in _listed(directory, ""):
            try:
                variables[path.name] = path.read_text(errors="replace").partition("\n")[0].strip()
            except OSError:
                continue
    if releasever:
        variables["releasever"] = releasever
    if release := variables.get("releasever"):
        major, _, minor = release.partition(".")
        variables.setdefault("releasever_major", major)
        variables.setdefault("releasever_minor", minor)
    return variables


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$name``, ``${name}``, ``${name:-default}`` and ``${name:+instead}``; unknown names stay."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        known = variables.get(name)
        if match.group(3) == "-":
            return known or substitute(match.group(4), variables)
        if match.group(3) == "+":
            return substitute(match.group(4), variables) if known else ""
        return match.group(0) if known is None else known

    return _VARIABLE.sub(value, text) if "$" in text else text


def _directories(root: Path, main: Mapping[str, str], option: str, usual: Sequence[str]) -> list[Path]:
    return [root / path.lstrip("/") for path in _words(main.get(option, "")) or usual]


def plugin_directories(root: Path, main: Mapping[str, str]) -> list[Path]:
    """Return the directories of the configuration of dnf's plugins."""
    return _directories(root, main, "pluginconfpath", ("/etc/dnf/plugins",))


def _cache_directory(root: Path, main: Mapping[str, str], generation: int) -> Path:
    option = main.get("system_cachedir") or (main.get("cachedir") if generation == 4 else None)
    return root / (option or _CACHES[generation]).lstrip("/")


def _merged(root: Path, directories: Sequence[str], suffix: str) -> list[Path]:
    """Return the files of some directories in the order of their names; of one name the last directory's counts."""
    files = {path.name: path for directory in directories for path in _listed(root / directory, suffix)}
    return [files[name] for name in sorted(files)]


def _listed(directory: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(suffix) and path.is_file())
    except OSError:
        return []


def _words(*texts: str) -> tuple[str, ...]:
    return tuple(word for text in texts for word in re.split(r"[ ,\n]+", text) if word)


def keep_obsolete(context: Context, main: Mapping[str, str]) -> str:
    """Return why no package of another name takes an obsolete one's place, ``""`` where it does.

    Rule: docs/rules.md, Baselines: obsolete packages; dnf.conf(5) and yum.conf(5), ``obsoletes``.
    """
    if context.keep_obsolete:
        return "kept out by the setting obsoletes: keep"
    taken = _is_true(main.get("obsoletes", ""), default=True)
    return "" if taken else "kept out by the package manager's configuration (obsoletes)"


def _is_true(text: str, *, default: bool) -> bool:
    """Return a boolean option's value; dnf warns of another word than its own and keeps the default."""
    return _BOOLEANS.get(text.strip().lower(), default)


def _unquoted(value: str) -> str:
    """Return a value without the quotes around all of it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _integer(text: str | None, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError:
        return default
