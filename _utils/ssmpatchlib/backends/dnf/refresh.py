# SPDX-License-Identifier: Apache-2.0
"""Bringing dnf's metadata up to date without throwing the cache away, and knowing what could not be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ...model import UnreadSource
from .. import Context, Refresh
from .command import DnfCommand
from .config import DnfConfig, Repository
from .inventory import repository_age

_LIMIT = 1800
_FAILED = re.compile(
    r"""Failed to download metadata.*? for repo(?:sitory)? ['"](?P<id>[^'"]+)['"](?:: *)?(?P<words>.*)"""
)
_DETAIL = re.compile(r"^(?:  - |>>> ?)(?P<words>.+)$")


def refresh(context: Context, command: DnfCommand, config: DnfConfig) -> Refresh:
    """Run ``dnf makecache --refresh``: every repository is asked whether its metadata changed.

    A repository that cannot be refreshed does not keep the others from it; it is named with dnf's words and the age
    of the copy in use.
    """
    if not os.access(_nearest(config), os.W_OK):
        return Refresh(False, "the package index was not refreshed: no right to write dnf's cache (not root)")
    if not config.repositories:
        return Refresh(True)
    before = {repository.id: _stamp(repository) for repository in config.repositories}
    result = command.run("--setopt=*.skip_if_unavailable=1", "--refresh", "makecache", timeout=_LIMIT)
    text = f"{result.stdout}\n{result.stderr}"
    words = dict(_failures(text))
    now = context.host.now()
    unread = []
    for repository in config.repositories:
        stamp = _stamp(repository)
        if repository.id in words or stamp is None or (command.generation == 4 and stamp == before[repository.id]):
            said = words.get(repository.id) or _last_words(result.stderr, result.stdout)
            unread.append(UnreadSource(repository.id, said, repository_age(repository, now)))
    if result.code and not unread:
        unread.append(UnreadSource("dnf", f"dnf makecache: {result.words}"))
    return Refresh(True, unread=tuple(unread))


def index_age(context: Context, config: DnfConfig) -> float | None:
    """Seconds since the repository that was longest ago found current; None when one has no metadata at all."""
    now = context.host.now()
    ages = [repository_age(repository, now) for repository in config.repositories]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None


def _failures(text: str) -> Iterable[tuple[str, str]]:
    """dnf's words about each repository that it could not read; the details come before the summary."""
    details: list[str] = []
    for line in text.splitlines():
        if failed := _FAILED.search(line):
            summary = failed["words"].strip()
            yield failed["id"], "; ".join(dict.fromkeys(filter(None, (*details, summary)))) or line.strip()
            details = []
        elif detail := _DETAIL.match(line):
            details.append(detail["words"].strip())


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


def _nearest(config: DnfConfig) -> str:
    path = config.cache
    while not path.exists() and path != path.parent:
        path = path.parent
    return str(path)
