# SPDX-License-Identifier: Apache-2.0
"""The package indexes that apt uses or should have, as apt itself names them, and what their Release files say."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import SsmpatchError
from ...files import Unwritable, recall, write_json
from ...masking import masked
from .config import AptCommand, AptPaths, read_architectures
from .paragraphs import reader
from .release_file import COMPRESSED, is_empty, lists, plain, read_release, read_supported, release_priority, size_of

_FORMAT_VERSION = 8
_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+)")
_read_limits = reader("Include", "Exclude")
_INDEX_URI = re.compile(r"(?:^|/)Packages(?:\.[a-z0-9]+)?$")
_NO_METHOD = re.compile(r"^E: (The method (?:driver \S*/|')([a-z0-9.+-]+)\b.*?)\.?$", re.M)
_SOURCES_URI = re.compile(r"/Sources(?:\.[a-z0-9]+)?$")


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """One Packages index of one repository, component and architecture.

    ``priority`` is apt's: by the Release file 500, 100 (NotAutomatic and ButAutomaticUpgrades) or 1, or by archive-wide
    pins or a default release when it is ``pinned``. ``size`` is the Release file's for an index that apt keeps
    uncompressed, else None. ``prefix`` begins the names of the repository's files on this host. ``problem`` says why
    apt cannot use the index. An ``empty`` one has no packages by its Release file, and apt keeps no copy of it. Of the
    packages apt takes those that the sources ``include``, or all but those that they ``exclude``.
    """

    path: str
    description: str
    repository: str
    suite: str
    codename: str
    label: str
    trusted: bool
    security: bool
    priority: int
    size: int | None = None
    prefix: str = ""
    problem: str = ""
    empty: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    pinned: bool = False

    def takes(self, name: str) -> bool:
        """Return whether the sources let apt take a package from the index; patterns have no meaning to apt here."""
        return name in self.include if self.include else name not in self.exclude

    @property
    def present(self) -> bool:
        """Whether a copy of the index is on this host."""
        return os.path.exists(self.path)

    @property
    def usable(self) -> bool:
        """Whether packages from the index may be installed."""
        return self.trusted and self.present and not self.problem

    @property
    def defect(self) -> str:
        """Why the index cannot be trusted, ``""`` when it can."""
        if self.problem:
            return self.problem
        try:
            size = Path(self.path).stat().st_size
        except OSError:
            return "" if self.empty else f"no index on this host ({self.path} is not there)"
        if self.size not in (None, size):
            return f"index {self.path} is damaged: it has {size} bytes, its Release file says {self.size}"
        return ""


Targets = tuple[IndexTarget, ...]

#: The priority of a version that only dpkg knows, without pins.
STATUS_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes in the order of the sources, and the priority of dpkg's status file, which is one for apt too."""

    targets: Targets
    status_priority: int = STATUS_PRIORITY


def is_security(*, trusted: bool, suite: str, site: str, label: str) -> bool:
    """Return whether an archive publishes security updates. Rule: docs/rules.md, Baselines."""
    archive = suite == "security" or suite.endswith("-security")
    return trusted and (archive or site == "security.debian.org" or label == "Debian-Security")


def read_targets(
    command: AptCommand, paths: AptPaths, *, cache: Path, prioritise: Callable[[Sequence[IndexTarget]], Indexes]
) -> Indexes:
    """Return the Packages indexes of all enabled repositories, in the order of the sources, with their priorities.

    Where apt keeps no package cache on disk it builds the whole cache to answer. So the answer is kept in ``cache`` as
    long as sources, configuration, preferences, Release files and indexes are the same.

    Raises:
        SsmpatchError: apt cannot read its sources; the message has apt's words.
    """
    key = _fingerprint(paths, command)
    cached = _load(cache, key)
    if cached is not None:
        return cached
    wanted = _read_wanted(command, paths)
    result = command.run("apt-get", "indextargets", "Created-By: Packages")
    if result.code:
        return Indexes(tuple(replace(target, problem=result.words) for target in wanted))
    found = tuple(_parse(result.stdout))
    have = {plain(target.path) for target in found}
    targets = (*found, *(target for target in wanted if target.path not in have))
    try:
        indexes = prioritise(targets)
    except SsmpatchError as exc:
        return Indexes(tuple(replace(target, problem=str(exc)) for target in targets))
    _save(cache, key, indexes)
    return indexes


def _read_wanted(command: AptCommand, paths: AptPaths) -> Targets:
    """Return the indexes that apt would download, present or not; apt names them without its package cache.

    Those for ``Architecture: all`` are left out, since repositories need not have them, and those of the host's
    architectures that a repository does not have. What the sources ask for in vain is a problem.

    Raises:
        SsmpatchError: apt cannot read its sources; the message has apt's words.
    """
    result = command.run("apt-get", "update", "--print-uris")
    methods = dict(_NO_METHOD.findall(result.words)) if result.code else {}
    if result.code and not methods:
        raise SsmpatchError(f"apt-get update --print-uris: {result.words}")
    lines = [(m["uri"], m["file"]) for m in map(_URI_LINE.match, result.stdout.splitlines()) if m]
    releases = {uri.removesuffix("InRelease"): name for uri, name in lines if uri.endswith("/InRelease")}
    indexes = {plain(uri): name for uri, name in lines if _INDEX_URI.search(uri)}
    asked = _Asked(command, paths, releases, indexes)
    found = [_absent(asked, uri) for uri in indexes if "/binary-all/" not in uri]
    sources = [uri for uri, _name in lines if _SOURCES_URI.search(uri)]
    found += [_unasked(asked, base) for base in releases if not _is_asked_for(asked, base, sources)]
    found += [_unreachable(paths, method, words) for words, method in methods.items()]
    return tuple(target for target in found if target)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the sources ask for: the addresses of repositories and of indexes, with the names of files on this host."""

    command: AptCommand
    paths: AptPaths
    releases: Mapping[str, str]
    indexes: Mapping[str, str]

    def base(self, uri: str) -> str:
        """Return the address of the repository that an index is in, ``""`` where it has no Release file."""
        return max((each for each in self.releases if uri.startswith(each)), key=len, default="")

    def prefix(self, base: str) -> str:
        """Return the beginning of the names of a repository's files."""
        return str(self.paths.lists / self.releases[base].removesuffix("InRelease")) if base else ""


def _is_asked_for(asked: _Asked, base: str, sources: Sequence[str]) -> bool:
    """Return whether the sources ask for an index of a repository; one for ``Architecture: all`` has to be there."""
    release = read_release(asked.prefix(base))
    return any(
        asked.base(uri) == base and ("/binary-all/" not in uri or lists(release, uri.removeprefix(base)))
        for uri in (*asked.indexes, *sources)
    )


def _unasked(asked: _Asked, base: str) -> IndexTarget:
    prefix = asked.prefix(base)
    problem = "the sources ask for no packages of it: are its Architectures and Targets misspelt there?"
    return _without_copy(f"{prefix}Packages", base, prefix=prefix, problem=problem)


def _unreachable(paths: AptPaths, method: str, words: str) -> IndexTarget:
    """Return the sources whose addresses begin with a method that apt does not have or use; it names none of them."""
    problem = f"{words}: install it or allow its use, or take these sources out"
    return _without_copy(str(paths.lists / method), f"{method}://", prefix="", problem=problem)


def _absent(asked: _Asked, uri: str) -> IndexTarget | None:
    name, base = asked.indexes[uri], asked.base(uri)
    prefix = asked.prefix(base)
    index = name.removeprefix(Path(prefix).name) if prefix else ""
    release = read_release(prefix)
    listed = not release or lists(release, index)
    problem = "" if listed else _why_not_listed(release, base, uri.removeprefix(base), asked)
    if not listed and not problem:
        return None
    path = str(asked.paths.lists / name)
    return _without_copy(path, base or uri, prefix=prefix, problem=problem, empty=is_empty(release, index))


def _without_copy(path: str, base: str, *, prefix: str, problem: str, empty: bool = False) -> IndexTarget:
    """Return an index of which nothing but its place is known."""
    location, _, suite = base.rstrip("/").rpartition("/dists/")
    repository = f"{location} {suite}" if location else base
    return IndexTarget(
        path=path,
        description=repository,
        repository=repository,
        suite="",
        codename="",
        label="",
        trusted=True,
        security=False,
        priority=0,
        prefix=prefix,
        problem=problem,
        empty=empty,
    )


def _why_not_listed(release: str, base: str, index: str, asked: _Asked) -> str:
    """Return what is wrong with an index that a Release file does not list; ``""`` if nothing is.

    Args:
        index: ``COMPONENT/binary-ARCHITECTURE/Packages``, or ``Packages`` of a flat repository.
    """
    component, _, rest = index.rpartition("/binary-")
    arch, native = rest.partition("/")[0], asked.paths.architecture
    fields = read_supported(release)
    components = {name.rpartition("/")[2] for name in fields.get("Components", "").split()}
    if component and components and component.rpartition("/")[2] not in components:
        return f"the repository has no component {component!r}: misspelt in the sources?"
    if not component or not fields.get("Architectures") and arch == native:
        return f"the repository has no index {index}: misspelt in the sources?"
    return "" if arch == native else _why_no_architecture(release, f"{base}{component}/binary-", len(base), asked)


def _why_no_architecture(release: str, start: str, base: int, asked: _Asked) -> str:
    """Return which architectures the sources ask for in vain, where they do not ask for others of this host.

    Args:
        start: what the addresses of the indexes of one component begin with; those of ``base`` characters are the
            repository's.
    """
    of_host = read_architectures(asked.command)
    indexes = {uri[len(start) :].partition("/")[0]: uri[base:] for uri in asked.indexes if uri.startswith(start)}
    vain = [each for each, index in indexes.items() if each not in (*of_host, "all") and not lists(release, index)]
    there = [each for each in of_host if each not in indexes and lists(release, f"{start[base:]}{each}/Packages")]
    if not vain or not there:
        return ""
    return (
        f"the repository has no architecture {', '.join(map(repr, vain))}, and its packages for {', '.join(there)} "
        "are not read: misspelt in the sources?"
    )


def _parse(text: str) -> Iterator[IndexTarget]:
    for paragraph in text.replace("\0", "").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if "Filename" not in fields or fields.get("Optional") == "yes" and not os.path.exists(fields["Filename"]):
            continue
        trusted = fields.get("Trusted") == "yes"
        suite = fields.get("Suite", "") or fields.get("Codename", "")
        site = _host_of(fields.get("Site", ""))
        prefix = _prefix(fields)
        release = read_release(prefix)
        limits = _read_limits(f"\n{paragraph}\n")
        yield IndexTarget(
            path=fields["Filename"],
            description=fields.get("Description", ""),
            repository=f"{fields.get('Repo-URI', '').rstrip('/')} {fields.get('Release', '').rstrip('/')}".strip(),
            suite=suite,
            codename=fields.get("Codename", ""),
            label=fields.get("Label", ""),
            trusted=trusted,
            security=is_security(trusted=trusted, suite=suite, site=site, label=fields.get("Label", "")),
            priority=release_priority(release),
            size=None if fields["Filename"].endswith(COMPRESSED) else size_of(release, fields.get("MetaKey", "")),
            prefix=prefix,
            empty=is_empty(release, fields.get("MetaKey", "")),
            # In a folded list apt has newlines in all names but the last, so that they name nothing.
            include=[name for name in limits.get("Include", "").split(" ") if name],
            exclude=[name for name in limits.get("Exclude", "").split(" ") if name],
        )


def _host_of(site: str) -> str:
    try:
        return urlsplit(site).hostname or ""
    except ValueError:
        return ""


def _prefix(fields: Mapping[str, str]) -> str:
    """Return the beginning of the names of a repository's files on this host."""
    name, escaped = fields["Filename"], fields.get("MetaKey", "").replace("/", "_")
    return name[: name.rfind(escaped)] if escaped and escaped in name else ""


def _fingerprint(paths: AptPaths, command: AptCommand) -> str:
    files: Iterable[Path] = (*paths.source_files, *paths.configuration_files, *paths.preference_files)
    releases = sorted(paths.lists.glob("*Release")) if paths.lists.is_dir() else []
    indexes = sorted(paths.lists.glob("*Packages*")) if paths.lists.is_dir() else []
    rows = [_FORMAT_VERSION, str(paths.lists), command.options, *map(identity, (*files, *releases, *indexes))]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def identity(path: Path) -> tuple[str, ...] | tuple[str, int, int, int]:
    """Return values that change when a file does; the file may be a broken link into a local repository."""
    try:
        stat = path.stat()
    except OSError:
        return (str(path),)
    return str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load(cache: Path, key: str) -> Indexes | None:
    """Return the kept answer; None when there is none or its file is damaged."""

    def indexes(data: Any) -> Indexes | None:
        targets = tuple(IndexTarget(**row) for row in data["targets"] if _is_target(row))
        whole = data["key"] == key and len(targets) == len(data["targets"])
        return Indexes(targets, int(data["status_priority"])) if whole else None

    return recall(cache, indexes)


def _is_target(row: Mapping[str, Any]) -> bool:
    """Return whether each field is there and of its type, and each text may be a part of a path."""
    kinds: Mapping[str, Any] = {
        "str": str,
        "bool": bool,
        "int": int,
        "int | None": (int, type(None)),
        "Sequence[str]": list,
    }
    names = [name for each in row.values() if isinstance(each, list) for name in each]
    texts = [*names, *(each for each in row.values() if isinstance(each, str))]
    typed = all(isinstance(row[name], kinds[kind]) for name, kind in IndexTarget.__annotations__.items())
    return typed and all(isinstance(text, str) and 0 not in os.fsencode(text) for text in texts)


def _save(cache: Path, key: str, indexes: Indexes) -> None:
    """Keep the answer, unless there are secrets in it; where that fails (read-only) apt is asked again next time."""
    texts = (text for t in indexes.targets for text in (t.repository, t.description, t.path))
    if any(masked(text) != text for text in texts):
        return
    rows = [asdict(target) for target in indexes.targets]
    with contextlib.suppress(Unwritable):
        write_json(cache, {"key": key, "status_priority": indexes.status_priority, "targets": rows})
