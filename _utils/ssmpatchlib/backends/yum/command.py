# SPDX-License-Identifier: Apache-2.0
"""The way to call yum 3 for a root without changing the system's configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...host import CommandResult
from .. import Context
from ..rpm.installed import require_database
from ..rpmmd.repofiles import DnfConfig
from .config import MAIN_CONFIG, read_config

#: yum's exit code when another program has its lock and it was told not to wait.
_LOCK_ERROR = 200
#: Options that agree to all questions, and that agree to none, whatever the system's configuration says.
AGREE = ("-y", "--setopt=assumeno=0")
REFUSE = ("--assumeno", "--setopt=assumeyes=0")
_LOCK_WORDS = re.compile(r"Existing lock \S+: another copy is running|can't create transaction lock", re.I)
_VERSION_ID = re.compile(r"""^VERSION_ID=["']?([^"'\s]+)""", re.M)


@dataclass(frozen=True, slots=True)
class YumCommand:
    """The way to call yum for one root. ``sources`` and ``cache`` are the directories that replace the system's."""

    context: Context
    options: tuple[str, ...]
    sources: Path | None = None
    cache: Path | None = None

    def read_config(self) -> DnfConfig:
        """Read yum's configuration anew, since the place of its cache is only known once there is one."""
        machine = self.context.host.machine()
        return read_config(self.context.root, machine=machine, sources=self.sources, sources_cache=self.cache)

    def of_read_repositories(self) -> YumCommand:
        """Return a command without the repositories that were never read.

        Of them yum would fetch the metadata first, and with ``-C`` fail.
        """
        unread = [r.id for r in self.read_config().repositories if not (r.cache / "repomd.xml").exists()]
        return replace(self, options=(*self.options, *(f"--disablerepo={id_}" for id_ in unread)))

    def argv(self, *arguments: str) -> list[str]:
        """Return the argv list of a yum command for this root."""
        return ["yum", *self.options, "--setopt=exit_on_lock=1", *arguments]

    def run(self, *arguments: str, timeout: float = 900, slow: bool = False) -> CommandResult:
        """Run a yum command that changes no package, once yum's lock is free.

        Raises:
            Busy: another program held the lock for ``lock_timeout`` seconds.
        """
        return self.retry_locked(lambda: self.context.host.run(self.argv(*arguments), timeout=timeout, slow=slow))

    def retry_locked(self, run: Callable[[], CommandResult]) -> CommandResult:
        """Run a command again and again while it ends because another program has yum's lock; return its result.

        Raises:
            Busy: the lock was held for ``lock_timeout`` seconds.
        """
        from ..locking import retry_locked

        return retry_locked(self.context, run, is_locked=_is_locked)


def make_command(context: Context) -> YumCommand:
    """Return the way to call yum for the context's root.

    The baseline's Sources are in a private directory, named on the command line in place of the system's repositories,
    with a cache of their own. Rule: docs/rules.md, Baselines.
    """
    require_database(context.root)
    root = context.root
    options: list[str] = []
    sources = cache = None
    if root != Path("/"):
        options += [f"--installroot={root}", f"--config={root / MAIN_CONFIG}"]
        release = _release_of(root)
        if release:
            options.append(f"--releasever={release}")
    if context.sources:
        from ..rpmmd.sources import write_sources

        sources, cache = write_sources(context, "yum-sources"), context.work_dir / "yum-sources-cache"
        options += [f"--setopt=reposdir={sources}", f"--setopt=cachedir={cache}"]
    config = read_config(root, machine=context.host.machine(), sources=sources, sources_cache=cache)
    if sources is not None:
        options += [f"--disablerepo={name}" for name in config.own_sections]
    elif root != Path("/"):
        options.append(f"--setopt=reposdir={','.join(map(str, config.repository_directories))}")
    return YumCommand(context, tuple(options), sources, cache)


def _is_locked(result: CommandResult) -> bool:
    said = result.stdout + result.stderr
    return bool(result.code) and (result.code == _LOCK_ERROR or _LOCK_WORDS.search(said) is not None)


def _release_of(root: Path) -> str:
    try:
        found = _VERSION_ID.search((root / "etc/os-release").read_text(errors="replace"))
    except OSError:
        return ""
    return found.group(1).partition(".")[0] if found else ""
