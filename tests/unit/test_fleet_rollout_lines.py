# SPDX-License-Identifier: Apache-2.0
"""What a rollout tells people while it goes on, over simulated fleets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import rollout
from ssmpatchlib.fleet import settings as fleet_settings
from support.fake_fleet import FakeFleet, FakeMinion, Killed

RINGS = [
    {"name": "canary", "tgt": "c*", "soak": "1h"},
    {"name": "production", "tgt": "p*", "batch": 2, "max_failures": 20},
]


def run(tmp_path: Path, minions: dict[str, FakeMinion], rings: Any = RINGS, **config: Any) -> list[str]:
    """The lines of a rollout, without its id."""
    fleet = FakeFleet(minions)
    settings = fleet_settings.load(config or None, state_dir=tmp_path / "state")
    rollout.start(settings, fleet_settings.parse_rings(rings), fleet.salt(), freeze=False, file_roots=[])
    return [re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "ID", line) for line in fleet.told]


def words(lines: list[str]) -> list[str]:
    """The lines without the time of day, which each begins with."""
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in lines)
    return [line[9:] for line in lines]


def test_rings_hosts_gate_soak_and_end_are_told_in_order(tmp_path: Path) -> None:
    lines = words(run(tmp_path, {name: FakeMinion() for name in ("c1", "p1", "p2", "p3")}))
    assert lines == [
        "rollout ID: 2 rings, 4 minions",
        "ring canary (1 of 2): 1 minion",
        "ring canary: 0 of 1 minion patched, 1 installing",
        "ring canary: 0 of 1 minion patched, 1 being verified",
        "ring canary: 1 of 1 minion patched",
        "ring canary: gate open, 1 of 1 minion compliant",
        "ring canary: soaks for 60 min, until 2027-01-15 09:01 UTC",
        "ring production (2 of 2): 3 minions in 2 batches",
        "ring production: batch 1 of 2, 2 minions",
        "ring production: 0 of 3 minions patched, 2 installing",
        "ring production: 0 of 3 minions patched, 2 being verified",
        "ring production: 2 of 3 minions patched",
        "ring production: batch 2 of 2, 1 minion",
        "ring production: 2 of 3 minions patched, 1 installing",
        "ring production: 2 of 3 minions patched, 1 being verified",
        "ring production: 3 of 3 minions patched",
        "ring production: gate open, 3 of 3 minions compliant",
        "rollout succeeded after 64 min",
    ]


def test_a_host_that_fails_is_named_with_its_reason_and_a_closed_gate_with_its_own(tmp_path: Path) -> None:
    lines = words(run(tmp_path, {"c1": FakeMinion(installable=False), "p1": FakeMinion()}))
    assert "ring canary: 0 of 1 minion patched, 1 failed" in lines
    assert any(line.startswith("c1: ") and "libgone is not installable" in line for line in lines)
    assert lines[-2] == "ring canary: gate closed"
    assert lines[-1].startswith("rollout failed after ") and "min_compliant is 100%" in lines[-1]


def test_many_hosts_are_a_few_lines(tmp_path: Path) -> None:
    minions = {f"p{number}": FakeMinion(install_seconds=60 + number) for number in range(400)}
    rings = [{"name": "production", "tgt": "p*"}]
    lines = run(tmp_path, minions, rings, limits={"poll": 5})
    assert len(lines) < 40
    many = {f"p{number}": FakeMinion(installable=False) for number in range(50)}
    failed = words(run(tmp_path / "failed", many, rings))
    assert len([line for line in failed if re.match(r"p\d+: ", line)]) == 10
    assert "and 40 more failed; see ssmpatch.rollout_status" in failed


def test_a_rollout_that_is_resumed_says_where_it_goes_on(tmp_path: Path) -> None:
    fleet = FakeFleet({name: FakeMinion() for name in ("c1", "p1")})
    settings = fleet_settings.load(None, state_dir=tmp_path / "state")
    rings = fleet_settings.parse_rings([{"name": "canary", "tgt": "c*"}, {"name": "production", "tgt": "p*"}])
    fleet.steps_left = 16
    with pytest.raises(Killed):
        rollout.start(settings, rings, fleet.salt(), freeze=False, file_roots=[])
    fleet.steps_left, before = None, len(fleet.told)
    rollout.resume(settings, fleet.salt(), rollout="", file_roots=[])
    lines = words(fleet.told)[before:]
    assert re.fullmatch(r"rollout \S+ goes on in ring (canary|production)", lines[0])
    assert lines[-1].startswith("rollout succeeded after ")
