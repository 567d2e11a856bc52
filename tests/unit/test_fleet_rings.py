# SPDX-License-Identifier: Apache-2.0
"""Rings and the last rollout in reports and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import collect, gate, journal, settings
from ssmpatchlib.fleet.hosts import GRAINS, REPORT, STATUS
from ssmpatchlib.fleet.metrics import prometheus_text
from ssmpatchlib.fleet.minion_states import Minion
from ssmpatchlib.fleet.salt_client import Salt
from ssmpatchlib.fleet.text_table import table_text
from support.reports import NOW, minion_return

RINGS = [{"name": "canary", "tgt": "a*"}, {"name": "production", "tgt": "*"}]
TARGETS = {"a*": ["a1", "a2"], "*": ["a1", "a2", "b1"]}


def fleet_settings(state_dir: Path) -> settings.FleetSettings:
    return settings.load({"rings": RINGS}, state_dir=state_dir)


def salt() -> Salt:
    """A master whose three minions answer at once."""
    found = minion_return(1, rows=2)[1]
    assert found is not None
    answer = {name: found[name] for name in (REPORT, STATUS, GRAINS)}
    unused: Any = None
    kept = {name: {"role": "web", "datacenter": "x", **found[GRAINS]} for name in TARGETS["*"]}
    return Salt(
        expand=lambda tgt, _: TARGETS[str(tgt)],
        new_job=lambda: "20261120063000000000",
        publish=lambda *_: None,
        returns=lambda _: dict.fromkeys(TARGETS["*"], answer),
        fire=lambda *_: None,
        now=lambda: NOW,
        sleep=lambda _: None,
        grains=lambda names: {name: kept[name] for name in names},
        pillars=unused,
        tell=unused,
    )


def collected(state_dir: Path, tgt: str = "*", group_by: str = "role") -> Any:
    return collect.collect(
        fleet_settings(state_dir), salt(), tgt=tgt, tgt_type="glob", rescan=False, group_by=group_by, timeout=5
    )


def roll_out(state_dir: Path, **changes: Any) -> None:
    """Leave the journal of a rollout."""
    rings = settings.parse_rings(RINGS)
    plan = gate.make_plan(rings, [TARGETS["a*"], TARGETS["*"]])
    made = journal.Rollout(
        id="20261120T060000Z-000000",
        created=NOW - 1800,
        plan=plan,
        freeze=True,
        minions={"a1": Minion("compliant"), "a2": Minion("failed"), "b1": Minion()},
        progress=[journal.Progress(started=NOW - 1700, ended=NOW - 100), journal.Progress()],
        **changes,
    )
    journal.save(state_dir, made, now=NOW - 60)


def samples(report: Any) -> set[str]:
    return {line for line in "".join(prometheus_text(report)).splitlines() if not line.startswith("#")}


def test_a_host_is_of_the_first_ring_that_matches_it(tmp_path: Path) -> None:
    made = collected(tmp_path)
    assert {host.id: host.ring for host in made.hosts} == {"a1": "canary", "a2": "canary", "b1": "production"}
    assert [(share.name, share.hosts) for share in made.totals.by_ring] == [("canary", 2), ("production", 1)]
    host = made.hosts[0]
    labels = f'minion="a1",system="{host.system}"' + (f',patch_group="{host.patch_group}"' if host.patch_group else "")
    assert f'ssmpatch_host_compliant{{{labels},group="{host.group}",ring="canary"}} 0' in samples(made)


def test_without_a_rollout_there_are_no_metrics_of_one(tmp_path: Path) -> None:
    assert not [line for line in samples(collected(tmp_path)) if "rollout" in line]


def test_the_last_rollout_is_told_in_metrics(tmp_path: Path) -> None:
    roll_out(tmp_path, status=journal.FAILED)
    found = samples(collected(tmp_path))
    assert found > {
        'ssmpatch_rollout_status{status="failed"} 1',
        'ssmpatch_rollout_status{status="running"} 0',
        f"ssmpatch_rollout_started_time_seconds {NOW - 1800:.0f}",
        f"ssmpatch_rollout_ended_time_seconds {NOW - 60:.0f}",
        'ssmpatch_rollout_ring_hosts{ring="canary",state="compliant"} 1',
        'ssmpatch_rollout_ring_hosts{ring="canary",state="failed"} 1',
        'ssmpatch_rollout_ring_hosts{ring="canary",state="waiting"} 0',
        'ssmpatch_rollout_ring_hosts{ring="production",state="waiting"} 1',
        f'ssmpatch_rollout_ring_started_time_seconds{{ring="canary"}} {NOW - 1700:.0f}',
        f'ssmpatch_rollout_ring_ended_time_seconds{{ring="canary"}} {NOW - 100:.0f}',
    }
    assert not [line for line in found if "_time_seconds" in line and 'ring="production"' in line and "rollout" in line]


def test_a_rollout_whose_runner_is_gone_is_interrupted(tmp_path: Path) -> None:
    roll_out(tmp_path)
    found = samples(collected(tmp_path))
    assert 'ssmpatch_rollout_status{status="interrupted"} 1' in found
    assert not [line for line in found if line.startswith("ssmpatch_rollout_ended")]


def test_a_damaged_journal_is_a_warning(tmp_path: Path) -> None:
    roll_out(tmp_path)
    journal.path_of(tmp_path, "20261120T060000Z-000000").write_text("{")
    made = collected(tmp_path)
    assert made.rollout is None and any("20261120T060000Z-000000" in warning for warning in made.warnings)
    assert len(made.hosts) == 3


@pytest.mark.parametrize(
    ("typed", "near"),
    [("rol", "; did you mean role?"), ("data_center", "; did you mean datacenter?"), ("xyzzy", "")],
)
def test_a_grain_that_no_host_has_is_named_with_the_nearest(tmp_path: Path, typed: str, near: str) -> None:
    made = collected(tmp_path, group_by=typed)
    assert made.totals.by_group == ()
    assert made.warnings == (f"group_by: no host that answered has the grain {typed}{near}",)
    assert made.warnings[0] in table_text(made).replace("\n      ", " ")


def test_a_grain_that_hosts_have_is_no_warning(tmp_path: Path) -> None:
    assert collected(tmp_path).totals.by_group
    assert collected(tmp_path).warnings == collected(tmp_path, group_by="").warnings == ()
