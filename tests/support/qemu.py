# SPDX-License-Identifier: Apache-2.0
"""A Debian system with its own kernel and disk in an emulator, whose power can be cut at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import real_root
from support.daemons import end
from support.faults.debs import Deb, build_repository
from support.machine import MASKED, MINION_UNIT, copied, enable, install_debs, minion_unit
from support.real_root import RealRoot, environment

PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mke2fs": "e2fsprogs"}
KERNEL = ("linux-image-cloud-amd64", "initramfs-tools")
#: The modules without which the system does not find its disk.
MODULES = "virtio_pci\nvirtio_blk\next4\n"
#: This host, as the emulator's network shows it to the machine.
OUTSIDE = "10.0.2.2"
NETWORK = f"[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nGateway={OUTSIDE}\n"
#: Services that a small machine needs for nothing, and that take an emulated one long.
IDLE = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer")
OPTIONS = ("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-display", "none", "-no-reboot")
APPEND = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet"
#: No wait takes longer, in seconds: what is emulated takes ten times as long.
PATIENCE = 900


def require() -> None:
    """Skip where no machine can be emulated, and say what is missing."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    real_root.require()


def build(base: Path, directory: Path) -> Path:
    """Build the system of the machines from the one of ``support.machine``, once: it is kept in ``directory``."""
    words = " ".join((base.name, *KERNEL, *map(str, real_root.mounts())))
    name = f"qemu-{zlib.crc32(words.encode()):08x}"
    root, done = directory / name, directory / f"{name}.done"
    if done.exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    system = RealRoot(root)
    system.write("etc/initramfs-tools/conf.d/modules", "MODULES=list\n")
    system.write("etc/initramfs-tools/modules", MODULES)
    system.apt_get("update")
    system.apt_get("--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", *KERNEL)
    for path in real_root.mounts():
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        copied = target if not path.is_dir() else target.parent
        if path != real_root.REPO:
            subprocess.run(["cp", "-a", str(path), str(copied)], check=True)
    system.write("etc/systemd/network/all.network", NETWORK)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / (unit if "." in unit else f"{unit}.service")).unlink(missing_ok=True)
    for unit in IDLE:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    enable(root, "systemd-networkd")
    enable(root, "salt-minion")
    done.touch()
    return root


@dataclass
class Emulated:
    """A machine with a disk of its own. ``archive`` is what its only repository, which this host serves, is made of."""

    directory: Path
    system: Path
    name: str
    archive: Path
    address: str
    _process: subprocess.Popen[bytes] | None = None
    console: Path = field(init=False)

    def __post_init__(self) -> None:
        self.console = self.directory / "console"

    def make_disk(self, minion: Mapping[str, Any], installed: Sequence[Deb]) -> None:
        """Write its disk: the system, the minion's configuration, and some packages."""
        root = self.directory / "root"
        with copied(self.system, root):
            system = RealRoot(root)
            system.write("etc/salt/minion", json.dumps({"id": self.name, **minion, "master": OUTSIDE}))
            system.write(MINION_UNIT, minion_unit())
            system.write("etc/apt/sources.list", f"deb [trusted=yes] {self.address} stable-security main\n")
            install_debs(root, installed)
            kernel = sorted(root.glob("boot/vmlinuz-*"))[-1]
            shutil.copy(kernel, self.directory / "vmlinuz")
            shutil.copy(root / f"boot/initrd.img-{kernel.name.partition('-')[2]}", self.directory / "initrd")
            argv = ["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(self.directory / "disk"), "4G"]
            subprocess.run(argv, check=True, timeout=600)

    def offer(self, debs: Sequence[Deb]) -> None:
        """Let the repository have just these packages."""
        new = self.directory / "new"
        shutil.rmtree(new, ignore_errors=True)
        build_repository(new, debs)
        shutil.rmtree(self.archive, ignore_errors=True)
        new.rename(self.archive)

    def boot(self) -> None:
        """Switch it on."""
        drive = f"file={self.directory / 'disk'},format=raw,if=virtio,cache=writeback"
        argv = [
            *("qemu-system-x86_64", *OPTIONS, "-serial", f"file:{self.console}", "-drive", drive),
            *("-kernel", str(self.directory / "vmlinuz"), "-initrd", str(self.directory / "initrd"), "-append", APPEND),
            *("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"),
        ]
        self._process = subprocess.Popen(argv, env=environment(), stdin=subprocess.DEVNULL, start_new_session=True)

    def cut_power(self) -> None:
        """Switch it off at once; what its kernel had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=20)
        self._process = None

    def wait(self, what: Callable[[], Any], words: str, *, seconds: float = PATIENCE) -> Any:
        """The first true answer of ``what``."""
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            assert self._process is not None and self._process.poll() is None, "the emulator has ended"
            assert time.monotonic() < deadline, f"waited {seconds} s for {words}: {self._last_words()}"
            time.sleep(0.5)
        return answer

    def _last_words(self) -> str:
        return self.console.read_text(errors="replace")[-1500:]


@contextlib.contextmanager
def emulated(system: Path, directory: Path, name: str) -> Iterator[Emulated]:
    """A machine that is off, and the server of its repository."""
    archive = directory / "archive"
    archive.mkdir()
    server = subprocess.Popen(
        ["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(directory), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    made = None
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        made = Emulated(directory, system, name, archive, f"http://{OUTSIDE}:{port}/archive")
        yield made
    finally:
        if made is not None:
            made.cut_power()
        end(server)
