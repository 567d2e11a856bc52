# SPDX-License-Identifier: Apache-2.0
"""Brings libzypp's metadata up to date, and names the repositories that failed."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...host import CommandResult, CommandTimeout
from ...model import UnreadSource
from .. import Context, Refresh
from ..one_by_one import one_by_one
from ..rpmmd.freshness import record_refresh
from ..rpmmd.half_written import forget_half_written
from . import answer
from .command import ZypperCommand
from .config import ZyppConfig
from .inventory import repository_age

_FETCH = "--download-only"


def refresh(context: Context, command: ZypperCommand, *, import_keys: bool = False) -> Refresh:
    """Let zypper fetch what changed; return the repositories that failed, with its words and the age of the copy.

    zypper's own index is not built here, see ``index``. With ``import_keys`` the keys that indexes are signed with are
    imported where the repositories' own gpgkey names them.

    Raises:
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
        Unwritable: half-written metadata cannot be removed.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: zypper lets only root write it")
    config = command.config
    if not config.repositories:
        return Refresh(True)
    list(forget_half_written(repository.index for repository in config.repositories))
    try:
        result, notes = _with_imports(command, import_keys, lambda: _fetch(context, command))
        failures = _with_keys(dict(answer.repository_failures(result.stdout, config)), config, result.stdout)
        code, words = result.code, "; ".join(answer.errors(result.stdout)) or result.words
    except CommandTimeout:
        failures, notes = _refresh_each(context, command, import_keys=import_keys)
        code, words = 0, ""
    if not code or failures:
        current = [(r.alias, r.index) for r in config.repositories if r.alias not in failures]
        record_refresh(context, "zypper", current)
    ages = {repository.alias: repository_age(context, repository) for repository in config.repositories}
    unread = tuple(UnreadSource(name, words, ages.get(name)) for name, words in failures.items())
    if code and not unread:
        unread = (UnreadSource("zypper", f"zypper refresh: {words}"),)
    return Refresh(True, unread=unread, warnings=notes)


def _fetch(context: Context, command: ZypperCommand) -> CommandResult:
    return command.run("refresh", _FETCH, timeout=context.refresh_timeout, slow=True)


def _with_imports(
    command: ZypperCommand, import_keys: bool, run: Callable[[], CommandResult]
) -> tuple[CommandResult, tuple[str, ...]]:
    """Run zypper, again after each import of keys; return its result and which keys were imported."""
    result = run()
    if not import_keys or answer.KEY not in result.stdout:
        return result, ()
    from . import keys

    return keys.import_and_repeat(command, result, run)


def _with_keys(failures: dict[str, str], config: ZyppConfig, text: str) -> dict[str, str]:
    """Return the failures with the keys that zypper asked for in vain."""
    if not failures or answer.KEY not in text:
        return failures
    from . import keys

    asked = keys.asked_words(config, text)
    return {alias: "; ".join(filter(None, (words, asked.get(alias)))) for alias, words in failures.items()}


def _refresh_each(
    context: Context, command: ZypperCommand, *, import_keys: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Refresh one repository after the other, for at most ``refresh_timeout`` seconds.

    This way a repository that does not answer does not keep the others from being refreshed. Return the failures by
    alias, and which keys were imported.
    """
    config, failures, notes = command.config, dict[str, str](), list[str]()

    def run(alias: str, timeout: float) -> CommandResult:
        deadline = time.monotonic() + timeout

        def once() -> CommandResult:
            left = max(deadline - time.monotonic(), 1)
            return command.run("refresh", _FETCH, "--", alias, timeout=left, slow=True)

        result, imported = _with_imports(command, import_keys, once)
        notes.extend(imported)
        return result

    aliases = [repository.alias for repository in config.repositories]
    for alias, result, late in one_by_one(context, aliases, run):
        if result is None:
            failures[alias] = f"zypper refresh: {late}"
        elif result.code:
            words = answer.shortened(list(answer.errors(result.stdout))) or result.words
            failures |= _with_keys({alias: words}, config, result.stdout)
    return failures, tuple(notes)


def index_age(context: Context, config: ZyppConfig) -> float | None:
    """Return the age of the repository that was found current longest ago; None when one has no metadata."""
    ages = [repository_age(context, repository) for repository in config.repositories if not repository.kind]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None
