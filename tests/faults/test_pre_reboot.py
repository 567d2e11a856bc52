# SPDX-License-Identifier: Apache-2.0
"""The hook ``pre_reboot`` runs before every request of a reboot; while it fails the reboot stays pending."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.faults.children import expect_killed
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.house import Machine, house
from support.faults.managers import NEW, OLD

pytestmark = pytest.mark.root

TITLE = f"alpha.{ARCHITECTURE}:{NEW}"
GOOD = {"hooks": {"pre_reboot": ["drain.node"], "after_reboot": ["test.ping"]}}
BAD = {"hooks": {"pre_reboot": ["drain.node", "test.false", "drain.more"], "after_reboot": ["test.ping"]}}
SAID = "hook pre_reboot: test.false answered False; the reboot stays pending"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with house(tmp_path / "house", installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)]) as root:
        yield Machine(root)


def assert_pending(machine: Machine, found: dict[str, Any]) -> None:
    report = found["result"]
    assert found["shutdowns"] == [] and found["calls"] == ["drain.node", "test.false"]
    assert (report["reboot"]["action"], report["reboot"]["reason"]) == ("deferred", SAID)
    assert SAID in report["warnings"]
    assert [row["PatchState"] for row in report["patches"]] == ["InstalledPendingReboot"]
    assert machine.run("report")["warnings"] == report["warnings"]
    status = machine.run("status")
    pending = status["reboot_pending"]
    assert (pending["packages"], pending["attempts"], pending["problem"]) == ([TITLE], 0, SAID)
    assert status["journal"] is None


def test_it_runs_before_the_reboot_of_an_install(machine: Machine) -> None:
    found = machine.do("install", settings=GOOD)
    assert (found["calls"], len(found["shutdowns"])) == (["drain.node"], 1)
    assert found["result"]["reboot"]["action"] == "reboot"
    after = machine.do("resume", settings=GOOD, boot_id="boot-2")
    assert after["calls"] == ["test.ping"]


def test_while_it_fails_the_reboot_stays_pending(machine: Machine) -> None:
    assert_pending(machine, machine.do("install", settings=BAD))
    for _attempt in range(3):
        error = machine.do("reboot", settings=BAD)
        assert (error["error"]["message"], error["shutdowns"]) == (SAID, [])
    assert machine.run("status")["reboot_pending"]["attempts"] == 0
    assert machine.do("reboot", settings=BAD, arguments={"dry_run": True})["calls"] == []
    found = machine.do("reboot", settings=GOOD)
    assert (found["result"]["action"], found["calls"], len(found["shutdowns"])) == ("reboot", ["drain.node"], 1)
    pending = machine.run("status")["reboot_pending"]
    assert (pending["attempts"], pending["problem"]) == (1, "")
    machine.run("resume", settings=GOOD, boot_id="boot-2")
    assert machine.run("status", boot_id="boot-2")["reboot_pending"] is None


def test_the_next_install_runs_it_again(machine: Machine) -> None:
    assert_pending(machine, machine.do("install", settings=BAD))
    found = machine.do("install", settings=GOOD)
    assert (found["calls"], len(found["shutdowns"])) == (["drain.node"], 1)


def test_it_runs_before_the_reboot_of_a_resumed_run(machine: Machine) -> None:
    expect_killed(machine.start("install", settings=BAD, kill={"phase": "reported", "before": True}))
    found = machine.do("resume", settings=BAD)
    assert_pending(machine, {**found, "result": found["result"]["report"]})


def test_it_does_not_run_where_no_reboot_is_requested(machine: Machine) -> None:
    for option in ("NoReboot", "RebootIfRequired"):
        assert machine.do("install", settings=BAD, arguments={"reboot_option": option})["calls"] == []
    (machine.root / "run/reboot-required").touch()
    found = machine.do("install", settings=BAD, arguments={"reboot_option": "RebootIfRequired"})
    assert (found["calls"], found["result"]["reboot"]["reason"]) == (["drain.node", "test.false"], SAID)


def test_a_reboot_that_only_the_system_asks_for_is_told_too(machine: Machine) -> None:
    machine.run("install", arguments={"reboot_option": "NoReboot"}, settings=GOOD)
    machine.run("scan", boot_id="boot-2")
    (machine.root / "run/reboot-required").touch()
    settings = {**BAD, "reboot": {"option": "RebootIfRequired"}}
    assert machine.do("reboot", settings=settings, boot_id="boot-2")["error"]["message"] == SAID
    pending = machine.run("status", boot_id="boot-2")["reboot_pending"]
    assert (pending["packages"], pending["problem"]) == ([], SAID)


def test_a_window_that_has_closed_meanwhile_is_kept(machine: Machine) -> None:
    begun = dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=10)
    window = {"start": f"{begun:%H:%M}", "duration": "40m"}
    settings = {"hooks": {"pre_reboot": ["drain.slowly"]}, "reboot": {"windows": [window]}}
    found = machine.do("install", settings=settings)
    said = "the reboot window closed while the hook pre_reboot ran; the reboot stays pending"
    assert (found["calls"], found["shutdowns"]) == (["drain.slowly"], [])
    assert (found["result"]["reboot"]["action"], found["result"]["reboot"]["reason"]) == ("deferred", said)
    asked = machine.do("reboot", settings=settings)
    assert (asked["error"]["message"], asked["shutdowns"]) == (said, [])
    forced = machine.do("reboot", settings=settings, arguments={"force": True})
    assert (forced["calls"], len(forced["shutdowns"])) == (["drain.slowly"], 1)


def test_a_reboot_that_an_older_version_requested_is_verified(machine: Machine) -> None:
    """It wrote no reason why a reboot could not be requested."""
    machine.run("install", settings=GOOD)
    for path in (machine.root / "var/lib/ssmpatch").glob("*.json"):
        document = json.loads(path.read_text())
        for requests in (document.get("requests"), document.get("reboot")):
            if isinstance(requests, dict):
                requests.pop("problem", None)
        path.write_text(json.dumps(document))
    assert machine.run("status")["reboot_pending"]["attempts"] == 1
    after = machine.do("resume", settings=GOOD, boot_id="boot-2")
    assert after["calls"] == ["test.ping"], after
    assert [text for text in after["result"]["warnings"] if "damaged" in text] == []
