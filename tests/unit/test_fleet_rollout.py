# SPDX-License-Identifier: Apache-2.0
"""Rollouts over simulated fleets: rings, gates, failures, reboots, silence, kills at any step."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.errors import NOT_STARTED, Busy, InvalidInput
from ssmpatchlib.fleet import frozen, gate, journal, minion_states, rollout, systems
from ssmpatchlib.fleet import settings as fleet_settings
from ssmpatchlib.fleet.quantities import Amount, parse_amount, parse_rate
from ssmpatchlib.host import Host
from ssmpatchlib.store.lock import operation_lock
from ssmpatchlib.times import aws_time
from support.fake_fleet import START, FakeFleet, FakeMinion, Killed

RINGS: list[dict[str, Any]] = [{"name": "canary", "tgt": "c*"}, {"name": "production", "tgt": "p*", "batch": 2}]


def make(tmp_path: Path, minions: dict[str, FakeMinion], **config: Any) -> tuple[FakeFleet, Any]:
    (tmp_path / "srv").mkdir(parents=True, exist_ok=True)
    return FakeFleet(minions), fleet_settings.load(config or None, state_dir=tmp_path / "state")


def names(count: int, letter: str = "p") -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def run(tmp_path: Path, fleet: FakeFleet, config: Any, rings: Any = RINGS, freeze: bool = False) -> dict[str, Any]:
    return rollout.start(
        config,
        fleet_settings.parse_rings(rings),
        fleet.salt(),
        freeze=freeze,
        file_roots=[str(tmp_path / "srv")],
    )


def go_on(tmp_path: Path, fleet: FakeFleet, config: Any) -> dict[str, Any]:
    return rollout.resume(config, fleet.salt(), rollout="", file_roots=[str(tmp_path / "srv")])


def tags(fleet: FakeFleet) -> list[str]:
    return [tag.rpartition("/")[2] for tag, _ in fleet.events]


def when_installed(fleet: FakeFleet) -> dict[str, float]:
    found: dict[str, float] = {}
    for at, function, minions, _ in fleet.published:
        if function == "ssmpatch.install":
            for name in minions:
                found.setdefault(name, at)
    return found


def test_two_rings_one_after_the_other_in_batches(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {name: FakeMinion() for name in [*names(2, "c"), *names(5)]})
    result = run(tmp_path, fleet, config)
    assert result["status"] == "succeeded"
    assert [ring["batch"] for ring in result["rings"]] == ["1/1", "3/3"]
    assert all(minion.patched and minion.installs == 1 for minion in fleet.minions.values())
    at = when_installed(fleet)
    assert max(at["c0"], at["c1"]) + 60 < at["p0"] == at["p1"]
    assert at["p1"] + 60 < at["p2"] == at["p3"] and at["p3"] + 60 < at["p4"]
    assert tags(fleet) == ["start", "batch", "gate", "batch", "batch", "batch", "gate", "complete"]


def test_a_canary_that_fails_stops_the_rollout_and_says_why(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"c0": FakeMinion(), "c1": FakeMinion(installable=False), "p0": FakeMinion()})
    result = run(tmp_path, fleet, config)
    assert result["status"] == "failed"
    assert "ring canary: 1 of 2 minions compliant, min_compliant is 100%" in result["reason"]
    assert "c1: openssl.amd64 could not be installed: libgone is not installable" in result["reason"]
    assert result["minions"]["c1"]["phase"] == "noncompliant"
    assert result["minions"]["c1"]["patches"] == ["openssl.amd64"]
    assert fleet.minions["p0"].installs == 0
    assert tags(fleet)[-1] == "failed" and "complete" not in tags(fleet)


def test_a_repaired_canary_lets_a_failed_rollout_go_on_and_only_it_is_tried_again(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"c0": FakeMinion(), "c1": FakeMinion(installable=False), "p0": FakeMinion()})
    run(tmp_path, fleet, config)
    fleet.minions["c1"].installable = True
    result = go_on(tmp_path, fleet, config)
    assert result["status"] == "succeeded"
    assert [fleet.minions[name].installs for name in ("c0", "c1", "p0")] == [1, 2, 1]
    with pytest.raises(InvalidInput, match="it has succeeded"):
        go_on(tmp_path, fleet, config)


def test_a_failure_that_was_tolerated_can_be_tried_again(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(), "p1": FakeMinion(installable=False)})
    rings = [{"name": "all", "tgt": "p*", "max_failures": 1, "gate": {"min_compliant": "50%"}}]
    assert run(tmp_path, fleet, config, rings)["status"] == "succeeded"
    fleet.minions["p1"].installable = True
    assert go_on(tmp_path, fleet, config)["rings"][0]["phases"] == {"compliant": 2}


def test_failures_stop_a_ring_between_its_batches(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {name: FakeMinion(installable=name != "p1") for name in names(6)})
    rings = [{"name": "all", "tgt": "p*", "batch": 2, "gate": {"min_compliant": "50%"}}]
    result = run(tmp_path, fleet, config, rings)
    assert result["status"] == "failed" and "1 minion failed, max_failures is 0; p1:" in result["reason"]
    assert [minion.installs for minion in fleet.minions.values()] == [1, 1, 0, 0, 0, 0]
    rings[0]["max_failures"] = "20%"
    fleet, config = make(tmp_path / "b", {name: FakeMinion(installable=name != "p1") for name in names(6)})
    assert run(tmp_path / "b", fleet, config, rings)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("least", "status"), [("75%", "incomplete"), ("76%", "failed"), (3, "incomplete"), (4, "failed")]
)
def test_unreachable_minions_are_never_counted_as_compliant(tmp_path: Path, least: Any, status: str) -> None:
    fleet, config = make(tmp_path, {name: FakeMinion() for name in names(4)})
    fleet.minions["p3"].away = ((0, 1e9),)
    rings = [{"name": "all", "tgt": "p*", "gate": {"min_compliant": least}}]
    result = run(tmp_path, fleet, config, rings)
    assert result["status"] == status
    assert result["unreachable"] == ["p3"] and result["minions"]["p3"]["reason"] == "no answer within 60 s"
    if status == "failed":
        assert "1 of the others could not be reached" in result["reason"]


def test_who_comes_back_late_is_picked_up(tmp_path: Path) -> None:
    minions = {"c0": FakeMinion(), "c1": FakeMinion(away=((0, 400),)), "p0": FakeMinion()}
    fleet, config = make(tmp_path, minions)
    rings = [
        {"name": "canary", "tgt": "c*", "soak": "20m", "gate": {"min_compliant": 1}},
        {"name": "rest", "tgt": "p*"},
    ]
    result = run(tmp_path, fleet, config, rings, freeze=True)
    assert result["status"] == "succeeded" and result["unreachable"] == []
    # While the ring soaks, and by the rules of its ring: the canaries are never held to a frozen set.
    assert 400 <= when_installed(fleet)["c1"] < 1200 <= when_installed(fleet)["p0"]
    assert fleet.minions["c1"].frozen == [] and len(fleet.minions["p0"].frozen) == 1


def test_who_comes_back_after_the_end_is_picked_up_by_resume_without_soaking_again(tmp_path: Path) -> None:
    minions = {"c0": FakeMinion(), "c1": FakeMinion(away=((0, 50_000),)), "p0": FakeMinion()}
    fleet, config = make(tmp_path, minions)
    rings = [{"name": "canary", "tgt": "c*", "soak": "2h", "gate": {"min_compliant": 1}}, {"name": "rest", "tgt": "p*"}]
    assert run(tmp_path, fleet, config, rings)["status"] == "incomplete"
    fleet.sleep(60_000 - fleet.time)
    result = go_on(tmp_path, fleet, config)
    assert result["status"] == "succeeded" and fleet.time < 60_000 + 7200
    assert [minion.installs for minion in fleet.minions.values()] == [1, 1, 1]


def test_reboots_are_waited_for_by_boot_id(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(reboots=True, pending=True), "p1": FakeMinion()})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert result["status"] == "succeeded"
    scans = [at for at, function, minions, _ in fleet.published if function == "ssmpatch.scan" and "p0" in minions]
    assert scans and scans[0] >= 60 + 90
    fleet, config = make(tmp_path / "b", {"p0": FakeMinion(reboots=True, boots=False, pending=True)})
    result = run(tmp_path / "b", fleet, config, [{"name": "all", "tgt": "p*"}])
    assert result["status"] == "failed" and "has not booted within 30 min" in result["reason"]


def test_patches_that_wait_for_a_later_reboot_open_the_gate(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(pending=True)})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*", "reboot_option": "NoReboot"}])
    assert result["status"] == "succeeded" and result["rings"][0]["phases"] == {"pending_reboot": 1}


def test_busy_minions_are_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(busy_until=300), "p1": FakeMinion(busy_until=1e9)})
    result = run(
        tmp_path, fleet, config, [{"name": "all", "tgt": "p*", "max_failures": 1, "gate": {"min_compliant": 1}}]
    )
    assert result["status"] == "succeeded" and when_installed(fleet).keys() == {"p0"}
    assert result["minions"]["p1"]["reason"] == "busy: install runs for more than 15 min"


def test_too_little_room_is_found_before_anything_is_installed(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(free=400 * 1024)})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert result["status"] == "failed" and "/: 400 MiB free, 500 MiB are needed" in result["reason"]
    assert fleet.minions["p0"].installs == 0


def test_a_minion_that_dies_in_the_install_and_comes_back_is_patched(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(away=((30, 500),))})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert result["status"] == "succeeded" and fleet.minions["p0"].installs == 2


def test_a_lost_return_is_noticed_and_a_lasting_loss_is_a_failure(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(loses_returns=1)})
    assert run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])["status"] == "succeeded"
    fleet, config = make(tmp_path / "b", {"p0": FakeMinion(loses_returns=99)})
    result = run(tmp_path / "b", fleet, config, [{"name": "all", "tgt": "p*"}])
    assert result["status"] == "failed" and "installing was interrupted 3 times" in result["reason"]
    assert fleet.minions["p0"].installs == 3


def test_an_install_that_never_ends_fails_in_bounded_time(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(install_seconds=1e9)})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert "installing has not returned within 2 h" in result["reason"] and fleet.time < 7500


def test_checks_have_to_return_what_they_should_on_every_host(tmp_path: Path) -> None:
    checks = [{"service.status": True, "args": ["nginx"]}, {"cmd.retcode": 0, "args": ["curl -f localhost"]}]
    rings = [{"name": "all", "tgt": "p*", "max_failures": 1, "gate": {"min_compliant": "50%", "checks": checks}}]
    good, bad = {"service.status": True, "cmd.retcode": 0}, {"service.status": True, "cmd.retcode": 7}
    fleet, config = make(tmp_path, {"p0": FakeMinion(checks=good), "p1": FakeMinion(checks=bad)})
    result = run(tmp_path, fleet, config, rings)
    assert result["status"] == "succeeded"
    assert result["minions"]["p1"]["reason"] == "check cmd.retcode: 7 instead of 0"
    asked = [(functions, minions) for _, _, minions, functions in fleet.published if "cmd.retcode" in functions]
    assert asked == [(("cmd.retcode",), ("p0", "p1"))]


def test_a_minion_without_ssmpatch_is_a_failure_with_the_minions_own_words(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion()})
    fleet._answer = lambda minion, function, args: f"'{function}' is not available."  # type: ignore[method-assign]
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert "ssmpatch does not work there: 'ssmpatch.status' is not available." in result["reason"]


def test_a_soak_lasts_and_an_abort_ends_it(tmp_path: Path) -> None:
    rings = [{"name": "canary", "tgt": "c*", "soak": "1h"}, {"name": "rest", "tgt": "p*"}]
    fleet, config = make(tmp_path, {"c0": FakeMinion(), "p0": FakeMinion()})
    run(tmp_path, fleet, config, rings)
    assert when_installed(fleet)["p0"] - when_installed(fleet)["c0"] >= 3600
    fleet, config = make(tmp_path / "b", {"c0": FakeMinion(), "p0": FakeMinion()})
    real = fleet.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        if fleet.time > 1000:
            status = rollout.status(config, fleet.salt(), rollout="", details=False)
            if status["status"] == "running":
                assert status["rings"][0]["status"] == "soaking"
                after = rollout.abort(config, fleet.salt(), rollout="", reason="the shop is slow")
                assert after["status"] == "stopping"

    fleet.sleep = sleep  # type: ignore[method-assign]
    result = run(tmp_path / "b", fleet, config, rings)
    assert (result["status"], result["reason"]) == ("aborted", "the shop is slow")
    assert [ring["status"] for ring in result["rings"]] == ["aborted", "waiting"]
    assert fleet.minions["p0"].installs == 0
    fleet.sleep = real  # type: ignore[method-assign]
    assert go_on(tmp_path / "b", fleet, config)["status"] == "succeeded"


def test_of_a_rollout_that_has_ended_no_ring_is_at_work(tmp_path: Path) -> None:
    rings = [{"name": "canary", "tgt": "c*"}, {"name": "rest", "tgt": "p*", "batch": 1}, {"name": "last", "tgt": "z*"}]
    minions = {"c0": FakeMinion(), "p0": FakeMinion(installable=False), "p1": FakeMinion(), "z0": FakeMinion()}
    fleet, config = make(tmp_path, minions)
    result = run(tmp_path, fleet, config, rings)
    assert [ring["status"] for ring in result["rings"]] == ["done", "failed", "waiting"]
    fleet.minions["p0"].installable = True
    assert {ring["status"] for ring in go_on(tmp_path, fleet, config)["rings"]} == {"done"}


def test_an_abort_lets_the_running_batch_finish(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {name: FakeMinion() for name in names(4)})
    real = fleet.publish

    def publish(job: str, minions: Any, call: Any) -> None:
        real(job, minions, call)
        if call.functions == ("ssmpatch.install",):
            rollout.abort(config, fleet.salt(), rollout="", reason="stop")

    fleet.publish = publish  # type: ignore[method-assign]
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*", "batch": "50%"}])
    assert result["status"] == "aborted" and [m.patched for m in fleet.minions.values()] == [True, True, False, False]
    assert [(ring["status"], ring["batch"]) for ring in result["rings"]] == [("aborted", "1/2")]


def test_later_rings_get_what_the_first_was_tested_with(tmp_path: Path) -> None:
    minions = {"c0": FakeMinion(), "p0": FakeMinion(), "p1": FakeMinion(product="Debian11")}
    fleet, config = make(tmp_path, minions)
    rings = [
        {"name": "canary", "tgt": "c*"},
        {"name": "rest", "tgt": "p*", "max_failures": 1, "gate": {"min_compliant": 1}},
    ]
    result = run(tmp_path, fleet, config, rings, freeze=True)
    location = f"salt://ssmpatch-frozen/{result['id']}/DEBIAN-Debian12.json"
    assert result["frozen"] == {"DEBIAN-Debian12": location}
    assert fleet.minions["c0"].frozen == [] and fleet.minions["p0"].frozen == [location]
    assert fleet.minions["p1"].installs == 0
    assert result["minions"]["p1"]["reason"] == "nothing was tested for DEBIAN-Debian11 in ring canary"
    for name in (result["id"], "current"):
        path = tmp_path / "srv" / "ssmpatch-frozen" / name / "DEBIAN-Debian12.json"
        assert json.loads(path.read_text())["packages"] == {"openssl.amd64": "3.0-1"}
        assert path.stat().st_mode & 0o777 == 0o644


def test_where_nothing_can_be_frozen_is_said_before_anything_is_done(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"c0": FakeMinion(), "p0": FakeMinion()}, frozen_dir="/elsewhere")
    with pytest.raises(InvalidInput, match=r"/elsewhere is in no file root.*freeze=False"):
        run(tmp_path, fleet, config, freeze=True)
    assert fleet.published == []


def test_a_ring_waits_for_its_window(tmp_path: Path) -> None:
    opens = (int(START // 86400) + 1) * 86400 + 2 * 3600 - START
    window = {"start": "02:00", "duration": "4h"}
    fleet, config = make(tmp_path, {"p0": FakeMinion()})
    run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*", "window": window}])
    assert 0 <= when_installed(fleet)["p0"] - opens < 60


# --- the minions' own windows ----------------------------------------------------------------------

HOUR = 3600


def test_a_canary_outside_of_its_own_window_is_waited_for_and_does_not_fail(tmp_path: Path) -> None:
    fleet, config = make(
        tmp_path, {"c0": FakeMinion(opens=((5 * HOUR, 6 * HOUR),)), "c1": FakeMinion(), "p0": FakeMinion()}
    )
    result = run(tmp_path, fleet, config)
    assert result["status"] == "succeeded" and all(minion.installs == 1 for minion in fleet.minions.values())
    at = when_installed(fleet)
    assert at["c1"] < 60 and 0 <= at["c0"] - 5 * HOUR < 60 and at["p0"] > at["c0"]


def test_a_refusal_by_window_is_waited_for_too(tmp_path: Path) -> None:
    """The window closes between the check and the install, or within the install."""
    fleet, config = make(tmp_path, {"p0": FakeMinion(opens=((0, 4), (5 * HOUR, 6 * HOUR)))})
    assert run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])["status"] == "succeeded"
    refused = {
        "compliance": "NON_COMPLIANT",
        "summary": {},
        "next_open": aws_time(START + 5 * HOUR),
        "changes": {"a": 1},
    }
    refused["patches"] = [{"Id": "x", "PatchState": "Failed", "reason": NOT_STARTED}]
    ring = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]
    minion = minion_states.Minion(phase=minion_states.INSTALLING)
    found = minion_states.answered(minion, refused, ring=ring, now=START, limits=fleet_settings.Limits())
    assert (found.phase, found.opens, found.changed) == (minion_states.WINDOW, START + 5 * HOUR, 1)


def test_while_a_window_is_closed_status_says_until_when_and_an_abort_is_heard(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(opens=((5 * HOUR, 6 * HOUR),))})
    real = fleet.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        if fleet.time > 1000:
            fleet.sleep = real  # type: ignore[method-assign]
            found = rollout.status(config, fleet.salt(), rollout="", details=False)
            assert found["minions"]["p0"]["phase"] == "window" and found["eta"] > aws_time(START + 5 * HOUR)
            opens = aws_time(START + 5 * HOUR)
            assert found["minions"]["p0"]["reason"] == f"outside of its own maintenance window, which opens {opens}"
            rollout.abort(config, fleet.salt(), rollout="", reason="enough")

    fleet.sleep = sleep  # type: ignore[method-assign]
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    assert (result["status"], result["reason"]) == ("aborted", "enough") and fleet.time < 1200
    assert go_on(tmp_path, fleet, config)["status"] == "succeeded" and fleet.minions["p0"].installs == 1


def test_a_window_that_opens_too_late_is_left_for_resume(tmp_path: Path) -> None:
    minions = {"p0": FakeMinion(), "p1": FakeMinion(opens=((90 * HOUR, 1e9),)), "p2": FakeMinion(opens=())}
    fleet, config = make(tmp_path, minions, limits={"window": "2d"})
    rings = [{"name": "all", "tgt": "p*", "gate": {"min_compliant": 1}}]
    result = run(tmp_path, fleet, config, rings)
    assert result["status"] == "incomplete" and result["reason"] == "2 minions left to the next maintenance window"
    assert result["minions"]["p1"]["phase"] == "postponed" and result["rings"][0]["problems"] == []
    fleet.sleep(100 * HOUR - fleet.time)
    assert go_on(tmp_path, fleet, config)["rings"][0]["phases"] == {"compliant": 2, "postponed": 1}
    rings[0]["gate"] = {"min_compliant": "100%"}
    fleet, config = make(tmp_path / "b", {"p0": FakeMinion(), "p1": FakeMinion(opens=())})
    assert "1 of the others left to the next maintenance window" in run(tmp_path / "b", fleet, config, rings)["reason"]


def test_dry_run_plans_with_closed_windows(tmp_path: Path) -> None:
    minions = {"c0": FakeMinion(opens=((5 * HOUR, 9 * HOUR),)), "p0": FakeMinion(), "p1": FakeMinion(opens=())}
    fleet, config = make(tmp_path, minions)
    rings = fleet_settings.parse_rings([{"name": "canary", "tgt": "c*"}, {"name": "all", "tgt": "p*", "soak": "1h"}])
    result = rollout.dry_run(config, rings, fleet.salt(), ask_minions=True, timeout=30)
    opens = aws_time(START + 5 * HOUR)
    canary, rest = result["rings"]
    assert canary["begins"] == opens
    assert canary["batches"] == [{"begins": opens, "minions": ["c0"], "waiting": {"c0": opens}}]
    assert rest["begins"] > opens and list(rest["batches"][0]["waiting"]) == ["p1"]


@pytest.mark.parametrize("blocked", [5, "x", {"a": 1}, [5, {"id": ["x"]}], None])
def test_dry_run_reads_plans_of_any_shape(tmp_path: Path, blocked: Any) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion(), "p1": FakeMinion()})
    answer = fleet._answer

    def answered(minion: FakeMinion, function: str, args: Any) -> Any:
        hostile = {"changes": {"x": 5, "y": {"old": ["x"]}}, "blocked": blocked, "next_open": blocked}
        return hostile if minion is fleet.minions["p0"] else answer(minion, function, args)

    fleet._answer = answered  # type: ignore[method-assign]
    rings = fleet_settings.parse_rings([{"name": "all", "tgt": "p*"}])
    result = rollout.dry_run(config, rings, fleet.salt(), ask_minions=True, timeout=30)
    assert result["changes"]["p1"] == {"changes": {"openssl": "1 → 2"}, "blocked": []} and "p0" in result["changes"]


def test_only_one_rollout_at_a_time(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion()})
    with (
        operation_lock(
            state_dir=config.state_dir, root=Path("/"), operation="rollout", run_id="", timeout=0, host=Host()
        ),
        pytest.raises(Busy, match=r"busy: rollout since .*rollout_abort"),
    ):
        run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])


def test_dry_run_says_who_gets_what_and_when_and_changes_nothing(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"c0": FakeMinion(), "p0": FakeMinion(), "p1": FakeMinion(away=((0, 1e9),))})
    rings = fleet_settings.parse_rings(
        [{"name": "canary", "tgt": "c*", "soak": "1h"}, {"name": "all", "tgt": "*", "tgt_type": "glob", "batch": 1}]
    )
    result = rollout.dry_run(config, rings, fleet.salt(), ask_minions=True, timeout=30)
    assert result["changes"]["c0"] == {"changes": {"openssl": "1 → 2"}, "blocked": []}
    assert result["unreachable"] == ["p1"]
    first, second = result["rings"]
    assert second["elsewhere"] == 1
    assert [batch["minions"] for batch in second["batches"]] == [["p0"], ["p1"]]
    assert first["begins"] < second["begins"] == second["batches"][0]["begins"] < second["batches"][1]["begins"]
    assert all(minion.installs == 0 for minion in fleet.minions.values())
    assert not (config.state_dir / "rollouts").exists()


@pytest.mark.parametrize(
    ("rings", "message"),
    [
        (None, "there is none"),
        ([{"name": "a"}], r"rings\[0\]\.tgt: missing|rings\[0\]:tgt: missing"),
        ([{"name": "a", "tgt": "*", "batch": "0%"}], "'0%' is not allowed; use a number from 1 on"),
        ([{"name": "a", "tgt": "*", "batch": "101%"}], "'101%' is not allowed"),
        ([{"name": "a b", "tgt": "*"}], "letters, digits"),
        ([{"name": "a", "tgt": "*"}, {"name": "a", "tgt": "*"}], "two rings have the name a"),
        ([{"name": "a", "tgt": "*", "soak": "soon"}], "seconds from 0"),
        ([{"name": "a", "tgt": "*", "reboot_option": "Maybe"}], "RebootIfNeeded"),
        ([{"name": "a", "tgt": "*", "gate": {"checks": [{"no function": 1}]}}], "use {salt.function: expected"),
        ([{"name": "a", "tgt": "*", "gate": {"min_complaint": 1}}], "did you mean min_compliant"),
        ([{"name": "a", "tgt": "*", "window": {"start": "25:00", "duration": "1h"}}], "not a time of day"),
    ],
)
def test_rings_that_make_no_sense_are_refused_with_their_place(rings: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        fleet_settings.parse_rings(rings)


def test_a_ring_that_matches_nobody_is_refused(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"c0": FakeMinion()})
    with pytest.raises(InvalidInput, match="ring production: no minion of its own matches 'p\\*'"):
        run(tmp_path, fleet, config)
    with pytest.raises(InvalidInput, match="the 1 it matches are in earlier rings"):
        run(tmp_path, fleet, config, [{"name": "a", "tgt": "c*"}, {"name": "b", "tgt": "c*"}])


def test_rings_survive_the_journal(tmp_path: Path) -> None:
    rings = fleet_settings.parse_rings(
        [
            {
                "name": "a",
                "tgt": ["x", "y"],
                "batch": "12.5%",
                "max_failures": 3,
                "soak": "1h30m",
                "reboot_option": "NoReboot",
                "window": {"nth": "2nd tue", "offset_days": 3, "start": "02:00", "duration": "4h"},
                "gate": {"min_compliant": "99.5%", "checks": [{"file.exists": {"a": 1}, "args": ["/x", 2]}]},
            },
            {
                "name": "b",
                "tgt": "G@os:Debian",
                "tgt_type": "compound",
                "window": {"days": ["sat"], "start": "1:00", "duration": "1h"},
            },
        ]
    )
    assert fleet_settings.parse_rings(json.loads(json.dumps(fleet_settings.ring_data(rings)))) == rings


@pytest.mark.parametrize(
    ("text", "total", "number"),
    [("10%", 99, 9), ("10%", 9, 0), ("100%", 7, 7), (3, 100, 3), ("3", 1, 3), ("33.3%", 1000, 333), ("0", 5, 0)],
)
def test_amounts(text: Any, total: int, number: int) -> None:
    assert parse_amount(text).of(total) == number
    assert parse_amount(str(parse_amount(text))) == parse_amount(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "ten", "10 %%", True, None, 1.5, [], "1/h"])
def test_amounts_that_are_none(text: Any) -> None:
    with pytest.raises(InvalidInput, match="use a number"):
        parse_amount(text)


@pytest.mark.parametrize("text", ["", "5", "0/1h", "5/", "/1h", "5/0s", 5, None])
def test_rates_that_are_none(text: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_rate(text)


def test_planning_ten_thousand_minions_takes_no_two_seconds() -> None:
    ids = [f"host-{number:05d}" for number in range(10_000)]
    rings = fleet_settings.parse_rings(
        [{"name": "a", "tgt": "*", "batch": 100}, {"name": "b", "tgt": "*", "batch": "10%"}, {"name": "c", "tgt": "*"}]
    )
    began = time.process_time()
    plan = gate.make_plan(rings, [ids[:500], ids[:5000], ids])
    assert [len(each.minions) for each in plan] == [500, 4500, 5000]
    assert [len(each.batches) for each in plan] == [5, 10, 1]
    gate.forecast(plan, start=0, batch_seconds=60)
    assert time.process_time() - began < 2


BEHAVIOUR = st.builds(
    FakeMinion,
    installable=st.sampled_from([True, True, True, False]),
    install_seconds=st.sampled_from([1.0, 60.0, 700.0]),
    away=st.sampled_from([(), (), ((0.0, 200.0),), ((20.0, 400.0),), ((0.0, 1e9),)]),
    busy_until=st.sampled_from([-1.0, 100.0]),
    reboots=st.booleans(),
    loses_returns=st.sampled_from([0, 0, 1]),
    pending=st.booleans(),
)


@settings(max_examples=25)
@given(data=st.data())
def test_any_fleet_any_kill(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Killed at any steps and resumed, a rollout ends as it should, and the gate between the rings has held."""
    tmp_path = tmp_path_factory.mktemp("rollout")
    minions = {name: data.draw(BEHAVIOUR) for name in [*names(3, "c"), *names(4)]}
    fleet, config = make(tmp_path, minions)
    rings = [{**RINGS[0], "gate": {"min_compliant": "60%"}, "max_failures": 1, "soak": "10m"}, RINGS[1]]
    kills = data.draw(st.lists(st.integers(0, 60), max_size=4))
    result: dict[str, Any] | None = None
    for attempt in range(len(kills) + 1):
        fleet.steps_left = kills[attempt] if attempt < len(kills) else None
        try:
            started = bool(journal.latest(config.state_dir))
            result = go_on(tmp_path, fleet, config) if started else run(tmp_path, fleet, config, rings)
            break
        except Killed:
            fleet.steps_left = None
            if journal.latest(config.state_dir):
                status = rollout.status(config, fleet.salt(), rollout="", details=False)
                assert status["status"] == "interrupted"
    assert result is not None
    phases = {name: minion["phase"] for name, minion in full(config, fleet)["minions"].items()}
    passed = {name for name, phase in phases.items() if phase in ("compliant", "pending_reboot")}
    assert all(minions[name].patched for name in passed)
    if any(minions[name].installs for name in names(4)):
        assert sum(minions[name].patched for name in names(3, "c")) >= 2
    if result["status"] == "succeeded":
        left = minions.keys() - passed
        assert left <= set(names(3, "c")) and len(left) <= 1  # the canary ring tolerates one failure
    if result["status"] == "incomplete":
        assert result["unreachable"]
    healthy = all(m.installable and not m.loses_returns and m.away == () for m in minions.values())
    assert not healthy or result["status"] == "succeeded"


def full(config: Any, fleet: FakeFleet) -> dict[str, Any]:
    return rollout.status(config, fleet.salt(), rollout="", details=True)


def test_an_interrupted_rollout_is_not_forgotten(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {name: FakeMinion() for name in ["c0", *names(4)]})
    fleet.steps_left = 25
    with pytest.raises(Killed):
        run(tmp_path, fleet, config)
    fleet.steps_left = None
    with pytest.raises(InvalidInput, match=r"was interrupted in ring .*resume=True.*rollout_abort"):
        run(tmp_path, fleet, config)
    assert [ring["status"] for ring in full(config, fleet)["rings"]] == ["done", "interrupted"]
    aborted = rollout.abort(config, fleet.salt(), rollout="", reason="enough")
    assert aborted["status"] == "aborted" and [ring["status"] for ring in aborted["rings"]] == ["done", "aborted"]
    with pytest.raises(InvalidInput, match="has ended already"):
        rollout.abort(config, fleet.salt(), rollout="", reason="enough")
    assert run(tmp_path, fleet, config)["status"] == "succeeded"


def test_a_damaged_journal_is_set_aside_and_reported(tmp_path: Path) -> None:
    fleet, config = make(tmp_path, {"p0": FakeMinion()})
    result = run(tmp_path, fleet, config, [{"name": "all", "tgt": "p*"}])
    path = config.state_dir / "rollouts" / f"{result['id']}.json"
    path.write_text(path.read_text()[:-200])
    with pytest.raises(Exception, match="damaged"):
        rollout.status(config, fleet.salt(), rollout="", details=False)
    with pytest.raises(InvalidInput, match="there has been none yet"):
        rollout.status(config, fleet.salt(), rollout="", details=False)


def test_settings_of_the_master_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        fleet_settings.load(
            {"remediation": {"fleet": "lots", "windows": [{}]}, "limits": {"poll": -1}, "ringz": []}, state_dir=tmp_path
        )
    assert len(caught.value.problems) == 5
    assert any("did you mean rings" in problem for problem in caught.value.problems)
    assert fleet_settings.load({"remediation": {"fleet": "5/10m"}}, state_dir=tmp_path).remediation.fleet.seconds == 600
    assert Amount(5).of(3) == 5


def frozen_document(versions: Any, **changes: Any) -> dict[str, Any]:
    """What a minion returns for ``ssmpatch.freeze``."""
    return {
        "ssmpatch_frozen": 1,
        "operating_system": "DEBIAN",
        "product": "Debian12",
        "created": "2026-11-20T06:30:00Z",
        "baseline": "pb-1",
        "packages": versions,
        **changes,
    }


SUSE = {"os": "SUSE", "osrelease": "15.6"}


def canary(versions: Any, installed: Any = None, *, grains: Any = None, pillar: Any = None, **said: Any) -> FakeMinion:
    """A minion whose report shows these versions installed, those of its frozen set unless others are given."""
    found = versions if installed is None else installed
    rows = [{"Id": name, "PatchState": "Installed", "installed_version": found[name]} for name in found]
    return FakeMinion(
        frozen_set=frozen_document(versions, **said),
        stored={"compliance": "COMPLIANT", "summary": {}, "patches": rows},
        **({"grains": grains} if grains is not None else {}),
        pillar=pillar,
    )


def collect_frozen(**minions: FakeMinion) -> frozen.Frozen:
    return frozen.collect(FakeFleet(minions).salt(), list(minions), now=START, timeout=10)


def test_frozen_sets_of_a_ring_are_merged_by_system_and_majority() -> None:
    found = collect_frozen(
        a=canary({"x.amd64": "1.10", "y.amd64": "1:1", "w.amd64": "1.9"}),
        b=canary({"x.amd64": "1.10", "y.amd64": "2", "z.all": "1.0~rc1", "w.amd64": "1.10"}, baseline="pb-2"),
        c=canary({"x.amd64": "1.9", "w.amd64": "1.10"}),
        d=canary({"x.x86_64": "0:1-1"}, operating_system="SUSE", product="Suse15.6", grains=SUSE),
    )
    assert sorted(found.documents) == ["DEBIAN-Debian12", "SUSE-Suse15.6"]
    merged = found.documents["DEBIAN-Debian12"]
    assert merged["packages"] == {"w.amd64": "1.10", "x.amd64": "1.10", "z.all": "1.0~rc1"}
    assert merged["baseline"] == "pb-1, pb-2" and not found.problems
    assert found.warnings == (
        "x.amd64: frozen at 1.10; c has 1.9",
        "y.amd64: no version has a majority, so it is not in the frozen set; a has 1:1, b has 2",
        "w.amd64: frozen at 1.10; a has 1.9",
    )


def test_one_minion_lifts_no_limit() -> None:
    good = {"openssl.amd64": "3.0.11-1"}
    liar = {"openssl.amd64": "999999:0"}
    for hostile in (canary(liar), canary(liar, good)):
        found = collect_frozen(a=canary(good), b=canary(good), c=hostile)
        assert found.documents["DEBIAN-Debian12"]["packages"] == good
        assert "c" in str(found.warnings) and "999999:0" in str(found.warnings)
    # What its report does not show installed counts for nobody, not even for a ring of one.
    assert collect_frozen(c=canary(liar, {})).documents["DEBIAN-Debian12"]["packages"] == {}
    assert collect_frozen(c=canary(liar, good)).documents["DEBIAN-Debian12"]["packages"] == good


def test_names_in_a_frozen_set_are_cleaned_before_they_are_told() -> None:
    hostile = canary({"\x1b[31m" + "x" * 400 + ".amd64": "1"})
    told = collect_frozen(a=hostile).problems["a"]
    assert told.isprintable() and len(told) < 250
    (told,) = collect_frozen(a=canary({"x" * 100 + ".amd64": "1"}, {})).warnings
    assert len(told) < 250


@pytest.mark.parametrize(
    ("said", "grains", "pillar", "words"),
    [
        (("REDHAT_ENTERPRISE_LINUX", "RedhatEnterpriseLinux9.4"), None, None, "its grains say Debian 12"),
        (("DEBIAN", "Debian11"), None, None, "its grains say Debian 12"),
        (("DEBIAN", "Ubuntu12"), None, None, "its grains say Debian 12"),
        (("DEBIAN", "Debian1"), None, None, "its grains say Debian 12"),
        (("DEBIAN", "Debian12"), {}, None, "the master has no grains of it"),
        (("DEBIAN", "Debian12"), {"os": ["Debian"]}, None, "the master has no grains of it"),
        (("DEBIAN", "Debian12"), {"os": "Fedora", "osrelease": "12"}, None, "its grains say Fedora 12"),
        (("UBUNTU", "Ubuntu22.04"), {"os": "Mint", "osrelease": "21"}, None, "its grains say Mint 21"),
        (("DEBIAN", "Debian12"), None, {"ssmpatch": {"product": "Debian11"}}, "its pillar says Debian11"),
    ],
)
def test_a_minion_makes_no_set_for_a_system_that_the_master_does_not_know_it_by(
    said: Any, grains: Any, pillar: Any, words: str
) -> None:
    system, product = said
    hostile = canary({"x.amd64": "1"}, operating_system=system, product=product, grains=grains, pillar=pillar)
    found = collect_frozen(a=hostile, b=canary({"x.amd64": "2"}))
    assert list(found.documents) == ["DEBIAN-Debian12"] and words in found.problems["a"]
    assert found.documents["DEBIAN-Debian12"]["packages"] == {"x.amd64": "2"}


@pytest.mark.parametrize(
    ("system", "product", "name", "release"),
    [
        ("DEBIAN", "Debian12", "Debian", "12.14"),
        ("UBUNTU", "Ubuntu24.04", "Ubuntu", "24.04"),
        ("RASPBIAN", "Raspbian11", "Raspbian", "11"),
        ("REDHAT_ENTERPRISE_LINUX", "RedhatEnterpriseLinux9.4", "RedHat", "9.4"),
        ("CENTOS", "CentOS7.9", "CentOS", "7.9.2009"),
        ("CENTOS", "CentOS9", "CentOS Stream", "9"),
        ("ROCKY_LINUX", "RockyLinux9.6", "Rocky", "9.6"),
        ("ALMA_LINUX", "AlmaLinux8.10", "AlmaLinux", "8.10"),
        ("ORACLE_LINUX", "OracleLinux8.9", "OEL", "8.9"),
        ("SUSE", "Suse15.0", "SUSE", "15"),
        ("SUSE", "Suse15.6", "SLES", "15.6"),
        ("SUSE", "Suse15.6", "openSUSE Leap", "15.6"),
        ("AMAZON_LINUX", "AmazonLinux2018.03", "Amazon", "2018.03"),
        ("AMAZON_LINUX_2", "AmazonLinux2", "Amazon", "2"),
        ("AMAZON_LINUX_2023", "AmazonLinux2023", "Amazon", "2023"),
        ("UNSUPPORTED", "LinuxMint21", "Mint", "21"),
        ("UNSUPPORTED", "KaliGNULinux2024.1", "Kali", "2024.1"),
        ("UNSUPPORTED", "FedoraLinux42", "Fedora", "42"),
        ("UNSUPPORTED", "openSUSETumbleweed20240101", "SUSE", "20240101"),
        ("UNSUPPORTED", "AmazonLinux2027", "Amazon", "2027"),
    ],
)
def test_the_systems_that_salt_and_aws_call_differently_are_the_same(
    system: str, product: str, name: str, release: str
) -> None:
    said = {"operating_system": system, "product": product}
    found = systems.system_of(said, grains={"os": name, "osrelease": release}, pillar={})
    assert found == f"{system}-{product}"


def test_what_pillar_sets_is_the_masters_own_word() -> None:
    pillar = {"ssmpatch": {"operating_system": "UBUNTU", "product": "Ubuntu22.04"}}
    mint = canary(
        {"x.amd64": "1"}, operating_system="UBUNTU", product="Ubuntu22.04", grains={"os": "Mint"}, pillar=pillar
    )
    assert list(collect_frozen(a=mint).documents) == ["UBUNTU-Ubuntu22.04"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        "Traceback …\nsalt.exceptions.CommandExecutionError: no such",
        {},
        5,
        [],
        frozen_document({"x.amd64": "1"}, product=float("nan")),
        frozen_document({"x.amd64": "1"}, product=["Debian12"]),
        frozen_document({"x.amd64": "1"}, product="../../../etc/cron.d/x"),
        frozen_document({"x.amd64": "1"}, operating_system="../DEBIAN"),
        frozen_document({"x.amd64": "1"}, operating_system="BEOS"),
        frozen_document({"x.amd64": "1"}, operating_system=10**5000),
        frozen_document({"x.amd64": 1}),
        frozen_document(5),
        {key: value for key, value in frozen_document({}).items() if key != "product"},
    ],
)
def test_what_is_no_frozen_set_is_a_problem_of_its_minion_and_the_others_give_theirs(document: Any) -> None:
    hostile = canary({})
    hostile.frozen_set = {} if document is None else document
    suse = canary({"x.x86_64": "0:1-1"}, operating_system="SUSE", product="Suse15.6", grains=SUSE)
    found = collect_frozen(a=hostile, b=canary({"x.amd64": "1"}), c=suse)
    assert found.documents.keys() == {"DEBIAN-Debian12", "SUSE-Suse15.6"} and found.problems.keys() == {"a"}


@pytest.mark.parametrize("report", [5, "ERROR: no report", {"patches": 5}, {"patches": None}, []])
def test_what_is_no_report_makes_no_version_count(report: Any) -> None:
    hostile = canary({"x.amd64": "9"})
    hostile.stored, hostile.report_error = report, "ERROR: the scan failed"
    found = collect_frozen(a=hostile, b=canary({"x.amd64": "1"}))
    assert found.documents["DEBIAN-Debian12"]["packages"] == {"x.amd64": "1"} and "a" in found.problems


def test_a_minion_without_a_report_is_asked_to_scan() -> None:
    fleet = FakeFleet({"a": canary({"openssl.amd64": "3.0-1"})})
    fleet.minions["a"].stored, fleet.minions["a"].patched = "ERROR: no report is stored", True
    found = frozen.collect(fleet.salt(), ["a"], now=START, timeout=10)
    assert found.documents["DEBIAN-Debian12"]["packages"] == {"openssl.amd64": "3.0-1"} and not found.warnings


def test_what_no_package_manager_has_counts_for_nobody() -> None:
    strange = {"x.amd64": "1", "-o.amd64": "1", "y.amd64": "--setopt=a", "z.am d64": "1"}
    hostile = canary({"x.amd64": "1"}, strange)
    hostile.frozen_set["packages"] = {name: version for name, version in strange.items() if " " not in name}
    found = collect_frozen(a=hostile, b=canary({"x.amd64": "1"}))
    assert found.documents["DEBIAN-Debian12"]["packages"] == {"x.amd64": "1"}
    assert "'-o.amd64' is not allowed" in found.problems["a"]
    unsaid = canary({"x.amd64": "1"}, strange)
    assert collect_frozen(a=unsaid).documents["DEBIAN-Debian12"]["packages"] == {"x.amd64": "1"}


def test_a_rollout_goes_on_with_the_sets_of_others_and_says_what_was_left_out(tmp_path: Path) -> None:
    minions = {"c0": FakeMinion(), "c1": FakeMinion(frozen_set=5), "p0": FakeMinion()}
    fleet, config = make(tmp_path, minions)
    result = run(tmp_path, fleet, config, freeze=True)
    assert result["status"] == "succeeded" and list(result["frozen"]) == ["DEBIAN-Debian12"]
    assert result["warnings"] == ["c1 gave no frozen set: it returned 5"]
    fleet, config = make(tmp_path / "b", {"c0": FakeMinion(frozen_set=5), "p0": FakeMinion()})
    assert "1 minion gave no frozen set" in run(tmp_path / "b", fleet, config, freeze=True)["reason"]


@pytest.mark.parametrize("found", [None, 5, "text", {"a": 1}, [None, {}, 3]])
def test_warnings_of_any_shape_break_nothing(found: Any) -> None:
    ring = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]
    installing = minion_states.Minion(phase=minion_states.INSTALLING)
    answer = {"compliance": "UNKNOWN", "patches": found, "warnings": found, "changes": found, "reboot": found}
    verifying = minion_states.answered(installing, answer, ring=ring, now=1, limits=fleet_settings.Limits())
    assert verifying.phase == minion_states.TO_VERIFY
    verifying = minion_states.called(verifying, minion_states.SCAN, job="1", now=2)
    ended = minion_states.answered(verifying, answer, ring=ring, now=3, limits=fleet_settings.Limits())
    assert ended.phase == minion_states.NON_COMPLIANT and ended.reason.startswith(
        "the scan could not read every source"
    )


def test_what_a_minion_says_of_the_frozen_set_is_kept_first() -> None:
    ring = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]
    said = [f"warning {number}" for number in range(9)] + ["x.amd64: the frozen version 2 is not on offer any more"]
    answer = {"compliance": "COMPLIANT", "warnings": said}
    installing = minion_states.Minion(phase=minion_states.INSTALLING)
    found = minion_states.answered(installing, answer, ring=ring, now=1, limits=fleet_settings.Limits())
    assert found.warnings == (said[-1], *said[:4])
