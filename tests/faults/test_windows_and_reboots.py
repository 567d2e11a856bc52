# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows, and the reboot policy from the install to the verification after the boot, for real on ``/``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import OutsideWindow, SsmpatchError
from support.faults.children import built, expect_killed, kill_all, wait_for
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.house import Machine, house
from support.faults.managers import APT, NEW, OLD, Manager, Update

pytestmark = pytest.mark.root

MINUTE = 60
ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def window(begins_in: int, *, minutes: int) -> dict[str, Any]:
    """A daily window that begins in so many minutes from now."""
    start_ = dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=begins_in)
    return {"days": ALL_DAYS, "start": f"{start_:%H:%M}", "duration": f"{minutes}m", "timezone": "UTC"}


def test_outside_of_the_window_nothing_is_done(any_manager: Manager, tmp_path: Path) -> None:
    root, minion = built(any_manager, tmp_path, Update("alpha"))
    settings = config.load(minion={**minion, "window": window(120, minutes=60)})
    with pytest.raises(SsmpatchError, match=r"opens \d{4}-.*; wait until then; nothing was done") as refused:
        api.install(settings, caller=quiet_surface(), host=FaultHost())
    opens = refused.value.info["next_open"]
    assert OutsideWindow.next_open_in(f"ERROR: {refused.value} [code 1]") == opens
    assert any_manager.versions(root) == {"alpha": OLD}
    assert api.history(settings, caller=quiet_surface()) == []
    status = api.status(settings, caller=quiet_surface())
    assert status["journal"] is None and status["next_open"] == opens
    # Looking is always allowed.
    assert api.scan(settings, caller=quiet_surface(), host=FaultHost())["compliance"] == "NON_COMPLIANT"
    plan = api.plan(settings, caller=quiet_surface(), host=FaultHost())
    assert plan["changes"].keys() == {"alpha"} and plan["next_open"] == opens
    assert api.report(settings, caller=quiet_surface())["next_open"] == opens
    inside = FaultHost(ahead=150 * MINUTE)
    for looked in (api.status, api.plan, api.report):
        assert looked(settings, caller=quiet_surface(), host=inside)["next_open"] is None
    assert api.install(settings, caller=quiet_surface(), host=inside)["compliance"] == "COMPLIANT"


def test_no_batch_is_started_after_the_window_has_closed(manager: Manager, tmp_path: Path) -> None:
    root, minion = built(manager, tmp_path, Update("alpha"), Update("salt-minion"))
    settings = config.load(minion={**minion, "window": window(-30, minutes=60)})
    host = FaultHost()

    def on_event(tag: str, data: Mapping[str, Any]) -> None:
        if tag.endswith("/install/progress"):
            assert (data["batch"], data["batches"]) == (1, 2)
            host.ahead = 60 * MINUTE

    report = api.install(settings, caller=quiet_surface(fire=on_event), host=host)
    rows = {row["Id"].rpartition(".")[0]: row for row in report["patches"]}
    assert rows["alpha"]["PatchState"] == "Installed"
    assert rows["salt-minion"]["PatchState"] == "Failed"
    assert "not started: the maintenance window has closed" in rows["salt-minion"]["reason"]
    assert report["changes"].keys() == {"alpha"}
    assert manager.versions(root) == {"alpha": NEW, "salt-minion": OLD}
    host.ahead = 0
    assert api.install(settings, caller=quiet_surface(), host=host)["changes"].keys() == {"salt-minion"}


def test_what_came_in_before_its_own_batch_has_not_failed(tmp_path: Path) -> None:
    root, minion = built(APT, tmp_path, Update("alpha", after="salt-minion"), Update("salt-minion"))
    settings = config.load(minion={**minion, "window": window(-30, minutes=60)})
    host = FaultHost()

    def on_event(tag: str, data: Mapping[str, Any]) -> None:
        host.ahead = 60 * MINUTE if tag.endswith("/install/progress") else host.ahead

    report = api.install(settings, caller=quiet_surface(fire=on_event), host=host)
    assert APT.versions(root) == {"alpha": NEW, "salt-minion": NEW}
    assert {row["PatchState"] for row in report["patches"]} == {"Installed"}
    assert report["compliance"] == "COMPLIANT"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine."""
    with house(tmp_path / "house", installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)]) as root:
        yield Machine(root)


TITLE = f"alpha.{ARCHITECTURE}:{NEW}"


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Title"]: row["PatchState"] for row in report["patches"]}


def test_from_the_install_through_all_attempts_to_the_boot(machine: Machine) -> None:
    first = machine.do("install")
    report = first["result"]
    assert report["reboot"]["action"] == "reboot" and report["reboot"]["due"]
    assert first["shutdowns"] == [["shutdown", "-r", "+1", "Reboot by ssmpatch: installed patches take effect."]]
    assert states(report) == {TITLE: "Installed"}, "AWS shows what the reboot will have brought about"
    assert machine.versions == {"alpha": NEW}
    status = machine.run("status")
    assert status["journal"]["phase"] == "reboot_requested"
    assert (status["reboot_pending"]["packages"], status["reboot_pending"]["attempts"]) == ([TITLE], 1)
    assert states(machine.run("scan")) == {TITLE: "InstalledPendingReboot"}

    second = machine.do("install", ahead=5 * MINUTE)
    assert (second["result"]["reboot"]["action"], second["shutdowns"]) == ("deferred", [])
    assert "under way" in second["result"]["reboot"]["reason"]
    waiting = machine.run("resume", ahead=6 * MINUTE)
    assert (waiting["resumed"], waiting["report"]) == (report["run"]["id"], None)
    assert any("has not happened yet" in text for text in waiting["warnings"])

    third = machine.do("install", ahead=20 * MINUTE)
    assert (third["result"]["reboot"]["action"], len(third["shutdowns"])) == ("reboot", 1)
    fourth = machine.do("install", ahead=40 * MINUTE)
    assert (fourth["result"]["reboot"]["action"], fourth["shutdowns"]) == ("exhausted", [])
    assert api.return_code(fourth["result"]) == 3
    error = machine.do("reboot", ahead=41 * MINUTE)["error"]
    assert (error["type"], error["code"]) == ("RebootAttemptsExhausted", 3)

    booted = {"boot_id": "boot-2", "ahead": 60 * MINUTE}
    assert machine.run("status", **booted)["reboot_pending"] is None
    after = machine.do("resume", **booted)
    assert after["calls"] == ["test.ping"]
    assert after["result"]["phase"] == "reboot_requested"
    assert states(after["result"]["report"]) == {TITLE: "Installed"}
    assert after["result"]["report"]["compliance"] == "COMPLIANT"
    assert any("reboot" in text and "has happened" in text for text in after["result"]["report"]["warnings"])
    status = machine.run("status", **booted)
    assert (status["journal"], status["running"], status["reboot_pending"]) == (None, None, None)
    again = machine.do("resume", **booted)
    assert (again["result"]["resumed"], again["calls"]) == (None, [])
    quiet = machine.do("install", **booted)
    assert (quiet["result"]["reboot"]["action"], quiet["shutdowns"], quiet["calls"]) == ("none", [], [])


@pytest.mark.parametrize("follower", ["scan", "install", "resume"])
def test_whoever_comes_first_after_the_boot_closes_the_run(machine: Machine, follower: str) -> None:
    run_id = machine.run("install")["run"]["id"]
    after = machine.do(follower, boot_id="boot-2")
    assert after["calls"] == ["test.ping"]
    report = after["result"]["report"] if follower == "resume" else after["result"]
    assert any(run_id in text and "has happened" in text for text in report["warnings"])
    assert report["compliance"] == "COMPLIANT"
    assert after["shutdowns"] == []
    assert machine.run("status", boot_id="boot-2")["journal"] is None


def test_a_hint_that_survives_the_reboot_asks_for_no_other(machine: Machine) -> None:
    settings = {"reboot": {"option": "RebootIfRequired"}}
    flag, packages = machine.root / "run/reboot-required", machine.root / "run/reboot-required.pkgs"
    flag.touch()
    first = machine.do("install", settings=settings)
    assert (first["result"]["reboot"]["action"], len(first["shutdowns"])) == ("reboot", 1)
    for boot in ("boot-2", "boot-3"):
        after = {"boot_id": boot, "settings": settings}
        machine.do("resume", **after)
        error = machine.do("reboot", **after)
        assert error["error"]["type"] == "RebootAttemptsExhausted" and error["shutdowns"] == []
        again = machine.do("install", **after)
        assert (again["result"]["reboot"]["action"], again["shutdowns"]) == ("exhausted", [])
        assert "/run/reboot-required; find out what sets it" in again["result"]["reboot"]["reason"]
    # Something new asks for it.
    packages.write_text("linux-image-amd64\n")
    assert len(machine.do("reboot", boot_id="boot-3", settings=settings)["shutdowns"]) == 1


def test_a_hint_that_the_reboot_cleared_counts_when_it_comes_again(machine: Machine) -> None:
    settings = {"reboot": {"option": "RebootIfRequired"}}
    flag = machine.root / "run/reboot-required"
    flag.touch()
    machine.do("install", settings=settings)
    flag.unlink()
    machine.do("resume", boot_id="boot-2", settings=settings)
    flag.touch()
    assert len(machine.do("reboot", boot_id="boot-2", settings=settings)["shutdowns"]) == 1


def test_an_install_while_the_reboot_is_under_way_is_verified_too(tmp_path: Path) -> None:
    names = ("alpha", "beta")
    debs = {"installed": [Deb(name, OLD) for name in names], "offered": [Deb(name, NEW) for name in names]}
    with house(tmp_path / "house", **debs) as root:
        machine = Machine(root)
        only_alpha = {"baseline": {"operatingSystem": "DEBIAN", "approvedPatches": ["alpha"]}}
        first = machine.run("install", settings=only_alpha)
        assert (first["changes"].keys(), first["reboot"]["action"]) == ({"alpha"}, "reboot")
        second = machine.run("install")
        assert (second["changes"].keys(), second["reboot"]["action"]) == ({"beta"}, "deferred")
        after = machine.do("resume", boot_id="boot-2")
        assert after["result"]["resumed"] == second["run"]["id"]
        assert after["calls"] == ["test.ping"] and after["result"]["report"]["compliance"] == "COMPLIANT"


def test_without_reboot_everything_waits(machine: Machine) -> None:
    found = machine.do("install", arguments={"reboot_option": "NoReboot"})
    assert (found["result"]["reboot"]["action"], found["shutdowns"]) == ("none", [])
    assert states(found["result"]) == {TITLE: "InstalledPendingReboot"}
    assert machine.run("status")["journal"] is None
    # The policy is applied when somebody asks for it, and what it requested is verified.
    asked = machine.do("reboot")
    assert (asked["result"]["action"], len(asked["shutdowns"])) == ("reboot", 1)
    after = machine.do("resume", boot_id="boot-2")
    assert after["calls"] == ["test.ping"] and states(after["result"]["report"]) == {TITLE: "Installed"}


def test_only_where_the_system_asks_for_it(machine: Machine) -> None:
    option = {"reboot_option": "RebootIfRequired"}
    found = machine.do("install", arguments=option)
    assert (found["result"]["reboot"]["action"], found["shutdowns"]) == ("none", [])
    (machine.root / "run/reboot-required").touch()
    found = machine.do("install", arguments=option)
    assert (found["result"]["reboot"]["action"], len(found["shutdowns"])) == ("reboot", 1)
    assert found["result"]["reboot"]["required_hints"] == ["/run/reboot-required"]


def test_outside_of_the_reboot_windows_it_stays_pending(machine: Machine) -> None:
    settings = {"reboot": {"windows": [window(120, minutes=60)]}}
    found = machine.do("install", settings=settings)
    assert (found["result"]["reboot"]["action"], found["shutdowns"]) == ("deferred", [])
    assert found["result"]["reboot"]["due"] is not None
    assert states(found["result"]) == {TITLE: "InstalledPendingReboot"}
    assert machine.run("reboot", settings=settings)["action"] == "deferred"
    later = machine.do("reboot", settings=settings, ahead=150 * MINUTE)
    assert (later["result"]["action"], len(later["shutdowns"])) == ("reboot", 1)


def test_a_shutdown_that_fails_leaves_it_pending(machine: Machine) -> None:
    found = machine.do("install", shutdown_code=1)["result"]
    assert found["reboot"]["action"] == "deferred" and "no way" in found["reboot"]["reason"]
    assert any("cannot reboot" in text and "stays pending" in text for text in found["warnings"])
    status = machine.run("status")
    assert status["reboot_pending"]["packages"] == [TITLE]
    assert status["journal"] is None
    # There is nothing to wait for, so the next one tries again; it counts all the same.
    error = machine.do("reboot", shutdown_code=1)["error"]
    assert "cannot reboot" in error["message"]
    assert machine.run("status")["journal"] is None
    assert machine.do("reboot")["error"]["type"] == "RebootAttemptsExhausted"


def test_what_was_installed_before_a_crash_of_the_machine_waits_for_no_other_boot(machine: Machine) -> None:
    expect_killed(machine.start("install", kill={"phase": "reported", "before": True}))
    after = machine.do("resume", boot_id="boot-2")
    report = after["result"]["report"]
    assert (report["reboot"]["action"], after["shutdowns"]) == ("none", [])
    assert report["changes"] == {"alpha": {"old": OLD, "new": NEW}}
    assert states(report) == states(machine.run("scan", boot_id="boot-2")) == {TITLE: "Installed"}
    assert machine.run("status", boot_id="boot-2")["journal"] is None


def test_what_is_completed_after_the_crash_waits_for_the_next_boot(tmp_path: Path) -> None:
    slow = Deb("alpha", NEW, scripts={"postinst": "test -e /booted || { touch /reached; sleep 60; }"})
    with house(tmp_path / "house", installed=[Deb("alpha", OLD)], offered=[slow]) as root:
        machine = Machine(root)
        process = machine.start("install")
        wait_for((root / "reached").exists, "a package that is being configured")
        process.kill()
        expect_killed(process)
        kill_all(root)
        (root / "booted").touch()
        after = machine.do("resume", boot_id="boot-2")
        assert (after["result"]["report"]["reboot"]["action"], len(after["shutdowns"])) == ("reboot", 1)
        assert states(machine.run("scan", boot_id="boot-2")) == {TITLE: "InstalledPendingReboot"}


KILLS = {
    "reported": ({"phase": "reported"}, "reboot"),
    "before the request is written": ({"phase": "reboot_requested", "before": True}, "reboot"),
    "request written, shutdown not called": ({"phase": "reboot_requested"}, "wait"),
}


@pytest.mark.parametrize("name", KILLS)
def test_killed_around_the_request(machine: Machine, name: str) -> None:
    kill, expected = KILLS[name]
    expect_killed(machine.start("install", kill=kill))
    run_id = machine.run("status")["journal"]["run_id"]
    resumed = machine.do("resume", ahead=MINUTE)
    assert resumed["result"]["resumed"] == run_id
    if expected == "reboot":
        assert len(resumed["shutdowns"]) == 1 or resumed["result"]["report"]["reboot"]["action"] == "deferred"
    else:
        assert any("has not happened yet" in text for text in resumed["result"]["warnings"])
        retried = machine.do("install", ahead=20 * MINUTE)
        assert (retried["result"]["reboot"]["action"], len(retried["shutdowns"])) == ("reboot", 1)
    after = machine.do("resume", boot_id="boot-2", ahead=30 * MINUTE)
    assert after["calls"] == ["test.ping"]
    assert states(after["result"]["report"]) == {TITLE: "Installed"}
    history = machine.run("history", boot_id="boot-2")
    assert [row["id"] for row in history].count(run_id) == 1
    assert machine.run("status", boot_id="boot-2")["journal"] is None


@pytest.mark.parametrize(("follower", "phase"), [("resume", "verified"), ("scan", "verified"), ("scan", "closed")])
def test_killed_while_the_boot_is_verified(machine: Machine, phase: str, follower: str) -> None:
    machine.run("install")
    expect_killed(machine.start(follower, kill={"phase": phase}, boot_id="boot-2"))
    status = machine.run("status", boot_id="boot-2")
    assert status["running"] is None
    after = machine.do("resume", boot_id="boot-2")
    assert after["calls"] == [], "the hooks have been called"
    scan = machine.do("scan", boot_id="boot-2")
    assert states(scan["result"]) == {TITLE: "Installed"} and scan["calls"] == []
    assert machine.run("status", boot_id="boot-2")["journal"] is None
    assert machine.run("resume", boot_id="boot-2")["resumed"] is None
    assert APT.problems(machine.root) == ""


NO_REBOOT = {"reboot_option": "NoReboot"}
#: Settings whose documents cannot be read.
AWAY: dict[str, Any] = {"baseline_override": "/nowhere/baseline.json", "frozen": "/nowhere/frozen.json"}


def test_a_run_is_finished_and_the_machine_rebooted_while_the_baseline_is_away(machine: Machine) -> None:
    expect_killed(machine.start("install", kill={"phase": "reported", "before": True}, arguments=NO_REBOOT))
    run_id = machine.run("status")["journal"]["run_id"]
    resumed = machine.do("resume", settings=AWAY)
    assert "error" not in resumed, resumed
    assert (resumed["result"]["resumed"], resumed["shutdowns"]) == (run_id, [])
    assert states(resumed["result"]["report"]) == {TITLE: "InstalledPendingReboot"}
    assert machine.run("reboot", settings=AWAY, arguments={"dry_run": True})["action"] == "reboot"
    asked = machine.do("reboot", settings=AWAY)
    assert (asked["result"]["action"], len(asked["shutdowns"])) == ("reboot", 1)
    after = machine.do("resume", settings=AWAY, boot_id="boot-2")
    assert "error" not in after, after
    assert after["calls"] == ["test.ping"] and after["result"]["report"] is None
    (said,) = [text for text in after["result"]["warnings"] if "UNKNOWN" in text]
    assert "/nowhere/baseline.json" in said and "ssmpatch.scan" in said
    assert machine.run("status", boot_id="boot-2")["journal"] is None


def test_after_the_boot_compliance_is_not_known_while_the_frozen_set_is_away(machine: Machine) -> None:
    machine.run("install")
    after = machine.do("resume", settings={"frozen": "/nowhere/frozen.json"}, boot_id="boot-2")
    assert "error" not in after, after
    assert after["calls"] == ["test.ping"] and after["result"]["report"] is None
    assert any("UNKNOWN" in text and "/nowhere/frozen.json" in text for text in after["result"]["warnings"])
    assert machine.run("status", boot_id="boot-2")["journal"] is None


def test_the_machine_itself_is_another_one(machine: Machine) -> None:
    machine.run("install")
    assert (machine.root / "usr/share/alpha/version").read_text() == NEW
    assert not Path("/usr/share/alpha").exists()
