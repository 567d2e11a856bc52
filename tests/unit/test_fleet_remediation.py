# SPDX-License-Identifier: Apache-2.0
"""Remediation: windows, rates, giving up, and no storm whatever the minions do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.errors import NOT_STARTED, InvalidInput
from ssmpatchlib.fleet import hosts, remediation
from ssmpatchlib.fleet.quantities import Rate
from ssmpatchlib.fleet.settings import Remediation
from ssmpatchlib.times import aws_time
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
    fleet = FakeFleet({"a": FakeMinion(away=((10, 1e9),))})
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


# --- who is believed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stored",
    [
        {"compliance": "COMPLIANT", "summary": {}, "patches": []},
        {"compliance": "UNKNOWN", "summary": {}, "patches": []},
        {"compliance": "NON_COMPLIANT", "summary": {}, "patches": 5},
        {"compliance": "NON_COMPLIANT", "summary": {}, "patches": [{"PatchState": "InstalledPendingReboot"}]},
        "ERROR: no report is stored in /var/lib/ssmpatch; run ssmpatch.scan first",
        7,
    ],
)
def test_nobody_is_patched_whose_own_report_names_nothing_to_install(tmp_path: Path, stored: Any) -> None:
    fleet = FakeFleet({"a": FakeMinion(stored=stored)})
    for _ in range(3):
        result = run(tmp_path, fleet, "a")
        assert result["started"] == [] and result["waiting"] == {} and result["stopped"] == {}
        assert "a is not patched: its own report" in result["warnings"][0]
    assert fleet.minions["a"].installs == 0 and told(fleet) == []
    assert json.loads((tmp_path / remediation.FILE).read_text())["minions"] == {}


def stop(tmp_path: Path) -> FakeFleet:
    """A fleet whose minion was given up."""
    fleet = FakeFleet({"a": FakeMinion(installable=False)})
    limits = Remediation(per_minion=Rate(100, 3600), fleet=Rate(100, 3600), max_failures=1)
    run(tmp_path, fleet, "a", limits)
    fleet.sleep(100)
    assert run(tmp_path, fleet, limits=limits)["stopped"].keys() == {"a"}
    return fleet


def test_failures_are_forgotten_when_the_report_says_so_and_by_nobodys_word(tmp_path: Path) -> None:
    fleet = stop(tmp_path)
    assert run(tmp_path, fleet, "a")["stopped"].keys() == {"a"}
    fleet.minions["a"].patched = True
    assert run(tmp_path, fleet, "a")["stopped"] == {}
    fleet.minions["a"].patched, fleet.minions["a"].installable = False, True
    assert run(tmp_path, fleet, "a")["started"] == ["a"]


def test_a_report_from_before_the_install_that_failed_forgets_nothing(tmp_path: Path) -> None:
    fleet = stop(tmp_path)
    fleet.minions["a"].stored = {
        "compliance": "COMPLIANT",
        "summary": {"OperationEndTime": aws_time(START - 3600)},
        "patches": [],
    }
    assert run(tmp_path, fleet, "a")["stopped"].keys() == {"a"}


def test_who_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    fleet = FakeFleet({"a": FakeMinion(away=((0, 500),))})
    assert run(tmp_path, fleet, "a")["waiting"] == {"a": {"reason": "it has not answered", "due": None}}
    assert run(tmp_path, fleet)["started"] == []
    fleet.sleep(500)
    assert run(tmp_path, fleet)["started"] == ["a"]


def deep(kind: str) -> Any:
    """A value far inside of lists or mappings."""
    found: Any = "a"
    for _ in range(900):
        found = [found] if kind == "list" else {"a": found}
    return found


@pytest.mark.parametrize("minion", [5, ["a"], {"a": 1}, True, "*", "a,b", None, 0, deep("list"), deep("mapping")])
def test_a_minion_is_an_id(tmp_path: Path, minion: Any) -> None:
    with pytest.raises(InvalidInput, match="is no accepted minion; name it by its id"):
        run(tmp_path, FakeFleet({"a": FakeMinion(), "b": FakeMinion()}), minion)


# --- the minions' own windows ----------------------------------------------------------------------


def test_a_minion_waits_for_its_own_window_and_nothing_is_used_up(tmp_path: Path) -> None:
    limits = Remediation(per_minion=Rate(1, 86400), fleet=Rate(1, 86400), max_failures=1)
    fleet = FakeFleet({"a": FakeMinion(opens=((7200, 9000),)), "b": FakeMinion()})
    due = aws_time(START + 7200)
    assert run(tmp_path, fleet, "a", limits)["waiting"] == {"a": {"reason": "outside of its own window", "due": due}}
    for _ in range(5):
        fleet.sleep(600)
        assert run(tmp_path, fleet, limits=limits)["waiting"]["a"]["due"] == due
    fleet.sleep(4300)
    assert run(tmp_path, fleet, limits=limits)["started"] == ["a"]
    fleet.sleep(100)
    assert run(tmp_path, fleet, limits=limits)["stopped"] == {} and fleet.minions["a"].patched
    assert told(fleet) == ["ssmpatch/remediation/a/started", "ssmpatch/remediation/a/done"]


def test_a_refusal_by_window_is_no_failure(tmp_path: Path) -> None:
    """The window closes between the question and the install."""
    limits = Remediation(per_minion=Rate(1, 86400), fleet=Rate(1, 86400), max_failures=1)
    fleet = FakeFleet({"a": FakeMinion(opens=((0, 1.5), (7200, 9000)))})
    assert run(tmp_path, fleet, "a", limits)["started"] == ["a"]
    fleet.minions["a"].opens = ((7200, 9000),)
    fleet.sleep(100)
    result = run(tmp_path, fleet, limits=limits)
    assert result["stopped"] == {} and result["waiting"]["a"]["due"] == aws_time(START + 7200)
    assert told(fleet) == ["ssmpatch/remediation/a/started"]
    fleet.sleep(7200)
    assert run(tmp_path, fleet, limits=limits)["started"] == ["a"]


def test_what_the_end_of_a_window_has_put_off_is_no_failure(tmp_path: Path) -> None:
    record = remediation.Record(attempts=(START,), job="1", failures=1)
    row = {"Id": "x.amd64", "PatchState": "Failed", "Status": "NON_COMPLIANT", "reason": NOT_STARTED}
    answer = {"compliance": "NON_COMPLIANT", "summary": {}, "patches": [row]}
    settled = remediation.settle(record, answer, limits=EASY, now=START + 60)
    assert (settled.failures, settled.queued, settled.job) == (1, START, "")
    answer["patches"] = [row, {**row, "reason": "libgone is not installable"}]
    assert remediation.settle(record, answer, limits=EASY, now=START + 60).failures == 2


@pytest.mark.parametrize("said", ["never", "9999-12-31T23:59:59Z", "2099-01-01T00:00:00Z"])
def test_a_window_that_opens_in_no_time_is_waited_for_in_bounds(tmp_path: Path, said: str) -> None:
    assert hosts.opening_of(said, START) == START + hosts.LONGEST_CLOSED


@pytest.mark.parametrize("said", [None, "", 5, [], "2001-01-01T00:00:00Z", "soon", float("nan")])
def test_what_is_no_time_is_no_closed_window(said: Any) -> None:
    assert hosts.opening_of(said, START) is None


# --- what is stored --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        {"attempts": [float("nan")]},
        {"attempts": [1e300]},
        {"attempts": {"a": 1}},
        {"attempts": [1.0], "job": 5},
        {"attempts": [], "job": "1"},
        {"attempts": [1.0], "failures": -1},
        {"attempts": [1.0], "failures": "many"},
        {"attempts": [1.0], "queued": "x"},
        {"attempts": [1.0], "stopped": 1},
        {"attempts": [1.0], "reason": ["x"]},
        {"attempts": [1.0], "more": 1},
        [],
        "a",
    ],
)
def test_a_journal_with_a_strange_record_is_set_aside(tmp_path: Path, record: Any) -> None:
    (tmp_path / remediation.FILE).write_text(json.dumps({"version": 1, "minions": {"a": record}}))
    assert "set aside" in run(tmp_path, FakeFleet({"a": FakeMinion()}))["warnings"][0]


def test_fields_that_a_record_lacks_are_as_in_a_new_one(tmp_path: Path) -> None:
    (tmp_path / remediation.FILE).write_text(json.dumps({"version": 1, "minions": {"a": {"queued": START - 60}}}))
    assert run(tmp_path, FakeFleet({"a": FakeMinion()}))["started"] == ["a"]


def test_times_of_the_future_in_the_journal_hold_nobody_up(tmp_path: Path) -> None:
    record = {"attempts": [START + 9e8], "queued": START + 9e8}
    (tmp_path / remediation.FILE).write_text(json.dumps({"version": 1, "minions": {"a": record}}))
    limits = Remediation(per_minion=Rate(1, 60), fleet=Rate(1, 60))
    fleet = FakeFleet({"a": FakeMinion()})
    assert run(tmp_path, fleet, limits=limits)["started"] == []
    fleet.sleep(61)
    assert run(tmp_path, fleet, limits=limits)["started"] == ["a"]


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
    starts = [(at, names[0]) for at, function, names, _ in fleet.published if function == "ssmpatch.install"]
    for at, name in starts:
        assert sum(at - 3600 < other <= at for other, _ in starts) <= 3
        assert sum(at - 7200 < other <= at and whose == name for other, whose in starts) <= 2
    for name in "abcd":
        if not fleet.minions[name].installable:
            assert sum(whose == name for _, whose in starts) <= 3
