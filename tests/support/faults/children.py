# SPDX-License-Identifier: Apache-2.0
"""Operations in processes of their own, and what they leave behind when they are killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ssmpatchlib import api as engine
from ssmpatchlib import config
from support.faults import driver
from support.faults.managers import MANAGERS, Manager
from support.store import environment

DRIVER = Path(driver.__file__)
_T = TypeVar("_T")
#: Nothing that these tests wait for takes longer, in seconds.
PATIENCE = 60


def spread(values: Iterable[_T], essential: Collection[_T]) -> list[tuple[str, _T]]:
    """Every value with apt, and with the others those that test the package manager itself."""
    others = sorted(MANAGERS.keys() - {"apt"})
    return [*(("apt", value) for value in values), *((other, value) for other in others for value in essential)]


def start(
    operation: str, settings: Mapping[str, Any], *, inside: Sequence[str] = (), **more: Any
) -> subprocess.Popen[str]:
    """Start an operation, behind the command ``inside``; ``more`` are keys of the driver's specification."""
    spec = {"operation": operation, "settings": dict(settings), "arguments": {}, **more}
    process = subprocess.Popen(
        [*inside, sys.executable, str(DRIVER)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec))
    process.stdin.close()
    process.stdin = None
    return process


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an operation and return what it printed; a traceback fails the test."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "Traceback" not in err, err or process.returncode
    return json.loads(out)


def run(
    operation: str,
    settings: Mapping[str, Any],
    *,
    host: driver.FaultHost | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run an operation to its end, in this process, and return its result as plain data."""
    call = getattr(engine, operation)
    loaded = config.load(minion=settings)
    caller = driver.quiet_surface()
    result = call(loaded, caller=caller, host=host or driver.FaultHost(), **(arguments or {}))
    return json.loads(json.dumps(result))


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an operation and return its result; an error of it fails the test."""
    found = answer(process)
    assert "error" not in found, found["error"]
    return found["result"]


def error_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an operation that fails, and return its error."""
    found = answer(process)
    assert "error" in found, found
    return found["error"]


def expect_killed(process: subprocess.Popen[str]) -> None:
    """Wait for a process that does not end by itself."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, (process.returncode, out, err)


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of the condition."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    return pytest.fail(f"waited {PATIENCE} s for {what}")


def workers(root: Path) -> dict[int, str]:
    """The processes that work on a root, by their command lines, environments and roots; not this one."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            known = words + (entry / "environ").read_bytes() + os.fsencode(os.readlink(entry / "root"))
            if words and os.fsencode(root) in known:
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def sleeps(root: Path) -> bool:
    """Whether a script of a package sleeps: a program of its own, for zypper's inhibitor of sleep is another."""
    return any(words.startswith("sleep ") for words in workers(root).values())


def kill_all(root: Path) -> None:
    """End everything that works on a root at once."""
    while found := workers(root):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def reaped(root: Path) -> Iterator[None]:
    """Leave nothing behind that works on a root."""
    try:
        yield
    finally:
        kill_all(root)


def built(manager: Manager, path: Path, *updates: Any) -> tuple[Path, dict[str, Any]]:
    """Build a root below ``path``; return it and its settings."""
    root = path / "root"
    manager.build(root, updates)
    return root, manager.settings(root)
