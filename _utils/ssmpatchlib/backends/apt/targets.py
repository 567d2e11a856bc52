# SPDX-License-Identifier: Apache-2.0
"""The package indexes that apt uses, as ``apt-get indextargets`` names them, and what they say of themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import SsmpatchError
from .config import AptCommand, AptPaths

_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """One Packages index of one repository, component and architecture.

    ``priority`` is apt's: by the Release file 500, 100 (NotAutomatic and ButAutomaticUpgrades) or 1, or by archive-wide
    pins.
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
    optional: bool = False

    @property
    def present(self) -> bool:
        """Whether a copy of the index is on this host."""
        return Path(self.path).exists()


Targets = tuple[IndexTarget, ...]


def is_security(*, trusted: bool, suite: str, site: str, label: str) -> bool:
    """Whether an archive publishes security updates. Rule: docs/rules.md, Baselines."""
    archive = suite == "security" or suite.endswith("-security")
    return trusted and (archive or site == "security.debian.org" or label == "Debian-Security")


def read_targets(
    command: AptCommand, paths: AptPaths, *, cache: Path, prioritise: Callable[[Sequence[IndexTarget]], Targets]
) -> Targets:
    """Return the Packages indexes of all enabled repositories, in the order of the sources, with their priorities.

    apt builds its whole package cache before it answers where it keeps none on disk, so the answer is kept in
    ``cache`` for as long as sources, configuration, preferences, Release files and indexes are the same.

    Raises:
        SsmpatchError: apt cannot read its sources; the message has apt's words.
    """
    key = _fingerprint(paths, command)
    cached = _load(cache, key)
    if cached is not None:
        return cached
    result = command.run("apt-get", "indextargets", "Created-By: Packages")
    if result.code:
        raise SsmpatchError(f"apt-get indextargets: {result.words}")
    targets = prioritise(tuple(_parse(result.stdout)))
    _save(cache, key, targets)
    return targets


def _parse(text: str) -> Iterator[IndexTarget]:
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if "Filename" not in fields:
            continue
        trusted = fields.get("Trusted") == "yes"
        suite = fields.get("Suite", "") or fields.get("Codename", "")
        site = urlsplit(fields.get("Site", "")).hostname or ""
        yield IndexTarget(
            path=fields["Filename"],
            description=fields.get("Description", ""),
            repository=f"{fields.get('Repo-URI', '').rstrip('/')} {fields.get('Release', '').rstrip('/')}".strip(),
            suite=suite,
            codename=fields.get("Codename", ""),
            label=fields.get("Label", ""),
            trusted=trusted,
            security=is_security(trusted=trusted, suite=suite, site=site, label=fields.get("Label", "")),
            priority=_release_priority(fields),
            optional=fields.get("Optional") == "yes",
        )


def _release_priority(fields: dict[str, str]) -> int:
    release = _release_head(fields)
    if "\nNotAutomatic: yes" not in release:
        return 500
    return 100 if "\nButAutomaticUpgrades: yes" in release else 1


def _release_head(fields: dict[str, str]) -> str:
    """Return the header of the Release file beside an index."""
    name = fields["Filename"]
    escaped = fields.get("MetaKey", "").replace("/", "_")
    prefix = name[: name.rfind(escaped)] if escaped and escaped in name else ""
    for suffix in ("InRelease", "Release"):
        try:
            with open(prefix + suffix, encoding="utf-8", errors="replace") as handle:
                return "\n" + handle.read(4096)
        except OSError:
            continue
    return ""


def _fingerprint(paths: AptPaths, command: AptCommand) -> str:
    files: Iterable[Path] = (*paths.source_files, *paths.configuration_files, *paths.preference_files)
    releases = sorted(paths.lists.glob("*Release")) if paths.lists.is_dir() else []
    indexes = sorted(paths.lists.glob("*Packages*")) if paths.lists.is_dir() else []
    rows = [_FORMAT_VERSION, str(paths.lists), command.options, *map(_identity, (*files, *releases, *indexes))]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _identity(path: Path) -> tuple[str, ...] | tuple[str, int, int, int]:
    """What changes when a file does; an index may be a link into a local repository that is gone."""
    try:
        stat = path.stat()
    except OSError:
        return (str(path),)
    return str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load(cache: Path, key: str) -> Targets | None:
    """Return the kept answer, or None; a damaged file is no answer."""
    try:
        data = json.loads(cache.read_text())
        return tuple(IndexTarget(**row) for row in data["targets"]) if data["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _save(cache: Path, key: str, targets: Targets) -> None:
    """Keep the answer; where that is not possible (read-only, unprivileged) apt is asked again next time."""
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = cache.with_suffix(".new")
        temporary.write_text(json.dumps({"key": key, "targets": [asdict(target) for target in targets]}))
        temporary.replace(cache)
    except OSError:
        return
