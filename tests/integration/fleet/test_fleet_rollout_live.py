# SPDX-License-Identifier: Apache-2.0
"""Rollouts by a real master over real minions that really install packages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.salt_fleet import Fleet, hold, installed, kill_group, offer, package, release

pytestmark = [pytest.mark.root, pytest.mark.slow(150)]

TWO_RINGS = "rings=[{name: canary, tgt: 'canary*'}, {name: production, tgt: 'prod*', batch: 1}]"
ONE_RING = "rings=[{name: production, tgt: 'prod*', batch: 1}]"
NEW, UNINSTALLABLE = package("2.0"), package("2.0", depends="libgone")


def versions(fleet: Fleet) -> dict[str, str]:
    return {name: installed(fleet.roots[name]) for name in ("canary1", "prod1", "prod2")}


def status(fleet: Fleet) -> dict[str, Any]:
    return dict(fleet.run("ssmpatch.rollout_status", "details=True"))


def test_a_canary_stops_the_rollout_and_once_repaired_it_goes_on_with_frozen_versions(fleet: Fleet) -> None:
    for name, root in fleet.roots.items():
        offer(root, UNINSTALLABLE if name == "canary1" else NEW)
    stopped = fleet.run_raw("ssmpatch.rollout", TWO_RINGS, "--out=json")
    result = json.loads(stopped.stdout)
    assert stopped.returncode == 1 and result["status"] == "failed", result
    assert result["reason"].startswith("ring canary: 0 of 1 minion compliant, min_compliant is 100%")
    assert "libgone" in result["minions"]["canary1"]["reason"]
    assert versions(fleet) == {"canary1": "1.0", "prod1": "1.0", "prod2": "1.0"}
    # The canary is repaired; before production's turn the archive there has moved on.
    offer(fleet.roots["canary1"], NEW)
    for name in ("prod1", "prod2"):
        offer(fleet.roots[name], NEW, package("3.0"))
    gone_on = fleet.run_raw("ssmpatch.rollout", "resume=True", "--out=json")
    result = json.loads(gone_on.stdout)
    assert gone_on.returncode == 0 and result["status"] == "succeeded", result
    assert [ring["batch"] for ring in result["rings"]] == ["1/1", "2/2"]
    assert list(result["frozen"]) == ["DEBIAN-Debian12"]
    assert set(versions(fleet).values()) == {"2.0"}
    report = fleet.call("prod1", "ssmpatch.report")
    assert report["held_back"] == ["tool.amd64"] and result["id"] in report["baseline"]["frozen"]


def test_a_dry_run_says_what_would_be_installed_and_installs_nothing(fleet: Fleet) -> None:
    for name in versions(fleet):
        offer(fleet.roots[name], NEW)
    fleet.call("[cp]*", "ssmpatch.scan")
    result = fleet.run("ssmpatch.rollout", TWO_RINGS, "dry_run=True")
    assert {name: plan["changes"] for name, plan in result["changes"].items()} == dict.fromkeys(
        versions(fleet), {"tool": "1.0 → 2.0"}
    )
    assert [ring["name"] for ring in result["rings"]] == ["canary", "production"]
    assert set(versions(fleet).values()) == {"1.0"}


def test_a_killed_runner_goes_on_where_it_was(fleet: Fleet) -> None:
    for name in ("prod1", "prod2"):
        offer(fleet.roots[name], NEW)
    hold(fleet.roots["prod1"])
    runner = fleet.start_run("ssmpatch.rollout", ONE_RING)
    fleet.wait(lambda: fleet.call("prod1", "ssmpatch.status")["running"])
    live = status(fleet)
    assert live["status"] == "running" and live["eta"] and live["minions"]["prod1"]["phase"] == "installing"
    kill_group(runner)
    assert status(fleet)["status"] == "interrupted"
    refused = fleet.run("ssmpatch.rollout", ONE_RING)
    assert refused["retcode"] == 1 and "resume=True" in refused["error"]
    release(fleet.roots["prod1"])
    result = fleet.run("ssmpatch.rollout", "resume=True")
    assert result["status"] == "succeeded", result
    assert versions(fleet) == {"canary1": "1.0", "prod1": "2.0", "prod2": "2.0"}
    history = fleet.call("prod1", "ssmpatch.history")
    assert [run["operation"] for run in history].count("Install") == 1


def test_a_minion_killed_in_the_install_comes_back_and_one_that_boots_is_waited_for(fleet: Fleet) -> None:
    for name in ("prod1", "prod2"):
        offer(fleet.roots[name], NEW)
    hold(fleet.roots["prod1"])
    boot = fleet.roots["prod2"].parent.parent / "boot_id"
    wanted = boot.with_name("boot_id.wanted")
    wanted.touch()
    runner = fleet.start_run("ssmpatch.rollout", ONE_RING.replace("batch: 1", "batch: 2"))
    try:
        fleet.wait(lambda: "batch" in str((fleet.call("prod1", "ssmpatch.status")["running"] or {}).get("phase")))
        fleet.stop("prod1", kill=True)
        release(fleet.roots["prod1"])
        fleet.wait(lambda: status(fleet)["minions"]["prod2"]["phase"] == "rebooting")
        fleet.stop("prod2")
        boot.write_text("00000000-0000-4000-8000-000000000002\n")
        wanted.unlink()
    finally:
        fleet.start("prod1")
        fleet.start("prod2")
    out, _ = runner.communicate(timeout=240)
    result = json.loads(out)
    assert result["status"] == "succeeded", result
    assert versions(fleet) == {"canary1": "1.0", "prod1": "2.0", "prod2": "2.0"}
