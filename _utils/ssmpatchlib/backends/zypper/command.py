# SPDX-License-Identifier: Apache-2.0
"""The way to call zypper for a root: the options and the environment that keep it to that root."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...files import ensure_directory, write_text
from ...host import CommandResult
from .. import Context
from ..rpm.installed import require_database
from .config import MAIN_CONFIG, ZyppConfig, read_config

#: zypper's exit codes that matter here. Rule: zypper(8), EXIT CODES.
LOCKED = 7
REBOOT_NEEDED = 102
RESTART_NEEDED = 103
ON_SIGNAL = 105
SCRIPTLET_FAILED = 107
#: Codes of an action that was done, with a note: updates are left, reboot, repeat, repositories skipped.
INFORMATIVE = frozenset({0, 100, 101, REBOOT_NEEDED, RESTART_NEEDED, 106, SCRIPTLET_FAILED})

_LOCKS_OPTION = re.compile(r"^\s*locksfile\..*$", re.M)


@dataclass(frozen=True, slots=True)
class ZypperCommand:
    """The way to call zypper for one root. ``private`` is a directory that zypper sees below its root, None without."""

    context: Context
    options: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    config: ZyppConfig
    private: Path | None

    def argv(self, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the argv list of a zypper command for this root; ``options`` are global ones."""
        return ["zypper", "--non-interactive", "--xmlout", *self.options, *options, *arguments]

    @property
    def env(self) -> dict[str, str]:
        """The variables that are added to the environment."""
        return dict(self.environment)

    @property
    def of_read_repositories(self) -> list[str]:
        """The options of ``install`` that keep it to repositories with metadata.

        Of others zypper would fetch the metadata first, and wait without an end for one that does not answer.
        """
        repositories = self.config.repositories
        read = [repository.alias for repository in repositories if repository.kind or repository.index.exists()]
        return [] if len(read) == len(repositories) else [f"--repo={alias}" for alias in read]

    def run(
        self, *arguments: str, options: Sequence[str] = (), timeout: float = 900, slow: bool = False
    ) -> CommandResult:
        """Run a zypper command that installs nothing, once the lock of libzypp is free.

        Raises:
            Busy: another program held the lock for ``lock_timeout`` seconds.
        """
        argv = self.argv(*arguments, options=options)
        return self.retry_locked(lambda: self.context.host.run(argv, env=self.env, timeout=timeout, slow=slow))

    def retry_locked(self, run: Callable[[], CommandResult]) -> CommandResult:
        """Run a command again and again while it ends because another program has libzypp's lock; return its result.

        Raises:
            Busy: the lock was held for ``lock_timeout`` seconds.
        """
        from ..locking import retry_locked

        return retry_locked(self.context, run, is_locked=lambda result: result.code == LOCKED)

    def hiding(self, records: Sequence[str]) -> ZypperCommand:
        """Return a command for which further locks are added to the administrator's, whose file is only read.

        ``records`` are locks in the form of /etc/zypp/locks. They are written to a private file, which a private copy
        of zypp.conf names.
        """
        if not records or self.private is None:
            return self
        ensure_directory(self.private)
        locks, config = self.private / "locks", self.private / "zypp.conf"
        own = _text(self.config.locks) if self.config.locks else ""
        write_text(locks, "\n".join([own.rstrip("\n"), "", *records]) + "\n")
        main = _LOCKS_OPTION.sub("", _text(self.config.file))
        head, header, body = main.rpartition("[main]")
        write_text(
            config, f"{head}[main]\nlocksfile.path = {locks}\nlocksfile.apply = true\n{body if header else main}"
        )
        return self._with("ZYPP_CONF", config)

    def logging(self, log: Path | None) -> ZypperCommand:
        """Return a command whose libzypp logs into ``log``; None leaves the log where it is."""
        return self._with("ZYPP_LOGFILE", log) if log else self

    def _with(self, name: str, path: Path) -> ZypperCommand:
        others = tuple(pair for pair in self.environment if pair[0] != name)
        return replace(self, environment=(*others, (name, str(path))))


def make_command(context: Context) -> ZypperCommand:
    """Return the way to call zypper for the context's root.

    The baseline's Sources are in a private directory, named on the command line in place of the system's repositories,
    with a cache of their own. Rule: docs/rules.md, Baselines.
    """
    require_database(context.root)
    root, work_dir = context.root, context.work_dir
    options: list[str] = []
    environment: list[tuple[str, str]] = []
    sources = cache = None
    if root != Path("/"):
        options += ["--root", str(root)]
        environment.append(("ZYPP_LOGFILE", str(root / "var/log/zypper.log")))
    if context.sources:
        from ..rpmmd.sources import write_sources

        sources, cache = write_sources(context, "zypper-sources"), work_dir / "zypper-sources-cache"
        options += ["--reposd-dir", str(sources), "--cache-dir", str(cache)]
    config = read_config(root, sources=sources, sources_cache=cache)
    if root != Path("/") and config.own:
        environment.append(("ZYPP_CONF", str(root / MAIN_CONFIG)))
    return ZypperCommand(
        context=context,
        options=tuple(options),
        environment=tuple(environment),
        config=config,
        private=work_dir / "zypper-locks" if work_dir.is_relative_to(root) else None,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
