# SPDX-License-Identifier: Apache-2.0
"""A process that is killed loses nothing: at every phase of its journal, and while the package manager works."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support.faults.children import built, expect_killed, kill_all, run, sleeps, spread, start, wait_for, workers
from support.faults.managers import NEW, OLD, Manager, Update

pytestmark = pytest.mark.root

# The second one is installed in a batch of its own, the last.
UPDATES = (Update("alpha"), Update("beta", slow=0.9), Update("salt-minion"))
NAMES = {update.name for update in UPDATES}

PHASES = {
    "planned": {"phase": "planned"},
    "before downloading": {"phase": "downloading", "before": True},
    "downloading": {"phase": "downloading"},
    "installing batch 1": {"phase": "installing", "batch": 1},
    "installing batch 2": {"phase": "installing", "batch": 2},
    "before installed": {"phase": "installed", "before": True},
    "installed": {"phase": "installed"},
    "before reported": {"phase": "reported", "before": True},
    "reported": {"phase": "reported"},
}
#: What has been begun when the process dies there, and is there once the package manager has come to its end.
BEGUN = {
    **dict.fromkeys(("planned", "before downloading", "downloading"), set()),
    **dict.fromkeys(("installing batch 1", "installing batch 2"), {"alpha", "beta"}),
}


@pytest.mark.parametrize("name", PHASES)
def test_killed_in_every_phase(manager: Manager, tmp_path: Path, name: str) -> None:
    root, settings = built(manager, tmp_path, *UPDATES)
    repositories = manager.repository_files(root)
    expect_killed(start("install", settings, kill=PHASES[name]))
    status = run("status", settings)
    assert status["running"] is None, "a killed operation holds its lock"
    assert status["journal"]["operation"] == "install"

    resumed = run("resume", settings)
    arrived = BEGUN.get(name, NAMES)
    assert resumed["resumed"] == status["journal"]["run_id"]
    assert_finished(manager, root, settings, resumed, arrived)
    assert manager.repository_files(root) == repositories

    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert manager.versions(root) == dict.fromkeys(NAMES, NEW)
    assert manager.problems(root) == ""
    assert manager.repository_files(root) == repositories


def assert_finished(
    manager: Manager, root: Path, settings: dict[str, Any], resumed: dict[str, Any], arrived: set[str]
) -> None:
    """The interrupted run has its report and its place in the history, once, and nothing is open any more."""
    assert manager.problems(root) == ""
    assert manager.versions(root) == {name: NEW if name in arrived else OLD for name in NAMES}
    report = resumed["report"]
    assert report["run"]["id"] == resumed["resumed"]
    assert report["summary"]["OperationType"] == "Install"
    expected = {name: {"old": manager.full(OLD), "new": manager.full(NEW)} for name in arrived}
    assert report["changes"] == expected
    states = {row["Id"].rpartition(".")[0]: row["PatchState"] for row in report["patches"]}
    assert states == {name: "Installed" if name in arrived else "Failed" for name in NAMES}
    assert all("interrupted in phase" in row["reason"] for row in report["patches"] if row["PatchState"] == "Failed")
    history = run("history", settings)
    assert [(row["id"], row["changes"]) for row in history] == [(resumed["resumed"], expected)]
    assert run("report", settings, arguments={"details": True})["patches"] == report["patches"]
    status = run("status", settings)
    assert (status["running"], status["journal"], status["warnings"]) == (None, None, [])
    again = run("resume", settings)
    assert again == {"resumed": None, "phase": None, "report": None, "warnings": []}
    assert run("history", settings) == history


@pytest.mark.parametrize(
    ("manager", "follower"), spread(("scan", "install", "plan"), ("install",)), indirect=["manager"]
)
def test_the_package_manager_survives_and_is_waited_for(manager: Manager, tmp_path: Path, follower: str) -> None:
    root, settings = built(manager, tmp_path, Update("alpha", slow=3), Update("beta"))
    process = start("install", settings)
    wait_for(lambda: sleeps(root), "a package that is being configured")
    # With everything of its process group: what it has started is on its own.
    os.killpg(process.pid, signal.SIGKILL)
    expect_killed(process)
    assert workers(root), "the package manager died with the operation that had started it"
    result = run(follower, settings)
    if follower == "plan":
        assert run("resume", settings)["report"]["summary"]["InstalledCount"] == "2"
    else:
        assert not workers(root), "the next operation did not wait for the package manager"
        assert result["compliance"] == "COMPLIANT"
        assert any("was interrupted in phase" in text for text in result["warnings"])
    assert manager.versions(root) == {"alpha": NEW, "beta": NEW}
    assert manager.problems(root) == ""
    operations = [row["operation"] for row in reversed(run("history", settings))]
    assert operations == {"scan": ["Install", "Scan"], "install": ["Install"] * 2, "plan": ["Install"]}[follower]


INTERRUPTIONS = [(slow, follower) for slow in ("slow", "slow_unpack") for follower in ("resume", "install")]


@pytest.mark.parametrize(
    ("manager", "interruption"),
    spread(INTERRUPTIONS, (("slow", "resume"), ("slow_unpack", "install"))),
    indirect=["manager"],
    ids=str,
)
def test_killed_with_the_package_manager(manager: Manager, tmp_path: Path, interruption: tuple[str, str]) -> None:
    slow, follower = interruption
    middle = Update("beta", after="alpha", **{slow: 3.0})
    root, settings = built(manager, tmp_path, Update("alpha"), middle, Update("gamma", after="beta"))
    repositories = manager.repository_files(root)
    process = start("install", settings)
    wait_for(lambda: sleeps(root), "a package that is being installed")
    kill_all(root)
    process.kill()
    expect_killed(process)
    assert manager.problems(root) or slow not in manager.breaks, "nothing was interrupted, so nothing is tested"
    assert manager.versions(root).get("gamma") != NEW, "it was too late to interrupt anything"
    assert run("status", settings)["running"] is None

    result = run(follower, settings)
    if follower == "resume":
        assert result["report"]["run"]["id"] == result["resumed"]
        assert run("status", settings)["journal"] is None
        result = run("install", settings)
    assert result["compliance"] == "COMPLIANT"
    assert manager.problems(root) == ""
    assert manager.versions(root) == dict.fromkeys(("alpha", "beta", "gamma"), NEW)
    assert manager.repository_files(root) == repositories
    assert run("status", settings)["journal"] is None
    assert [row["operation"] for row in run("history", settings)] == ["Install", "Install"]


def test_killed_twice(any_manager: Manager, tmp_path: Path) -> None:
    root, settings = built(any_manager, tmp_path, *UPDATES)
    expect_killed(start("install", settings, kill={"phase": "installing", "batch": 1}))
    first = run("status", settings)["journal"]["run_id"]
    expect_killed(start("resume", settings, kill={"phase": "installed"}))
    expect_killed(start("resume", settings, kill={"phase": "reported"}))
    expect_killed(start("resume", settings, kill={"phase": "closed", "before": True}))
    resumed = run("resume", settings)
    assert resumed["resumed"] == first
    assert_finished(any_manager, root, settings, resumed, {"alpha", "beta"})


def test_a_termination_is_no_worse_than_a_kill(any_manager: Manager, tmp_path: Path) -> None:
    root, settings = built(any_manager, tmp_path, Update("alpha", slow=2))
    process = start("install", settings)
    wait_for(lambda: sleeps(root), "a package that is being configured")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert run("scan", settings)["compliance"] == "COMPLIANT"
    assert any_manager.versions(root) == {"alpha": NEW}
    assert run("status", settings)["journal"] is None
