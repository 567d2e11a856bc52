# SPDX-License-Identifier: Apache-2.0
"""A copy of this machine in memory whose package database is our own: there the root ``/`` can be patched for real."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.faults.children import DRIVER
from support.faults.debs import Deb, build_repository, install_debs
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
