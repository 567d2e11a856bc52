# SPDX-License-Identifier: Apache-2.0
"""What a package manager answers and does, and how one is chosen."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import InvalidInput
from ..host import Host
from ..model import Family, Inventory, Offer, Source, Target, UnreadSource
from ..package_managers import PACKAGE_MANAGERS


@dataclass(frozen=True, slots=True)
class Context:
    """What a package manager works with: the machine, the root it judges and the baseline's alternative repositories.

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


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a package manager is asked and started.

    ``runs`` bounds the solver's runs of one plan; what is undecided then counts as not installable. ``hiding_runs``
    bounds those of one question, each hiding what must not come in: 1 where nothing can be hidden. ``most_hidden`` is
    how many packages can be hidden at once when they are not hidden one by one, 0 where they are. ``rounds`` bounds
    the attempts at one batch, ``halvings`` how often a batch that failed without a word about any target is divided.
    """

    runs: int
    hiding_runs: int
    rounds: int
    most_hidden: int = 0
    halvings: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What the solver would do to one package: ``new`` None removes it. A version that makes room is no step.

    ``old`` is the installed version where the solver names it. ``replaces`` are the installed ``name.arch`` whose
    place the package takes. ``objection`` is what the package manager's own rules have against the step.
    """

    name: str
    arch: str
    new: str | None
    old: str | None = None
    replaces: tuple[str, ...] = ()
    objection: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Clash:
    """Targets (``name.arch``) that the solver says cannot all be installed, and its words: one of them has to go.

    One that is not ``certain`` may hold only together with what else was asked for.
    """

    ids: frozenset[str]
    words: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes to download, and bytes more on disk; None where the package manager does not say."""

    download: int | None = 0
    disk: int | None = 0


@dataclass(frozen=True, slots=True)
class Solution:
    """The solver's answer for some targets: the ``steps`` it would take, or in ``words`` why it cannot.

    A solver that goes on without some targets names them in ``left_out`` (words by ``name.arch``); they are not asked
    for again. One that tells what does not go together gives ``clashes``; one that tells only which targets are in
    trouble gives ``blame`` (words by ``name.arch``), which may be too wide. ``culprits`` are packages on offer that it
    blames and that are no targets. ``removes_replaced`` says that ``steps`` remove what other packages take the place
    of too, without saying so. ``runs`` is how often the solver was run.
    """

    steps: tuple[Step, ...] = ()
    words: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    blame: Mapping[str, str] = field(default_factory=dict)
    culprits: Mapping[Offer, str] = field(default_factory=dict)
    sizes: Callable[[], Sizes] = Sizes
    warnings: tuple[str, ...] = ()
    removes_replaced: bool = False
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a package manager is by its own words: ``done`` of ``total`` steps, 0 of 0 where it does not say."""

    phase: str
    done: int = 0
    total: int = 0
    detail: str = ""


class Watch(Protocol):
    """Follows the output of a running package manager."""

    def follow(self, log: Path, read: Callable[[str], Reading]) -> Callable[[], None]:
        """Return what tells how far the program is whenever it is called, from what is added to ``log`` from now on."""


@dataclass(frozen=True, slots=True)
class InstallRun:
    """What one run of a package manager brought about, beyond what is installed now.

    ``failures`` are the words about targets that failed, by ``name.arch``; ``said`` is what it said last. ``culprits``
    are other packages that failed and are hidden from the next run. ``stopped`` says why nothing may be started again.
    """

    failures: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    culprits: tuple[Offer, ...] = ()
    warnings: tuple[str, ...] = ()
    reboot_hints: tuple[str, ...] = ()
    stopped: str = ""


class PackageManager(Protocol):
    """A package manager: it answers and obeys; what may be done is decided in ``patching``."""

    name: str
    family: Family

    @property
    def limits(self) -> Limits:
        """How often it is asked and started."""

    @property
    def places(self) -> tuple[Path, Path]:
        """Where downloads go, and where packages are unpacked."""

    def refresh(self) -> Refresh:
        """Bring the repository index up to date; without the right to write it do nothing and say so."""

    def index_age(self) -> float | None:
        """Return how old the repository index is, in seconds; None when nothing tells."""

    def inventory(self, *, non_security: bool) -> Inventory:
        """Return all packages. Without ``non_security`` versions that carry no security metadata may be left out."""

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Return what the solver would do to bring in some targets without seeing what is ``hidden``; change nothing.

        With ``hold`` it may wait with the transaction until ``install`` asks for the same, or until ``drop_held``.

        Raises:
            Busy: another program held its lock for ``lock_timeout`` seconds.
            SsmpatchError: the solver cannot be asked.
        """

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Run the package manager once to bring in some targets, without seeing what is ``hidden``.

        Raises:
            Busy: another program held its lock for ``lock_timeout`` seconds.
        """

    def drop_held(self) -> None:
        """Let a transaction go that waits and is not installed; without one do nothing."""

    def installed(self) -> Mapping[str, str]:
        """Return ``{name.arch: version}`` of what is installed and works; install-only packages by their newest."""

    def repair(self) -> tuple[str, ...]:
        """Repair what an interrupted run left (``dpkg --configure -a``); return what was done, in words."""

    def reboot_reasons(self) -> tuple[str, ...]:
        """Return why the system itself wants a reboot, in words."""


def open_package_manager(name: str, context: Context) -> PackageManager:
    """Return the package manager of a name, at work on the context's root.

    Raises:
        InvalidInput: none of this name is supported.
    """
    if name not in PACKAGE_MANAGERS:
        raise InvalidInput(f"package_manager: {name!r} is not supported; use {', '.join(PACKAGE_MANAGERS)}")
    entry = PACKAGE_MANAGERS[name]
    manager: PackageManager = getattr(importlib.import_module(entry.module), entry.name)(context)
    return manager
