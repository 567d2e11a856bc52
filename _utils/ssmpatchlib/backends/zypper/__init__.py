# SPDX-License-Identifier: Apache-2.0
"""The zypper backend: SUSE Linux Enterprise and openSUSE, with zypper, rpm and libzypp's files only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...model import ExecutionResult, Inventory, Target, Transaction, UnreadSource
from .. import Context, Forbidden, Progress, Refresh
from ..rpm.installed import Database, newest
from . import reboot, refresh
from .command import make_command
from .index import IndexBuild, is_current
from .inventory import read_inventory


class ZypperBackend:
    """A system with zypper, at the context's root."""

    name = "zypper"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._command = make_command(context)
        self._database = Database(context.host, context.root)
        self._build: IndexBuild | None = None

    def refresh(self, *, max_age: float = 0) -> Refresh:
        """Run ``zypper refresh`` unless every repository was found current less than ``max_age`` seconds ago."""
        age = self.index_age()
        if max_age and age is not None and age < max_age:
            return Refresh(False)
        done = refresh.refresh(self._context, self._command)
        if done.done and not is_current(self._command.config):
            self._build = IndexBuild(self._command)
        return done

    def index_age(self) -> float | None:
        """Return how long ago the repositories were found current, in seconds, of the one where it was longest ago."""
        return refresh.index_age(self._context, self._command.config)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read the rpm database and libzypp's cache; on SUSE what has no patch counts too, whatever the baseline."""
        try:
            found = read_inventory(self._context, self._database, self._command.config)
        finally:
            unread = self._built()
        return replace(found, unread=(*found.unread, *unread)) if unread else found

    def _built(self) -> tuple[UnreadSource, ...]:
        """Wait for zypper's index; say of which repositories it has none."""
        build, self._build = self._build, None
        return build.wait() if build else ()

    def plan(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Ask zypper's solver for the transaction."""
        if not targets:
            return Transaction(targets=(), batches=(), changes=(), download_size=0, disk_size=0)
        from . import solver

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
        """Let zypper install the transaction's batches."""
        from . import install

        return install.execute(
            self._context,
            self._database,
            self._command,
            transaction,
            on_progress=on_progress,
            may_start_batch=may_start_batch,
        )

    def repair(self) -> tuple[str, ...]:
        """Complete what an interrupted run left, and rebuild the rpm database if it cannot be read."""
        from . import repair

        return repair.repair(self._context, self._database)

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from the rpm database; of several versions the newest."""
        installed = newest(self._database.read())
        return {id_: package.evr for id_, package in installed.items()}

    def reboot_hints(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one, or packages that need a reboot, were installed."""
        return reboot.hints(self._context, self._database, self._command.config)
