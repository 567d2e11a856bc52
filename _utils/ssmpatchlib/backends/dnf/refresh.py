# SPDX-License-Identifier: Apache-2.0
"""Bringing dnf's metadata up to date without throwing the cache away, and knowing what could not be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ...model import UnreadSource
from .. import Context, Refresh
from ..rpmmd.freshness import record_refresh
from ..rpmmd.repofiles import DnfConfig, Repository
from .command import DnfCommand
from .inventory import metadata_copy, repository_age

_LIMIT = 1800
_FAILED = re.compile(
    r"""Failed to download metadata.*? for repo(?:sitory)? ['"](?P<id>[^'"]+)['"](?:: *)?(?P<words>.*)"""
)
_DETAIL = re.compile(r"^(?:  - |>>> ?)(?P<words>.+)$")
#: dnf 5 shows a repository by its name, cut off, and what went wrong below it.
_PROGRESS = re.compile(r"^ (?P<name>\S.*?)\s+(?:\?\?\?|[\d ]{3})% \|")
#: Every repository is asked whether it has changed; dnf 5 does that for expired ones only, whatever its --refresh says.
_ASK_ALL = {4: ("--refresh",), 5: ("--setopt=*.metadata_expire=0",)}


def refresh(context: Context, command: DnfCommand, read: Callable[[], DnfConfig]) -> Refresh:
    """Run ``dnf makecache`` so that every repository is asked whether its metadata changed.

    A repository that cannot be refreshed does not keep the others from it; it is named with dnf's words and the age
    of the copy in use. ``read`` reads the configuration: where a repository is cached may show only afterwards.

    Raises:
        Busy: another program held dnf's lock for ``lock_timeout`` seconds.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: dnf lets only root write its cache")
    config = read()
    if not config.repositories:
        return Refresh(True)
    before = {repository.id: _stamp(repository) for repository in config.repositories}
    asking = _ASK_ALL[command.generation]
    result = command.run("--setopt=*.skip_if_unavailable=1", *asking, "makecache", timeout=_LIMIT)
    words = dict(failures(f"{result.stdout}\n{result.stderr}"))
    unread: list[UnreadSource] = []
    current: list[tuple[str, Path]] = []
    for repository in read().repositories:
        stamp = _stamp(repository)
        said = _words_about(repository, words)
        # dnf touches the metadata that it finds current, so that what it did not touch it did not read.
        if said or stamp is None or stamp == before.get(repository.id):
            said = said or _last_words(result.stderr, result.stdout)
            unread.append(UnreadSource(repository.id, said, repository_age(context, repository)))
        else:
            current.append((repository.id, metadata_copy(repository)))
    record_refresh(context, "dnf", current)
    if result.code and not unread:
        unread.append(UnreadSource("dnf", f"dnf makecache: {result.words}"))
    return Refresh(True, unread=tuple(unread))


def index_age(context: Context, config: DnfConfig) -> float | None:
    """Seconds since the repository that was longest ago found current; None when one has no metadata at all."""
    ages = [repository_age(context, repository) for repository in config.repositories]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None


def failures(text: str) -> Iterable[tuple[str, str]]:
    """Return dnf's words about repositories that it could not read, by their id, or by what dnf 5 shows of the name."""
    details: list[str] = []
    shown = ""
    for line in text.splitlines():
        if failed := _FAILED.search(line):
            words = "; ".join(dict.fromkeys(filter(None, (*details, failed["words"].strip()))))
            yield failed["id"], words or line.strip()
            details, shown = [], ""
        elif detail := _DETAIL.match(line):
            details.append(detail["words"].strip())
        elif progress := _PROGRESS.match(line):
            if shown and details:
                yield shown, "; ".join(details)
            details, shown = [], progress["name"]
    if shown and details:
        yield shown, "; ".join(details)


def _words_about(repository: Repository, words: Mapping[str, str]) -> str:
    if repository.id in words:
        return words[repository.id]
    return next((said for shown, said in words.items() if repository.name.startswith(shown)), "")


def _stamp(repository: Repository) -> tuple[float, ...] | None:
    """The times of a repository's metadata files; None when there are none."""
    directory = repository.cache / "repodata"
    try:
        return tuple(sorted(path.stat().st_mtime for path in directory.iterdir())) or None
    except OSError:
        return None


def _last_words(*texts: str) -> str:
    lines = [line.strip() for text in texts for line in text.splitlines() if line.startswith("Error")]
    return "; ".join(dict.fromkeys(lines)) or "dnf did not refresh its metadata and did not say why"
