# SPDX-License-Identifier: Apache-2.0
"""What every package manager's backend offers, and how one is chosen."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import InvalidInput
from ..host import Host
from ..model import ExecutionResult, Inventory, Package, Source, Target, Transaction, UnreadSource, Version

#: Says why a version must not be brought in even as a dependency (rejected with BLOCK), or ``""``.
Forbidden = Callable[[Package, Version], str]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of an installation, for events and log lines; seconds, ``expected`` None while unknown."""

    phase: str
    batch: int
    batches: int
    elapsed: float
    expected: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a backend works with: the machine, the root it judges and the baseline's alternative repositories.

    ``work_dir`` is a private directory (0700) for configuration the package manager is given on its command line and
    for its output; ``lock_timeout`` bounds every wait for the package manager's lock, in seconds. ``unit`` names the
    systemd scope that package manager commands run in where systemd is.
    """

    host: Host
    root: Path
    work_dir: Path
    sources: tuple[Source, ...] = ()
    lock_timeout: int = 600
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Refresh:
    """What came of refreshing the repository index: ``note`` says why it was not done, ``unread`` what failed."""

    done: bool
    note: str = ""
    unread: tuple[UnreadSource, ...] = ()


class Backend(Protocol):
    """A package manager."""

    name: str

    def refresh(self, *, max_age: float = 0) -> Refresh:
        """Bring the repository index up to date unless it is younger than ``max_age`` seconds.

        Without the right to write the index nothing is done and the note says so.
        """

    def index_age(self) -> float | None:
        """Return how old the repository index is, in seconds; None when nothing tells."""

    def inventory(self, *, non_security: bool) -> Inventory:
        """Return all packages. Without ``non_security`` versions that carry no security metadata may be left out."""

    def plan(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """Decide the exact transaction: what cannot be installed is isolated, the rest stays together."""

    def prepare(self, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden) -> Transaction:
        """As ``plan``, for a transaction that ``execute`` is to carry out: the package manager may wait with it.

        ``release`` must follow, whether it is executed or not.
        """

    def release(self) -> None:
        """Let the package manager go that waits with a transaction which is not executed; without one do nothing."""

    def execute(
        self,
        transaction: Transaction,
        *,
        on_progress: Callable[[Progress], None],
        may_start_batch: Callable[[], bool],
    ) -> ExecutionResult:
        """Carry a transaction out, batch by batch, asking ``may_start_batch`` before each."""

    def repair(self) -> tuple[str, ...]:
        """Repair what an interrupted run left (``dpkg --configure -a``); return what was done, in words."""

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` of what is installed now; install-only packages by their newest."""

    def reboot_hints(self) -> tuple[str, ...]:
        """Return why the system itself wants a reboot, in words."""


#: Where the backends are: module below this package, and class.
_BACKENDS = {
    "apt": ("apt", "AptBackend"),
    "dnf": ("dnf", "DnfBackend"),
    "zypper": ("zypper", "ZypperBackend"),
    "yum": ("yum", "YumBackend"),
}


def open_backend(package_manager: str, context: Context) -> Backend:
    """Return the backend of ``apt``, ``dnf``, ``zypper`` or ``yum``.

    Raises:
        InvalidInput: no backend of this name.
    """
    if package_manager not in _BACKENDS:
        raise InvalidInput(f"package_manager: {package_manager!r} is not supported; use {', '.join(_BACKENDS)}")
    module, name = _BACKENDS[package_manager]
    backend: Backend = getattr(importlib.import_module(f".{module}", __package__), name)(context)
    return backend
