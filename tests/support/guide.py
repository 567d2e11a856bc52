# SPDX-License-Identifier: Apache-2.0
"""A machine on which a page is followed: its commands and configuration as they stand there, with real daemons."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import demo_host
from support.daemons import end, free_ports
from support.examples import Run, blocks
from support.shown import canonical, without_warnings

REPO = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
ADDRESS = "https://git.example.com/ssmpatch.git"
_SECONDS = re.compile(r"(?<![\d.])\d+ (s|min)\b")
_OF_A_MINION = re.compile(r"    \w+\d +tool\.amd64 ")
_INCLUDE = re.compile(r"```\{literalinclude\} (\S+)\n:caption: (/srv/\S+)\n")


@dataclass
class Machine:
    """One machine with the places of the pages below ``work``; ``systemctl restart`` starts Salt's real programs."""

    work: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out what Salt's packages would have laid out; what is set besides only makes tests quicker."""
        for name in ("etc/salt/master.d", "etc/salt/minion.d", "srv/salt", "srv/pillar"):
            (self.work / name).mkdir(parents=True)
        publish, answer = free_ports(2)
        common = {"root_dir": str(self.work), "user": getpass.getuser()}
        self.master = {
            **common,
            **{"interface": "127.0.0.1", "publish_port": publish, "ret_port": answer, "worker_threads": 3},
            "file_roots": {"base": [str(self.work / "srv/salt")]},
            "pillar_roots": {"base": [str(self.work / "srv/pillar")]},
            **{"timeout": 60, "gather_job_timeout": 60, "fileserver_list_cache_time": 0},
        }
        self.minion = {**common, "master_port": answer, "publish_port": publish, "acceptance_wait_time": 1}
        self.minion |= {"loop_interval": 1, "random_startup_delay": 0, "id": demo_host.MINION}
        self.minion["pillar_roots"] = {"base": [str(self.work / "srv/pillar")]}
        self.configure_master()
        self.places = {
            f"file://{self.work}/origin": ADDRESS,
            f"{self.work}/srv/": "/srv/",
            f"{self.work}/etc/salt/": "/etc/salt/",
            "127.0.0.1": "salt.example.com",
        }

    def configure_master(self, **options: Any) -> None:
        """Write the configuration of the master."""
        (self.work / "etc/salt/master").write_text(json.dumps({**self.master, **options}))

    def configure(self, name: str = "", **options: Any) -> Path:
        """Write the configuration of the minion, or of another minion of this ``name``; return its directory."""
        directory = self.work / name / "etc/salt"
        directory.mkdir(parents=True, exist_ok=True)
        own = {"id": name, "root_dir": str(self.work / name), "master": "127.0.0.1"} if name else {}
        (directory / "minion").write_text(json.dumps({**self.minion, **own, **options}))
        return directory

    def real(self, text: str) -> str:
        """The text of a page with the places of this machine."""
        for real, shown in self.places.items():
            text = text.replace(shown, real)
        return text

    def write(self, path: str, text: str) -> None:
        """Write a file of a page."""
        place = Path(self.real(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self.real(text))

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of a page, as it stands there but for the places."""
        self._await(line)
        restart = re.fullmatch(r"systemctl restart (salt-\w+)", line)
        if restart:
            self.start(restart[1])
            line = "true"
        argv = ["bash", "-c", self.real(line)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=300, env=self._environment())

    def start(self, unit: str, directory: Path | None = None) -> None:
        """Start a daemon of Salt, or start it anew."""
        directory = directory or self.work / "etc/salt"
        name = f"{unit} {directory}"
        if name in self.daemons:
            end(self.daemons.pop(name), patience=0)
        argv = [PROGRAMS / unit, "-c", directory, "--log-level=warning"]
        with (self.work / f"{unit}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        """End all daemons."""
        while self.daemons:
            end(self.daemons.popitem()[1], patience=0)

    def wait(self, what: Callable[[], Any], *, seconds: float = 120) -> None:
        """Wait until ``what`` is true.

        Raises:
            AssertionError: it was not in time; with what the daemons have said.
        """
        deadline = time.monotonic() + seconds
        while not what():
            logs = "\n".join(path.read_text()[-4000:] for path in self.work.glob("*.log"))
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{logs}"
            time.sleep(0.2)

    def answers(self, *minions: str) -> bool:
        """Whether these minions answer the master, and no others."""
        done = subprocess.run(
            [PROGRAMS / "salt", "*", "test.ping", "--static", "--out=json", "-t", "5"],
            capture_output=True,
            text=True,
            timeout=120,
            env=self._environment(),
        )
        try:
            return bool(json.loads(done.stdout) == dict.fromkeys(minions, True))
        except json.JSONDecodeError:
            return False

    def _await(self, line: str) -> None:
        """Wait for what a person waits for before the next command."""
        keys = self.work / "etc/salt/pki/master"
        if line == "salt-key --list all":
            self.wait(lambda: any((keys / "minions_pre").glob("*")))
        elif line.startswith("salt '*' test.ping"):
            self.wait(lambda: self.answers(*(path.name for path in (keys / "minions").iterdir())))

    def _environment(self) -> dict[str, str]:
        own = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "SALT_CONFIG_DIR": str(self.work / "etc/salt")}
        return {key: value for key, value in {**os.environ, **own, **self.environment}.items() if key != "COLUMNS"}


def repository(work: Path) -> None:
    """What is behind the address of the repository: this checkout as one commit with the tag of the pages."""
    origin = work / "origin"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "tests", "benchmarks")
    shutil.copytree(REPO, origin, ignore=ignored)
    git = ["git", "-C", str(origin), "-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *words], check=True, timeout=60)


def place_included_files(page: Path, machine: Machine) -> None:
    """Put the example files that a page shows where it says that they lie."""
    for source, target in _INCLUDE.findall(page.read_text()):
        machine.write(target, (page.parent / source).read_text())


def follow(
    page: Path, machine: Machine, test: str, *, rewrite: bool, places: Mapping[str, str] | None = None
) -> list[str]:
    """Do what a page says in the blocks that name this ``test``, in order; return the lines that were run.

    Files are written where the block says (``<!-- tested: … /etc/salt/… -->``), lines of ``sh`` blocks must succeed,
    and those of ``console`` blocks must print what the page shows.

    Raises:
        AssertionError: something else is printed, or a command fails.
    """
    run = Run(rewrite)
    lines: list[str] = []
    for block in blocks(page):
        if not block.words or not block.words[0].endswith(f"::{test}"):
            continue
        if block.language == "yaml":
            machine.write(block.words[1], block.text)
        elif block.language == "sh":
            lines += block.text.splitlines()
            for line in block.text.splitlines():
                done = machine.shell(line)
                assert done.returncode == 0, f"{line}:\n{done.stdout}{done.stderr}"
        else:
            lines += run.console(block, lambda command: printed(machine, command.line, places or {}))
    run.end()
    return lines


def printed(machine: Machine, line: str, places: Mapping[str, str]) -> str:
    """What a command prints, with the places of the page, and its minions in the order of their names."""
    done = machine.shell(line)
    said = without_warnings(done.stderr)
    assert "Traceback" not in said + done.stdout, said + done.stdout
    text = canonical(said + done.stdout, {**machine.places, **places, f"{machine.work}/": "/"})
    lines = _SECONDS.sub("2 s", text).splitlines()
    # Two minions report in the order in which they happen to answer.
    if all(_OF_A_MINION.match(each) for each in lines[-2:]):
        lines[-2:] = sorted(lines[-2:])
    return "\n".join(lines)
