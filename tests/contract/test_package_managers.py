# SPDX-License-Identifier: Apache-2.0
"""What every package manager must do, whichever it is: scan, plan, install, isolate, wait, resume, refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import config
from ssmpatchlib.backends import PackageManager
from ssmpatchlib.backends.answers import InstallRun, Solution, Watch
from ssmpatchlib.errors import Busy, SsmpatchError
from ssmpatchlib.host import CommandResult, Running
from ssmpatchlib.model import Offer, Target
from ssmpatchlib.operation import session
from support.faults.children import built, expect_killed, run, start
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, OLD, Manager, Update, hashes

pytestmark = [pytest.mark.root, pytest.mark.slow(110)]


def states(report: Mapping[str, Any]) -> dict[str, str]:
    """The state of each package by name."""
    return {row["Id"].rpartition(".")[0]: row["PatchState"] for row in report["patches"]}


def reasons(report: Mapping[str, Any]) -> dict[str, str]:
    """The reason of each package's state by name."""
    return {row["Id"].rpartition(".")[0]: row["reason"] for row in report["patches"]}


def opened(settings: Mapping[str, Any]) -> PackageManager:
    """The package manager of a root."""
    loaded = config.load(minion=settings)
    return session.open_session(loaded, host=FaultHost(), caller=quiet_surface()).backend


class Recorder:
    """Lets a package manager do its work and remembers what it was asked and told.

    ``install`` may stand in front of the real one.
    """

    def __init__(
        self,
        patched: pytest.MonkeyPatch,
        manager: PackageManager,
        install: Callable[[Callable[..., InstallRun], Sequence[Target], Watch], InstallRun] | None = None,
    ) -> None:
        self.questions: list[list[str]] = []
        self.runs: list[list[str]] = []
        solve, run_once = type(manager).solve, type(manager).install

        def asked(this: Any, wanted: Sequence[Target], **more: Any) -> Solution:
            self.questions.append([target.name for target in wanted])
            return solve(this, wanted, **more)

        def told(this: Any, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
            self.runs.append([target.name for target in wanted])

            def real(some: Sequence[Target]) -> InstallRun:
                return run_once(this, some, hidden=hidden, watch=watch)

            return install(real, wanted, watch) if install else real(wanted)

        patched.setattr(type(manager), "solve", asked)
        patched.setattr(type(manager), "install", told)


def test_it_says_what_it_is(manager: Manager, tmp_path: Path) -> None:
    _, settings = built(manager, tmp_path, Update("alpha"))
    found = opened(settings)
    assert found.name == manager.name
    assert found.family is found.inventory(non_security=True).family
    assert all(place.is_absolute() for place in found.places)
    limits = found.limits
    assert limits.runs >= limits.hiding_runs >= 1 and limits.rounds >= 1
    assert found.installed() == {f"alpha.{manager.architecture}": manager.full(OLD)}
    assert found.repair() == () and found.reboot_reasons() == ()
    found.drop_held()


def test_scan_plan_and_install(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"), Update("beta", after="alpha"), Update("salt-minion"))
    before = manager.repository_files(root)
    scan = run("scan", settings)
    assert (scan["compliance"], states(scan)) == (
        "NON_COMPLIANT",
        dict.fromkeys(("alpha", "beta", "salt-minion"), "Missing"),
    )
    plan = run("plan", settings)
    expected = {name: {"old": manager.full(OLD), "new": manager.full(NEW)} for name in ("alpha", "beta", "salt-minion")}
    assert (plan["changes"], plan["blocked"], plan["removals"]) == (expected, [], [])
    assert plan["batches"][-1] == [f"salt-minion.{manager.architecture}"]
    assert manager.versions(root) == dict.fromkeys(expected, OLD), "a plan changes nothing"
    report = run("install", settings)
    assert (report["compliance"], report["changes"]) == ("COMPLIANT", expected)
    assert manager.versions(root) == dict.fromkeys(expected, NEW)
    assert (manager.problems(root), manager.repository_files(root)) == ("", before)


def test_what_cannot_be_installed_fails_alone_and_the_administrators_locks_hold(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("alpha", "held", "lost", "beta")
    root, settings = built(manager, tmp_path, *map(Update, names[:2]), Update("lost", needs="nowhere"), Update("beta"))
    manager.lock(root, "held")
    configuration = hashes(*(root / name for name in manager.system_files))
    recorder = Recorder(monkeypatch, opened(settings))
    report = run("install", settings)
    assert states(report) == {"alpha": "Installed", "held": "Failed", "lost": "Failed", "beta": "Installed"}
    assert "nowhere" in reasons(report)["lost"]
    assert manager.versions(root) == {"alpha": NEW, "held": OLD, "lost": OLD, "beta": NEW}
    # A lock is looked at once, before the package manager is asked.
    assert recorder.questions and not any("held" in names for names in recorder.questions)
    assert len(recorder.questions) <= 6 and [sorted(names) for names in recorder.runs] == [["alpha", "beta"]]
    assert hashes(*(root / name for name in manager.system_files)) == configuration


def test_what_is_rejected_does_not_come_in_with_others(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("lib"), Update("app", after="lib"), Update("other"))
    baseline = {**settings["baseline"], "rejectedPatches": ["lib"], "rejectedPatchesAction": "BLOCK"}
    report = run("install", {**settings, "baseline": baseline})
    assert states(report) == {"lib": "InstalledRejected", "app": "Failed", "other": "Installed"}
    assert "rejected by the rejected list: lib (BLOCK)" in reasons(report)["app"]
    assert manager.versions(root) == {"lib": OLD, "app": OLD, "other": NEW}


def test_progress_without_words_goes_on(manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends early and says nothing about the rest is followed by one for the rest, watched by its number."""
    root, settings = built(manager, tmp_path, Update("alpha"), Update("beta"), Update("gamma"))
    counts: list[int] = []

    def first_only(real: Callable[..., InstallRun], wanted: Sequence[Target], watch: Watch) -> InstallRun:
        counts.append(watch.count)  # type: ignore[attr-defined]
        return real(wanted[:1])

    recorder = Recorder(monkeypatch, opened(settings), first_only)
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert [len(names) for names in recorder.runs] == counts == [3, 2, 1]
    assert manager.versions(root) == dict.fromkeys(("alpha", "beta", "gamma"), NEW)


def test_salt_is_updated_last_whatever_it_is_called(manager: Manager, tmp_path: Path) -> None:
    _, settings = built(manager, tmp_path, Update("python3-salt"), Update("alpha"))
    batches = run("plan", settings)["batches"]
    assert batches == [[f"alpha.{manager.architecture}"], [f"python3-salt.{manager.architecture}"]]


def test_a_lock_of_another_program_is_waited_for_with_a_bound(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"))
    with manager.hold_lock(root), pytest.raises(Busy, match="busy"):
        run("install", {**settings, "lock_timeout": 1})
    assert manager.versions(root) == {"alpha": OLD}
    assert run("install", settings)["compliance"] == "COMPLIANT"


def test_a_batch_outside_of_the_window_is_not_started(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"), Update("salt-minion"))
    open_now = [True, False]
    monkeypatch.setattr("ssmpatchlib.operation.install.may_begin", lambda settings, at: open_now.pop(0))
    report = run("install", {**settings, "window": {"start": "00:00", "duration": "24h"}})
    assert states(report) == {"alpha": "Installed", "salt-minion": "Failed"}
    assert "the maintenance window has closed" in reasons(report)["salt-minion"]
    assert manager.versions(root) == {"alpha": NEW, "salt-minion": OLD}


def test_killed_and_resumed(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha", slow=0.9), Update("salt-minion"))
    expect_killed(start("install", settings, kill={"phase": "installing", "batch": 1}))
    resumed = run("resume", settings)
    assert states(resumed["report"]) == {"alpha": "Installed", "salt-minion": "Failed"}
    assert (manager.versions(root), manager.problems(root)) == ({"alpha": NEW, "salt-minion": OLD}, "")
    assert run("install", settings)["compliance"] == "COMPLIANT"


@pytest.mark.parametrize("manager", ["apt", "dnf", "yum", "zypper"], indirect=True)
def test_without_a_repository_nothing_is_compliant(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"))
    for path in (*root.glob("etc/yum.repos.d/*"), *root.glob("etc/zypp/repos.d/*"), root / "etc/apt/sources.list"):
        path.unlink(missing_ok=True)
    report = run("scan", settings)
    assert report["compliance"] == "UNKNOWN"
    assert any("no repository is enabled" in text for text in report["warnings"])


@pytest.mark.parametrize("manager", ["apt", "dnf", "yum", "zypper"], indirect=True)
def test_a_directory_that_holds_no_system_is_refused_and_stays_empty(manager: Manager, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SsmpatchError, match=str(empty)):
        run("scan", {**manager.settings(empty), "state_dir": str(tmp_path / "state"), "aws_dir": str(tmp_path / "aws")})
    assert list(empty.iterdir()) == []


class RecordingHost(FaultHost):
    """Remembers the command lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[list[str]] = []

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        self.lines.append(list(argv))
        return super().run(argv, **more)

    def start(self, argv: Sequence[str], **more: Any) -> Running:
        self.lines.append(list(argv))
        return super().start(argv, **more)


def test_packages_stand_behind_the_options_of_every_command_line(manager: Manager, tmp_path: Path) -> None:
    names = ("alpha", "lost", "lib", "app")
    updates = (Update("alpha"), Update("lost", needs="nowhere"), Update("lib"), Update("app", after="lib"))
    _, settings = built(manager, tmp_path, *updates)
    baseline = {**settings["baseline"], "rejectedPatches": ["lib"], "rejectedPatchesAction": "BLOCK"}
    host = RecordingHost()
    for operation in ("scan", "plan", "install"):
        run(operation, {**settings, "baseline": baseline}, host=host)
    found = [line for line in host.lines if any(word.startswith(names) for word in line)]
    assert found, "no command line names a package"
    for line in found:
        options = line[: line.index("--", line.index("--") + 1 if line[0] == "systemd-run" else 0)]
        assert not [word for word in options if word.startswith(names)], line


def test_a_frozen_set_limits_what_is_installed_also_as_a_dependency(manager: Manager, tmp_path: Path) -> None:
    updates = (Update("alpha"), Update("beta"), Update("gamma", after="beta"))
    root, settings = built(manager, tmp_path, *updates)
    run("scan", settings)
    frozen = run("freeze", settings)
    ids = {name.rpartition(".")[0]: name for name in frozen["packages"]}
    assert {name: frozen["packages"][ids[name]] for name in ids} == dict.fromkeys(ids, manager.full(NEW))
    frozen["packages"][ids["beta"]] = manager.full(OLD)
    limited = run("install", {**settings, "frozen": frozen})
    assert manager.versions(root) == {"alpha": NEW, "beta": OLD, "gamma": OLD}
    assert states(limited) == {"alpha": "Installed", "beta": "Missing", "gamma": "Failed"}
    held_back = f"held back by the frozen set (ends at {manager.full(OLD)})"
    assert reasons(limited)["beta"].endswith(held_back) and "beta" in reasons(limited)["gamma"]
    assert limited["held_back"] == [ids["beta"]] and limited["frozen_compliance"] == "NON_COMPLIANT"
    assert run("install", settings)["compliance"] == "COMPLIANT"
