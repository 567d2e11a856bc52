# SPDX-License-Identifier: Apache-2.0
"""What the tests of the store share: small and read-only file systems, other users, and ways to spoil a file."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ssmpatchlib

ENGINE = Path(ssmpatchlib.__file__).parents[1]
TESTS = Path(__file__).parents[1]
NOBODY = 65534

#: Ways to spoil a file that every reader has to survive, by name.
SPOILERS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b" \n"),
    "truncated": lambda path: path.write_bytes((path.read_bytes() if path.exists() else b'{"version": 1}')[:-5]),
    "binary": lambda path: path.write_bytes(b"\x00\xff\xfe\x80" * 8),
    "nul bytes": lambda path: path.write_bytes(b"\0" * 512),
    "other json": lambda path: path.write_text('{"hello": "world", "version": "one"}'),
    "number": lambda path: path.write_text("42"),
    "null": lambda path: path.write_text("null"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "long number": lambda path: path.write_text("1" * 10_000),
    "newer version": lambda path: path.write_text('{"version": 999}'),
}


@contextlib.contextmanager
def tmpfs(path: Path, *, size: str = "64k") -> Iterator[Path]:
    """A small file system of its own at ``path``; skips the test where mounting is not permitted."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True, timeout=60)


def remount_read_only(path: Path) -> None:
    """From now on nothing can be written below the mount point ``path``."""
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True, timeout=60)


def fill(path: Path) -> None:
    """Leave no byte free on the file system of ``path``."""
    with contextlib.suppress(OSError), open(path / "ballast", "wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 512)


def as_nobody(imports: str, code: str, *arguments: object) -> str:
    """What Python code prints that gives up every right after its imports; ``arguments`` are its ``sys.argv[1:]``."""
    drop = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    return run_python("\n".join((imports, drop, code)), *arguments)


def run_python(code: str, *arguments: object) -> str:
    """What Python code prints, run by a process of its own that can import the engine."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return done.stdout


def environment() -> dict[str, str]:
    """The environment in which another Python can import the engine."""
    return {**os.environ, "PYTHONPATH": f"{ENGINE}{os.pathsep}{TESTS}", "PYTHONDONTWRITEBYTECODE": "1"}
