# SPDX-License-Identifier: Apache-2.0
"""A copy of this machine in memory whose package database is our own: there the root ``/`` can be patched for real."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.faults.children import DRIVER, answer, start
from support.faults.debs import Deb, build_repository, install_debs
from support.faults.managers import APT
from support.store import ENGINE, tmpfs

#: What the copy has anew and empty, so that nothing of the machine's own packages is in it.
_EMPTY = ("etc/apt", "var/lib/apt", "var/lib/dpkg", "var/cache/apt", "var/lib/ssmpatch", "var/log/amazon", "run")
_NEEDED = (
    *(f"etc/apt/{name}" for name in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d")),
    *(f"var/lib/dpkg/{name}" for name in ("info", "updates", "triggers")),
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
)


@contextlib.contextmanager
def house(place: Path, *, installed: Sequence[Deb], offered: Sequence[Deb]) -> Iterator[Path]:
    """The root of such a copy; skips the test where mounting is not permitted."""
    with tmpfs(place, size="256m") as memory, contextlib.ExitStack() as stack:
        for name in ("upper", "work", "root"):
            (memory / name).mkdir()
        root = memory / "root"
        layers = f"lowerdir=/,upperdir={memory}/upper,workdir={memory}/work"
        _mount(stack, root, "-t", "overlay", "-o", layers, "overlay")
        for name in _EMPTY:
            shutil.rmtree(root / name, ignore_errors=True)
        for name in _NEEDED:
            (root / name).mkdir(parents=True)
        (root / "run").mkdir()
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        (root / "etc/apt/apt.conf.d/test").write_text(
            'APT::Sandbox::User "root";\nDPkg::Options:: "--force-unsafe-io";\nAcquire::Check-Valid-Until "false";\n'
        )
        install_debs(root, installed, root / "srv/installed")
        line = build_repository(root / "srv/repository", offered)
        (root / "etc/apt/sources.list").write_text(line.replace(str(root), "") + "\n")
        for needed in ("/dev", "/proc", *_ours()):
            (root / needed.lstrip("/")).mkdir(parents=True, exist_ok=True)
            _mount(stack, root / needed.lstrip("/"), "--bind", needed)
        yield root


def into(root: Path) -> list[str]:
    """The command that starts another one in there."""
    return ["chroot", str(root)]


def _ours() -> list[str]:
    """What the engine, its tests and this Python need, where it lies outside of the machine's own file system."""
    places = {str(ENGINE), str(DRIVER.parent), sys.prefix, sys.base_prefix}
    return sorted(name for name in places if os.stat(name).st_dev != os.stat("/").st_dev)


def _mount(stack: contextlib.ExitStack, place: Path, *words: str) -> None:
    done = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", "-l", str(place)], check=True, timeout=60)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine whose root is ``/``, with one update pending."""

    root: Path

    def start(self, operation_: str, *, settings: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Start an operation; ``more`` is what the driver is told."""
        minion = {"reboot": {"max_attempts": 2}, "hooks": {"after_reboot": ["test.ping"]}, **(settings or {})}
        return start(operation_, {**APT.settings(Path("/")), **minion}, inside=into(self.root), **more)

    def do(self, operation_: str, **more: Any) -> dict[str, Any]:
        """Run an operation; return everything that is known of it."""
        return answer(self.start(operation_, **more))

    def run(self, operation_: str, **more: Any) -> dict[str, Any]:
        """Run an operation; return its result."""
        found = self.do(operation_, **more)
        assert "error" not in found, found["error"]
        return found["result"]

    @property
    def versions(self) -> dict[str, str]:
        """The installed version by package name."""
        return APT.versions(self.root)
