# SPDX-License-Identifier: Apache-2.0
"""The apt backend: Debian, Ubuntu and Raspbian, with apt's and dpkg's own programs and files only."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...files import Unwritable
from ...model import Change, ExecutionResult, Inventory, Target, Transaction
from .. import Context, Forbidden, Progress, Refresh
from . import kernel, refresh
from .config import make_command, read_paths
from .index import Row, read_blocks
from .install import Installer, repair
from .inventory import read_inventory
from .policy import read_pins, with_priorities
from .status import get_field
from .targets import IndexTarget, read_targets


class AptBackend:
    """A Debian system, at the context's root."""

    name = "apt"

    def __init__(self, context: Context) -> None:
        try:
            command = make_command(context)
        except Unwritable:
            # Who may not write the state directory can still judge the host; nothing is kept then.
            context = replace(context, work_dir=_temporary_directory(self))
            command = make_command(context)
        self._context = context
        self._command = command
        self._paths = read_paths(self._command)
        self._installer = Installer(self._command, self._paths, context)

    def _targets(self) -> tuple[IndexTarget, ...]:
        return read_targets(
            self._command,
            self._paths,
            cache=self._context.work_dir / "apt-targets.json",
            prioritise=lambda found: with_priorities(self._command, self._paths, found, read_pins(self._paths)),
        )

    def refresh(self, *, max_age: float = 0) -> Refresh:
        """Run ``apt-get update`` unless the last complete one is younger than ``max_age`` seconds."""
        age = self.index_age()
        if max_age and age is not None and age < max_age:
            return Refresh(False)
        return refresh.refresh(self._context, self._command, self._paths, self._targets())

    def index_age(self) -> float | None:
        """Return how old the package lists are, in seconds."""
        return refresh.index_age(self._context, self._paths)

    def inventory(self, *, non_security: bool) -> Inventory:
        """Read dpkg's status and the indexes."""
        return read_inventory(
            self._command, self._paths, self._targets(), pins=read_pins(self._paths), non_security=non_security
        )

    def plan(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Ask apt's solver for the transaction."""
        if not targets:
            return Transaction(targets=(), batches=(), changes=(), download_size=0, disk_size=0)
        from . import solver

        transaction = solver.make_plan(
            self._command,
            targets,
            inventory=inventory,
            forbidden=forbidden,
            native=self._paths.architecture,
            untrusted_only=self._untrusted_only(),
        )
        download, disk = self._sizes(transaction.changes)
        return replace(transaction, download_size=download, disk_size=disk)

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
        """Let apt-get install the transaction's batches."""
        from .batches import execute

        return execute(self._installer, transaction, on_progress=on_progress, may_start_batch=may_start_batch)

    def repair(self) -> tuple[str, ...]:
        """Complete what an interrupted dpkg left."""
        return repair(self._installer)

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` from dpkg's status."""
        return self._installer.installed_versions()

    def reboot_hints(self) -> tuple[str, ...]:
        """Say when a newer kernel than the running one is installed."""
        return kernel.newer_kernel(self._installer.installed_versions(kernel.PREFIX), root=self._context.root)

    def _untrusted_only(self) -> frozenset[tuple[str, str, str]]:
        """Versions that only repositories without a valid signature have; empty where there are none of these."""
        targets = self._targets()
        untrusted = self._versions_of([t for t in targets if not t.trusted and t.present])
        if not untrusted:
            return frozenset()
        return frozenset(untrusted - self._versions_of([t for t in targets if t.usable]))

    def _versions_of(self, targets: Sequence[IndexTarget]) -> set[tuple[str, str, str]]:
        native = self._paths.architecture
        return {
            (name, native if arch == "all" else arch, version)
            for target in targets
            for block in read_blocks(self._command, self._paths, Path(target.path))
            for name, version, arch, _priority, _section in block.rows
        }

    def _sizes(self, changes: Sequence[Change]) -> tuple[int, int]:
        """Bytes to download (what the archive cache has already is left out) and bytes more on disk."""
        wanted = {(c.name, c.arch, c.new) for c in changes if c.new}
        download = disk = 0
        usable = [t for t in self._targets() if t.usable]
        for target in sorted(usable, key=lambda t: not t.security):
            if not wanted:
                break
            for (name, version, arch, *_), paragraph in self._paragraphs(target, wanted):
                size = _number(get_field(paragraph, "Size"))
                cached = self._paths.archives / _archive_name(name, version, arch)
                download += 0 if cached.exists() and cached.stat().st_size == size else size
                disk += _number(get_field(paragraph, "Installed-Size")) * 1024
        return download, disk - self._present_size({c.id for c in changes if c.old})

    def _paragraphs(self, target: IndexTarget, wanted: set[tuple[str, str, str]]) -> Iterator[tuple[Row, str]]:
        """Yield what an index has of the wanted ``(name, arch, version)``, and take it off them."""
        native = self._paths.architecture
        for block in read_blocks(self._command, self._paths, Path(target.path)):
            found = []
            for row in block.rows:
                name, version, arch, _priority, _section = row
                key = (name, native if arch == "all" else arch, version)
                if key in wanted:
                    wanted.discard(key)
                    found.append(row)
            yield from block.paragraphs(found)

    def _present_size(self, ids: set[str]) -> int:
        from .status import read_status

        status = read_status(self._paths.status, architecture=self._paths.architecture)
        present = (p for p in status if f"{p.name}.{p.arch}" in ids)
        return sum(_number(get_field(p.paragraph, "Installed-Size")) * 1024 for p in present)


def _temporary_directory(owner: object) -> Path:
    """Return a private directory that goes with its owner."""
    path = Path(tempfile.mkdtemp(prefix="ssmpatch-"))
    weakref.finalize(owner, shutil.rmtree, path, ignore_errors=True)
    return path


def _archive_name(name: str, version: str, arch: str) -> str:
    return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
