# SPDX-License-Identifier: Apache-2.0
"""Bringing libzypp's metadata up to date, and knowing which repositories could not be."""

from __future__ import annotations

from ...host import CommandTimeout
from ...model import UnreadSource
from .. import Context, Refresh
from ..rpmmd.freshness import record_refresh
from . import answer
from .command import ZypperCommand
from .config import ZyppConfig
from .inventory import repository_age

_FETCH = "--download-only"
_LIMIT = 1800
#: For one repository, where all of them did not come to an end in time.
_SINGLE_LIMIT = 120


def refresh(context: Context, command: ZypperCommand) -> Refresh:
    """Let zypper fetch what changed; what fails is named by repository, with its words and the age of the copy in use.

    zypper's own index of what was fetched is not built here, see ``index``.

    Raises:
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: zypper lets only root write it")
    config = command.config
    if not config.repositories:
        return Refresh(True)
    try:
        result = command.run("refresh", _FETCH, timeout=_LIMIT)
        failures = dict(answer.repository_failures(result.stdout, config))
        code, words = result.code, "; ".join(answer.errors(result.stdout)) or result.words
    except CommandTimeout:
        failures, code, words = _refresh_each(command), 0, ""
    if not code or failures:
        current = [(r.alias, r.index) for r in config.repositories if r.alias not in failures]
        record_refresh(context, "zypper", current)
    ages = {repository.alias: repository_age(context, repository) for repository in config.repositories}
    unread = tuple(UnreadSource(name, words, ages.get(name)) for name, words in failures.items())
    if code and not unread:
        unread = (UnreadSource("zypper", f"zypper refresh: {words}"),)
    return Refresh(True, unread=unread)


def _refresh_each(command: ZypperCommand) -> dict[str, str]:
    """Refresh one repository after the other, so that one that does not answer keeps no other from it.

    Returns the failures by alias.
    """
    failures: dict[str, str] = {}
    for repository in command.config.repositories:
        try:
            result = command.run("refresh", _FETCH, repository.alias, timeout=_SINGLE_LIMIT)
        except CommandTimeout:
            failures[repository.alias] = f"zypper refresh: no end after {_SINGLE_LIMIT} s; it was stopped"
            continue
        if result.code:
            failures[repository.alias] = answer.shortened(list(answer.errors(result.stdout))) or result.words
    return failures


def index_age(context: Context, config: ZyppConfig) -> float | None:
    """Seconds since the repository that was longest ago found current; None when one has no metadata at all."""
    ages = [repository_age(context, repository) for repository in config.repositories if not repository.kind]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None
