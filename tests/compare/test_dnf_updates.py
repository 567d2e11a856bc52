# SPDX-License-Identifier: Apache-2.0
"""What is Missing is what `dnf upgrade`, with and without `--security`, would bring in: generated cases."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.dnf import answer
from ssmpatchlib.versions.rpm import compare_evr, satisfies, sort_key
from support import dnf_root, rpm_root
from support.generated import Cases
from support.operations import EVERYTHING, SECURITY
from support.rpm_cases import REPOSITORIES, Case, make_case, nevra
from support.rpm_repo import dnf_generation

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

_OPERATORS = {"<": "LT", "<=": "LE", ">": "GT"}
#: How many cases share a root.
_BATCH = 100

#: ``{name.arch: version}``, and these by the name of what is installed.
Updates = dict[str, str]
ByInstalled = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Ours:
    """What is missing by a baseline for security, and by one that approves everything."""

    security: Updates
    every: Updates


@dataclass(frozen=True)
class Native:
    """What dnf would install and upgrade: for security, for that as little as possible, and at all.

    ``visible`` are the packages on offer, as advisories name them, that dnf 5 does not filter out.
    """

    security: Updates
    least: Updates
    every: Updates
    visible: frozenset[str] = frozenset()


@pytest.mark.cases(100)
def test_updates(cases: Cases, tmp_path: Path) -> None:
    for batch in _batches(cases):
        root = build(tmp_path / f"root-{batch[0].number}", batch)
        ours, native = Ours(missing(root, SECURITY), missing(root, EVERYTHING)), ask_dnf(root)
        wrong = {case.number: found for case in batch if (found := differences(case, ours, native))}
        told = [
            f"{cases.again(case.number)}\n{case.described()}\n" + "\n".join(wrong[case.number])
            for case in batch
            if case.number in wrong
        ]
        assert not wrong, "\n\n".join([*told[:3], f"{len(wrong)} of {len(batch)} differ"])
        shutil.rmtree(root)


def _batches(cases: Cases) -> Iterator[list[Case]]:
    # dnf 5 does nothing at all where a stream cannot be active.
    made = (make_case(number, random, needing=dnf_generation() == 4) for number, random in cases)
    while batch := list(islice(made, _BATCH)):
        yield batch


def build(root: Path, cases: Sequence[Case]) -> Path:
    """Return a root with all the cases."""
    repositories = [
        {
            "id": name,
            "packages": [package for case in cases for package in case.offered[name]],
            "advisories": [advisory for case in cases for advisory in case.advisories[name]],
            "modules": [module for case in cases for module in case.modules[name]],
        }
        for name in REPOSITORIES
    ]
    rpm_root.build(
        {
            "os": dnf_root.SYSTEM,
            "installed": [package for case in cases for package in case.installed],
            "repositories": repositories,
            "enabled_modules": {name: chosen for case in cases for name, chosen in case.enabled.items()},
            "dnf_conf": {"protected_packages": " ".join(name for case in cases for name in case.protected)},
        },
        root,
    )
    if dnf_generation() == 4:
        dnf_root.keep_fail_safe(root, *(module for case in cases for module in case.kept))
    return root


def missing(root: Path, baseline: dict[str, Any]) -> Updates:
    """Return what the report says is missing, by what would be installed."""
    report = dnf_root.scan(root, baseline=baseline)
    titles = [row["Title"] for row in report["patches"] if row["PatchState"] == "Missing"]
    return dict(title.split(":", 1) for title in titles)


def ask_dnf(root: Path) -> Native:
    """Return dnf's own answers."""
    security, every = dnf_upgrades(root, "upgrade", "--security"), dnf_upgrades(root, "upgrade")
    if dnf_generation() == 4:
        return Native(security, dnf_upgrades(root, "upgrade-minimal", "--security"), every)
    return Native(security, dnf_upgrades(root, "upgrade", "--security", "--minimal"), every, visible(root))


def visible(root: Path) -> frozenset[str]:
    """Return what dnf 5 shows of all that is on offer."""
    argv = ["dnf", f"--installroot={root}", "-C", "repoquery", "--available", "--qf=%{full_nevra}\n"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=dnf_root.ENVIRONMENT)
    return frozenset(done.stdout.split())


def dnf_upgrades(root: Path, *arguments: str) -> Updates:
    """Return what dnf would install and upgrade."""
    argv = ["dnf", f"--installroot={root}", "-C", "--assumeno", "--setopt=best=0", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dnf_root.ENVIRONMENT)
    reply = answer.read_reply(done.stdout, done.stderr)
    assert reply.rows or "Nothing to do" in done.stdout + done.stderr, done.stdout + done.stderr
    return {row.id: row.evr for row in reply.rows if row.action in (answer.INSTALL, answer.UPGRADE)}


def differences(case: Case, ours: Ours, native: Native) -> list[str]:
    """Return in words what the reports and dnf do not agree on, by what is installed."""
    of_security = _of_security if dnf_generation() == 4 else _of_security_5
    return [*_of_everything(case, ours, native), *of_security(case, ours, native)]


def _of_everything(case: Case, ours: Ours, native: Native) -> list[str]:
    mine, every = _by_installed(case, ours.every), _by_installed(case, native.every)
    return [
        f"{name}: missing by everything {mine.get(name)}, dnf upgrades to {every.get(name)}"
        for name in sorted({*mine, *every})
        if not _same(mine.get(name), every.get(name)) and not _is_taken_along(case, name, mine, every)
    ]


def _same(one: tuple[str, str] | None, other: tuple[str, str] | None) -> bool:
    """Return whether two updates are one; of a version in two architectures either may be taken."""
    if one is None or other is None:
        return one is other
    return one[1] == other[1] and one[0].rpartition(".")[0] == other[0].rpartition(".")[0]


def _of_security(case: Case, ours: Ours, native: Native) -> list[str]:
    """Return the differences by security.

    dnf's ``--security`` is blind to a package that changes its architecture, and to a vanished fix that is in a package
    of another name; there an update counts if dnf takes it without that option. Rule: docs/rules.md, Trust; Baselines:
    change of architecture.
    """
    mine, security = _by_installed(case, ours.security), _by_installed(case, native.security)
    least, every = _by_installed(case, native.least), _by_installed(case, native.every)
    found = []
    for name in sorted({*mine, *security}):
        moves = name in mine and (_moves(case, name, mine[name][0]) or _inherits(case, name, mine[name][0]))
        expected = every if moves else security
        if (name in mine) != (name in expected) and not _is_taken_along(case, name, mine, expected):
            found.append(f"{name}: missing {mine.get(name)}, dnf upgrades to {expected.get(name)}")
        elif name in {*mine} & {*least} and not moves and mine[name] != least[name]:
            found.append(f"{name}: missing {mine[name]}, dnf upgrades at least to {least[name]}")
    return found


def _of_security_5(case: Case, ours: Ours, native: Native) -> list[str]:
    """Return the differences by security that dnf 5's way to choose does not explain.

    Of all security advisories for a ``name.arch`` it counts only the newest version that one names, whether that is on
    offer or not, whether its module stream is active or not, and if nothing installed of that ``name.arch`` is as new.
    What is on offer and not older than that version is an update. So it

    * finds no fix, or only one in another architecture, where a newer one has left the repositories, or is of a stream
      that is not active;
    * takes an update for a fix that is of a stream that is not active, or older than what is installed in another
      architecture;
    * with ``--minimal`` goes beyond the fix to what is not older than one of a stream that is not active.
    """
    mine, security = _by_installed(case, ours.security), _by_installed(case, native.security)
    least = _by_installed(case, native.least)
    found = []
    for name in sorted({*mine, *security}):
        id_ = (mine.get(name) or security[name])[0]
        named = Named.of(case, name, id_, native.visible)
        if name not in security:
            inherits = _inherits(case, name, id_)
            if not (named.newest_is_gone or inherits) and not _is_taken_along(case, name, mine, security):
                found.append(f"{name}: missing {mine[name]}, which dnf does not upgrade")
        elif name not in mine:
            if named.fixes_more_than(_installed_evr(case, name)):
                found.append(f"{name}: not missing, dnf upgrades to {security[name]}")
        elif not _same(mine[name], least.get(name)) and not (named.newest_is_inactive or named.newest_is_gone):
            found.append(f"{name}: missing {mine[name]}, dnf upgrades at least to {least.get(name)}")
    return found


@dataclass(frozen=True)
class Named:
    """The versions of a ``name.arch`` that security advisories name, by whether their stream is active.

    ``fitting`` are its versions on offer that can take the place of what is installed.
    """

    active: tuple[str, ...]
    inactive: tuple[str, ...]
    fitting: tuple[str, ...]

    @classmethod
    def of(cls, case: Case, installed: str, id_: str, shown: Collection[str]) -> Named:
        """Return those of a case; a stream is active where dnf shows the packages of it that are on offer."""
        active: list[str] = []
        inactive: list[str] = []
        for collection in _security_collections(case):
            is_active = not collection["module"] or not set(shown).isdisjoint(collection["packages"])
            (active if is_active else inactive).extend(_versions(id_, collection["packages"]))
        fitting = {nevra(package) for package in _offers(case) if _fits(case, installed, package)}
        return cls(tuple(active), tuple(inactive), tuple(_versions(id_, fitting.intersection(shown))))

    @property
    def newest(self) -> str:
        """The newest version, ``""`` without any."""
        return max((*self.active, *self.inactive), key=sort_key, default="")

    @property
    def newest_is_inactive(self) -> bool:
        """Whether no active stream has a version as new."""
        return all(compare_evr(evr, self.newest) < 0 for evr in self.active)

    @property
    def newest_is_gone(self) -> bool:
        """Whether nothing as new as the newest can take the place of what is installed."""
        return all(compare_evr(evr, self.newest) < 0 for evr in self.fitting)

    def fixes_more_than(self, installed: str) -> bool:
        """Whether something newer than what is installed is a fix."""
        return any(compare_evr(evr, installed) > 0 for evr in self.active)


def _offers(case: Case) -> Iterator[dict[str, Any]]:
    return (package for offered in case.offered.values() for package in offered)


def _fits(case: Case, installed: str, package: dict[str, Any]) -> bool:
    """Whether a package on offer has the installed name, or obsoletes what is installed."""
    obsoleted = (words.split() for words in package.get("obsoletes", ()))
    return package["name"] == installed or any(
        name == installed and (not rest or satisfies(_installed_evr(case, name), _OPERATORS[rest[0]], rest[1]))
        for name, *rest in obsoleted
    )


def _security_collections(case: Case) -> Iterator[dict[str, Any]]:
    for advisories in case.advisories.values():
        for advisory in advisories:
            if advisory["type"] == "security":
                yield from advisory["collections"]


def _versions(id_: str, nevras: Iterable[str]) -> Iterator[str]:
    """Yield the versions of a ``name.arch`` among some packages."""
    for nevra_ in nevras:
        name, version, rest = nevra_.rsplit("-", 2)
        release, _, arch = rest.rpartition(".")
        if f"{name}.{arch}" == id_:
            yield f"{version}-{release}"


def _installed_evr(case: Case, name: str) -> str:
    return next(f"{p['epoch']}:{p['version']}-{p['release']}" for p in case.installed if p["name"] == name)


def _is_taken_along(case: Case, name: str, mine: ByInstalled, native: ByInstalled) -> bool:
    """Return whether dnf lets the update of another installed package, missing too, replace one with an update."""
    return name in mine and name not in native and case.both.get(name) in {*mine} & {*native}


def _moves(case: Case, name: str, id_: str) -> bool:
    """Return whether an update is the installed package in another architecture."""
    return id_.rpartition(".")[0] == name and not any(_id(package) == id_ for package in case.installed)


def _inherits(case: Case, name: str, id_: str) -> bool:
    """Return whether an update has another name than what is installed, of which a fix has left the repositories."""
    if id_.rpartition(".")[0] == name:
        return False
    offered = {nevra(package) for package in _offers(case)}
    named = {each for collection in _security_collections(case) for each in collection["packages"]}
    return any(each.rsplit("-", 2)[0] == name for each in named - offered)


def _by_installed(case: Case, updates: Updates) -> ByInstalled:
    """Return the updates of a case by the name of what is installed."""
    own = {id_: evr for id_, evr in updates.items() if case.owns(id_)}
    return {case.replaced.get(id_.rpartition(".")[0], id_.rpartition(".")[0]): (id_, evr) for id_, evr in own.items()}


def _id(package: dict[str, Any]) -> str:
    return f"{package['name']}.{package['arch']}"
