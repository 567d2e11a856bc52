# SPDX-License-Identifier: Apache-2.0
"""Daemons that tests start: the ports they listen on, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def await_port(port: int, process: subprocess.Popen[Any], *, log: Path, seconds: float = 90) -> None:
    """Wait until a daemon listens on a port of loopback.

    Raises:
        AssertionError: it has ended, or does not listen within so many ``seconds``; with the end of its ``log``.
    """
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-4000:]
            raise AssertionError(f"does not listen on {port} (exit code {process.returncode}): {said}")
        time.sleep(0.1)


def end(process: subprocess.Popen[Any], *, patience: float = 20) -> None:
    """End a process: it is asked to, and after so many seconds of ``patience`` killed.

    Where it leads a group of its own (``start_new_session``), what it has started ends with it.
    """
    leads = process.poll() is None and os.getpgid(process.pid) == process.pid
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=patience)
    if leads:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait(timeout=10)
