# SPDX-License-Identifier: Apache-2.0
"""Brings libzypp's metadata up to date, and names the repositories that failed."""

from __future__ import annotations

from ...host import CommandResult, CommandTimeout
from ...model import UnreadSource
from .. import Context, Refresh
from ..one_by_one import one_by_one
from ..rpmmd.freshness import record_refresh
from . import answer
from .command import ZypperCommand
from .config import ZyppConfig
from .inventory import repository_age

_FETCH = "--download-only"


def refresh(context: Context, command: ZypperCommand) -> Refresh:
    """Let zypper fetch what changed; return the repositories that failed, with its words and the age of the copy.

    zypper's own index is not built here, see ``index``.

    Raises:
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: zypper lets only root write it")
    config = command.config
    if not config.repositories:
        return Refresh(True)
    try:
        result = command.run("refresh", _FETCH, timeout=context.refresh_timeout, slow=True)
        failures = dict(answer.repository_failures(result.stdout, config))
        code, words = result.code, "; ".join(answer.errors(result.stdout)) or result.words
    except CommandTimeout:
        failures, code, words = _refresh_each(context, command), 0, ""
    if not code or failures:
        current = [(r.alias, r.index) for r in config.repositories if r.alias not in failures]
        record_refresh(context, "zypper", current)
    ages = {repository.alias: repository_age(context, repository) for repository in config.repositories}
    unread = tuple(UnreadSource(name, words, ages.get(name)) for name, words in failures.items())
    if code and not unread:
        unread = (UnreadSource("zypper", f"zypper refresh: {words}"),)
    return Refresh(True, unread=unread)


def _refresh_each(context: Context, command: ZypperCommand) -> dict[str, str]:
    """Refresh one repository after the other, for at most ``refresh_timeout`` seconds; return the failures by alias.

    This way a repository that does not answer does not keep the others from being refreshed.
    """
    failures: dict[str, str] = {}

    def run(alias: str, timeout: float) -> CommandResult:
        return command.run("refresh", _FETCH, "--", alias, timeout=timeout, slow=True)

    aliases = [repository.alias for repository in command.config.repositories]
    for alias, result, late in one_by_one(context, aliases, run):
        if result is None:
            failures[alias] = f"zypper refresh: {late}"
        elif result.code:
            failures[alias] = answer.shortened(list(answer.errors(result.stdout))) or result.words
    return failures


def index_age(context: Context, config: ZyppConfig) -> float | None:
    """Return the age of the repository that was found current longest ago; None when one has no metadata."""
    ages = [repository_age(context, repository) for repository in config.repositories if not repository.kind]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None
