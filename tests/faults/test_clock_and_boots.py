# SPDX-License-Identifier: Apache-2.0
"""The clock is set, the machine boots: what was installed, what waits for a reboot and what is old stays known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support.faults.children import built
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, Manager, Update

pytestmark = pytest.mark.root

CALLER = quiet_surface()
DAY = 86400
STEPS = {"ten years ahead": 3650 * DAY, "an hour back": -3600, "ten years back": -3650 * DAY}


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Id"].rpartition(".")[0]: row["PatchState"] for row in report["patches"]}


@pytest.fixture
def made(any_manager: Manager, tmp_path: Path) -> Callable[..., config.Settings]:
    """Build a root with an update and return its settings."""

    def make(**more: Any) -> config.Settings:
        _, settings = built(any_manager, tmp_path, Update("alpha"))
        return config.load(minion={**settings, **more})

    return make


@pytest.mark.parametrize("step", STEPS)
def test_the_clock_is_set_between_install_and_scan(made: Callable[..., config.Settings], step: str) -> None:
    settings = made(reboot={"option": "NoReboot"})
    host = FaultHost()
    install = api.install(settings, caller=CALLER, host=host)
    assert states(install) == {"alpha": "InstalledPendingReboot"}
    host.ahead = STEPS[step]
    for _ in range(2):
        scan = api.scan(settings, caller=CALLER, host=host)
        assert states(scan) == {"alpha": "InstalledPendingReboot"}, "the boot decides, not the clock"
        assert scan["run"]["duration"] >= 0
    status = api.status(settings, caller=CALLER, host=host)
    assert len(status["reboot_pending"]["packages"]) == 1
    history = api.history(settings, caller=CALLER, host=host)
    assert [row["operation"] for row in history] == ["Scan", "Scan", "Install"]

    host.boot("boot-2")
    scan = api.scan(settings, caller=CALLER, host=host)
    assert states(scan) == {"alpha": "Installed"}
    assert api.status(settings, caller=CALLER, host=host)["reboot_pending"] is None
    assert api.install(settings, caller=CALLER, host=host)["changes"] == {}


@pytest.mark.parametrize("step", STEPS)
def test_the_clock_is_set_while_an_install_runs(made: Callable[..., config.Settings], step: str) -> None:
    settings = made(reboot={"option": "NoReboot"})
    host = FaultHost()

    class Caller:
        def fire(self, tag: str, data: Any) -> None:
            if tag.endswith("/install/progress"):
                host.ahead = STEPS[step]
                assert data["elapsed"] >= 0

    report = api.install(settings, caller=quiet_surface(fire=Caller().fire), host=host)
    assert report["changes"].keys() == {"alpha"}
    assert report["run"]["duration"] >= 0
    assert states(api.scan(settings, caller=CALLER, host=host)) == {"alpha": "InstalledPendingReboot"}
    assert api.status(settings, caller=CALLER, host=host)["warnings"] == []


def test_without_boot_ids_the_time_of_the_boot_decides(made: Callable[..., config.Settings]) -> None:
    settings = made(reboot={"option": "NoReboot"})
    host = FaultHost(boot_id="")
    assert states(api.install(settings, caller=CALLER, host=host)) == {"alpha": "InstalledPendingReboot"}
    assert states(api.scan(settings, caller=CALLER, host=host)) == {"alpha": "InstalledPendingReboot"}
    host.ahead = 600
    host.boot("")
    assert states(api.scan(settings, caller=CALLER, host=host)) == {"alpha": "Installed"}


@pytest.mark.parametrize("step", ["ten years ahead", "ten years back"])
def test_old_indexes_are_never_compliant_without_a_word(made: Callable[..., config.Settings], step: str) -> None:
    settings = made()
    host = FaultHost()
    assert api.install(settings, caller=CALLER, host=host)["compliance"] == "COMPLIANT"
    host.ahead = STEPS[step]
    scan = api.scan(settings, caller=CALLER, host=host, refresh=False)
    assert scan["compliance"] == "UNKNOWN"
    assert any("the package index was not refreshed" in text for text in scan["warnings"])
    assert api.scan(settings, caller=CALLER, host=host)["compliance"] == "COMPLIANT"


@pytest.mark.parametrize("step", ["ten years ahead", "ten years back"])
def test_an_index_is_not_young_because_the_clock_was_wrong(made: Callable[..., config.Settings], step: str) -> None:
    settings = made(refresh_max_age=7200)
    refreshes: list[float] = []

    class CountingHost(FaultHost):
        def run(self, argv: Any, **more: Any) -> Any:
            if {"update", "refresh", "makecache"} & set(argv) and "--print-uris" not in argv:
                refreshes.append(self.now())
            return super().run(argv, **more)

    host = CountingHost(ahead=STEPS[step])
    api.scan(settings, caller=CALLER, host=host)
    api.scan(settings, caller=CALLER, host=host)
    assert len(refreshes) == 1, "a young index is not refreshed"
    host.ahead = 0
    api.scan(settings, caller=CALLER, host=host)
    assert len(refreshes) == 2, "nobody knows how old the index is"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, "x", []])
def test_a_refresh_at_no_time_is_none(any_manager: Manager, tmp_path: Path, value: object) -> None:
    root, minion = built(any_manager, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    api.install(settings, caller=CALLER, host=FaultHost())
    records = list((root / "var/lib/ssmpatch").glob("work-*/*-refresh.json"))
    if not records:
        pytest.skip("this package manager's refreshes are not recorded by us")
    (record,) = records
    record.write_text(json.dumps(dict.fromkeys(json.loads(record.read_text()), value)))
    scan = api.scan(settings, caller=CALLER, host=FaultHost(ahead=3 * DAY), refresh=False)
    assert scan["compliance"] == "UNKNOWN"
    assert any_manager.versions(root) == {"alpha": NEW}
