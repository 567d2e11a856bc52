# SPDX-License-Identifier: Apache-2.0
"""The yum backend: Amazon Linux 2, CentOS 7, RHEL 7 and Oracle Linux 7, with yum 3 and rpm only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...model import ExecutionResult, Inventory, Target, Transaction
from .. import Context, Forbidden, Progress, Refresh
from ..rpm.installed import Database, newest
from ..rpm.reboot import changed_since_boot, newer_kernel
from . import install, refresh, solver
from .command import make_command
from .inventory import read_inventory


class YumBackend:
    """A system with yum 3, at the context's root."""

    name = "yum"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = Database(context.host, context.root)
        self._command = make_command(context)

    def refresh(self, *, max_age: float = 0) -> Refresh:
        """Run ``yum makecache fast`` unless every repository was found current less than ``max_age`` seconds ago."""
        age = self.index_age()
        if max_age and age is not None and age < max_age:
            return Refresh(False)
        return refresh.refresh(self._context, self._command)

    def index_age(self) -> float | None:
        """Return how long ago the repositories were found current, in seconds, of the one where it was longest ago."""
        return refresh.index_age(self._context, self._command)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read the rpm database and yum's cache."""
        return read_inventory(self._context, self._database, self._command.read_config(), non_security=non_security)

    def plan(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Ask yum's solver for the transaction."""
        if not targets:
            return Transaction(targets=(), batches=(), changes=(), download_size=0)
        return solver.make_plan(self._command, targets, inventory=inventory, forbidden=forbidden)

    def prepare(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """As ``plan``: nothing waits."""
        return self.plan(targets, inventory=inventory, forbidden=forbidden)

    def release(self) -> None:
        """Do nothing: nothing waits."""

    def execute(
        self,
        transaction: Transaction,
        *,
        on_progress: Callable[[Progress], None],
        may_start_batch: Callable[[], bool],
    ) -> ExecutionResult:
        """Let yum install the transaction's batches."""
        return install.execute(
            self._database, self._command, transaction, on_progress=on_progress, may_start_batch=may_start_batch
        )

    def repair(self) -> tuple[str, ...]:
        """Complete what an interrupted run left, and rebuild the rpm database if it cannot be read."""
        return install.repair(self._context, self._database)

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from the rpm database; of several versions the newest."""
        installed = newest(self._database.read())
        return {id_: package.evr for id_, package in installed.items()}

    def reboot_hints(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one, or core packages since the boot, were installed."""
        if self._context.root != Path("/"):
            return ()
        installed = self._database.read()
        core = changed_since_boot(installed, boot_time=self._context.host.boot_time())
        return (*newer_kernel(installed, root=self._context.root), *core)
