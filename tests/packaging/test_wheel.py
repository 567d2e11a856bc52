# SPDX-License-Identifier: Apache-2.0
"""The two ways onto a minion: the wheel in a fresh environment, and a sync from the checkout as a file root."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import salt.version

from support.demo_host import build_archive, build_host

LOADERS = {
    "modules": "_modules",
    "states": "_states",
    "output": "_output",
    "runners": "_runners",
    "beacons": "_beacons",
}


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, cwd=cwd, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` directory of a fresh environment with the same line of Salt and the wheel, and nothing else."""
    major = salt.version.__saltstack_version__.major
    home = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", home)
    run(home / "bin" / "python", "-m", "pip", "install", "-qq", f"salt>={major},<{major + 1}", wheel)
    return home / "bin"


def minion(directory: Path, **options: Any) -> Path:
    """A configuration directory of a masterless minion that keeps everything below ``directory``."""
    (directory / "etc").mkdir(parents=True)
    configuration = {"id": "packaged", "root_dir": str(directory), "file_client": "local", **options}
    (directory / "etc" / "minion").write_text(json.dumps(configuration))
    return directory / "etc"


def salt_call(program: Path, configuration: Path, *argv: str) -> Any:
    """The return of one call, run away from the checkout so that nothing is found by accident."""
    text = run(program, "--local", f"--config-dir={configuration}", "--out=json", *argv, cwd=configuration)
    return json.loads(text)["local"]


def test_the_wheel_has_everything_that_the_checkout_has(wheel: Path, repo: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        entry_points = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("/entry_points.txt"))
    engine = {str(path.relative_to(repo / "_utils")) for path in (repo / "_utils").rglob("*.py")}
    loaders = {
        f"ssmpatchlib/{loader}/{path.name}"
        for loader, folder in LOADERS.items()
        for path in (repo / folder).glob("*.py")
    }
    assert shipped == engine | loaders | {"ssmpatchlib/py.typed"}
    assert "ssmpatch = ssmpatchlib" in entry_points
    assert "Requires-Python: >=3.10" in metadata
    assert not [
        line for line in metadata.splitlines() if line.startswith("Requires-Dist: boto3") and "extra" not in line
    ]


def test_an_installed_wheel_needs_no_file_roots(environment: Path, tmp_path: Path) -> None:
    configuration = minion(tmp_path)
    version = salt_call(environment / "salt-call", configuration, "ssmpatch.version")
    assert Path(version["engine"]).is_relative_to(environment.parent)
    assert salt_call(environment / "salt-call", configuration, "ssmpatch.validate") == []
    described = run(environment / "salt-call", "--local", f"--config-dir={configuration}", "ssmpatch.baseline")
    assert "Invalid outputter" not in described


@pytest.mark.root
def test_a_wheel_scans_and_installs_without_boto3(environment: Path, tmp_path: Path) -> None:
    missing = subprocess.run([environment / "python", "-c", "import boto3"], capture_output=True, timeout=60)
    assert missing.returncode, "the fresh environment must not have boto3 for this test to say anything"
    loaded = run(environment / "python", "-c", "import ssmpatchlib.api, sys; print('boto3' in sys.modules)")
    assert loaded.strip() == "False"
    host = build_host(tmp_path / "root", tmp_path / "minion", build_archive(tmp_path / "archive"), repo=None)
    host = dataclasses.replace(host, programs=environment)
    assert json.loads(host.salt_call("ssmpatch.scan", "--out=json").stdout)["local"]["compliance"] == "NON_COMPLIANT"
    installed = json.loads(host.salt_call("ssmpatch.install", "--out=json").stdout)["local"]
    assert installed["compliance"] == "COMPLIANT"
    assert installed["changes"]["openssl"]
    table = host.salt_call("ssmpatch.report").stdout
    assert "\n  Compliance  COMPLIANT\n" in table


def test_a_checkout_as_file_root_is_synced_and_runs(repo: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "salt-call"
    configuration = minion(tmp_path, file_roots={"base": [str(repo)]})
    synced = salt_call(program, configuration, "saltutil.sync_all")
    assert "modules.ssmpatch" in synced["modules"]
    assert "states.ssmpatch" in synced["states"]
    assert "output.ssmpatch" in synced["output"]
    engine = {
        "utils." + ".".join(path.relative_to(repo / "_utils").with_suffix("").parts)
        for path in (repo / "_utils").rglob("*.py")
    }
    assert engine <= set(synced["utils"])
    version = salt_call(program, configuration, "ssmpatch.version")
    assert Path(version["engine"]).is_relative_to(tmp_path)
