# SPDX-License-Identifier: Apache-2.0
"""The page about hosts without a master, followed to the letter: a masterless minion, and salt-ssh with a real sshd."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import demo_host, guide, ssh_host
from support.demo_host import DemoHost
from support.guide import REPO, Machine

pytestmark = [pytest.mark.root, pytest.mark.slow(120)]

PAGE = REPO / "docs" / "without-a-master.md"
ROSTER = "web-1: {host: web-1.example.com, user: root}\n"


@pytest.fixture
def machine(host: DemoHost) -> Iterator[Machine]:
    """A machine with Salt, whose system is the demo host, and the repository behind its address."""
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        guide.repository(Path(work))
        found = Machine(Path(work))
        found.configure(ssmpatch=host.options)
        yield found
        found.stop()


def test_masterless(machine: Machine, host: DemoHost, request: pytest.FixtureRequest) -> None:
    rewrite = request.config.getoption("--rewrite-examples")
    places = {str(host.root): demo_host.SHOWN_ROOT}
    lines = guide.follow(PAGE, machine, "test_masterless", rewrite=rewrite, places=places)
    assert lines[-1] == "systemctl restart salt-minion"
    (history,) = (host.root / "var/lib/ssmpatch").glob("history*.jsonl")
    machine.wait(lambda: len(history.read_text().splitlines()) == 3)
    operations = [json.loads(line)["operation"] for line in history.read_text().splitlines()]
    assert operations == ["Scan", "Install", "Scan"]


def test_a_masterless_daemon_reads_no_pillar(machine: Machine, host: DemoHost) -> None:
    """What the page says of it: were it otherwise, the documented schedule of the pillar would do."""
    machine.shell("git clone https://git.example.com/ssmpatch.git /srv/ssmpatch")
    roots = {"base": ["/srv/salt", "/srv/ssmpatch"]}
    machine.write("/etc/salt/minion.d/masterless.conf", json.dumps({"file_client": "local", "file_roots": roots}))
    assert machine.shell("salt-call saltutil.sync_all").returncode == 0
    job = {"function": "ssmpatch.scan", "run_on_start": True, "hours": 24}
    pillar = {
        "ssmpatch": {"patch_group": "pillar"},
        "schedule": {"from-pillar": {**job, "kwargs": {"upload": "never"}}},
    }
    machine.write("/srv/pillar/top.sls", json.dumps({"base": {"*": ["here"]}}))
    machine.write("/srv/pillar/here.sls", json.dumps(pillar))
    machine.write("/etc/salt/minion.d/schedule.conf", json.dumps({"master_type": "disable", "schedule": {"mine": job}}))
    machine.shell("systemctl restart salt-minion")
    place = host.root / "var/lib/ssmpatch"
    machine.wait(lambda: list(place.glob("report-*.json")))
    time.sleep(15)
    (history,) = place.glob("history*.jsonl")
    assert len(history.read_text().splitlines()) == 1, "a schedule in the pillar runs"
    shown = [json.loads(machine.shell(f"salt-call --out=json ssmpatch.{word}").stdout) for word in ("report", "scan")]
    groups = [found["local"]["summary"]["PatchGroup"] for found in shown]
    assert groups == ["", "pillar"], "a scheduled job sees the pillar"


def test_salt_ssh(machine: Machine, host: DemoHost, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rewrite = request.config.getoption("--rewrite-examples")
    origin, site, thin = machine.work / "origin", machine.work / "site", machine.work / "thin"
    installer = f"{sys.executable} -m pip install -qq --no-build-isolation --no-deps --target {site} {origin}"
    machine.places |= {"127.0.0.1": "web-1.example.com", installer: "salt-pip install salt-ssmpatch"}
    machine.environment["PYTHONPATH"] = str(site)
    with ssh_host.running(tmp_path / "ssh") as sshd:
        reach = {"port": sshd.port, "priv": str(sshd.key), "thin_dir": str(thin)}
        machine.configure_master(
            file_roots={"base": [str(machine.work / "srv/salt"), str(origin)]},
            roster_defaults={**reach, "ssh_options": [f"UserKnownHostsFile={sshd.known_hosts}"]},
            ssh_minion_opts={"ssmpatch": host.options},
        )
        machine.write("/etc/salt/roster", ROSTER)
        refused = machine.shell("salt-ssh web-1 ssmpatch.version")
        assert "salt-pip install salt-ssmpatch" in refused.stdout and refused.returncode
        assert "sync_all" not in refused.stdout
        places = {str(host.root): demo_host.SHOWN_ROOT, str(thin): "/var/tmp/.root_9d2c41_salt"}
        lines = guide.follow(PAGE, machine, "test_salt_ssh", rewrite=rewrite, places=places)
    assert lines[-1].startswith("salt-ssh web-1 state.apply")
