# SPDX-License-Identifier: Apache-2.0
"""A Debian system that really boots, with systemd as PID 1, in a container of systemd-nspawn."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import real_root
from support.faults.debs import Deb, build_deb, build_repository
from support.real_root import KEYRING, RELEASE, archives, environment, proxies

#: dnf and rpm are there for a root of another system; they do nothing on a Debian system.
PACKAGES = "systemd-sysv,dbus,procps,python3,needrestart,dnf,rpm,python3-dbus,zypper,lsof"
#: What is unpacked only, since its package does not want to be where zypper is: dnf's plugin ``needs-restarting``.
UNPACKED = "dnf-plugins-core"
UNPACK = f"""cd /tmp
apt-get -qq update
apt-get -qq download {UNPACKED}
dpkg-deb -x {UNPACKED}_*.deb /
rm -rf {UNPACKED}_*.deb /var/lib/apt/lists/*
"""
#: The repository of the machine, and the unit of its minion, below its root.
REPOSITORY, MINION_UNIT = "srv/updates", "usr/lib/systemd/system/salt-minion.service"
#: No wait of these tests takes longer, in seconds, on a machine that does much else.
PATIENCE = 240
#: Units of the machine that would use the network, which is the host's.
MASKED = ("systemd-networkd", "systemd-resolved", "systemd-timesyncd", "apt-daily.timer", "apt-daily-upgrade.timer")
UNIT = """[Unit]
Description=The Salt Minion
After=network.target
[Service]
KillMode=mixed
Type=notify
NotifyAccess=all
LimitNOFILE=8192
Environment=PYTHONPATH={path}
ExecStart={python} -s {program} -c /etc/salt
[Install]
WantedBy=multi-user.target
"""


def minion_unit() -> str:
    """A unit for the minion like that of Salt's packages, with the Python of the tests."""
    python, program = os.path.realpath(sys.executable), Path(sys.executable).with_name("salt-minion")
    return UNIT.format(path=sysconfig.get_path("purelib"), python=python, program=program)


def require() -> None:
    """Skip where no machine can be booted, and say what is missing."""
    if not shutil.which("systemd-nspawn"):
        pytest.skip("needs systemd-nspawn (Debian's systemd-container)")
    real_root.require()


def build(directory: Path) -> Path:
    """Build the base system, once: it is kept in ``directory``."""
    # One for each set of packages: another checkout may have another, and machines of it may run now.
    name = f"machine-{zlib.crc32((PACKAGES + UNPACK).encode()):08x}"
    root, done = directory / name, directory / f"{name}.done"
    if done.exists():
        return root
    found = archives()
    assert found is not None
    shutil.rmtree(root, ignore_errors=True)
    argv = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", f"--keyring={KEYRING}", RELEASE]
    made = subprocess.run([*argv, str(root), found[0]], capture_output=True, text=True, timeout=900)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    (root / "etc/apt/apt.conf.d/90tests").write_text(proxies() + 'Acquire::Languages "none";\n')
    real_root.RealRoot(root).run("sh", "-euc", UNPACK)
    for unit in MASKED:
        name = unit if "." in unit else f"{unit}.service"
        (root / "etc/systemd/system" / name).symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("uninitialized\n")
    real_root.add_libraries(real_root.RealRoot(root))
    done.touch()
    return root


@dataclass
class Machine:
    """A machine; ``boots`` counts its starts."""

    root: Path
    name: str
    boots: int = 0
    _process: subprocess.Popen[bytes] | None = None
    console: Path = field(init=False)

    def __post_init__(self) -> None:
        self.console = self.root.with_name(f"{self.name}.console")

    def argv(self) -> list[str]:
        """The command that boots it."""
        binds = [f"--bind-ro={path}" for path in real_root.mounts()]
        options = ["--register=no", "--keep-unit", "--boot", "--console=pipe", "--resolv-conf=off", "--timezone=off"]
        return ["systemd-nspawn", "-q", *options, *binds, f"--machine={self.name}", "-D", str(self.root)]

    def boot(self, *, seconds: float = PATIENCE) -> None:
        """Start it and wait until its system is up."""
        with open(self.console, "ab") as console:
            self._process = subprocess.Popen(
                self.argv(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**environment(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        self.boots += 1
        self.wait(self._is_up, "the system to be up", seconds=seconds)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.console.read_text(errors="replace")[-2000:]
        return bool(self._leader()) and self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
            "running",
            "degraded",
        )

    def reboots(self, *, seconds: float = PATIENCE) -> None:
        """Wait until it goes down for a reboot, and start it again."""
        assert self._process is not None
        self._process.wait(timeout=seconds)
        self.boot()

    def is_running(self) -> bool:
        """Whether it has not gone down."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Switch it off at once."""
        if self.is_running():
            assert self._process is not None
            if leader := self._leader():
                os.kill(int(leader), signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=20)
            self._process.kill()
        self._process = None

    def _leader(self) -> str:
        """The process id of its PID 1, as this system has it."""
        assert self._process is not None
        pid = self._process.pid
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() in ("systemd", "init"):
                    return child
        return ""

    def command(self, *argv: str) -> list[str]:
        """The command that runs a program in it."""
        clean = ["env", "-i", *(f"{key}={value}" for key, value in environment().items())]
        return ["nsenter", "-t", self._leader(), "-m", "-u", "-i", "-p", "-C", "-r", "-w", *clean, *argv]

    def run(self, *argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, name: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def wait(self, what: Callable[[], Any], words: str, *, seconds: float = PATIENCE) -> Any:
        """The first true answer of ``what``."""
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < deadline, f"waited {seconds} s for {words}"
            time.sleep(0.2)
        return answer

    def configure(self, minion: Mapping[str, Any]) -> None:
        """Write the minion's configuration, and a unit for the minion like that of Salt's packages."""
        self.write("etc/salt/minion", json.dumps({"id": self.name, **minion}))
        self.write(MINION_UNIT, minion_unit())

    def enable(self, unit: str) -> None:
        """Let a service start with the system."""
        enable(self.root, unit)

    def offer(self, debs: Sequence[Deb]) -> None:
        """Let a local archive, which calls itself a security archive, have just these packages."""
        shutil.rmtree(self.root / REPOSITORY, ignore_errors=True)
        line = build_repository(self.root / REPOSITORY, debs)
        self.write("etc/apt/sources.list", line.replace(str(self.root), "") + "\n")

    def install_debs(self, debs: Sequence[Deb]) -> None:
        """Install packages with dpkg, while the machine is off."""
        install_debs(self.root, debs)

    def version(self, name: str) -> str:
        """The state and version of a package, as dpkg has them."""
        form = "${db:Status-Abbrev} ${Version}"
        return self.run("dpkg-query", "-W", "-f", form, name).stdout.strip()


def enable(root: Path, unit: str) -> None:
    """Let a service start with a system."""
    wants = root / "etc/systemd/system/multi-user.target.wants" / f"{unit}.service"
    wants.parent.mkdir(parents=True, exist_ok=True)
    wants.unlink(missing_ok=True)
    wants.symlink_to(f"/usr/lib/systemd/system/{unit}.service")


def install_debs(root: Path, debs: Sequence[Deb]) -> None:
    """Install packages with dpkg in a system that does not run; no service is started."""
    work = root / "tmp/debs"
    work.mkdir(parents=True)
    names = [f"/tmp/debs/{build_deb(deb, work).name}" for deb in debs]
    system = real_root.RealRoot(root)
    system.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    system.run("dpkg", "--force-unsafe-io", "-i", *names)
    (root / "usr/sbin/policy-rc.d").unlink()
    shutil.rmtree(work)


@contextlib.contextmanager
def copied(base: Path, root: Path) -> Iterator[None]:
    """A copy of a system at ``root`` that is written only where it changes, in the directory beside it."""
    layers = {key: root.with_name(f"{root.name}.{key}") for key in ("upper", "work")}
    for path in (root, *layers.values()):
        path.mkdir()
    options = f"lowerdir={base},upperdir={layers['upper']},workdir={layers['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{base}/.", str(root)], check=True)
    try:
        yield
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "-l", str(root)], check=True)


@contextlib.contextmanager
def machine(base: Path, directory: Path, name: str) -> Iterator[Machine]:
    """A machine of its own, on a copy of the base system."""
    root = directory / name
    with copied(base, root):
        made = Machine(root, name)
        try:
            yield made
        finally:
            made.stop()
