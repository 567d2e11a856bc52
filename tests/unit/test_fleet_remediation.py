# SPDX-License-Identifier: Apache-2.0
"""Remediation: windows, rates, giving up, and no storm whatever the minions do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.fleet import remediation
from ssmpatchlib.fleet.quantities import Rate
from ssmpatchlib.fleet.settings import Remediation
from ssmpatchlib.windows import parse_window
from support.fake_fleet import START, FakeFleet, FakeMinion

EASY = Remediation(per_minion=Rate(100, 3600), fleet=Rate(100, 3600))


def run(tmp_path: Path, fleet: FakeFleet, minion: str = "", limits: Remediation = EASY, **more: Any) -> dict[str, Any]:
    return remediation.remediate(minion, salt=fleet.salt(), state_dir=tmp_path, limits=limits, **more)


def told(fleet: FakeFleet) -> list[str]:
    return [tag for tag, _ in fleet.events]


def test_drift_is_repaired_and_the_outcome_told(tmp_path: Path) -> None:
    fleet = FakeFleet({"a": FakeMinion()})
    assert run(tmp_path, fleet, "a")["started"] == ["a"]
    fleet.sleep(100)
    assert run(tmp_path, fleet) == {"started": [], "waiting": {}, "stopped": {}, "running": [], "warnings": []}
    assert fleet.minions["a"].patched
    assert told(fleet) == ["ssmpatch/remediation/a/started", "ssmpatch/remediation/a/done"]


def test_what_cannot_be_installed_is_given_up_and_told_once(tmp_path: Path) -> None:
    fleet = FakeFleet({"a": FakeMinion(installable=False)})
    run(tmp_path, fleet, "a")
    for _ in range(20):
        fleet.sleep(600)
        last = run(tmp_path, fleet, "a")
    assert fleet.minions["a"].installs == 3
    assert last["stopped"] == {"a": "openssl.amd64: libgone is not installable"} and last["started"] == []
    assert told(fleet).count("ssmpatch/remediation/a/stopped") == 1
    run(tmp_path, fleet, "a", reset=True)
    fleet.minions["a"].installable = True
    assert run(tmp_path, fleet, "a")["started"] == ["a"]


def test_a_failure_is_tried_again_without_being_asked(tmp_path: Path) -> None:
    fleet = FakeFleet({"a": FakeMinion(installable=False)})
    run(tmp_path, fleet, "a")
    fleet.sleep(100)
    fleet.minions["a"].installable = True
    assert run(tmp_path, fleet)["started"] == ["a"]
    fleet.sleep(100)
    run(tmp_path, fleet)
    document = json.loads((tmp_path / remediation.FILE).read_text())
    assert document["minions"]["a"]["failures"] == 0


def test_rates_make_minions_wait_and_they_are_not_forgotten(tmp_path: Path) -> None:
    limits = Remediation(per_minion=Rate(1, 6 * 3600), fleet=Rate(2, 3600))
    fleet = FakeFleet({name: FakeMinion() for name in "abc"})
    for name in "abc":
        last = run(tmp_path, fleet, name, limits)
    assert last["waiting"]["c"]["reason"] == "the fleet had its 2 within 60 min"
    fleet.sleep(1800)
    assert run(tmp_path, fleet, limits=limits)["started"] == []
    fleet.sleep(1900)
    assert run(tmp_path, fleet, limits=limits)["started"] == ["c"]
    fleet.minions["a"].patched = False
    assert "this minion had its 1 within 6 h" in run(tmp_path, fleet, "a", limits)["waiting"]["a"]["reason"]


def test_outside_of_the_windows_everybody_waits(tmp_path: Path) -> None:
    window = parse_window({"start": "02:00", "duration": "1h"}, "window")
    limits = Remediation(per_minion=Rate(9, 60), fleet=Rate(9, 60), windows=(window,))
    fleet = FakeFleet({"a": FakeMinion()})
    waiting = run(tmp_path, fleet, "a", limits)["waiting"]["a"]
    assert waiting["reason"] == "outside of the windows" and waiting["due"].endswith("T02:00:00Z")
    fleet.sleep((int(START // 86400) + 1) * 86400 + 7200 + 60 - START)
    assert run(tmp_path, fleet, limits=limits)["started"] == ["a"]


def test_a_minion_that_never_returns_is_a_failure_in_the_end(tmp_path: Path) -> None:
    limits = Remediation(per_minion=Rate(9, 60), fleet=Rate(9, 60), max_failures=1, timeout=600)
    fleet = FakeFleet({"a": FakeMinion(away=((0, 1e9),))})
    run(tmp_path, fleet, "a", limits)
    fleet.sleep(500)
    assert run(tmp_path, fleet, limits=limits)["running"] == ["a"]
    fleet.sleep(200)
    assert run(tmp_path, fleet, limits=limits)["stopped"]["a"] == "the install has not returned within 10 min"


def test_patches_that_wait_for_a_reboot_are_no_failure(tmp_path: Path) -> None:
    fleet = FakeFleet({"a": FakeMinion(pending=True)})
    run(tmp_path, fleet, "a")
    fleet.sleep(100)
    run(tmp_path, fleet)
    assert told(fleet)[-1] == "ssmpatch/remediation/a/done"


def test_only_accepted_minions(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'evil' is no accepted minion"):
        run(tmp_path, FakeFleet({"a": FakeMinion()}), "evil")


def test_a_damaged_journal_is_reported(tmp_path: Path) -> None:
    (tmp_path / remediation.FILE).write_text('{"version": 1, "minions": {"a": {"attempts": "often"}}}')
    assert "set aside" in run(tmp_path, FakeFleet({"a": FakeMinion()}))["warnings"][0]


@settings(max_examples=40)
@given(data=st.data())
def test_no_storm_whatever_happens(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """However often minions ask and whatever becomes of the installs, the rates hold, for each and for all."""
    tmp_path = tmp_path_factory.mktemp("remediation")
    limits = Remediation(per_minion=Rate(2, 7200), fleet=Rate(3, 3600), max_failures=3, timeout=1800)
    behaviour = st.builds(
        FakeMinion,
        installable=st.booleans(),
        install_seconds=st.sampled_from([5.0, 3000.0]),
        away=st.sampled_from([(), ((0.0, 1e9),), ((100.0, 4000.0),)]),
    )
    fleet = FakeFleet({name: data.draw(behaviour) for name in "abcd"})
    for _ in range(data.draw(st.integers(5, 25))):
        run(tmp_path, fleet, data.draw(st.sampled_from(["", *"abcd"])), limits)
        fleet.minions[data.draw(st.sampled_from("abcd"))].patched = False
        fleet.sleep(data.draw(st.sampled_from([1.0, 300.0, 2000.0])))
    starts = [(at, names[0]) for at, _, names, _ in fleet.published]
    for at, name in starts:
        assert sum(at - 3600 < other <= at for other, _ in starts) <= 3
        assert sum(at - 7200 < other <= at and whose == name for other, whose in starts) <= 2
    for name in "abcd":
        if not fleet.minions[name].installable:
            assert sum(whose == name for _, whose in starts) <= 3
