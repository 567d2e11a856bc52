# SPDX-License-Identifier: Apache-2.0
"""dnf: Red Hat's family, Amazon Linux 2023 and Fedora, with dnf 4 or dnf 5."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model import Inventory, Kernels, Offer, Published, Target
from .. import Context, Limits, Refresh
from ..rpm.installed import Database
from ..rpmmd.repofiles import DnfConfig
from . import reboot, refresh
from .command import SYSTEM_LOCK, DnfCommand, make_command
from .inventory import FAMILY, metadata_copy, read_inventory, read_published

if TYPE_CHECKING:
    from ..answers import InstallRun, Solution, Watch
    from .answer import Reply
    from .solver import Insisted
    from .waiting import Asker


class Dnf:
    """A system with dnf, at the context's root."""

    name = "dnf"
    family = FAMILY
    limits = Limits(runs=24, hiding_runs=12, rounds=4)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = Database(context.host, context.root)
        self._command, self._config = make_command(context)
        self._asker: Asker | None = None
        self._insisted: Insisted | None = None

    @property
    def places(self) -> tuple[Path, Path]:
        """The directories of downloads (dnf's cache) and of packages (the root)."""
        return self._config.cache, self._context.root

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """Run ``dnf makecache``; with ``import_keys`` dnf imports the keys that it needs to check repositories."""
        return refresh.refresh(self._context, self._command, self._read_config, import_keys=import_keys)

    def _read_config(self) -> DnfConfig:
        self._command, self._config = make_command(self._context)
        return self._config

    @property
    def _offline(self) -> DnfCommand:
        """dnf without the repositories that were never read.

        Of them it would fetch the metadata first, and wait for one that does not answer.
        """
        return self._command.without(r.id for r in self._config.repositories if not metadata_copy(r).exists())

    def index_age(self) -> float | None:
        """Return the seconds since the repositories were found current, for the one where that is longest ago."""
        return refresh.index_age(self._context, self._config)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read the rpm database and dnf's cache."""
        return read_inventory(
            self._context,
            self._database,
            self._config,
            generation=self._command.generation,
            non_security=non_security,
        )

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Ask dnf's solver; with ``hold`` the first dnf that is asked stays running, to install when it is told to."""
        from . import solver
        from .waiting import Asker

        command = self._offline
        if hold:
            self._asker = self._asker or Asker(command)
            reply = self._asker.ask(wanted, hidden)
        else:
            reply = solver.ask_dnf(command, wanted, hidden)
        runs = 1
        if solver.leaves_out_in_silence(reply, wanted):
            insisted = solver.insisted(reply, wanted)
            # A dnf 5 that waits has the system locked.
            self.drop_held()
            runs, better = 2, solver.ask_dnf(command, insisted.asked, hidden, insist=True)
            if not solver.lost_targets(better, wanted):
                reply, self._insisted = better, insisted
        protected = reply.protected
        if protected:
            reply = solver.ask_dnf(command, wanted, hidden, unprotected=True)
        solution = solver.solution_of(reply, wanted, self.installed(), protected)
        return replace(solution, runs=runs, warnings=(*solution.warnings, *self._announced_keys(reply)))

    def _announced_keys(self, reply: Reply) -> tuple[str, ...]:
        from ..rpmmd import keys

        return keys.announced(self._context, self._config.repositories, {row.origin for row in reply.rows})

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Let dnf bring in some targets."""
        from .install import install

        insisted = self._insisted
        return install(
            self._offline,
            self._database,
            wanted,
            hidden=hidden,
            watch=watch,
            asker=self._asker,
            repositories=self._config.repositories,
            insisted=insisted if insisted and insisted.planned.issuperset(wanted) else None,
        )

    def drop_held(self) -> None:
        """End the dnf that ``solve`` left running; it installs nothing."""
        if self._asker:
            self._asker.let_go()

    def installed(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from the rpm database; of several versions the newest."""
        return self._database.versions()

    def repair(self) -> tuple[str, ...]:
        """Wait for running programs, rebuild an unreadable rpm database, finish interrupted updates."""
        from ..rpm.repair import repair
        from .repair import PID_FILES, unfinished
        from .waiting import LOG

        log, locks = self._context.work_dir / LOG, (SYSTEM_LOCK,)
        return repair(
            self._context, self._database, log=log, unfinished=unfinished, pid_files=PID_FILES, lock_files=locks
        )

    def reboot_reasons(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one, or core packages since the boot, were installed."""
        return reboot.hints(self._context, self._database, generation=self._command.generation)

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Return what the advisories in dnf's cache say of some ids."""
        return read_published(self._context, self._config, ids, generation=self._command.generation)

    def owners(self, paths: Collection[str]) -> dict[str, str]:
        """Ask rpm to which packages files belong."""
        from ..rpm.owners import find_owners

        return find_owners(self._context.host, self._context.root, paths)

    def kernels(self) -> Kernels:
        """Return the packages of kernels in the rpm database."""
        from ..rpm.kernels import find_kernels, running_release

        return find_kernels(self._database.read(), running=running_release(self._context))
