# SPDX-License-Identifier: Apache-2.0
"""The shell commands of the documentation: the two commands of the README, and what belongs to the master."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

INTERPRETER = Path("/usr/bin/python3")


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [str(each) for each in argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where the quick start keeps everything in these tests; set up once, readable by everybody."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def quickstart(repo: Path, home: Path) -> dict[str, str]:
    """The environment of ``./quickstart``; with the distribution's Python where there is one, as on a fresh host."""
    environment = {"SSMPATCH_QUICKSTART": str(home)}
    if INTERPRETER.exists() and run(INTERPRETER, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 10))"):
        environment["PYTHON"] = str(INTERPRETER)
    return environment


def test_quickstart_scans_a_host(repo: Path, quickstart: dict[str, str]) -> None:
    done = run(repo / "quickstart", **quickstart)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n  Compliance  " in done.stdout
    assert "\n  Patches     " in done.stdout
    assert "Traceback" not in done.stderr


def test_quickstart_runs_any_function(repo: Path, quickstart: dict[str, str]) -> None:
    report = json.loads(run(repo / "quickstart", "scan", "refresh=False", "--out=json", **quickstart).stdout)["local"]
    assert report["compliance"] in ("COMPLIANT", "NON_COMPLIANT", "UNKNOWN")
    stored = json.loads(run(repo / "quickstart", "report", "--out=json", **quickstart).stdout)["local"]
    assert stored["summary"] == report["summary"]
    explained = json.loads(run(repo / "quickstart", "explain", "bash", "--out=json", **quickstart).stdout)["local"]
    assert [entry["id"].partition(".")[0] for entry in explained] == ["bash"]
    planned = run(repo / "quickstart", "plan", "refresh=False", **quickstart)
    assert planned.returncode == 0 and "\n  Plan        " in planned.stdout


def test_quickstart_keeps_to_its_own_directory(repo: Path, quickstart: dict[str, str], home: Path) -> None:
    own = [Path("/etc/salt/minion_id"), Path("/var/lib/ssmpatch"), Path("/var/log/amazon/ssm/patch-configuration")]
    before = [path.exists() for path in own]
    assert run(repo / "quickstart", "scan", "refresh=False", **quickstart).returncode == 0
    assert [path.exists() for path in own] == before
    assert (home / "state").is_dir()


@pytest.mark.root
@pytest.mark.skipif(not INTERPRETER.exists(), reason="needs a Python that every user may run")
def test_quickstart_works_for_an_ordinary_user(repo: Path, quickstart: dict[str, str], home: Path) -> None:
    """With the Python environment that is there already, so that it is not set up twice."""
    assert run(repo / "quickstart", "test.ping", **quickstart).returncode == 0
    with tempfile.TemporaryDirectory() as own:
        (Path(own) / "python").symlink_to(home / "python")
        shutil.copy(home / "python.lock", own)
        for path in (Path(own), Path(own) / "python.lock"):
            shutil.chown(path, "nobody")
        command = ["runuser", "-u", "nobody", "--", str(repo / "quickstart"), "--out=json"]
        done = run(*command, **{**quickstart, "SSMPATCH_QUICKSTART": own, "HOME": own})
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = json.loads(done.stdout)["local"]["warnings"]
    assert any("root" in warning for warning in warnings), warnings


def test_the_master_gets_its_parts(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/cache/salt/master/proc").mkdir(parents=True)  # the master's daemon makes it
    master = {"root_dir": str(tmp_path), "file_roots": {"base": [str(repo)]}, "user": getpass.getuser()}
    (tmp_path / "etc" / "master").write_text(json.dumps(master))
    program = Path(sys.executable).parent / "salt-run"
    done = run(program, f"--config-dir={tmp_path / 'etc'}", "--out=json", "saltutil.sync_all")
    assert done.returncode == 0, done.stdout + done.stderr
    synced = json.loads(done.stdout)
    assert "runners.ssmpatch" in synced["runners"]
    assert "output.ssmpatch" in synced["output"]


def test_run_tests_hands_arguments_to_pytest(repo: Path) -> None:
    if not (repo / ".venv" / "salt-3008" / "requirements").exists():
        pytest.skip("./run-tests has not been run in this checkout")
    done = run(repo / "run-tests", "tests/unit/test_house.py", "-k", "change_log", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
