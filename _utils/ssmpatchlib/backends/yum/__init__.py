# SPDX-License-Identifier: Apache-2.0
"""yum: Amazon Linux 2, CentOS 7, RHEL 7 and Oracle Linux 7, with yum 3 and rpm only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...model import Inventory, Kernels, Offer, Published, Target
from .. import Context, Limits, Refresh
from ..rpm.installed import Database
from ..rpm.reboot import changed_since_boot, newer_kernel
from . import refresh
from .command import make_command
from .inventory import FAMILY, read_inventory, read_published

if TYPE_CHECKING:
    from ..answers import InstallRun, Solution, Watch


class Yum:
    """A system with yum 3, at the context's root."""

    name = "yum"
    family = FAMILY
    limits = Limits(runs=60, hiding_runs=8, rounds=4)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = Database(context.host, context.root)
        self._command = make_command(context)

    @property
    def places(self) -> tuple[Path, Path]:
        """The directories of downloads (yum's cache) and of packages (the root)."""
        return self._command.read_config().cache, self._context.root

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """Run ``yum makecache fast``; with ``import_keys`` yum imports the keys that it needs to check repositories."""
        return refresh.refresh(self._context, self._command, import_keys=import_keys)

    def index_age(self) -> float | None:
        """Return the seconds since the repositories were found current, for the one where that is longest ago."""
        return refresh.index_age(self._context, self._command)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read the rpm database and yum's cache."""
        return read_inventory(self._context, self._database, self._command.read_config(), non_security=non_security)

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Ask yum's solver; ``hold`` has no effect."""
        from .solver import solve

        return solve(self._command.of_read_repositories(), wanted, hidden)

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Let yum bring in some targets."""
        from .install import install

        return install(self._command.of_read_repositories(), self._database, wanted, hidden=hidden, watch=watch)

    def drop_held(self) -> None:
        """Do nothing: ``solve`` leaves no yum running."""

    def installed(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from the rpm database; of several versions the newest."""
        return self._database.versions()

    def repair(self) -> tuple[str, ...]:
        """Wait for running programs, rebuild an unreadable rpm database, finish interrupted updates."""
        from ..rpm.repair import repair
        from .install import LOG, PID_FILES, unfinished

        log = self._context.work_dir / LOG
        return repair(self._context, self._database, log=log, unfinished=unfinished, pid_files=PID_FILES)

    def reboot_reasons(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one, or core packages since the boot, were installed."""
        if self._context.root != Path("/"):
            return ()
        installed = self._database.read()
        host = self._context.host
        core = changed_since_boot(installed, boot_time=host.boot_time())
        return (*newer_kernel(installed, running=host.kernel_release()), *core)

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Return what the advisories in yum's cache say of some ids."""
        return read_published(self._context, self._command.read_config(), ids)

    def owners(self, paths: Collection[str]) -> dict[str, str]:
        """Ask rpm to which packages files belong."""
        from ..rpm.owners import find_owners

        return find_owners(self._context.host, self._context.root, paths)

    def kernels(self) -> Kernels:
        """Return the packages of kernels in the rpm database."""
        from ..rpm.kernels import find_kernels, running_release

        return find_kernels(self._database.read(), running=running_release(self._context))
