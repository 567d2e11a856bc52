# SPDX-License-Identifier: Apache-2.0
"""The dnf backend: Red Hat's family, Amazon Linux 2023 and Fedora, with dnf 4 or dnf 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...model import ExecutionResult, Inventory, Target, Transaction
from .. import Context, Forbidden, Progress, Refresh
from ..rpm.installed import Database, newest
from ..rpmmd.repofiles import DnfConfig
from . import reboot, refresh
from .command import make_command
from .inventory import read_inventory

if TYPE_CHECKING:
    from .waiting import Asker


class DnfBackend:
    """A system with dnf, at the context's root."""

    name = "dnf"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = Database(context.host, context.root)
        self._command, self._config = make_command(context)
        self._asker: Asker | None = None

    def refresh(self, *, max_age: float = 0) -> Refresh:
        """Run ``dnf makecache`` unless every repository was found current less than ``max_age`` seconds ago."""
        age = self.index_age()
        if max_age and age is not None and age < max_age:
            return Refresh(False)
        return refresh.refresh(self._context, self._command, self._read_config)

    def _read_config(self) -> DnfConfig:
        self._command, self._config = make_command(self._context)
        return self._config

    def index_age(self) -> float | None:
        """Return how long ago the repositories were found current, in seconds, of the one where it was longest ago."""
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

    def plan(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Ask dnf's solver for the transaction."""
        if not targets:
            return Transaction(targets=(), batches=(), changes=(), download_size=0)
        from . import solver

        return solver.make_plan(self._command, targets, inventory=inventory, forbidden=forbidden)

    def prepare(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Ask a dnf that waits with the transaction, so that it need not be worked out again.

        Where it has to be asked more than once, or the transaction is done in parts, none waits.
        """
        if not targets:
            return self.plan(targets, inventory=inventory, forbidden=forbidden)
        from . import solver
        from .waiting import Asker

        self._asker = asker = Asker(self._context, self._command)
        transaction = solver.make_plan(self._command, targets, inventory=inventory, forbidden=forbidden, ask=asker)
        if transaction.hidden or transaction.batches != (asker.targets,):
            asker.let_go()
        return transaction

    def release(self) -> None:
        """Let the dnf that waits end."""
        if self._asker:
            self._asker.let_go()

    def execute(
        self,
        transaction: Transaction,
        *,
        on_progress: Callable[[Progress], None],
        may_start_batch: Callable[[], bool],
    ) -> ExecutionResult:
        """Let dnf install the transaction's batches."""
        from . import install

        return install.execute(
            self._context,
            self._database,
            self._command,
            self._config,
            transaction,
            on_progress=on_progress,
            may_start_batch=may_start_batch,
            asker=self._asker,
        )

    def repair(self) -> tuple[str, ...]:
        """Wait for what still runs, rebuild a database that cannot be read, finish an interrupted update."""
        from . import repair

        return repair.repair(self._context, self._database)

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from the rpm database; of several versions the newest."""
        installed = newest(self._database.read())
        return {id_: package.evr for id_, package in installed.items()}

    def reboot_hints(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one, or core packages since the boot, were installed."""
        return reboot.hints(self._context, self._database, generation=self._command.generation)
