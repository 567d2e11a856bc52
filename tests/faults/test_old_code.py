# SPDX-License-Identifier: Apache-2.0
"""Programs that run code which an update replaced, and the reboots that they ask for, for real on ``/``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.faults.children import answer, start, wait_for
from support.faults.debs import Deb
from support.faults.house import house, into
from support.faults.managers import APT, NEW, OLD

pytestmark = pytest.mark.root
PROGRAM = "/opt/alpha/daemon"
REASON = f"{PROGRAM} still runs code that an update replaced"
SERVICES = {"restart": "services", "reboot": {"option": "RebootIfRequired"}}
#: An hour of the night, on every day.
CLOSED = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "duration": "1m", "timezone": "UTC"}


#: What runs first: with processes of its own, so that what else runs on this host is not seen.
FIRST = f'mount -t proc proc "$0/proc"; chroot "$0" {PROGRAM} 600 & wait; sleep 600'


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


class Machine:
    """A machine whose root is ``/``; a program of its runs, and its update is pending."""

    def __init__(self, root: Path) -> None:
        self.root = root
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", FIRST, str(root)]
        self.process = subprocess.Popen(argv)
        wait_for(lambda: self.programs(), "the program")

    def programs(self) -> list[int]:
        """The program, while it runs."""
        found = [pid for first in children(self.process.pid) for pid in children(first)]
        return [pid for pid in found if PROGRAM in _maps(pid)]

    def end(self) -> None:
        """End the program."""
        for pid in self.programs():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.programs(), "the end of the program")

    def stop(self) -> None:
        """End everything."""
        self.process.kill()
        self.process.wait(timeout=20)

    def do(self, operation: str, settings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Run an operation; return everything that is known of it."""
        (first,) = children(self.process.pid)
        inside = ["nsenter", f"--target={first}", "--mount", "--pid", *into(self.root)]
        return answer(start(operation, {**APT.settings(Path("/")), **settings}, inside=inside, **more))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine."""
    program = Path("/usr/bin/sleep").read_bytes()
    debs = [Deb("alpha", version, files={PROGRAM[1:]: program}) for version in (OLD, NEW)]
    with house(tmp_path / "house", installed=debs[:1], offered=debs[1:]) as root:
        made = Machine(root)
        try:
            yield made
        finally:
            made.stop()


def test_a_program_is_named_and_asks_for_nothing(machine: Machine) -> None:
    settings = {"reboot": {"option": "RebootIfRequired"}}
    assert PROGRAM not in machine.do("scan", settings)["result"]["restarts"]["processes"]
    found = machine.do("install", settings)
    report = found["result"]
    assert PROGRAM in report["restarts"]["processes"]
    assert (report["reboot"]["action"], report["reboot"]["required_hints"], found["shutdowns"]) == ("none", [], [])
    listed = machine.do("restarts", settings)["result"]
    assert listed["files"][PROGRAM] == [PROGRAM]
    machine.end()
    assert PROGRAM not in machine.do("scan", settings)["result"]["restarts"]["processes"]


def test_what_no_restart_cures_is_a_reason_for_one_reboot(machine: Machine) -> None:
    first = machine.do("install", SERVICES)
    assert REASON in first["result"]["reboot"]["required_hints"]
    assert (first["result"]["reboot"]["action"], len(first["shutdowns"])) == ("reboot", 1)
    # A program that maps deleted files whenever it runs does so after the boot too.
    for boot in ("boot-2", "boot-3"):
        assert machine.do("resume", SERVICES, boot_id=boot)["shutdowns"] == []
        again = machine.do("install", SERVICES, boot_id=boot)
        assert (again["result"]["reboot"]["action"], again["shutdowns"]) == ("exhausted", [])
        assert REASON in again["result"]["reboot"]["reason"]


def test_a_scan_says_what_an_install_left_for_a_reboot(machine: Machine) -> None:
    hour = (time.gmtime().tm_hour + 3) % 24
    closed = {**SERVICES, "reboot": {**SERVICES["reboot"], "windows": [{**CLOSED, "start": f"{hour:02}:30"}]}}
    assert REASON not in machine.do("scan", SERVICES)["result"]["reboot"]["required_hints"]
    report = machine.do("install", closed)["result"]
    assert (report["reboot"]["action"], REASON in report["reboot"]["required_hints"]) == ("deferred", True)
    for _ in range(2):
        assert REASON in machine.do("scan", closed)["result"]["reboot"]["required_hints"]
    soon = {**closed, "notice": "24h"}
    told = machine.do("resume", soon)
    (notice,) = told["notices"]
    assert notice["what"] == "reboot" and REASON in notice["reason"]
    assert len(told["walls"]) == 1 and machine.do("resume", soon)["notices"] == []
    asked = machine.do("reboot", SERVICES)
    assert (asked["result"]["action"], len(asked["shutdowns"])) == ("reboot", 1)
    assert REASON in asked["result"]["reason"]


def test_a_reason_that_went_away_by_itself_is_none(machine: Machine) -> None:
    machine.do("install", {**SERVICES, "reboot": {"option": "NoReboot"}})
    machine.end()
    assert REASON not in machine.do("scan", SERVICES)["result"]["reboot"]["required_hints"]
