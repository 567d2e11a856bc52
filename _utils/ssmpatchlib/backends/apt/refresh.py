# SPDX-License-Identifier: Apache-2.0
"""Brings apt's indexes up to date, and names the repositories that failed."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...files import Unwritable, write_json
from ...model import UnreadSource
from .. import Context, Refresh
from .config import AptCommand, AptPaths
from .targets import IndexTarget

_UPDATE_LIMIT = 1800
#: With Generate=false the update does not build apt's package cache; the next program that needs it does.
_UPDATE_OPTIONS = ("quiet=1", "APT::Update::Error-Mode=any", "pkgCacheFile::Generate=false")
_CLOCK_TOLERANCE = 3600.0
_TELLING = ("Failed to fetch", "GPG error", "Release file", "is not signed", "expired", "not valid yet")


def refresh(context: Context, command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget]) -> Refresh:
    """Run ``apt-get update``; return the repositories that failed, with apt's words and the age of the copy in use.

    Raises:
        Busy: another program held apt's lock for ``lock_timeout`` seconds.
    """
    from ..locking import retry_locked
    from .locks import is_locked

    if not os.access(paths.lists, os.W_OK):
        return Refresh(False, "the package index was not refreshed: no right to write it (not root)")
    record = _record_path(context)
    known = _read_record(record)
    result = retry_locked(
        context,
        lambda: command.host.run(
            command.argv("apt-get", "update", options=_UPDATE_OPTIONS),
            env=command.env,
            timeout=_UPDATE_LIMIT,
        ),
        is_locked=is_locked,
    )
    now = context.host.now()
    unread = tuple(_failures(result.stdout + "\n" + result.stderr, targets, known, now))
    if result.code and not unread:
        unread = (UnreadSource("apt", f"apt-get update: {result.words}"),)
    failed = {source.name for source in unread}
    fresh = {t.repository: now for t in targets if t.repository not in failed}
    _write_record(record, {**known, **fresh, **({} if failed else {"": now})})
    return Refresh(True, unread=unread)


def index_age(context: Context, paths: AptPaths) -> float | None:
    """Return the seconds since the last refresh that reached every repository, else since apt's files say it tried.

    It is None when no time is known, or the time lies in the future because the clock was set back.
    """
    stamp = _read_record(_record_path(context)).get("")
    if stamp is None:
        try:
            stamp = (paths.lists / "partial").stat().st_mtime
        except OSError:
            return None
    return _age(stamp, context.host.now())


def _age(stamp: float | None, now: float) -> float | None:
    return None if stamp is None or stamp > now + _CLOCK_TOLERANCE else max(0.0, now - stamp)


def _failures(text: str, targets: Sequence[IndexTarget], known: dict[str, float], now: float) -> Iterable[UnreadSource]:
    seen: set[str] = set()
    for line in text.splitlines():
        kind, _, words = line.partition(": ")
        if kind not in ("E", "W") or (kind == "W" and not any(mark in words for mark in _TELLING)):
            continue
        for repository in _named(words, targets):
            if repository not in seen and not _accepted_unsigned(words, repository, targets, kind):
                seen.add(repository)
                since = known.get(repository, _written(repository, targets))
                yield UnreadSource(repository, words, _age(since, now))


def _written(repository: str, targets: Sequence[IndexTarget]) -> float | None:
    """Return when apt wrote the oldest index that it has of a repository; None when it has none."""
    times = []
    for target in targets:
        if target.repository == repository:
            with contextlib.suppress(OSError):
                times.append(os.lstat(target.path).st_ctime)
    return min(times, default=None)


def _named(words: str, targets: Sequence[IndexTarget]) -> Iterable[str]:
    """Return the repositories (``URI release``) that a message of apt names by address or by a file of theirs."""
    for repository, prefix in dict.fromkeys((target.repository, target.prefix) for target in targets):
        uri, _, release = repository.partition(" ")
        marks = (f"{uri}/dists/{release}/", f"{uri} {release}", f"{uri}/ {release}")
        if any(mark in words for mark in marks) or (prefix and f"{Path(prefix).name}" in words):
            yield repository


def _accepted_unsigned(words: str, repository: str, targets: Sequence[IndexTarget], kind: str) -> bool:
    """Return whether apt only warns of an unsigned repository that it was told to accept, which is no failure here."""
    return kind == "W" and "is not signed" in words and any(t.repository == repository and t.present for t in targets)


def _record_path(context: Context) -> Path:
    return context.work_dir / "apt-refresh.json"


def _read_record(path: Path) -> dict[str, float]:
    try:
        data = json.loads(path.read_text())
        times = {str(key): float(value) for key, value in data.items()}
        return {key: value for key, value in times.items() if math.isfinite(value)}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _write_record(path: Path, data: dict[str, float]) -> None:
    """Write the times; where that fails, the ages are unknown later."""
    with contextlib.suppress(Unwritable):
        write_json(path, data)
