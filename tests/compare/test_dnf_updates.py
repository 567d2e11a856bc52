# SPDX-License-Identifier: Apache-2.0
"""What is Missing is what `dnf upgrade`, with and without `--security`, would bring in: generated cases."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.dnf import answer
from support import dnf_root, rpm_root
from support.generated import Cases
from support.operations import EVERYTHING, SECURITY
from support.rpm_cases import REPOSITORIES, Case, make_case
from support.rpm_repo import dnf_generation

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

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
    """What dnf would install and upgrade: for security, for that as little as possible, and at all."""

    security: Updates
    least: Updates
    every: Updates


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
    return Native(
        dnf_upgrades(root, "upgrade", "--security"),
        dnf_upgrades(root, "upgrade-minimal", "--security") if dnf_generation() == 4 else {},
        dnf_upgrades(root, "upgrade"),
    )


def dnf_upgrades(root: Path, *arguments: str) -> Updates:
    """Return what dnf would install and upgrade."""
    argv = ["dnf", f"--installroot={root}", "-C", "--assumeno", "--setopt=best=0", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dnf_root.ENVIRONMENT)
    reply = answer.read_reply(done.stdout, done.stderr)
    assert reply.rows or "Nothing to do" in done.stdout + done.stderr, done.stdout + done.stderr
    return {row.id: row.evr for row in reply.rows if row.action in (answer.INSTALL, answer.UPGRADE)}


def differences(case: Case, ours: Ours, native: Native) -> list[str]:
    """Return in words what the reports and dnf do not agree on, by what is installed."""
    found = _of_everything(case, ours, native)
    # dnf 5 does not find a fix whose version has a newer advisory, or left the repositories, so it is no measure there.
    return [*found, *_of_security(case, ours, native)] if dnf_generation() == 4 else found


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

    dnf's ``--security`` is blind to a package that changes its architecture; there an update counts if dnf takes it
    without that option. Rule: docs/rules.md, Baselines: change of architecture.
    """
    mine, security = _by_installed(case, ours.security), _by_installed(case, native.security)
    least, every = _by_installed(case, native.least), _by_installed(case, native.every)
    found = []
    for name in sorted({*mine, *security}):
        moves = name in mine and _moves(case, name, mine[name][0])
        expected = every if moves else security
        if (name in mine) != (name in expected) and not _is_taken_along(case, name, mine, expected):
            found.append(f"{name}: missing {mine.get(name)}, dnf upgrades to {expected.get(name)}")
        elif name in {*mine} & {*least} and not moves and mine[name] != least[name]:
            found.append(f"{name}: missing {mine[name]}, dnf upgrades at least to {least[name]}")
    return found


def _is_taken_along(case: Case, name: str, mine: ByInstalled, native: ByInstalled) -> bool:
    """Return whether dnf lets the update of another installed package, missing too, replace one with an update."""
    return name in mine and name not in native and case.both.get(name) in {*mine} & {*native}


def _moves(case: Case, name: str, id_: str) -> bool:
    """Return whether an update is the installed package in another architecture."""
    return id_.rpartition(".")[0] == name and not any(_id(package) == id_ for package in case.installed)


def _by_installed(case: Case, updates: Updates) -> ByInstalled:
    """Return the updates of a case by the name of what is installed."""
    own = {id_: evr for id_, evr in updates.items() if case.owns(id_)}
    return {case.replaced.get(id_.rpartition(".")[0], id_.rpartition(".")[0]): (id_, evr) for id_, evr in own.items()}


def _id(package: dict[str, Any]) -> str:
    return f"{package['name']}.{package['arch']}"
