# SPDX-License-Identifier: Apache-2.0
"""What an operation loads: nothing that it does not need, since loading takes longer than a small scan."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api
from support import apt_root, suse_root

ENGINE = Path(__file__).resolve().parents[2] / "_utils"
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api, errors
settings = api.load_settings(json.loads(sys.argv[2]), {}, {})
try:
    getattr(api, sys.argv[3])(settings, caller=api.Caller())
except errors.NoReport:
    pass
print(json.dumps(sorted(sys.modules)))
"""
CASE: dict[str, Any] = {
    "installed": [{"name": "curl", "arch": "amd64", "version": "1"}],
    "repositories": [
        {"id": "main", "suite": "stable", "packages": [{"name": "curl", "arch": "amd64", "version": "1"}]}
    ],
}
#: What few operations need.
RARE = {"ssl", "http.client", "urllib.request", "email", "zoneinfo", "difflib", "yaml", "boto3", "sqlite3", "xml"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return apt_root.build(CASE, str(tmp_path_factory.mktemp("lazy") / "root"))


APT = {"operating_system": "DEBIAN", "product": "Debian12", "package_manager": "apt"}
ZYPPER = {"operating_system": "SUSE", "product": "Suse15.3", "package_manager": "zypper"}


def loaded(root: str, operation: str, system: dict[str, str] = APT) -> set[str]:
    settings = {"root": root, **system}
    argv = [sys.executable, "-c", PROGRAM, str(ENGINE), json.dumps(settings), operation]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("operation", ["report", "status", "history"])
def test_what_the_state_directory_answers_loads_no_package_manager(root: str, operation: str) -> None:
    modules = loaded(root, operation)
    assert not RARE & modules
    rooms = {name.split(".")[1] for name in modules if name.startswith("ssmpatchlib.")}
    assert not rooms & {"backends", "evaluate", "fetch", "osinfo", "aws", "fleet", "patterns"}


def test_a_scan_loads_neither_what_installs_nor_what_fetches(root: str) -> None:
    modules = loaded(root, "scan")
    assert not RARE & modules
    assert "ssmpatchlib.backends.apt.inventory" in modules
    unneeded = {"fetch_https", "operation.install", "backends.apt.solver", "backends.apt.install", "fleet", "aws"}
    assert not {f"ssmpatchlib.{name}" for name in unneeded} & modules
    assert not {name for name in modules if name.startswith("ssmpatchlib.patching.")}
    assert not {f"ssmpatchlib.backends.{name}" for name in ("dnf", "zypper", "rpm")} & modules


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")
def test_a_scan_with_zypper_loads_nothing_that_installs(tmp_path: Path) -> None:
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    modules = loaded(str(root), "scan", ZYPPER)
    assert not RARE & modules
    assert "ssmpatchlib.backends.zypper.inventory" in modules
    unneeded = {"zypper.solver", "zypper.install", "zypper.repair", "zypper.impossible", "apt", "dnf"}
    assert not {f"ssmpatchlib.backends.{name}" for name in unneeded} & modules
    assert not {name for name in modules if name.startswith("ssmpatchlib.patching.")}


@pytest.mark.parametrize("name", api.__all__)
def test_every_function_is_where_it_is_looked_for(name: str) -> None:
    assert callable(getattr(api, name))


WITHOUT_ENGINE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("loaded", sys.argv[1])
loaded = importlib.util.module_from_spec(spec)
vars(loaded).update(__opts__={"root_dir": sys.argv[2]}, __salt__={}, __context__={})
spec.loader.exec_module(loaded)
print(*loaded.__virtual__())
"""


def without_engine(file: str, *, root_dir: str) -> subprocess.CompletedProcess[str]:
    """What a loader module says where there is no engine, on a minion that lives in ``root_dir``."""
    argv = [sys.executable, "-I", "-c", WITHOUT_ENGINE, str(ENGINE.parent / file), root_dir]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        ("_modules/ssmpatch.py", "run saltutil.sync_all"),
        ("_states/ssmpatch.py", "run saltutil.sync_all"),
        ("_runners/ssmpatch.py", "run salt-run saltutil.sync_all"),
    ],
)
def test_what_salt_loads_is_read_without_the_engine_and_says_how_to_get_it(file: str, remedy: str) -> None:
    done = without_engine(file, root_dir="/")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"False the (engine|execution module) .*; {remedy}\n", done.stdout), done.stdout


def test_under_salt_ssh_the_module_says_what_helps_there() -> None:
    said = without_engine("_modules/ssmpatch.py", root_dir="/var/tmp/.root_9d2c41_salt/running_data").stdout
    for remedy in ("salt-pip install salt-ssmpatch", "--regen-thin", "thin_extra_mods: ssmpatchlib"):
        assert remedy in said
    assert "sync_all" not in said
