# SPDX-License-Identifier: Apache-2.0
"""One master and four minions for all fleet tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.salt_fleet import LIMITS, Fleet, copy_loaders, make_root

# On drift1 alone the beacon is on, so that its events do not meddle with the rollouts of the others.
MINIONS = ("canary1", "prod1", "prod2", "drift1")

#: A reactor that believes what an event says.
RESETTING = "r: {runner.ssmpatch.remediate: [{args: [{minion: {{ data['id'] }}}, {reset: true}]}]}"


@pytest.fixture(scope="session")
def salt_factories_config(salt_factories_config: dict[str, Any]) -> dict[str, Any]:
    """Daemons that are stopped at once and do not copy their logs into pytest's."""
    return {**salt_factories_config, "slow_stop": False, "log_server_level": "CRITICAL"}


@pytest.fixture(scope="session")
def fleet(salt_factories: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A master that was started before anything was synced, and its minions, synced the way users do."""
    work = tmp_path_factory.mktemp("fleet")
    files, writable = work / "files", work / "srv"
    files.mkdir()
    writable.mkdir()
    copy_loaders(files)
    (files / "reactor" / "reset.sls").write_text(RESETTING)
    master = salt_factories.salt_master_daemon(
        "master",
        overrides={
            "file_roots": {"base": [str(writable), str(files)]},
            "fileserver_list_cache_time": 0,
            "auto_accept": True,
            "open_mode": True,
            "pillar_roots": {"base": []},
            "reactor": [
                {"salt/beacon/*/ssmpatch/noncompliant": ["salt://reactor/ssmpatch_noncompliant.sls"]},
                {"salt/beacon/*/ssmpatch/compliant": ["salt://reactor/ssmpatch_compliant.sls"]},
                {"salt/beacon/*/ssmpatch/reset": ["salt://reactor/reset.sls"]},
            ],
            "ssmpatch": {
                "limits": LIMITS,
                "group_by": "role",
                "rings": [{"name": "canary", "tgt": "canary*"}, {"name": "production", "tgt": "prod*", "batch": 1}],
                "state_dir": str(work / "state"),
                "remediation": {"per_minion": "100/1h", "fleet": "100/1h", "max_failures": 2},
            },
        },
    )
    roots = {name: make_root(work / "roots" / name) for name in MINIONS}
    boot = work / "boot_id"
    boot.write_text("00000000-0000-4000-8000-000000000001\n")
    minions = {
        name: master.salt_minion_daemon(
            name,
            overrides={
                "grains": {"role": name.rstrip("12")},
                # Salt's default; beacons count their intervals in it.
                "loop_interval": 1,
                "simulated_boot": str(boot) if name == "prod2" else "",
                "beacons": {"ssmpatch": [{"interval": 1}]} if name == "drift1" else {},
                "ssmpatch": {
                    "root": str(roots[name]),
                    "operating_system": "DEBIAN",
                    "product": "Debian12",
                    "package_manager": "apt",
                },
            },
        )
        for name in MINIONS
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(master.started(start_timeout=300))
        with ThreadPoolExecutor() as pool:
            for daemon in minions.values():
                stack.callback(daemon.terminate)
            list(pool.map(lambda daemon: daemon.start(start_timeout=300), minions.values()))
        world = Fleet(master=master, minions=minions, roots=roots, files=files)
        world.call("*", "saltutil.sync_all", timeout=120)
        world.run("saltutil.sync_all")
        yield world


@pytest.fixture(autouse=True)
def clean(fleet: Fleet) -> None:
    """Every test begins with all minions up to date at version 1.0, without reports."""
    for root in fleet.roots.values():
        make_root(root)
