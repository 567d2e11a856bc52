# SPDX-License-Identifier: Apache-2.0
"""The page about advisories: its command, run by the real salt-run on the samples of two vendors."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssmpatchlib.times import aws_time
from support import osv
from support.examples import Command, Run, blocks

pytestmark = pytest.mark.slow


SYSTEMD = "docs/examples/fleet/systemd"


def make_master(repo: Path, tmp_path: Path) -> Path:
    """A master's configuration with exports and a file root; returns the directory that it lies in."""
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "cache" / "proc").mkdir(parents=True)
    yesterday = aws_time(time.time() - 86400)
    records = [{**each, "modified": yesterday} for each in osv.samples()]
    export = osv.write_zip(tmp_path / "all.zip", [*records, osv.record("LSN-0100-1")])
    kev = {"vulnerabilities": [{"cveID": "CVE-2024-6387", "dateAdded": "2024-07-02"}]}
    (tmp_path / "kev.json").write_text(json.dumps(kev))
    paths = {"cachedir": "cache", "sock_dir": "sock", "pki_dir": "pki", "log_file": "log"}
    configuration = {
        "root_dir": str(tmp_path),
        "file_roots": {"base": [str(files)]},
        "runner_dirs": [str(repo / "_runners")],
        "utils_dirs": [str(repo / "_utils")],
        "ssmpatch": {
            "advisories": {
                "sources": [str(export)],
                "releases": ["DEBIAN-12", "UBUNTU-22.04"],
                "exploited": str(tmp_path / "kev.json"),
            }
        },
        **{key: str(tmp_path / name) for key, name in paths.items()},
    }
    (tmp_path / "master").write_text(json.dumps(configuration))
    return tmp_path


def run(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A line as the master's administrator types it."""
    program, *words = shlex.split(line)
    argv = [str(Path(sys.executable).with_name(Path(program).name)), f"--config-dir={directory}", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300)


def test_the_page(repo: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    directory = make_master(repo, tmp_path)

    def printed(command: Command) -> str:
        done = run(command.line, directory)
        assert done.returncode == 0, done.stdout + done.stderr
        return in_general(done.stdout.strip("\n"))

    page = Run(bool(request.config.getoption("--rewrite-examples")))
    (block,) = [each for each in blocks(repo / "docs" / "fleet" / "5-advisories.md") if each.marker == "tested"]
    page.console(block, printed)
    page.end()


def test_the_service_fails_when_an_export_is_damaged(repo: Path, tmp_path: Path) -> None:
    unit = (repo / SYSTEMD / "ssmpatch-advisories.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    directory = make_master(repo, tmp_path)
    assert run(line, directory).returncode == 0
    export = tmp_path / "all.zip"
    export.write_bytes(export.read_bytes()[:-100])
    done = run(line, directory)
    assert done.returncode == 1 and "all.zip" in done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_knows_when(repo: Path) -> None:
    timer = (repo / SYSTEMD / "ssmpatch-advisories.timer").read_text()
    (when,) = re.findall(r"^OnCalendar=(.+)$", timer, re.MULTILINE)
    done = subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Next elapse" in done.stdout, done.stderr


def in_general(text: str) -> str:
    """What is printed without what depends on the day and on the library that compresses."""
    text = re.sub(r"(age: ).*", r"\g<1>1 day", text)
    text = re.sub(r"(data_time: ).*", r"\g<1>'2026-11-19T11:00:05Z'", text)
    text = re.sub(r"(size: )\d+", r"\g<1>528", text)
    return re.sub(r"(sha256: )\w+", r"\g<1>0c7d…", text)
