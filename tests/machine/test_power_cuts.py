# SPDX-License-Identifier: Apache-2.0
"""An emulated machine whose power is cut while it installs: dpkg is sound afterwards and no report is wrong.

Only with ``--machine=qemu``: one round takes minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import qemu
from support.faults.debs import Deb
from support.generated import Cases
from support.machine_host import BASELINE, RESUME
from support.machine_master import Master, master
from support.qemu import Emulated

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.qemu]
SETTINGS: dict[str, Any] = {"baseline": BASELINE, "reboot": {"option": "RebootIfRequired"}}
NAMES = [f"part{number:02}" for number in range(12)]
#: Written by dpkg when a package is unpacked, so that there is something that the disk may not have yet.
PAYLOAD = "x" * 400_000
#: What a row says of a package, whenever the report was made.
KEYS = ("Title", "PatchState", "installed_version", "available_version")


def debs(number: int) -> list[Deb]:
    """What is on offer in a round: chains of three, whose scripts take their time."""
    made = []
    for place, name in enumerate(NAMES):
        needs = {"Depends": f"{NAMES[place - 1]} (>= {number})"} if place % 3 else {}
        files = {f"usr/share/{name}/payload": f"{number}{PAYLOAD}"}
        made.append(Deb(name, str(number), needs, files=files, scripts={"postinst": "sleep 0.5"}))
    return made


@pytest.fixture(scope="session")
def system(base: Path) -> Path:
    """The system of the emulated machine, kept beside that of the others."""
    qemu.require()
    return qemu.build(base, base.parent)


@pytest.fixture
def machine(system: Path, tmp_path: Path) -> Iterator[Emulated]:
    """A machine that is off."""
    with qemu.emulated(system, tmp_path, "vm") as made:
        yield made


@pytest.fixture
def salt_master() -> Iterator[Master]:
    """Its master; the paths of its sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="master-") as directory, master(Path(directory)) as made:
        yield made


def rows(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a report says of each package."""
    return sorted(tuple(row.get(key) for key in KEYS) for row in report["patches"])


@pytest.mark.cases(10)
def test_a_power_cut_at_any_moment_of_an_install(
    machine: Emulated, salt_master: Master, cases: Cases, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str, timeout: int = 60) -> Any:
        return salt_master.call(machine.name, *words, timeout=timeout)

    def boot() -> float:
        began = time.monotonic()
        machine.boot()
        machine.wait(lambda: call("test.ping", timeout=10), "the minion")
        return time.monotonic() - began

    def status() -> dict[str, Any]:
        found = call("ssmpatch.status")
        return found if isinstance(found, dict) else {}

    salt_master.pillar({"ssmpatch": SETTINGS, "schedule": RESUME})
    machine.offer(debs(1))
    machine.make_disk(salt_master.minion, debs(1))
    boot()
    call("saltutil.sync_all", timeout=200)
    for case, random in cases:
        number = case + 2
        machine.offer(debs(number))
        salt_master.salt("--async", machine.name, "ssmpatch.install")
        machine.wait(lambda: "batch" in str((status().get("running") or {}).get("phase")), "the install")
        moment = random.uniform(0, 15)
        time.sleep(moment)
        machine.cut_power()

        booted = boot()
        began = time.monotonic()
        machine.wait(lambda: (now := status()) and not now["running"] and not now["journal"], "the end of the run")
        resumed = time.monotonic() - began
        report = call("ssmpatch.report", "details=True")
        scanned = call("ssmpatch.scan", "details=True", timeout=300)
        done = sum(row["installed_version"] == str(number) for row in scanned["patches"] if row["Id"][:4] == "part")
        with capsys.disabled():
            print(
                f"{case}: cut {moment:.1f} s into it, up after {booted:.0f} s, closed {resumed:.0f} s later, {done}/12"
            )
        if report["summary"]["OperationType"] == "Install":
            failed = [(row[0], "Missing", *row[2:]) if row[1] == "Failed" else row for row in rows(report)]
            assert sorted(failed) == rows(scanned), cases.again(case)
        call("ssmpatch.install", timeout=600)
        assert call("cmd.run", "dpkg --audit") == "", cases.again(case)
        assert call("ssmpatch.scan", timeout=300)["compliance"] == "COMPLIANT", cases.again(case)
