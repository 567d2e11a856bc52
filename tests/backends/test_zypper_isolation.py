# SPDX-License-Identifier: Apache-2.0
"""Hundreds of updates that zypper cannot install: few runs of its solver find what can be, and nothing else is lost."""

from __future__ import annotations

import random
import shutil

import pytest

from ssmpatchlib.backends.zypper import solverlog
from ssmpatchlib.operation import session
from support import rpm_root, suse_root
from support.operations import EVERYTHING
from support.rpm_repo import package

#: As often as zypper's solver is run for one plan.
MAX_RUNS = 12

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")]

COUNT = 200
#: Rejected with BLOCK in every case.
REJECTED = {**EVERYTHING, "rejectedPatches": ["lib*"], "rejectedPatchesAction": "BLOCK"}


def distinct_missing():
    return [], [package(f"bad{n}-2-1.noarch", requires=[f"no{n}"]) for n in range(COUNT)], 0


def chains():
    """Each needs one to five packages in a row, the last of which needs what is nowhere."""
    offered = []
    for number in range(COUNT):
        names = [f"link{number}-{place}" for place in range(number % 5 + 1)]
        offered.append(package(f"bad{number}-2-1.noarch", requires=[names[0]]))
        for name, after in zip(names, [*names[1:], "gone"], strict=True):
            offered.append(package(f"{name}-1-1.noarch", requires=[after]))
    return [], offered, 0


def chains_of_targets():
    """Each needs the next; the last of five needs what is nowhere."""
    needs = [f"bad{n + 1} >= 2" if (n + 1) % 5 else "gone" for n in range(COUNT)]
    return [], [package(f"bad{n}-2-1.noarch", requires=[need]) for n, need in enumerate(needs)], 0


def pairs():
    return [], [package(f"bad{n}-2-1.noarch", conflicts=[f"bad{n ^ 1} >= 2"]) for n in range(COUNT)], COUNT // 2


def each_against_all():
    offered = [package(f"bad{n}-2-1.noarch", provides=["slot"], conflicts=["slot"]) for n in range(COUNT)]
    return [], offered, 1


def against_one_installed():
    return ["keep-1-1.noarch"], [package(f"bad{n}-2-1.noarch", conflicts=["keep"]) for n in range(COUNT)], 0


def dependencies_against_one_installed():
    offered = [package(f"bad{n}-2-1.noarch", requires=[f"new{n % 20}"]) for n in range(COUNT)]
    offered += [package(f"new{n}-1-1.noarch", requires=[f"deep{n % 7}"]) for n in range(20)]
    return ["keep-1-1.noarch"], offered + [package(f"deep{n}-1-1.noarch", conflicts=["keep"]) for n in range(7)], 0


def one_installed_needs_the_old_ones():
    user = package("user-1-1.noarch", requires=[f"bad{n} = 1-1" for n in range(COUNT)])
    return [user], [f"bad{n}-2-1.noarch" for n in range(COUNT)], 0


def rejected_dependency():
    offered = [package(f"bad{n}-2-1.noarch", requires=[f"new{n % 20}"]) for n in range(COUNT)]
    offered += [package(f"new{n}-1-1.noarch", requires=[f"lib{n % 10} >= 2"]) for n in range(20)]
    offered += [f"lib{n}-{version}-1.noarch" for n in range(10) for version in (2, 3, 4)]
    return [f"lib{n}-1-1.noarch" for n in range(10)], offered, 0


def rejected_providers():
    """zypper would take one after the other of those that provide what is needed."""
    offered = [package(f"bad{n}-2-1.noarch", requires=["engine"]) for n in range(COUNT)]
    return [], offered + [package(f"lib{n}-1-1.noarch", provides=["engine"]) for n in range(12)], 0


@pytest.mark.parametrize(
    "make",
    [
        distinct_missing,
        chains,
        chains_of_targets,
        pairs,
        each_against_all,
        against_one_installed,
        dependencies_against_one_installed,
        one_installed_needs_the_old_ones,
        rejected_dependency,
        rejected_providers,
    ],
)
def test_two_hundred_that_cannot_be_installed(tmp_path, make):
    installed, offered, possible = make()
    names = [*(f"bad{n}" for n in range(COUNT)), *(f"good{n}" for n in range(50))]
    root = suse_root.build(
        tmp_path / "root",
        installed=[*installed, *(f"{name}-1-1.noarch" for name in names)],
        packages=[*offered, *(f"good{n}-2-1.noarch" for n in range(50))],
    )
    host = suse_root.RecordingHost()
    plan = suse_root.plan(root, host=host, baseline=REJECTED)
    chosen = {row["id"] for row in plan["packages"] if row["target"]}
    assert chosen >= {f"good{n}.noarch" for n in range(50)}
    assert len(chosen) == 50 + possible
    assert all(row["reason"] for row in plan["blocked"])
    assert host.solver_runs <= MAX_RUNS == 12


def test_the_log_of_this_libzypp_is_understood(tmp_path):
    """The second problem's solution is on no output: bad2 needs bad1, whose words it is reported with."""
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.noarch" for name in ("bad0", "bad1", "bad2", "good")],
        packages=[
            package("bad0-2-1.noarch", requires=["nowhere"]),
            package("bad1-2-1.noarch", requires=["gone"]),
            package("bad2-2-1.noarch", requires=["bad1 >= 2"]),
            "good-2-1.noarch",
        ],
    )
    host = suse_root.RecordingHost()
    assert len(suse_root.plan(root, host=host)["blocked"]) == host.solver_runs == 3
    problems = solverlog.read_log(session.work_dir(suse_root.settings(root)) / solverlog.LOG)
    solutions = {nevra for problem in problems for solution in problem.solutions for nevra in solution}
    assert solutions == {f"bad{n}-2-1.noarch" for n in range(3)}


@pytest.mark.parametrize("make", [chains, chains_of_targets, pairs, against_one_installed])
def test_without_a_log_the_output_tells_enough(tmp_path, make):
    """libzypp cannot write its log: a directory is in the way."""
    installed, offered, possible = make()
    names = [*(f"bad{n}" for n in range(COUNT)), "good"]
    root = suse_root.build(
        tmp_path / "root",
        installed=[*installed, *(f"{name}-1-1.noarch" for name in names)],
        packages=[*offered, "good-2-1.noarch"],
    )
    (session.work_dir(suse_root.settings(root)) / solverlog.LOG).mkdir(parents=True)
    host = suse_root.RecordingHost()
    plan = suse_root.plan(root, host=host)
    assert sum(row["target"] for row in plan["packages"]) == 1 + possible
    assert host.solver_runs <= MAX_RUNS


def test_why_a_provider_is_not_taken(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=[package("app-2-1.noarch", requires=["engine"])]
        + [package(f"lib{n}-1-1.noarch", provides=["engine"]) for n in range(3)],
    )
    (row,) = suse_root.plan(root, baseline=REJECTED)["blocked"]
    assert "app-2-1.noarch requires engine" in row["reason"].replace("'", "")
    assert all(
        f"needs lib{n}-1-1.noarch: rejected by the rejected list: lib* (BLOCK)" in row["reason"] for n in range(3)
    )


def entangled(seed):
    """Targets that need and refuse each other, new packages, installed ones and what is nowhere."""
    rng = random.Random(seed)
    count = 14
    installed = [f"keep{n}-1-1.noarch" for n in range(2)] + ["lib-1-1.noarch"]
    offered = ["lib-2-1.noarch"]
    for number in range(count):
        others = [f"t{n} >= 2" for n in range(count) if n != number]
        needs = [rng.choice(others), f"new{rng.randrange(4)}", "gone", "lib >= 2"]
        refuses = [rng.choice(others), f"new{rng.randrange(4)}", f"keep{rng.randrange(2)}"]
        requires = rng.sample(needs, 1, counts=[3, 3, 1, 1]) if rng.random() < 0.5 else []
        conflicts = rng.sample(refuses, 1, counts=[3, 2, 1]) if rng.random() < 0.5 else []
        offered.append(package(f"t{number}-2-1.noarch", requires=requires, conflicts=conflicts))
        installed.append(f"t{number}-1-1.noarch")
        if rng.random() < 0.2:
            old = [f"t{number} = 1-1", f"t{rng.randrange(count)} = 1-1"]
            installed.append(package(f"user{number}-1-1.noarch", requires=old))
    for number in range(4):
        conflicts = [rng.choice(["keep0", f"new{(number + 2) % 4}", "t3 >= 2"])] if rng.random() < 0.4 else []
        offered.append(package(f"new{number}-1-1.noarch", conflicts=conflicts))
    return installed, offered


@pytest.mark.parametrize("seed", range(6))
def test_nothing_more_could_be_installed(tmp_path, seed):
    """zypper itself is asked for each one that was left out, together with those that were not."""
    installed, offered = entangled(seed)
    root = suse_root.build(tmp_path / "root", installed=installed, packages=offered)
    host = suse_root.RecordingHost()
    plan = suse_root.plan(root, host=host, baseline=REJECTED)
    assert host.solver_runs <= MAX_RUNS
    chosen = [row["id"] for row in plan["packages"] if row["target"]]
    rpm_root.put(root / "etc/zypp/locks", "type: package\nmatch_type: exact\nsolvable_name: lib\n\n")
    assert not chosen or possible(root, chosen)
    left = [row["id"] for row in plan["blocked"]]
    assert len(left) + len(chosen) == 14
    assert [id_ for id_ in left if possible(root, [*chosen, id_])] == []


def possible(root, ids):
    """Whether zypper would install these without removing anything."""
    wanted = [f"{id_}=2-1" for id_ in ids]
    said = suse_root.zypper(
        root,
        *("--xmlout", "install", "--dry-run", "--name", "--no-recommends", "--no-force-resolution", *wanted),
        check=False,
    )
    return "<install-summary" in said and "<to-remove>" not in said
