# SPDX-License-Identifier: Apache-2.0
"""The shell commands of the documentation: the two commands of the README, and what belongs to the master."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

INTERPRETER = Path("/usr/bin/python3")


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [str(each) for each in argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the quick start keeps everything in these tests; set up once, readable by everybody."""
    directory = tmp_path_factory.mktemp("quickstart")
    for parent in (directory, directory.parent, directory.parent.parent):
        parent.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


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
def test_quickstart_works_for_an_ordinary_user(
    repo: Path, quickstart: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("ordinary")
    (home / "python").symlink_to(Path(quickstart["SSMPATCH_QUICKSTART"]) / "python")
    shutil.copy(Path(quickstart["SSMPATCH_QUICKSTART"]) / "python.lock", home)
    shutil.chown(home, "nobody")
    (home / "python.lock").chmod(0o666)
    command = ["runuser", "-u", "nobody", "--", str(repo / "quickstart"), "--out=json"]
    done = run(*command, **{**quickstart, "SSMPATCH_QUICKSTART": str(home), "HOME": str(home)})
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)["local"]
    assert any("root" in warning for warning in report["warnings"])


def test_the_master_gets_its_parts(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    master = {"root_dir": str(tmp_path), "file_roots": {"base": [str(repo)]}, "user": ""}
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
