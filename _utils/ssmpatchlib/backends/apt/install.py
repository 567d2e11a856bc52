# SPDX-License-Identifier: Apache-2.0
"""Runs apt and dpkg to change the system, and completes what they left unfinished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...files import remove
from ...host import CommandResult
from ...model import Target
from .. import Context
from ..answers import InstallRun, Reading, Watch
from ..locking import retry_locked, wait_idle
from ..output import open_log
from ..systemd_scope import scope
from . import marks
from .config import SAFE_OPTIONS, AptCommand, AptPaths
from .failures import failure_words, last_words
from .locks import holder, is_locked
from .solver import install_words
from .status import broken_packages, working_versions

#: With these variables nothing asks questions, restarts services during the run or mails the changelog.
QUIET_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
#: With these a configuration file that the administrator changed stays; an unchanged one becomes the package's.
CONFFILE_OPTIONS = ("--force-confdef", "--force-confold")
_RUN_LIMIT = 6 * 3600


@dataclass(frozen=True, slots=True)
class Installer:
    """The values that an installation needs of the host."""

    command: AptCommand
    paths: AptPaths
    context: Context

    @property
    def marks(self) -> Path:
        """Where the marks are remembered while apt works."""
        return self.context.work_dir / marks.FILE

    @property
    def log(self) -> Path:
        """The file that apt and dpkg print into, so that they can outlive the process that started them."""
        return self.context.work_dir / "apt-output.log"

    def run(self, argv: Sequence[str], *, watch: Callable[[], None] | None = None) -> CommandResult:
        """Run a program that changes the system, once the lock is free; everything it prints is in ``stdout``.

        Raises:
            Busy: another program held the lock for ``lock_timeout`` seconds.
        """
        argv = [*scope(self.context), *argv]
        env = {**QUIET_ENVIRONMENT, **self.command.env}
        run = partial(self.context.host.run, argv, env=env, timeout=_RUN_LIMIT, output=self.log, watch=watch)
        return retry_locked(self.context, run, is_locked=is_locked)

    def installed(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` of the packages that work."""
        return working_versions(self.paths.status, architecture=self.paths.architecture)

    def broken(self) -> dict[str, str]:
        """Return ``{name.arch: dpkg state}`` of the packages that are not completely installed."""
        return broken_packages(self.paths.status, architecture=self.paths.architecture)


def install(installer: Installer, targets: Sequence[Target], watch: Watch) -> InstallRun:
    """Run apt-get once to bring in some targets, then let dpkg configure what it left unfinished.

    Raises:
        Busy: another program held the lock for ``lock_timeout`` seconds.
        Unwritable: the marks to restore cannot be written down; nothing was installed.
    """
    context, before = installer.context, installer.installed()
    options = (
        *SAFE_OPTIONS,
        *(f"Dpkg::Options::={option}" for option in CONFFILE_OPTIONS),
        f"DPkg::Lock::Timeout={context.lock_timeout}",
        *(["APT::Get::ReInstall=true"] if any(before.get(t.id) == t.version for t in targets) else []),
    )
    marks.remember(
        targets, marks.read_marks(installer.paths.extended_states), file=installer.marks, now=context.host.now()
    )
    argv = installer.command.argv("apt-get", "-y", "install", "--", *install_words(targets), options=options)
    open_log(installer.log, now=context.host.now())
    report = watch.follow(installer.log, partial(read_step, count=max(len(targets), 1)))
    result = installer.run(argv, watch=report)
    said = result.stdout
    if result.code and installer.broken():
        said += _configure(installer).stdout
    warnings = _restore_marks(installer)
    after = installer.installed()
    left = [target for target in targets if after.get(target.id) != target.version]
    words = failure_words(said, left, installer.broken())
    return InstallRun(failures=words, said=last_words(result.stdout, result.code), warnings=warnings)


def _restore_marks(installer: Installer) -> tuple[str, ...]:
    """Mark again what was marked as automatically installed before; return what could not be, in words."""
    remembered = marks.remembered(installer.marks, now=installer.context.host.now())
    if not remembered:
        return ()
    lost = sorted({*remembered} - marks.read_marks(installer.paths.extended_states))
    present = installer.installed() | installer.broken()
    there = [name for name in lost if _id(name) in present]
    warnings: tuple[str, ...] = ()
    if there:
        warnings = marks.failed(installer.run(installer.command.argv("apt-mark", "auto", "--", *there)), there)
    if not warnings:
        remove(installer.marks)
    return warnings


def _id(name: str) -> str:
    """``name.arch`` of ``name:arch``."""
    return ".".join(name.rsplit(":", 1))


def read_step(text: str, *, count: int) -> Reading:
    """Return the progress with ``count`` packages that apt's and dpkg's output shows."""
    unpacked, done = text.count("\nUnpacking "), text.count("\nSetting up ")
    phase = "installing" if unpacked or "\nPreparing to unpack" in text else "downloading"
    return Reading(phase, unpacked + done, 2 * count, f"{min(done, count)} of {count} packages")


def _configure(installer: Installer) -> CommandResult:
    """Let dpkg configure all packages that are unpacked but not configured."""
    return installer.run(["dpkg", *installer.command.dpkg_root, *CONFFILE_OPTIONS, "--configure", "-a"])


def repair(installer: Installer) -> tuple[str, ...]:
    """Complete the packages that an interrupted dpkg left unfinished; return what was done, in words.

    Raises:
        Busy: dpkg's lock was held by another program for ``lock_timeout`` seconds.
    """
    context, directory = installer.context, installer.paths.status.parent
    wait_idle(context, partial(holder, directory))
    interrupted = any((directory / "updates").glob("[0-9]*"))
    broken = installer.broken()
    if not interrupted and not broken:
        return _restore_marks(installer)
    open_log(installer.log, now=context.host.now())
    result = _configure(installer)
    lost = _restore_marks(installer)
    named = ", ".join(f"{name} ({state})" for name, state in sorted(broken.items())) or "its journal"
    if result.code:
        return (f"dpkg was interrupted ({named}); dpkg --configure -a did not repair it: {result.words}", *lost)
    return (f"dpkg was interrupted ({named}); dpkg --configure -a repaired it", *lost)
