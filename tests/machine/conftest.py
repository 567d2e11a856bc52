# SPDX-License-Identifier: Apache-2.0
"""The base system of the machines, built once for all checkouts of this user, and a machine for each test."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import machine
from support.machine import Machine
from support.machine_host import MachineHost
from support.machine_master import master


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base system; $SSMPATCH_CACHE or ~/.cache/ssmpatch keeps it."""
    machine.require()
    cache = Path(os.environ.get("SSMPATCH_CACHE") or Path.home() / ".cache/ssmpatch")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "machine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = machine.build(cache)
    # Whether this host can boot one at all is asked of the bare system, which has nothing of ours.
    with machine.machine(root, tmp_path_factory.mktemp("probe"), "probe") as probe:
        try:
            probe.boot(seconds=90)
        except (AssertionError, subprocess.TimeoutExpired) as exc:
            console = probe.console.read_text(errors="replace")[-500:]
            pytest.skip(f"systemd-nspawn boots no machine here: {exc} {console}")
    return root


@pytest.fixture
def vm(base: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine that is not started yet."""
    with machine.machine(base, tmp_path, "vm") as made:
        yield made


@pytest.fixture
def host(vm: Machine) -> Iterator[MachineHost]:
    """The machine as a minion of a master; the paths of the master's sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="master-") as directory, master(Path(directory)) as made:
        yield MachineHost(vm, made)
