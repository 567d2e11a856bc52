# SPDX-License-Identifier: Apache-2.0
"""The interface of a package manager, the values it takes and returns, and the function that opens one."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import InvalidInput
from ..host import Host
from ..model import Family, Inventory, Kernels, Offer, Published, Source, Target, UnreadSource
from ..package_managers import PACKAGE_MANAGERS

if TYPE_CHECKING:
    from .answers import InstallRun, Solution, Watch


#: What keeps a host without repositories from a verdict.
NO_REPOSITORY = "no repository is enabled: nothing can be known to be missing"


@dataclass(frozen=True, slots=True)
class Context:
    """What a package manager works with: the machine, the root, and the baseline's alternative repositories.

    ``work_dir`` is a private directory (0700) for configuration that the package manager is given on its command line
    and for its output. ``lock_timeout`` bounds every wait for the package manager's lock, in seconds. With
    ``keep_obsolete`` no package of another name is the update of an obsolete one. ``run_id`` is that of the operation;
    services in which the package manager changes the system are named by it. ``releasever`` is the release whose
    repositories are read, where that is not the package manager's own choice.
    """

    host: Host
    root: Path
    work_dir: Path
    sources: tuple[Source, ...] = ()
    lock_timeout: int = 600
    keep_obsolete: bool = False
    refresh_timeout: int = 300
    run_id: str = ""
    releasever: str = ""


@dataclass(frozen=True, slots=True)
class Refresh:
    """The result of refreshing the repository index.

    ``note`` says why it was not done, ``unread`` which repositories failed, ``warnings`` what else did.
    """

    done: bool
    note: str = ""
    unread: tuple[UnreadSource, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on how often a package manager is asked and started.

    ``runs`` is the most runs of the solver in one plan; what is undecided after them counts as not installable.
    ``hiding_runs`` is the most runs for one question, 1 for a package manager that cannot hide offers. ``most_hidden``
    is how many rejected offers it can take at once when hiding them one by one was not enough. ``rounds`` is the most
    attempts at one batch, ``halvings`` how often a batch that failed without blame for any target is divided.
    """

    runs: int
    hiding_runs: int
    rounds: int
    most_hidden: int = 0
    halvings: int = 0


class PackageManager(Protocol):
    """A package manager: it answers questions and runs commands; ``patching`` decides what may be done."""

    name: str
    family: Family

    @property
    def limits(self) -> Limits:
        """The bounds on how often it is asked and started."""

    @property
    def places(self) -> tuple[Path, Path]:
        """Return the directories of downloads and of packages, which need not exist yet; both must have room."""

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """Bring the repository index up to date; do nothing, and say so, where this user may not write it.

        With ``import_keys`` the package manager may import the signing keys that its repositories' own configuration
        names, where its own unattended run does that.
        """

    def index_age(self) -> float | None:
        """Return how old the repository index is, in seconds, of the oldest repository; None when nothing tells."""

    def inventory(self, *, non_security: bool) -> Inventory:
        """Return all installed packages, and apart from them those on offer only; ``model`` says what each must hold.

        Without ``non_security`` versions that carry no security metadata may be left out.

        Raises:
            SsmpatchError: the root is no system of this package manager, or what is installed cannot be read.
        """

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Return what the solver would do to bring in some targets if it does not see ``hidden``; change nothing.

        With ``hold`` the program may stay running, ready to install, until ``install`` or ``drop_held`` is called.

        Raises:
            Busy: another program held its lock for ``lock_timeout`` seconds.
            SsmpatchError: the solver cannot be asked.
        """

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Run the package manager once to bring in some targets if it does not see ``hidden``.

        Raises:
            Busy, Unwritable: another program held its lock for ``lock_timeout`` seconds, or its output has no place;
                what is left then fails. Another error ends the operation, which the next one finishes.
        """

    def drop_held(self) -> None:
        """End the program that ``solve`` left running for ``hold``, if there is one; it installs nothing."""

    def installed(self) -> Mapping[str, str]:
        """Return ``{name.arch: version}`` of what is installed and works, not half-configured; newest kernel."""

    def repair(self) -> tuple[str, ...]:
        """Wait until no other program works on the system, then repair what an interrupted run left behind.

        Returns:
            What was done, in words; nothing when nothing was to be done.

        Raises:
            Busy: another program worked on it for ``lock_timeout`` seconds.
        """

    def reboot_reasons(self) -> tuple[str, ...]:
        """Return why the system itself wants a reboot, in words."""

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Return what the advisories that name a CVE or have an id say, as the repositories' index was read last.

        ``ids`` are compared without case. Packages that are not installed, and versions that are no longer on offer,
        are among them; advisories that were taken back or are of a module stream that is not active are not. Empty
        where repositories publish none.
        """

    def owners(self, paths: Collection[str]) -> Mapping[str, str]:
        """Return ``{path: name.arch}`` of the installed packages to which files belong, as paths of the root.

        Paths that belong to no package are left out, and so are those that are none: not absolute, not printable.

        Raises:
            SsmpatchError: the package manager's database cannot be asked.
        """

    def kernels(self) -> Kernels:
        """Return the installed packages of kernels, each version by itself.

        Raises:
            SsmpatchError: what is installed cannot be read.
        """


def open_package_manager(name: str, context: Context) -> PackageManager:
    """Return the package manager ``name`` for the context's root.

    Raises:
        InvalidInput: no package manager of this name is supported.
    """
    if name not in PACKAGE_MANAGERS:
        raise InvalidInput(f"package_manager: {name!r} is not supported; use {', '.join(PACKAGE_MANAGERS)}")
    entry = PACKAGE_MANAGERS[name]
    manager: PackageManager = getattr(importlib.import_module(entry.module), entry.name)(context)
    return manager
