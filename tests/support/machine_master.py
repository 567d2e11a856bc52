# SPDX-License-Identifier: Apache-2.0
"""A Salt master for machines that boot: it listens on the loopback device, which they share with this host."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.daemons import await_port, end, free_ports
from support.loader_minion import LOADER_DIRECTORIES
from support.real_root import REPO


@dataclass(frozen=True)
class Master:
    """A running master: its configuration's directory, the ports for publishing and for returns, its process id."""

    directory: Path
    ports: tuple[int, int]
    pid: int

    @property
    def minion(self) -> dict[str, Any]:
        """The configuration of a minion of this master."""
        return {
            "master": "127.0.0.1",
            "publish_port": self.ports[0],
            "master_port": self.ports[1],
            "acceptance_wait_time": 1,
            "random_reauth_delay": 1,
            "recon_default": 100,
            "recon_max": 1000,
            "log_level_logfile": "info",
        }

    def pillar(self, data: Mapping[str, Any]) -> None:
        """Let the pillar of every minion be this."""
        (self.directory / "pillar/all.sls").write_text(json.dumps(data))

    def state(self, name: str, data: Mapping[str, Any]) -> None:
        """Let there be this state."""
        (self.directory / f"states/{name}.sls").write_text(json.dumps(data))

    def command(self, program: str, *words: str) -> list[str]:
        """The argv of one of Salt's programs for this master."""
        return _command(program, self.directory, *words)

    def salt(self, *words: str, timeout: float = 120) -> str:
        """What ``salt`` prints."""
        done = subprocess.run(self.command("salt", *words), capture_output=True, text=True, timeout=timeout)
        return done.stdout + done.stderr

    def call(self, minion: str, *words: str, timeout: int = 100) -> Any:
        """What a function returns on a minion; None where it does not answer."""
        with contextlib.suppress(ValueError, subprocess.TimeoutExpired):
            text = self.salt("--out=json", "--static", "-t", str(timeout), minion, *words, timeout=timeout + 60)
            return json.loads(text[text.index("{") :]).get(minion)
        return None


def _command(program: str, directory: Path, *words: str) -> list[str]:
    return [sys.executable, str(Path(sys.executable).with_name(program)), "-c", str(directory), *words]


@contextlib.contextmanager
def master(directory: Path, **more: Any) -> Iterator[Master]:
    """A master with the checkout as its file root, which accepts every key; ``more`` is configuration."""
    publish, answer = free_ports(2)
    for name in ("states", "pillar"):
        (directory / name).mkdir(parents=True)
    for name in (*LOADER_DIRECTORIES, "_runners"):
        (directory / "states" / name).symlink_to(REPO / name)
    (directory / "pillar/top.sls").write_text(json.dumps({"base": {"*": ["all"]}}))
    (directory / "pillar/all.sls").write_text("{}")
    config = {
        "interface": "127.0.0.1",
        "publish_port": publish,
        "ret_port": answer,
        "root_dir": str(directory),
        "user": "root",
        "auto_accept": True,
        "file_roots": {"base": [str(directory / "states")]},
        "pillar_roots": {"base": [str(directory / "pillar")]},
        "fileserver_followsymlinks": True,
        "worker_threads": 2,
        **more,
    }
    (directory / "master").write_text(json.dumps(config))
    with open(directory / "console", "wb") as console:
        process = subprocess.Popen(
            _command("salt-master", directory), stdout=console, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        await_port(answer, process, log=directory / "console")
        yield Master(directory, (publish, answer), process.pid)
    finally:
        end(process)
