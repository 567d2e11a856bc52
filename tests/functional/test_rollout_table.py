# SPDX-License-Identifier: Apache-2.0
"""The real salt-run on terminals: people get the table of a rollout, programs its data alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import rollout, settings
from support import screens
from support.fake_fleet import FakeFleet, FakeMinion

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory, repo: Path) -> Path:
    """The configuration of a master on which a rollout has failed in its second ring."""
    base = tmp_path_factory.mktemp("master")
    (base / "cache" / "proc").mkdir(parents=True)
    fleet = FakeFleet({"c0": FakeMinion(), "p0": FakeMinion(installable=False), "p1": FakeMinion()})
    rings = settings.parse_rings([{"name": "canary", "tgt": "c*"}, {"name": "production", "tgt": "p*", "batch": 1}])
    config = settings.load(None, state_dir=base / "cache" / "ssmpatch")
    assert rollout.start(config, rings, fleet.salt(), freeze=False, file_roots=[])["status"] == "failed"
    loaded = {f"{kind}_dirs": [str(repo / name)] for kind, name in LOADED.items()}
    paths = {"cachedir": "cache", "sock_dir": "sock", "pki_dir": "pki", "log_file": "log"}
    options: dict[str, Any] = {"root_dir": str(base), **{key: str(base / name) for key, name in paths.items()}}
    (base / "master").write_text(json.dumps({**options, **loaded}))
    return base


LOADED = {"runner": "_runners", "outputter": "_output", "utils": "_utils"}


def salt_run(configuration: Path, *words: str) -> list[str]:
    return [str(Path(sys.executable).parent / "salt-run"), f"--config-dir={configuration}", *words]


@pytest.mark.parametrize("columns", [80, 120])
def test_people_get_a_table(configuration: Path, columns: int) -> None:
    screen = screens.run(salt_run(configuration, "ssmpatch.rollout_status"), columns=columns)
    shown = [line for line in screen.lines if line.startswith(("  ", "Rollout"))]
    assert shown[0].startswith("Rollout 2027") and shown[1] == "  Status      failed"
    start = shown.index("  Rings (2)")
    assert shown[start + 1 : start + 4] == [
        "    ring        status  batches  minions  compliant  failed  others",
        "    canary      done        1/1        1          1       0",
        "    production  failed      1/2        2          0       1  1 waiting",
    ]
    assert "outputter" not in screen.text


def test_programs_get_the_data_alone(configuration: Path) -> None:
    command = salt_run(configuration, "ssmpatch.rollout_status", "--out=json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert json.loads(done.stdout)["status"] == "failed" and "outputter" not in json.loads(done.stdout)
