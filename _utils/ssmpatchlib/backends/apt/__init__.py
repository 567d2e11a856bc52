# SPDX-License-Identifier: Apache-2.0
"""apt: Debian, Ubuntu and Raspbian, with apt's and dpkg's own programs and files only."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import Unwritable
from ...model import Inventory, Kernels, Offer, Published, Target
from .. import Context, Limits, Refresh
from . import kernel, refresh
from .again import read_again, watch_again
from .config import asks_for_recommended, make_command, read_paths
from .inventory import FAMILY, read_inventory
from .policy import read_pins, with_priorities
from .status import Installed, present_versions, read_status, working_versions
from .targets import Indexes, IndexTarget, read_targets

if TYPE_CHECKING:
    from ..answers import InstallRun, Solution, Watch
    from .needed import Archive


class Apt:
    """A Debian system, at the context's root."""

    name = "apt"
    family = FAMILY
    limits = Limits(runs=60, hiding_runs=3, rounds=48, halvings=24)

    def __init__(self, context: Context) -> None:
        try:
            command = make_command(context)
        except Unwritable:
            # A user who may not write the state directory can still judge the host; nothing is stored then.
            context = replace(context, work_dir=_temporary_directory(self))
            command = make_command(context)
        self._context = context
        self._command = command
        self._paths = read_paths(self._command)
        self._untrusted: frozenset[tuple[str, str, str]] | None = None
        self._archive: Archive | None = None
        self._tells = False

    @property
    def places(self) -> tuple[Path, Path]:
        """The directories of downloads (the archive cache) and of packages (dpkg's database is there)."""
        return self._paths.archives, self._paths.status.parent

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """Run ``apt-get update``."""
        self._untrusted = self._archive = None
        return refresh.refresh(self._context, self._command, self._paths, self._targets())

    def index_age(self) -> float | None:
        """Return how old the package lists are, in seconds; None where one is not there."""
        return refresh.index_age(self._context, self._paths, self._targets())

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read dpkg's status and the indexes."""
        return read_inventory(
            self._command,
            self._paths,
            self._indexes(),
            pins=read_pins(self._paths),
            non_security=non_security,
            words_file=self._context.work_dir / "apt-words.json",
            again=read_again(self._again_file),
        )

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Ask apt's solver, and without ``hidden`` for what goes together instead; ``hold`` has no effect."""
        from . import sizes, solver

        recommends = asks_for_recommended(self._paths)
        solution, told = solver.solve(
            self._command,
            wanted,
            native=self._paths.architecture,
            present=present_versions(self._status()),
            untrusted_only=self._untrusted_only(),
            needed=lambda: self._needed(wanted, hidden),
            hidden=hidden,
            recommends=recommends,
        )
        self._tells = self._tells or bool(told)
        if solution.words:
            return solver.name_holds(solution, (package.name for package in self._status() if package.held))
        steps = solution.steps
        return replace(
            solution,
            sizes=lambda: sizes.sizes_of(self._command, self._paths, self._targets(), steps),
            doubts=lambda: solver.order_problem(self._command, wanted, told, recommends=recommends) if wanted else (),
        )

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Let apt-get bring in some targets."""
        from .install import Installer, install

        needed = self._needed(wanted, hidden) if self._tells else ()
        remember = watch_again(self._command, self._paths, self._targets, wanted, self._again_file)
        run = install(Installer(self._command, self._paths, self._context), wanted, watch, needed=needed)
        remember()
        return run

    def drop_held(self) -> None:
        """Do nothing: ``solve`` leaves no apt running."""

    def installed(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from dpkg's status."""
        return working_versions(self._paths.status, architecture=self._paths.architecture)

    def repair(self) -> tuple[str, ...]:
        """Complete the packages that an interrupted dpkg left unfinished."""
        from .install import Installer, repair

        return repair(Installer(self._command, self._paths, self._context))

    def reboot_reasons(self) -> tuple[str, ...]:
        """Return a reason when a newer kernel than the running one is installed."""
        if self._context.root != Path("/"):
            return ()
        architecture = self._paths.architecture
        images = working_versions(self._paths.status, architecture=architecture, prefix=kernel.PREFIX)
        return kernel.newer_kernel(images, running=self._context.host.kernel_release())

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Return nothing: apt's archives publish no advisories."""
        return ()

    def owners(self, paths: Collection[str]) -> dict[str, str]:
        """Ask dpkg to which packages files belong."""
        from .owners import find_owners

        return find_owners(self._command, self._status(), paths, native=self._paths.architecture)

    def kernels(self) -> Kernels:
        """Return the packages of kernels in dpkg's status."""
        found = read_status(self._paths.status, architecture=self._paths.architecture, prefix=kernel.ANY_PREFIX)
        if self._context.root != Path("/"):
            return kernel.find_kernels(present_versions(found), running="")
        host = self._context.host
        kernels = kernel.find_kernels(present_versions(found), running=host.kernel_release())
        return kernel.as_booted(kernels, host.kernel_build())

    @property
    def _again_file(self) -> Path:
        return self._context.work_dir / "apt-again.json"

    def _targets(self) -> tuple[IndexTarget, ...]:
        return self._indexes().targets

    def _indexes(self) -> Indexes:
        return read_targets(
            self._command,
            self._paths,
            cache=self._context.work_dir / "apt-targets.json",
            prioritise=lambda found: with_priorities(self._command, self._paths, found, read_pins(self._paths)),
        )

    def _needed(self, wanted: Sequence[Target], hidden: Collection[Offer]) -> tuple[Offer, ...]:
        """Return the dependencies that apt has to be told with their versions."""
        from .needed import Archive, System, needed_versions

        if self._archive is None:
            self._archive = Archive(self._command, self._paths.architecture, self._untrusted_only())
        return needed_versions(self._archive, System(self._status(), self._paths.architecture), wanted, hidden)

    def _status(self) -> tuple[Installed, ...]:
        return read_status(self._paths.status, architecture=self._paths.architecture)

    def _untrusted_only(self) -> frozenset[tuple[str, str, str]]:
        """Return the versions that only repositories without a valid signature have."""
        from .sizes import versions_of

        if self._untrusted is None:
            targets = self._targets()
            untrusted = versions_of(self._command, self._paths, [t for t in targets if not t.trusted and t.present])
            if untrusted:
                untrusted -= versions_of(self._command, self._paths, [t for t in targets if t.usable])
            self._untrusted = frozenset(untrusted)
        return self._untrusted


def _temporary_directory(owner: object) -> Path:
    """Return a private directory that is removed together with its owner."""
    path = Path(tempfile.mkdtemp(prefix="ssmpatch-"))
    weakref.finalize(owner, shutil.rmtree, path, ignore_errors=True)
    return path
