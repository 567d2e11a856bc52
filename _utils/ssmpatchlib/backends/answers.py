# SPDX-License-Identifier: Apache-2.0
"""What a package manager's solver and its installations answer; no scan loads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..model import Offer


@dataclass(frozen=True, slots=True)
class Step:
    """What the solver would do to one package; ``new`` None removes it.

    The removal of the oldest kernel in favour of a new one is no step. ``old`` is the installed version where the
    solver names it. ``replaces`` are the installed ``name.arch`` whose place the package takes. ``objection`` says why
    the package manager's module itself refuses the step, ``reason`` why it takes one that no target needs.
    """

    name: str
    arch: str
    new: str | None
    old: str | None = None
    replaces: tuple[str, ...] = ()
    objection: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Clash:
    """Targets (``name.arch``) that cannot all be installed together, and the solver's words about it.

    One that is not ``certain`` may vanish when fewer targets are asked for.
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

    The steps are those of targets and of what they need. ``left_out`` are targets that the solver goes on without
    (words by ``name.arch``); they are not asked for again. ``clashes`` are the targets that exclude each other, where
    the solver says so; ``blame`` are targets in trouble (words by ``name.arch``), perhaps innocent ones too. With
    neither, the targets are tried in halves. ``culprits`` are offers to hide before the solver is asked again. With
    ``removes_replaced`` the solver lists what an incoming package obsoletes like any other removal. ``doubts`` is asked
    once, for the steps that are planned: warnings that they may not be carried out as they are. ``runs`` is how often
    the solver was run.
    """

    steps: tuple[Step, ...] = ()
    words: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    blame: Mapping[str, str] = field(default_factory=dict)
    culprits: Mapping[Offer, str] = field(default_factory=dict)
    sizes: Callable[[], Sizes] = lambda: Sizes(None, None)
    warnings: tuple[str, ...] = ()
    doubts: Callable[[], tuple[str, ...]] = tuple
    removes_replaced: bool = False
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """The progress of a package manager by its own output: ``done`` of ``total`` steps, 0 and 0 without numbers."""

    phase: str
    done: int = 0
    total: int = 0
    detail: str = ""


class Watch(Protocol):
    """Follows the output of a running package manager."""

    def follow(self, log: Path, read: Callable[[str], Reading]) -> Callable[[], None]:
        """Return a function that reports the progress at each call, read from what ``log`` has got since ``follow``."""


@dataclass(frozen=True, slots=True)
class InstallRun:
    """What one run of a package manager said; what it installed is asked for with ``installed``.

    ``failures`` are the words by ``name.arch`` about targets that failed, and packages that they need; ``said`` is the
    reason of all other targets that are not installed. ``culprits`` are other packages that failed and are hidden
    from the next run. ``stopped`` says why no further run may start.
    """

    failures: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    culprits: tuple[Offer, ...] = ()
    warnings: tuple[str, ...] = ()
    reboot_hints: tuple[str, ...] = ()
    stopped: str = ""
