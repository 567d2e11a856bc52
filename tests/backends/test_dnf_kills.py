# SPDX-License-Identifier: Apache-2.0
"""The engine, or dnf with it, is killed in the middle of a transaction; what comes next finishes it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssmpatchlib import api
from support import dnf_root, rpm_root
from support.operations import states
from support.rpm_build import Spec
from support.store import ENGINE

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

NAMES = ("first", "slow", "third")
#: Says that it has begun, and takes its time.
SLOW = "io.open('/begun', 'w'):close(); posix.sleep(3)"
CODE = "import sys; from pathlib import Path; from support import dnf_root\ndnf_root.install(Path(sys.argv[1]))"
PATIENCE = 60


def build(path, **slow):
    """Three updates, of which the second takes three seconds in one of its scripts."""
    return dnf_root.build(
        path / "root",
        installed=[f"{name}-1-1.noarch" for name in NAMES],
        specs=[Spec("first"), Spec("slow", requires=["first >= 2"], **slow), Spec("third", requires=["slow >= 2"])],
    )


@contextlib.contextmanager
def installing(root):
    """The engine, installing, in the middle of the slow update."""
    path = os.pathsep.join(map(str, (ENGINE, Path(__file__).parents[1])))
    env = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", CODE, str(root)], env=env, start_new_session=True) as engine:
        deadline = time.monotonic() + PATIENCE
        while not (root / "begun").exists():
            assert engine.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield engine
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)


def kill_dnf(root):
    """End every dnf that works on a root at once."""
    found = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if f"--installroot={root}\0".encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
    return found


@pytest.mark.parametrize("follower", ["resume", "install"])
def test_dnf_outlives_the_engine_and_is_waited_for(tmp_path, follower):
    root = build(tmp_path, lua_pre=SLOW)
    with installing(root) as engine:
        os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()
        if follower == "resume":
            resumed = api.resume(dnf_root.settings(root), caller=api.Caller())
            assert set(states(resumed["report"]).values()) == {"InstalledPendingReboot"}
        else:
            assert dnf_root.install(root)["changes"] == {}
    assert rpm_root.installed(root) == {f"{name}.noarch": ["0:2-1"] for name in NAMES}
    assert rpm_root.database_is_sound(root)


@pytest.mark.parametrize("script", ["lua_pre", "lua_post"])
def test_dnf_dies_with_the_engine(tmp_path, script):
    """Killed before the new version is in, and before the old one is out."""
    root = build(tmp_path, **{script: SLOW})
    with installing(root) as engine:
        os.killpg(engine.pid, signal.SIGKILL)
        assert kill_dnf(root)
        engine.wait()
    assert rpm_root.installed(root)["third.noarch"] == ["0:1-1"]
    api.resume(dnf_root.settings(root), caller=api.Caller())
    report = dnf_root.install(root)
    assert set(states(report).values()) <= {"Installed", "InstalledPendingReboot"}
    assert rpm_root.installed(root) == {f"{name}.noarch": ["0:2-1"] for name in NAMES}
    assert rpm_root.database_is_sound(root)
    assert dnf_root.install(root)["changes"] == {}
