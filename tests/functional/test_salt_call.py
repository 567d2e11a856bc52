# SPDX-License-Identifier: Apache-2.0
"""The whole command, as users run it: synced from a file root, tables and JSON, return codes, errors."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.store.lock import AWS_LOCK_NAME
from support import loader_minion
from support.aws import ssm_server
from support.aws.basics import DEBIAN_BASELINE, INSTANCE, KEY, REGION
from support.loader_minion import STRICT, hard_case, simple_case

SaltCall = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a masterless minion lives that has synced the checkout's loader directories."""
    directory = tmp_path_factory.mktemp("salt-call")
    loader_minion.file_root(repo, directory / "files")
    configure(directory, Path("/nonexistent"), {})
    done = run(directory, "saltutil.sync_all", "--out=json")
    assert "modules.ssmpatch" in json.loads(done.stdout)["local"]["modules"], done.stderr
    return directory


def configure(home: Path, root: Path, pillar: dict[str, Any]) -> None:
    """Write the minion's configuration and its pillar."""
    minion = {
        "id": "minion",
        "root_dir": str(home),
        "file_client": "local",
        "file_roots": {"base": [str(home / "files")]},
        "pillar_roots": {"base": [str(home / "pillar")]},
        "ssmpatch": {"root": str(root)},
    }
    for directory in (home / "etc", home / "pillar"):
        directory.mkdir(exist_ok=True)
    (home / "etc/minion").write_text(json.dumps(minion))
    (home / "pillar/top.sls").write_text(json.dumps({"base": {"*": ["minion"]}}))
    (home / "pillar/minion.sls").write_text(json.dumps({"ssmpatch": pillar}))


def run(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run ``salt-call --local`` away from the checkout, as wide as the table is made for."""
    program = Path(sys.executable).with_name("salt-call")
    command = [sys.executable, str(program), "--local", f"--config-dir={home}/etc", "--retcode-passthrough", *argv]
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COLUMNS")}
    return subprocess.run(command, capture_output=True, text=True, cwd=home, env=env, timeout=120)


@pytest.fixture
def salt_call(home: Path, tmp_path: Path) -> SaltCall:
    """``salt_call(case, pillar)`` makes the command for a root built from ``case``."""

    def make(case: dict[str, Any], pillar: dict[str, Any] | None = None) -> Callable[..., Any]:
        configure(home, loader_minion.build_root(case, tmp_path / "root"), pillar or {})
        return lambda *argv: run(home, *argv)

    return make


def data(done: subprocess.CompletedProcess[str]) -> Any:
    """What ``--out=json`` printed: the return and nothing else."""
    assert loader_minion.MASKED not in done.stdout
    return json.loads(done.stdout)["local"]


def test_scan_prints_a_table_and_json_is_exact(salt_call: SaltCall, tmp_path: Path, home: Path) -> None:
    call = salt_call(simple_case())
    table = call("ssmpatch.scan")
    assert (table.returncode, table.stderr) == (0, "")
    lines = table.stdout.splitlines()
    assert lines[0] == "local:"
    assert any(line.split() == ["Compliance", "NON_COMPLIANT"] for line in lines)
    assert max(map(len, lines)) <= 100
    found = call("ssmpatch.report", "details=True", "--out=json")
    assert (found.returncode, found.stderr) == (0, "")
    (stored,) = (tmp_path / "root/var/lib/ssmpatch").glob("report-*.json")
    kept = json.loads(stored.read_text())
    report = data(found)
    del report["next_open"]
    assert report in (kept, kept.get("report")), "the report that was stored is the one that is printed"
    version = data(call("ssmpatch.version", "--out=json"))
    assert Path(version["engine"]).is_relative_to(home), "the engine is the one that was synced"


@pytest.mark.root
def test_failed_packages_make_the_return_code_1(salt_call: SaltCall) -> None:
    call = salt_call(hard_case(), {"baseline": STRICT})
    scanned = call("ssmpatch.scan", "--out=json")
    assert scanned.returncode == 0
    assert data(scanned)["compliance"] == "NON_COMPLIANT"
    installed = call("ssmpatch.install", "--out=json")
    assert installed.returncode == 1
    assert data(installed)["summary"]["FailedCount"] == "2"
    assert data(installed)["changes"]["curl"] == {"old": "7.88-1", "new": "7.88-2"}
    applied = call("state.single", "ssmpatch.compliant", "name=patched", "--out=json")
    assert applied.returncode == 2, "Salt's own code for a failed state"
    (state,) = data(applied).values()
    assert state["result"] is False and "broken.amd64" in state["comment"]


def test_errors_are_one_sentence_and_no_traceback(salt_call: SaltCall) -> None:
    call = salt_call(simple_case(), {"lock_timeout": -1})
    for argv, words in (
        (["ssmpatch.scan"], "lock_timeout"),
        (["ssmpatch.scan", "basline_override=x"], "basline_override"),
        (["ssmpatch.report"], "lock_timeout"),
        (["ssmpatch.report", "states=Mising"], "Mising"),
        (["ssmpatch.reboot", "force=flase"], "force: 'flase' is not allowed; use true or false"),
    ):
        done = call(*argv)
        assert done.returncode != 0
        assert words in done.stderr + done.stdout
        assert "Traceback" not in done.stderr + done.stdout


def test_the_pillar_is_never_masked(salt_call: SaltCall) -> None:
    call = salt_call(simple_case(), {"baseline": "mine", "baselines": {"mine": STRICT}, "patch_group": "web"})
    shown = data(call("ssmpatch.baseline", "--out=json"))
    assert (shown["name"], shown["baseline"]["RejectedPatches"]) == ("strict", ["telnet"])
    assert data(call("ssmpatch.scan", "--out=json"))["summary"]["PatchGroup"] == "web"


def test_an_error_is_one_sentence_and_nothing_else(salt_call: SaltCall) -> None:
    call = salt_call(simple_case())
    for function, argument, sentence in (
        ("scan", "refesh=True", "refesh=True: no such argument; did you mean refresh?"),
        ("explain", "--out=json", "name: missing; use a value"),
        ("scan", "upload=alwyas", "upload: 'alwyas' is not allowed; use auto, always or never (did you mean always?)"),
    ):
        done = call(f"ssmpatch.{function}", argument)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error running 'ssmpatch.{function}': ssmpatch.{function}: {sentence} [code 1]\n"


def test_an_error_of_configuration_is_nothing_but_its_sentences(salt_call: SaltCall) -> None:
    done = salt_call(simple_case(), {"reboot": {"option": "NoRebot", "window": []}})("ssmpatch.scan")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "Error running 'ssmpatch.scan': configuration: 2 problems:",
        "  ssmpatch:reboot:option: 'NoRebot' is not allowed; use RebootIfNeeded, NoReboot or RebootIfRequired "
        "(did you mean NoReboot?)",
        "  ssmpatch:reboot: unknown key 'window'; did you mean windows? [code 1]",
    ]


@pytest.mark.parametrize("code", [4, 150, 161])
def test_an_error_ends_with_1_and_its_text_with_the_code(
    salt_call: SaltCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Salt knows no more than 1 for a raised error, whatever the code is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    lock = tmp_path / "ssm" / AWS_LOCK_NAME
    lock.parent.mkdir()
    with ssm_server.serving() as server, lock.open("w") as held:
        server.instances.add(INSTANCE)
        elsewhere = server.add_baseline({**DEBIAN_BASELINE, "OperatingSystem": "SUSE"})
        server.node_baseline[INSTANCE] = elsewhere
        aws = {"baseline": "aws", "aws": {"region": REGION, "instance_id": INSTANCE, "endpoint_url": server.url}}
        pillar = {4: {}, 150: aws, 161: {"baseline_override": str(tmp_path / "override.json")}}[code]
        (tmp_path / "override.json").write_text('{"OperatingSystem": "DEBIAN"}')
        if code == 4:
            fcntl.flock(held, fcntl.LOCK_EX)
        call = salt_call(
            simple_case(), {**pillar, "lock_timeout": 1, "aws_dir": str(tmp_path / "ssm" / "patch-configuration")}
        )
        done = call("ssmpatch.scan")
    assert done.returncode == 1, done.stderr + done.stdout
    said = (done.stderr + done.stdout).strip()
    assert said.endswith(f"[code {code}]")
    assert "Passed invalid arguments" not in said
    assert "CLI Example" not in said


def test_validate_says_that_all_is_valid_and_fails_where_not(salt_call: SaltCall, home: Path) -> None:
    done = salt_call(simple_case())("ssmpatch.validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "local:\n  Valid       configuration and baseline; no problem was found\n"
    configure(home, Path("/nonexistent"), {"baseline": "defualt"})
    done = run(home, "ssmpatch.validate")
    assert done.returncode == 1
    assert done.stdout.splitlines()[2] == "  1 problem" and "did you mean default?" in done.stdout
