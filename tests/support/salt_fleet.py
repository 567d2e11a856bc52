# SPDX-License-Identifier: Apache-2.0
"""A real master and real minions, each with a package root of its own whose archive the tests change."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import salt.client
import salt.utils.args

from support import apt_root

REPO = Path(__file__).resolve().parents[2]
LOADERS = ("_modules", "_states", "_runners", "_beacons", "_output", "_utils")
LIMITS = {"poll": 1, "probe": 3, "reach": 45, "busy": 60, "install": 240, "scan": 180, "reboot": 240, "min_free": 1}

# Appended to the module on minions whose configuration has `simulated_boot`: a file with the boot id. Where that file
# has a neighbour `.wanted`, an install answers as on a host that is about to reboot.
SIMULATED_BOOT = '''

_status, _install = status, install


def status():
    """As above, with the simulated boot id."""
    found, path = _status(), __opts__.get("simulated_boot")
    if path:
        with open(path) as stream:
            found["boot_id"] = stream.read().strip()
    return found


def install(baseline_override=None, install_override_list=None, snapshot_id=None, reboot_option=None, **kwargs):
    """As above, and a reboot is on its way when the test wants one."""
    import datetime
    import os

    kwargs = {key: value for key, value in kwargs.items() if not key.startswith("__pub_")}
    found, path = _install(reboot_option=reboot_option, **kwargs), __opts__.get("simulated_boot")
    if path and os.path.exists(path + ".wanted"):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        found["reboot"] = {**found["reboot"], "action": "reboot", "due": now}
    return found
'''


def package(version: str, *, name: str = "tool", depends: str = "") -> dict[str, Any]:
    fields = {"name": name, "arch": "amd64", "version": version, "priority": "important"}
    return {**fields, **({"depends": depends} if depends else {})}


def case(installed: str, available: Sequence[Mapping[str, Any]], conf: Sequence[str] = ()) -> dict[str, Any]:
    """A root with the package ``tool``, a security archive, and more lines of apt configuration."""
    security = {
        "id": "security",
        "origin": "Debian",
        "label": "Debian-Security",
        "suite": "stable-security",
        "codename": "bookworm-security",
        "packages": [dict(each) for each in available],
    }
    return {
        "real_debs": True,
        "installed": [package(installed)],
        "repositories": [security],
        "architectures": ["amd64"],
        "apt_conf": list(conf),
    }


def make_root(path: Path) -> Path:
    """A package root where ``tool`` 1.0 is installed and nothing newer is on offer; see ``hold``."""
    wait = f"for i in $(seq 3000); do test -e {path}.hold || break; sleep 0.2; done"
    apt_root.build(case("1.0", [package("1.0")], [f'DPkg::Pre-Invoke {{ "{wait}"; }};']), str(path))
    release(path)
    return path


def hold(root: Path) -> None:
    """Let installations in a root wait, between their decision and dpkg, until they are released."""
    root.with_name(f"{root.name}.hold").touch()


def release(root: Path) -> None:
    """Let held installations go on."""
    root.with_name(f"{root.name}.hold").unlink(missing_ok=True)


def offer(root: Path, *available: Mapping[str, Any]) -> None:
    """Replace what the security archive of a root offers."""
    shutil.rmtree(root / "srv" / "file")
    repository = case("0", available)["repositories"][0]
    apt_root.build_repo(repository, str(root), ["amd64"], real_debs=True)


def installed(root: Path) -> str:
    """The version of ``tool`` in a root."""
    done = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Version}", "tool"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@dataclass
class Fleet:
    """The daemons of the tests."""

    master: Any
    minions: dict[str, Any]
    roots: dict[str, Path]
    files: Path
    configs: dict[str, Path] = field(default_factory=dict)

    def run(self, *words: str, timeout: float = 120) -> Any:
        """What a runner returns, as data."""
        done = self.run_raw(*words, "--out=json", timeout=timeout)
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    def run_raw(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """salt-run with these words."""
        return subprocess.run(self.command("salt-run", *words), capture_output=True, text=True, timeout=timeout)

    def start_run(self, *words: str) -> subprocess.Popen[str]:
        """salt-run with these words, in a process group of its own, not waited for."""
        return subprocess.Popen(
            self.command("salt-run", *words, "--out=json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def command(self, program: str, *words: str) -> list[str]:
        """The argv of one of Salt's programs for this master."""
        return [sys.executable, str(Path(sys.executable).with_name(program)), "-c", self.master.config_dir, *words]

    def call(self, target: str, *words: str, timeout: int = 30) -> Any:
        """What a function returns on the minions: by minion, or of one minion its return."""
        arguments = salt.utils.args.parse_input(words[1:])
        # As `salt` does it, without a program that loads Salt anew for every question.
        with salt.client.LocalClient(self.master.config_file) as client:
            found = client.cmd(target, words[0], arguments, timeout=timeout)
        return found.get(target, found)

    def stop(self, minion: str, *, kill: bool = False) -> None:
        """End a minion: orderly, or everything of it at once with SIGKILL."""
        daemon = self.minions[minion]
        if kill:
            parent = psutil.Process(daemon.pid)
            family = [*parent.children(recursive=True), parent]
            for process in family:
                # A child may have ended by itself meanwhile.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=10)
        daemon.terminate()

    def forget_history(self) -> None:
        """Let the trends of reports begin anew."""
        for path in (self.files.parent / "state").glob("fleet-history.sqlite*"):
            path.unlink()

    def start(self, minion: str) -> None:
        """Start a minion that was stopped."""
        self.minions[minion].start(start_timeout=60)

    def wait(self, what: Callable[[], Any], *, seconds: float = 120, pause: float = 0.5) -> Any:
        """The first true answer of ``what``.

        Raises:
            AssertionError: there was none in time.
        """
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(pause)
        return answer


def copy_loaders(target: Path) -> None:
    """The checkout's file root as a copy that tests may change."""
    for name in LOADERS:
        shutil.copytree(REPO / name, target / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    module = target / "_modules" / "ssmpatch.py"
    module.write_text(module.read_text() + SIMULATED_BOOT)
    for name in ("reactor", "orch"):
        shutil.copytree(REPO / "docs" / "examples" / "fleet" / name, target / name)


def tail(path: Path, lines: int = 40) -> str:
    """The end of a log, for messages."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a process and everything it has started."""
    os.killpg(process.pid, 9)
    process.wait(timeout=10)
