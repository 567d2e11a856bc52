# SPDX-License-Identifier: Apache-2.0
"""Planned reboots and installs are announced that long before, once each, by whoever resumes every ten minutes."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.faults.debs import ARCHITECTURE, Deb
from support.faults.house import Machine, house
from support.faults.managers import NEW, OLD

pytestmark = pytest.mark.root

HOUR = 3600
TITLE = f"alpha.{ARCHITECTURE}:{NEW}"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with house(tmp_path / "house", installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)]) as root:
        yield Machine(root)


def window(hours: int) -> dict[str, Any]:
    """A window of two hours on one day of the week, that begins in so many hours from now."""
    begins = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=hours)
    return {"days": [f"{begins:%a}".lower()], "start": f"{begins:%H:%M}", "duration": "2h"}


def test_a_reboot_that_waits_for_its_window_is_announced_once(machine: Machine) -> None:
    settings = {"notice": "24h", "reboot": {"windows": [window(50)]}}
    found = machine.do("install", settings=settings)
    assert (found["result"]["reboot"]["action"], found["notices"]) == ("deferred", [])
    due = found["result"]["reboot"]["due"]
    assert machine.do("resume", settings=settings, ahead=24 * HOUR)["notices"] == [], "it is too early"
    told = machine.do("resume", settings=settings, ahead=27 * HOUR)
    (notice,) = told["notices"]
    assert (notice["what"], notice["at"]) == ("reboot", due) and 22 * HOUR < notice["seconds"] < 24 * HOUR
    assert TITLE in notice["reason"]
    ((program, dashes, text),) = told["walls"]
    assert (
        (program, dashes) == ("wall", "--")
        and f"this host may reboot from this time on: {due} (UTC)" in text
        and TITLE in text
    )
    assert told["result"]["warnings"] == [] and told["shutdowns"] == []
    for later in (28, 49):
        again = machine.do("resume", settings=settings, ahead=later * HOUR)
        assert (again["notices"], again["walls"]) == ([], [])
    # It did not happen in that window: the next one is announced in its turn.
    next_week = machine.do("resume", settings=settings, ahead=(27 + 7 * 24) * HOUR)
    assert len(next_week["notices"]) == len(next_week["walls"]) == 1
    after = machine.do("resume", settings=settings, ahead=(28 + 14 * 24) * HOUR, boot_id="boot-2")
    assert after["notices"] == []


def test_a_reboot_that_only_the_system_asks_for_is_announced(machine: Machine) -> None:
    (machine.root / "run/reboot-required").touch()
    settings = {"notice": "24h", "reboot": {"option": "RebootIfRequired", "windows": [window(20)]}}
    (notice,) = machine.do("resume", settings=settings)["notices"]
    assert notice["what"] == "reboot" and "/run/reboot-required" in notice["reason"]
    settings["reboot"]["option"] = "RebootIfNeeded"
    assert machine.do("resume", settings=settings)["notices"] == [], "nothing was installed"


def test_without_the_setting_nothing_is_announced(machine: Machine) -> None:
    settings = {"reboot": {"windows": [window(20)]}}
    machine.run("install", settings=settings)
    found = machine.do("resume", settings=settings, next_installs={"ssmpatch-install": time.time() + HOUR})
    assert (found["notices"], found["walls"]) == ([], [])
    assert not list((machine.root / "var/lib/ssmpatch").glob("notices-*"))


def test_an_install_of_the_schedule_is_announced_where_it_may_begin(machine: Machine) -> None:
    jobs = {"ssmpatch-install": time.time() + 10 * HOUR, "ssmpatch-install-late": time.time() + 60 * HOUR}
    settings = {"notice": "24h"}
    found = machine.do("resume", settings=settings, next_installs=jobs)
    (notice,) = found["notices"]
    assert (notice["what"], notice["reason"]) == ("install", "by the schedule: ssmpatch-install")
    assert "this host installs updates, and may reboot after it, at " in found["walls"][0][2]
    assert machine.do("resume", settings=settings, next_installs=jobs)["notices"] == []
    moved = {"ssmpatch-install": jobs["ssmpatch-install"] + HOUR}
    closed = {**settings, "window": window(30)}
    assert machine.do("resume", settings=closed, next_installs=moved)["notices"] == [], "it would be refused"
    allowed = {**settings, "window": window(10), "reboot": {"option": "NoReboot"}}
    found = machine.do("resume", settings=allowed, next_installs=moved)
    assert len(found["notices"]) == 1 and "this host installs updates at " in found["walls"][0][2]


def test_a_schedule_that_does_not_answer_once_changes_nothing(machine: Machine) -> None:
    jobs = {"ssmpatch-install": time.time() + 10 * HOUR}
    told = [machine.do("resume", settings={"notice": "24h"}, next_installs=each) for each in (jobs, {}, jobs)]
    assert [len(each["notices"]) for each in told] == [1, 0, 0]
    much_later = machine.do("resume", settings={"notice": "24h"}, ahead=30 * HOUR)
    assert much_later["notices"] == []
    (memory,) = (machine.root / "var/lib/ssmpatch").glob("notices-*.json")
    assert json.loads(memory.read_text())["announced"] == {}


def test_what_cannot_be_found_out_keeps_no_run_from_its_end(machine: Machine) -> None:
    settings = {"notice": "24h", "reboot": {"windows": [window(20)]}}
    (machine.root / "var/lib/dpkg/status").write_text("no paragraph\n")
    found = machine.run("resume", settings=settings)
    assert [text for text in found["warnings"] if text.startswith("what is planned could not be announced: ")]


def test_a_damaged_memory_is_set_aside(machine: Machine) -> None:
    jobs = {"ssmpatch-install": time.time() + 10 * HOUR}
    machine.do("resume", settings={"notice": "24h"}, next_installs=jobs)
    (memory,) = (machine.root / "var/lib/ssmpatch").glob("notices-*.json")
    memory.write_text('{"version": 1, "announced": {"install ssmpatch-install": "x"}}')
    found = machine.do("resume", settings={"notice": "24h"}, next_installs=jobs)
    assert len(found["notices"]) == 1
    assert any("notices-system.json" in text for text in found["result"]["warnings"])
