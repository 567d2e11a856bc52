# SPDX-License-Identifier: Apache-2.0
"""A package manager that is played: its solver and its installations are functions of the test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from ssmpatchlib.backends import Limits, Refresh
from ssmpatchlib.backends.answers import InstallRun, Reading, Solution, Step, Watch
from ssmpatchlib.model import Advisory, Family, Inventory, Kernels, Offer, Package, Published, Target, Version

FAMILY = Family("played", version_order="rpm", name_forms="rpm")
LIMITS = Limits(runs=20, hiding_runs=4, rounds=4)


def version(name: str, evr: str, *, arch: str = "x86_64", blocked: str = "") -> Version:
    """A version of a package."""
    return Version(name=name, arch=arch, version=evr, advisories=(Advisory(metadata=True),), blocked=blocked)


def package(name: str, old: str, *new: str, locked: str = "", broken: str = "", blocked: str = "") -> Package:
    """An installed package with newer versions on offer."""
    offers = tuple(version(name, evr, blocked=blocked) for evr in new)
    return Package(name, "x86_64", version(name, old), versions=offers, locked=locked, broken=broken)


def target(name: str, evr: str = "0:2-1", *, replaces: str = "") -> Target:
    """A target."""
    return Target(name, "x86_64", evr, reason="approved", replaces=replaces)


def inventory(*packages: Package) -> Inventory:
    """What is installed."""
    return Inventory(FAMILY, packages)


def steps(targets: Sequence[Target]) -> tuple[Step, ...]:
    """The steps that bring in just some targets."""
    return tuple(Step(each.name, each.arch, each.version) for each in targets)


def everything(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
    """The solver finds that all can be installed."""
    return Solution(steps(targets))


class PlayedManager:
    """Remembers what it was asked (``questions``) and what it was to install (``runs``)."""

    name = "played"

    def __init__(
        self,
        place: Path,
        *,
        solve: Callable[[Sequence[Target], Mapping[Offer, str]], Solution] = everything,
        install: Callable[[Sequence[Target]], InstallRun] | None = None,
        limits: Limits = LIMITS,
        family: Family = FAMILY,
    ) -> None:
        self.place, self.limits, self.family = place, limits, family
        self.versions: dict[str, str] = {}
        self.questions: list[tuple[list[str], list[str]]] = []
        self.runs: list[tuple[list[str], list[str]]] = []
        self.dropped = 0
        self._solve, self._install = solve, install or self.bring_in

    @property
    def places(self) -> tuple[Path, Path]:
        """Both in one place."""
        return self.place, self.place

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        """There is nothing to refresh."""
        return Refresh(True)

    def index_age(self) -> float | None:
        """Always new."""
        return 0.0

    def inventory(self, *, non_security: bool) -> Inventory:
        """Nothing."""
        return Inventory(self.family, ())

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        """Answer as the test wants."""
        self.questions.append(([each.name for each in wanted], [str(offer) for offer in hidden]))
        return self._solve(wanted, hidden)

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        """Install what the test wants."""
        self.runs.append(([each.name for each in wanted], [str(offer) for offer in hidden]))
        watch.follow(self.place / "log", lambda text: Reading("installing"))
        return self._install(wanted)

    def bring_in(self, wanted: Sequence[Target]) -> InstallRun:
        """Install all of it."""
        self.versions.update({each.id: each.version for each in wanted})
        return InstallRun()

    def drop_held(self) -> None:
        """Count it."""
        self.dropped += 1

    def installed(self) -> Mapping[str, str]:
        """What was installed."""
        return self.versions

    def repair(self) -> tuple[str, ...]:
        """Nothing is broken."""
        return ()

    def reboot_reasons(self) -> tuple[str, ...]:
        """Nothing asks for a reboot."""
        return ()

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        """Nothing is published."""
        return ()

    def owners(self, paths: Collection[str]) -> Mapping[str, str]:
        """Nobody owns anything."""
        return {}

    def kernels(self) -> Kernels:
        """There are none."""
        return Kernels()
