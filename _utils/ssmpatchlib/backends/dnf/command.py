# SPDX-License-Identifier: Apache-2.0
"""The way to call dnf for a root: which dnf, and the options that keep it to that root and to the cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ...files import ensure_directory, write_text
from ...host import CommandMissing, CommandResult, Host
from .. import Context
from ..rpm.installed import require_database, rpm_argv
from ..rpmmd.repofiles import MAIN_CONFIG, DnfConfig, read_config

#: The file that dnf 5 locks while it works with the installed packages, and while it waits for an answer.
SYSTEM_LOCK = "var/lib/dnf/system-repo.lock"
#: dnf 4's exit code for trouble with a lock.
_LOCK_ERROR = 200
_LOCK_WORDS = re.compile(
    r"can't create transaction lock|Failed to obtain (?:the )?(?:rpm )?(?:transaction )?lock", re.I
)
_VERSION_ID = re.compile(r"""^VERSION_ID=["']?([^"'\s]+)""", re.M)
_ID = re.compile(r"""^ID=["']?([^"'\s]+)""", re.M)
#: Operating systems whose releases have no minor number in repository locations.
_MAJOR_ONLY = frozenset({"rhel", "centos", "rocky", "almalinux", "ol", "redhat_enterprise_linux", "oracle_linux"})


@dataclass(frozen=True, slots=True)
class DnfCommand:
    """The way to call dnf for one root."""

    context: Context
    program: str
    generation: int
    options: tuple[str, ...]

    def argv(self, *arguments: str) -> list[str]:
        """Return the argv list of a dnf command for this root."""
        return [self.program, *self.options, "--setopt=exit_on_lock=1", *arguments]

    def without(self, repositories: Iterable[str]) -> DnfCommand:
        """Return a command that does not use some repositories."""
        return replace(self, options=(*self.options, *(f"--disablerepo={id_}" for id_ in repositories)))

    def run(self, *arguments: str, timeout: float = 600, slow: bool = False) -> CommandResult:
        """Run a dnf command that changes no package, once dnf's lock is free.

        Raises:
            Busy: another program held the lock for ``lock_timeout`` seconds.
        """
        return self.retry_locked(lambda: self.context.host.run(self.argv(*arguments), timeout=timeout, slow=slow))

    def retry_locked(self, run: Callable[[], CommandResult]) -> CommandResult:
        """Run a command again and again while it ends because another program has dnf's lock; return its result.

        Raises:
            Busy: the lock was held for ``lock_timeout`` seconds.
        """
        from ..locking import retry_locked

        return retry_locked(self.context, run, is_locked=_is_locked)

    def wait_for_system(self) -> None:
        """Wait until the system is free, since dnf 5 itself waits for its lock without an end and fails for rpm's.

        Raises:
            Busy: another program held a lock for ``lock_timeout`` seconds.
        """
        if self.generation == 5:
            from ..rpm.locks import wait_for_system

            wait_for_system(self.context, (), (SYSTEM_LOCK,))


def find_program(host: Host) -> tuple[str, int]:
    """Return dnf's path and generation, 4 or 5.

    Raises:
        CommandMissing: there is no dnf.
    """
    for name in ("dnf", "dnf5", "dnf-3"):
        path = host.find_program(name)
        if path:
            return path, 5 if Path(path).resolve().name == "dnf5" else 4
    raise CommandMissing("dnf: program not found; install dnf, or set ssmpatch:package_manager to what this host has")


def make_command(context: Context) -> tuple[DnfCommand, DnfConfig]:
    """Return the way to call dnf for the context's root and its configuration.

    The baseline's Sources are in a private directory, named on the command line in place of the system's repositories.
    Rule: docs/rules.md, Baselines.
    """
    require_database(context.root)
    program, generation = find_program(context.host)
    sources = None
    if context.sources:
        from ..rpmmd.sources import write_sources

        sources = write_sources(context, "dnf-sources")
    config = read_config(
        context.root,
        generation=generation,
        machine=context.host.machine(),
        sources=sources,
        releasever=context.releasever,
    )
    options = _root_options(context, generation, config) if context.root != Path("/") else []
    if context.releasever:
        options.append(f"--releasever={context.releasever}")
    if sources is not None:
        options.append(f"--setopt=reposdir={sources}")
        options.extend(f"--disablerepo={name}" for name in config.own_sections)
    elif context.root != Path("/"):
        options.append(f"--setopt=reposdir={','.join(map(str, config.repository_directories))}")
    return DnfCommand(context, program, generation, tuple(options)), config


def _is_locked(result: CommandResult) -> bool:
    return bool(result.code) and (
        result.code == _LOCK_ERROR or _LOCK_WORDS.search(result.stdout + result.stderr) is not None
    )


def _root_options(context: Context, generation: int, config: DnfConfig) -> list[str]:
    """Return the options that make dnf use the configuration, variables and release of a root other than ``/``."""
    root = context.root
    options = [f"--installroot={root}"]
    own = root / MAIN_CONFIG
    options.append(f"--config={own if own.exists() else _empty_config(context)}")
    options.append(f"--setopt=varsdir={','.join(map(str, config.variable_directories))}")
    if "releasever" not in config.variables and not _has_release_package(context):
        release = _release_of(root)
        if release:
            options.append(f"--releasever={release}")
    return options


def _empty_config(context: Context) -> Path:
    path = context.work_dir / "dnf.conf"
    ensure_directory(context.work_dir)
    write_text(path, "[main]\n")
    return path


def _has_release_package(context: Context) -> bool:
    argv = rpm_argv(context.root, "-q", "--whatprovides", "system-release(releasever)", "system-release")
    return any("no package provides" not in line for line in context.host.run(argv).stdout.splitlines())


def _release_of(root: Path) -> str:
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = (root / name).read_text(errors="replace")
        except OSError:
            continue
        version, id_ = _VERSION_ID.search(text), _ID.search(text)
        if version:
            release = version.group(1)
            return release.partition(".")[0] if id_ and id_.group(1) in _MAJOR_ONLY else release
    return ""
