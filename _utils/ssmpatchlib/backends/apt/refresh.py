# SPDX-License-Identifier: Apache-2.0
"""Brings apt's indexes up to date, and names the repositories that failed."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...files import Unwritable, recall, remove, write_json
from ...host import CommandResult, CommandTimeout
from ...masking import masked
from ...model import UnreadSource
from .. import Context, Refresh
from .config import AptCommand, AptPaths
from .half_written import half_written
from .targets import IndexTarget
from .update_output import Failure, Outcome, read_outcome

#: With Generate=false the update does not build apt's package cache; the next program that needs it does.
_UPDATE_OPTIONS = ("quiet=1", "APT::Update::Error-Mode=any", "pkgCacheFile::Generate=false")
_CLOCK_TOLERANCE = 3600.0
#: The beginning of a warning about a signature that apt does not insist on; it uses the new indexes.
_UNVERIFIED = "GPG error:"
#: The name of a failure that is no repository's.
NAMELESS = "apt"


def refresh(context: Context, command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget]) -> Refresh:
    """Run ``apt-get update``; return the repositories that failed, with apt's words and the age of the copy in use.

    Raises:
        Busy: another program held apt's lock for ``lock_timeout`` seconds.
        Unwritable: a half-written index cannot be removed.
    """
    from ..locking import retry_locked
    from .locks import is_locked

    if problem := _unwritable(context, paths.lists):
        return Refresh(False, f"the package index was not refreshed: {problem}")
    _remove_half_written(context, paths.lists, targets)
    record = _record_path(context)
    known = _read_record(record)
    repositories = tuple(dict.fromkeys((t.repository, Path(t.prefix).name if t.prefix else "") for t in targets))
    began = time.time()
    try:
        result = retry_locked(context, lambda: _update(context, command), is_locked=is_locked)
        outcome = read_outcome(result.stdout + "\n" + result.stderr, repositories, ended_well=not result.code)
        now = context.host.now()
        unread = tuple(_failures(outcome, targets, known, now))
        if result.code and not unread and not outcome.hooks:
            unread = (UnreadSource(NAMELESS, f"apt-get update: {result.words}"),)
    except CommandTimeout as exc:
        outcome = read_outcome(exc.said, repositories)
        now = context.host.now()
        unread = tuple(_unfinished(outcome, targets, known, now, began=began, words=exc.late))
        unread = unread or (UnreadSource(NAMELESS, f"apt-get update: {exc.late}"),)
    failed = {source.name for source in unread}
    # Where a failure has no repository, only what apt was seen to read is fresh.
    fresh = {t.repository for t in targets if masked(t.repository) not in failed}
    if NAMELESS in failed:
        fresh &= set(outcome.read)
    _write_record(record, {**known, **dict.fromkeys(map(masked, fresh), now), **({} if failed else {"": now})})
    hooks = (f"apt-get update: {words}; the indexes were read all the same" for words in outcome.hooks)
    return Refresh(True, unread=unread, warnings=(*hooks, *_unverified(outcome, targets)))


def _remove_half_written(context: Context, lists: Path, targets: Sequence[IndexTarget]) -> None:
    from ..locking import wait_idle
    from .locks import holder

    if any(half_written(lists, targets)):
        # An update that is under way puts a repository's files in place one after the other.
        wait_idle(context, lambda: holder(lists))
        for path in half_written(lists, targets):
            remove(path)


def _update(context: Context, command: AptCommand) -> CommandResult:
    argv = command.argv("apt-get", "update", options=_UPDATE_OPTIONS)
    return command.host.run(argv, env=command.env, timeout=context.refresh_timeout, slow=True)


def _unwritable(context: Context, lists: Path) -> str:
    """Return why apt cannot write its lists, ``""`` when it can; it makes directories that are not there."""
    place = next(path for path in (lists, *lists.parents) if path.exists())
    if os.access(place, os.W_OK):
        return ""
    return f"{place} cannot be written" if context.host.is_root() else "no right to write it (not root)"


def index_age(context: Context, paths: AptPaths, targets: Sequence[IndexTarget]) -> float | None:
    """Return the seconds since the last refresh that reached every repository, else since apt's files say it tried.

    It is None when no time is known, an index is not there although apt has no problem with it, or the time lies in the
    future because the clock was set back.
    """
    if not all(target.present or target.empty or target.problem for target in targets):
        return None
    stamp = _read_record(_record_path(context)).get("")
    if stamp is None:
        try:
            stamp = (paths.lists / "partial").stat().st_mtime
        except OSError:
            return None
    return _age(stamp, context.host.now())


def _age(stamp: float | None, now: float) -> float | None:
    return None if stamp is None or stamp > now + _CLOCK_TOLERANCE else max(0.0, now - stamp)


def _failures(
    outcome: Outcome, targets: Sequence[IndexTarget], known: dict[str, float], now: float
) -> Iterable[UnreadSource]:
    seen: set[str] = set()
    for failure in outcome.failures:
        for name in failure.repositories or ([NAMELESS] if failure.error else []):
            if name not in seen and not _accepted(outcome, failure, name, targets):
                seen.add(name)
                age = None if name == NAMELESS else _age(known.get(masked(name), _written(name, targets)), now)
                yield UnreadSource(name, _words(failure, name, targets), age)


def _words(failure: Failure, repository: str, targets: Sequence[IndexTarget]) -> str:
    """Return what apt says of a failure; what is known of the repository where apt gives only an address."""
    known = next((t.problem for t in targets if t.repository == repository and t.problem), "")
    return known if known and not failure.words.partition("  ")[2].strip() else failure.words


def _unfinished(
    outcome: Outcome, targets: Sequence[IndexTarget], known: dict[str, float], now: float, *, began: float, words: str
) -> Iterable[UnreadSource]:
    """Yield the repositories that apt had not read when it was ended.

    apt puts the files of a repository in place together, the last thing that it does with it.
    """
    failed = {s.name: s for s in _failures(outcome, targets, known, now) if s.name != NAMELESS}
    yield from failed.values()
    for repository, prefix in dict.fromkeys((target.repository, target.prefix) for target in targets):
        if repository not in failed and repository not in outcome.unchanged and not _is_placed(prefix, began):
            age = _age(known.get(repository, _written(repository, targets)), now)
            yield UnreadSource(repository, f"apt-get update: {words}", age)


def _is_placed(prefix: str, began: float) -> bool:
    for name in ("InRelease", "Release") if prefix else ():
        with contextlib.suppress(OSError):
            if os.lstat(f"{prefix}{name}").st_ctime >= began:
                return True
    return False


def _written(repository: str, targets: Sequence[IndexTarget]) -> float | None:
    """Return when apt wrote the oldest index that it has of a repository; None when it has none."""
    times = []
    for target in targets:
        if target.repository == repository:
            with contextlib.suppress(OSError):
                times.append(os.lstat(target.path).st_ctime)
    return min(times, default=None)


def _accepted(outcome: Outcome, failure: Failure, repository: str, targets: Sequence[IndexTarget]) -> bool:
    """Return whether apt only warns of a signature and uses the new indexes, since the sources say so (``trusted``)."""
    if failure.error or not ("is not signed" in failure.words or failure.words.startswith(_UNVERIFIED)):
        return False
    refused = any(each.error and repository in each.repositories for each in outcome.failures)
    return not refused and any(t.repository == repository and t.present for t in targets)


def _unverified(outcome: Outcome, targets: Sequence[IndexTarget]) -> Iterable[str]:
    """Yield a warning for each repository whose signature apt could not verify and whose indexes it uses."""
    for failure in outcome.failures:
        for name in failure.repositories:
            if failure.words.startswith(_UNVERIFIED) and _accepted(outcome, failure, name, targets):
                yield f"{name}: {failure.words}; its indexes are used all the same, since the sources accept them"


def _record_path(context: Context) -> Path:
    return context.work_dir / "apt-refresh.json"


def _read_record(path: Path) -> dict[str, float]:
    times = recall(path, lambda data: {key: float(time) for key, time in data.items()}) or {}
    return {key: time for key, time in times.items() if math.isfinite(time)}


def _write_record(path: Path, data: dict[str, float]) -> None:
    """Write the times; where that fails, the ages are unknown later."""
    with contextlib.suppress(Unwritable):
        write_json(path, data)
