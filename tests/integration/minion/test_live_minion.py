# SPDX-License-Identifier: Apache-2.0
"""A running master and minion: what the pillar holds stays readable, events reach the master, jobs are plain data."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging

from support import dnf_root, loader_minion, rpm_root
from support.apt_root import package
from support.loader_minion import STRICT, assert_plain, case, installed_versions
from support.rpm_build import Spec

pytestmark = [pytest.mark.root]

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def salt_factories_config(salt_factories_config: dict[str, Any]) -> dict[str, Any]:
    """Daemons that are stopped at once and do not copy their logs into pytest's."""
    return {**salt_factories_config, "slow_stop": False, "log_server_level": "CRITICAL"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system that the minion patches: one update at a time is on offer."""
    updates = [package("curl", "7.88-2"), package("openssl", "3.0-2"), package("telnet", "0.17-2")]
    installed = [package("curl", "7.88-1"), package("openssl", "3.0-1"), package("telnet", "0.17-1")]
    return loader_minion.build_root(case(installed, updates), tmp_path_factory.mktemp("system") / "root")


@pytest.fixture(scope="module")
def master(salt_factories: Any, repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A master whose file root is the checkout and whose pillar configures the minion."""
    # Until logging is set up, Salt keeps its messages for a stream that pytest has closed by then.
    salt._logging.shutdown_temp_handler()
    work = tmp_path_factory.mktemp("live")
    pillar = work / "pillar"
    pillar.mkdir()
    (pillar / "top.sls").write_text(json.dumps({"base": {"live-minion": ["patching"]}}))
    settings = {
        "baseline": "mine",
        "baselines": {"mine": STRICT},
        "patch_group": "web",
        "reboot": {"option": "NoReboot"},
    }
    (pillar / "patching.sls").write_text(json.dumps({"ssmpatch": settings}))
    overrides = {
        "file_roots": {"base": [str(loader_minion.file_root(repo, work / "files"))]},
        "pillar_roots": {"base": [str(pillar)]},
        "open_mode": True,
        "auto_accept": True,
    }
    daemon = salt_factories.salt_master_daemon("live-master", overrides=overrides)
    with daemon.started(start_timeout=90):
        yield daemon


@contextlib.contextmanager
def running(master: Any, name: str, settings: dict[str, Any]) -> Iterator[Call]:
    """A minion; ``call(function, …)`` is what the master's CLI gets back from it."""
    daemon = master.salt_minion_daemon(name, overrides={"ssmpatch": settings})
    program = [sys.executable, str(Path(sys.executable).with_name("salt")), "-c", master.config_dir]

    def run(*words: str) -> Any:
        argv = [*program, "--out=json", "--static", "-t", "60", name, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        assert done.stdout.strip(), done.stderr
        found = json.loads(done.stdout)[name]
        assert_plain(found)
        return found

    with daemon.started(start_timeout=90):
        run("saltutil.sync_all")
        yield run


@pytest.fixture(scope="module")
def call(master: Any, root: Path) -> Iterator[Call]:
    """Calls of the minion on a Debian system."""
    with running(master, "live-minion", {"root": str(root)}) as found:
        yield found


def test_every_answer_is_plain_data_that_shows_what_the_pillar_says(call: Call) -> None:
    shown = call("ssmpatch.baseline")
    assert (shown["name"], shown["baseline"]["RejectedPatches"]) == ("strict", ["telnet"])
    report = call("ssmpatch.scan")
    assert report["summary"]["PatchGroup"] == "web" and report["baseline"]["name"] == "strict"
    assert set(call("ssmpatch.plan")["changes"]) == {"curl", "openssl"}
    for words in (["report", "details=True"], ["explain", "telnet"], ["validate"], ["status"], ["history"], ["freeze"]):
        assert call(f"ssmpatch.{words[0]}", *words[1:]) is not None


def test_an_install_tells_the_master_what_it_does(call: Call, master: Any, root: Path, event_listener: Any) -> None:
    began = time.time()
    override = json.dumps({"patches": [{"id": "curl.amd64"}]})
    report = call("ssmpatch.install", f"install_override_list={override}")
    assert report["changes"] == {"curl": {"old": "7.88-1", "new": "7.88-2"}}
    wanted = ["ssmpatch/live-minion/install/start", "ssmpatch/live-minion/install/complete"]
    progress = "ssmpatch/live-minion/install/progress"
    patterns = {(master.id, tag) for tag in (*wanted, progress)}
    found = event_listener.wait_for_events(patterns, timeout=30, after_time=began)
    assert not found.missed
    by_tag = {event.tag: event.data["data"] for event in found.matches}
    complete = by_tag[wanted[1]]
    assert complete["run_id"] == report["run"]["id"] == by_tag[wanted[0]]["run_id"]
    assert complete["compliance"] == report["compliance"]
    assert "openssl.amd64" in complete["non_compliant"]
    assert by_tag[progress]["batches"] == 1
    assert installed_versions(root)["curl"] == "7.88-2"


def test_the_state_brings_the_host_to_where_its_pillar_wants_it(call: Call, root: Path) -> None:
    (first,) = call("state.single", "ssmpatch.compliant", "name=patched").values()
    # telnet is rejected with BLOCK and stays.
    assert (first["result"], first["changes"]) == (False, {"openssl": {"old": "3.0-1", "new": "3.0-2"}})
    (second,) = call("state.single", "ssmpatch.compliant", "name=patched").values()
    assert (second["result"], second["changes"]) == (False, {})
    assert "telnet.amd64" in second["comment"]
    assert installed_versions(root) == {"curl": "7.88-2", "openssl": "3.0-2", "telnet": "0.17-1"}


@pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")
def test_a_minion_with_dnf_is_brought_to_where_its_baseline_wants_it(
    master: Any, tmp_path: Path, event_listener: Any
) -> None:
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch", "locked-1-1.noarch"],
        specs=[Spec("app", requires=["lib >= 2"]), Spec("lib"), Spec("locked")],
        versionlock=["locked-0:1-1.*"],
    )
    settings = {
        "root": str(root),
        "operating_system": "REDHAT_ENTERPRISE_LINUX",
        "product": "RedhatEnterpriseLinux8.6",
        "reboot": {"option": "NoReboot"},
    }
    began = time.time()
    changes = {name: {"old": "0:1-1", "new": "0:2-1"} for name in ("app", "lib")}
    with running(master, "live-rpm-minion", settings) as call:
        assert call("ssmpatch.scan")["summary"]["MissingCount"] == "3"
        (tried,) = call("state.single", "ssmpatch.compliant", "name=patched", "test=True").values()
        assert tried["changes"] == changes
        (done,) = call("state.single", "ssmpatch.compliant", "name=patched").values()
        assert (done["result"], done["changes"]) == (False, changes)
        assert "locked.noarch" in done["comment"]
        (row,) = call("ssmpatch.report", "states=Failed")["patches"]
        assert row["reason"].count("locked by the administrator") == 1
    tag = "ssmpatch/live-rpm-minion/install/complete"
    assert not event_listener.wait_for_events({(master.id, tag)}, timeout=30, after_time=began).missed
    assert rpm_root.installed(root)["app.noarch"] == ["0:2-1"]
    assert rpm_root.installed(root)["locked.noarch"] == ["0:1-1"]
