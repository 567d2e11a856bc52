# SPDX-License-Identifier: Apache-2.0
"""zypper: SUSE Linux Enterprise and openSUSE, with zypper, rpm and libzypp's files only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model import Inventory, Kernels, Offer, Published, Target, UnreadSource
from .. import Context, Limits, Refresh
from ..rpm.installed import Database
from . import reboot, refresh
from .command import make_command
from .index import IndexBuild, is_current
from .inventory import FAMILY, find_origins, read_inventory, read_published

if TYPE_CHECKING:
    from ..answers import InstallRun, Solution, Watch
    from .solver import Solver


class Zypper:
    """A system with zypper, at the context's root."""

    name = "zypper"
    family = FAMILY

    def __init__(self, context: Context) -> None:
        self._context = context
        self._command = make_command(context)
        self._database = Database(context.host, context.root)
        self._build: IndexBuild | None = None
        self._solver: Solver | None = None

    @property
    def limits(self) -> Limits:
        """Few runs of the solver, since zypper reads everything in each; many attempts, since it stops at a failure.

        Packages are hidden by locks, and libzypp searches all packages for each lock, so their number is limited.
        """
        hides = self._command.private is not None
        return Limits(runs=12, hiding_runs=4 if hides else 1, most_hidden=1000, rounds=20)

    @property
    def places(self) -> tuple[Path, Path]:
        """The directories of downloads (libzypp's cache) and of packages (the root)."""
        return self._command.config.cache, self._context.root

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """Run ``zypper refresh``; with ``import_keys`` the keys that it asks for and a gpgkey names are imported."""
        done = refresh.refresh(self._context, self._command, import_keys=import_keys)
        self._solver = None
        if done.done and not is_current(self._command.config):
            self._build = IndexBuild(self._command)
        return done

    def index_age(self) -> float | None:
        """Return the seconds since the repositories were found current, for the one where that is longest ago."""
        return refresh.index_age(self._context, self._command.config)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read the rpm database and libzypp's cache; versions without a patch are always included."""
        try:
            found = read_inventory(self._context, self._database, self._command.config)
        finally:
            unread = self._built()
        return replace(found, unread=(*found.unread, *unread)) if unread else found

    def _built(self) -> tuple[UnreadSource, ...]:
        """Wait until zypper's index is built; return the repositories of which none could be built."""
        build, self._build = self._build, None
        return build.wait() if build else ()

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Ask zypper's solver; ``hold`` has no effect."""
        from .solver import Solver

        versions: dict[str, list[str]] = {}
        for package in self._database.read():
            versions.setdefault(package.id, []).append(package.evr)
        self._solver = self._solver or Solver(self._command)
        solution = self._solver.solve(wanted, hidden, versions)
        return replace(solution, warnings=(*solution.warnings, *self._announced_keys(solution)))

    def _announced_keys(self, solution: Solution) -> tuple[str, ...]:
        config = self._command.config
        if not any(repository.checks_packages and repository.keys for repository in config.repositories):
            return ()
        from . import keys

        offers = [(step.id, step.new) for step in solution.steps if step.new]
        return keys.announced(self._command, frozenset().union(*find_origins(self._context, config, offers).values()))

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Let zypper bring in some targets."""
        from .install import install

        return install(self._command, self._database, wanted, hidden=hidden, watch=watch)

    def drop_held(self) -> None:
        """Do nothing: ``solve`` leaves no zypper running."""

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
        """Say when a newer kernel than the running one, or packages that need a reboot, were installed."""
        return reboot.hints(self._context, self._database, self._command.config)

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Return what the patches in libzypp's cache say of some ids."""
        return read_published(self._context, self._command.config, ids)

    def owners(self, paths: Collection[str]) -> dict[str, str]:
        """Ask rpm to which packages files belong."""
        from ..rpm.owners import find_owners

        return find_owners(self._context.host, self._context.root, paths)

    def kernels(self) -> Kernels:
        """Return the packages of kernels in the rpm database."""
        from ..rpm.kernels import running_release
        from .kernels import find_kernels

        return find_kernels(self._database.read(), running=running_release(self._context))
