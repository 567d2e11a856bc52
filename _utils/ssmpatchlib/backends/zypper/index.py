# SPDX-License-Identifier: Apache-2.0
"""Builds zypper's own index of its metadata while a scan reads them (benchmarks/rpm.py, "scan after a change")."""

from __future__ import annotations

import threading

from ...errors import SsmpatchError
from ...model import UnreadSource
from . import answer
from .command import INFORMATIVE, LOCKED, ZypperCommand
from .config import Repository, ZyppConfig


class IndexBuild:
    """A run of zypper in the background; without the index, users who are not root cannot ask zypper anything."""

    def __init__(self, command: ZypperCommand) -> None:
        self._command = command
        self._unread: tuple[UnreadSource, ...] = ()
        self._thread = threading.Thread(target=self._build, name="zypper index", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[UnreadSource, ...]:
        """Wait until zypper has ended; return the repositories of which no index could be built."""
        self._thread.join()
        return self._unread

    def _build(self) -> None:
        command = self._command
        # Of one that was not read zypper would fetch the metadata first.
        read = [repository.alias for repository in command.config.repositories if repository.index.exists()]
        if not read:
            return
        argv = command.argv("refresh", "--build-only", "--", *read)
        try:
            result = command.context.host.run(argv, env=command.env, timeout=command.context.refresh_timeout, slow=True)
        except SsmpatchError as exc:
            self._unread = (UnreadSource("zypper", str(exc)),)
            return
        failures = dict(answer.repository_failures(result.stdout, command.config))
        self._unread = tuple(UnreadSource(name, words) for name, words in failures.items())
        # The zypper that has the lock may build the index; if it does not, the next scan does.
        if result.code not in (*INFORMATIVE, LOCKED) and not failures:
            words = "; ".join(answer.errors(result.stdout)) or result.words
            self._unread = (UnreadSource("zypper", f"zypper refresh: {words}"),)


def is_current(config: ZyppConfig) -> bool:
    """Return whether zypper has an index of each repository that is newer than its copy of the metadata."""
    return all(_is_current(config, repository) for repository in config.repositories)


def _is_current(config: ZyppConfig, repository: Repository) -> bool:
    # For changed metadata zypper makes a new directory; for unchanged ones it only touches files in it.
    copy = repository.index.parent if repository.index.exists() else repository.cache
    built = config.solv / repository.file_name / "cookie"
    try:
        return not copy.exists() or built.stat().st_mtime_ns >= copy.stat().st_ctime_ns
    except OSError:
        return False
