# SPDX-License-Identifier: Apache-2.0
"""The documented schedule on a real minion: at its very first start, and what it announces ahead."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging
import yaml

from support import loader_minion
from support.loader_minion import simple_case

pytestmark = [pytest.mark.root]

MINION = "first-start"
#: Seconds that modules may take to come to a minion, and a job to begin.
PATIENCE = 150


@pytest.fixture(scope="session")
def salt_factories_config(salt_factories_config: dict[str, Any]) -> dict[str, Any]:
    """Daemons that are stopped at once and do not copy their logs into pytest's."""
    return {**salt_factories_config, "slow_stop": False, "log_server_level": "CRITICAL"}


@pytest.fixture
def master(salt_factories: Any, repo: Path, tmp_path: Path) -> Iterator[Any]:
    """A master whose pillar has the documented schedule, which comes again after seconds and not after minutes."""
    salt._logging.shutdown_temp_handler()
    schedule = yaml.safe_load((repo / "docs/examples/pillar/schedule.sls").read_text())["schedule"]
    resume = schedule["ssmpatch-resume"]
    assert resume["run_on_start"] and resume.pop("minutes")
    install = {"function": "state.apply", "args": ["patching"], "hours": 5}
    jobs = {"ssmpatch-resume": {**resume, "seconds": 10}, "ssmpatch-install": install}
    root = loader_minion.build_root(simple_case(), tmp_path / "root")
    pillar = tmp_path / "pillar"
    pillar.mkdir()
    (pillar / "top.sls").write_text(json.dumps({"base": {MINION: ["here"]}}))
    settings = {"root": str(root), "notice": "24h"}
    (pillar / "here.sls").write_text(json.dumps({"schedule": jobs, "ssmpatch": settings}))
    overrides = {
        "file_roots": {"base": [str(loader_minion.file_root(repo, tmp_path / "files"))]},
        "pillar_roots": {"base": [str(pillar)]},
        "open_mode": True,
        "auto_accept": True,
    }
    daemon = salt_factories.salt_master_daemon("schedule-master", overrides=overrides)
    with daemon.started(start_timeout=90):
        yield daemon


@contextlib.contextmanager
def waiting(listener: Any, master: Any, word: str) -> Iterator[None]:
    """Wait at the end for an event of the minion's."""
    began = time.time()
    yield
    found = listener.wait_for_events({(master.id, f"ssmpatch/{MINION}/{word}")}, timeout=PATIENCE, after_time=began)
    assert not found.missed


def test_resume_runs_although_the_modules_came_after_the_first_start(master: Any, event_listener: Any) -> None:
    daemon = master.salt_minion_daemon(MINION)
    with daemon.started(start_timeout=90):
        modules = Path(daemon.config["extension_modules"]) / "modules"
        # The job at the start finds no module; it must not have been the only one.
        time.sleep(5)
        assert not (modules / "ssmpatch.py").exists()
        with waiting(event_listener, master, "resume/start"), waiting(event_listener, master, "notice"):
            program = [sys.executable, str(Path(sys.executable).with_name("salt")), "-c", master.config_dir]
            subprocess.run([*program, "--async", MINION, "saltutil.sync_all"], check=True, timeout=60)
