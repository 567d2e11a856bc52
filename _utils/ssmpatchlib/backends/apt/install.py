# SPDX-License-Identifier: Apache-2.0
"""How apt and dpkg are run when they change something, and how what they left unfinished is completed."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files import Unwritable, ensure_directory, set_aside
from ...host import CommandResult
from .. import Context
from ..systemd_scope import scope
from .config import AptCommand, AptPaths
from .locks import retry_locked, wait_idle
from .status import BROKEN, read_status

#: Nothing asks, nothing restarts services in the middle of the run, nothing mails the changelog.
QUIET_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
#: A changed configuration file stays as the administrator left it; an unchanged one takes the package's.
CONFFILE_OPTIONS = ("--force-confdef", "--force-confold")
_RUN_LIMIT = 6 * 3600
_LARGE_LOG = 4 << 20


@dataclass(frozen=True, slots=True)
class Installer:
    """What an installation needs to know of the host."""

    command: AptCommand
    paths: AptPaths
    context: Context

    @property
    def log(self) -> Path:
        """Where apt and dpkg write to, so that they outlive the process that started them."""
        return self.context.work_dir / "apt-output.log"

    def open_log(self) -> None:
        """Make the log a file that can be written, and begin a new one where it has grown large.

        Raises:
            Unwritable: that is not possible.
        """
        ensure_directory(self.log.parent)
        try:
            status = self.log.lstat()
            if not stat.S_ISREG(status.st_mode):
                set_aside(self.log, "not a regular file", now=self.context.host.now())
            elif status.st_size > _LARGE_LOG:
                self.log.replace(self.log.with_suffix(".log.old"))
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise Unwritable(self.log, exc) from exc

    def run(self, argv: Sequence[str], *, watch: Callable[[], None] | None = None) -> CommandResult:
        """Run a program that changes the system; everything it prints is in ``stdout``."""
        return self.context.host.run(
            [*scope(self.context), *argv],
            env={**QUIET_ENVIRONMENT, **self.command.env},
            timeout=_RUN_LIMIT,
            output=self.log,
            watch=watch,
        )

    def installed_versions(self, prefix: str = "") -> dict[str, str]:
        """Return ``{name.arch: version}`` of the packages that dpkg has and that work, and whose names begin so."""
        status = read_status(self.paths.status, architecture=self.paths.architecture, prefix=prefix)
        return {f"{p.name}.{p.arch}": p.version for p in status if p.status not in BROKEN | {"config-files"}}

    def broken_packages(self) -> dict[str, str]:
        """Return ``{name.arch: dpkg state}`` of the packages that are not completely installed."""
        status = read_status(self.paths.status, architecture=self.paths.architecture)
        return {f"{p.name}.{p.arch}": p.status for p in status if p.status in BROKEN}


def configure(installer: Installer) -> CommandResult:
    """Let dpkg complete everything that is unpacked but not configured.

    Raises:
        Busy: dpkg's lock was held by another program for ``lock_timeout`` seconds.
    """
    argv = ["dpkg", *installer.command.dpkg_root, *CONFFILE_OPTIONS, "--configure", "-a"]
    return retry_locked(installer.context, lambda: installer.run(argv))


def repair(installer: Installer) -> tuple[str, ...]:
    """Complete what an interrupted dpkg left, before anything new is begun.

    Raises:
        Busy: dpkg's lock was held by another program for ``lock_timeout`` seconds.
    """
    wait_idle(installer.context, installer.paths)
    interrupted = any((installer.paths.status.parent / "updates").glob("[0-9]*"))
    broken = installer.broken_packages()
    if not interrupted and not broken:
        return ()
    installer.open_log()
    result = configure(installer)
    named = ", ".join(f"{name} ({state})" for name, state in sorted(broken.items())) or "its journal"
    if result.code:
        return (f"dpkg was interrupted ({named}); dpkg --configure -a did not repair it: {result.words}",)
    return (f"dpkg was interrupted ({named}); dpkg --configure -a repaired it",)
