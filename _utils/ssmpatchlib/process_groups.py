# SPDX-License-Identifier: Apache-2.0
"""Programs that end with the process that started them, together with everything that they have started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

#: Seconds that the leader of a group has once what it started is ended, before it gets SIGTERM.
_LEADERS_GRACE = 2.0
#: Seconds that a group has after SIGTERM before it gets SIGKILL.
_GRACE = 10.0
_POLL = 0.05


def end_group(group: int, *, is_left: Callable[[], bool]) -> None:
    """End a process group.

    First that which its leader has started, so that the leader may come to an end in good order (apt-get then keeps
    what it has read from other repositories), then all of it by SIGTERM, and what is left after that by SIGKILL.
    """
    followers = _followers(group)
    for pid in followers:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    _wait(is_left, _LEADERS_GRACE if followers else 0)
    _signal(group, signal.SIGTERM)
    _wait(is_left, _GRACE)
    _signal(group, signal.SIGKILL)


def _wait(is_left: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while is_left() and time.monotonic() < deadline:
        time.sleep(_POLL)


def _followers(group: int) -> list[int]:
    """Return the processes of a group but for its leader."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != group:
            with contextlib.suppress(OSError):
                if os.getpgid(int(name)) == group:
                    found.append(int(name))
    return found


@contextlib.contextmanager
def ending_with_us(group: int) -> Iterator[None]:
    """Let a process group end when this process ends during the with statement, even by SIGKILL.

    A fork of this process waits for that. Where it cannot be made, the group goes on by itself.
    """
    try:
        reader, writer = os.pipe()
    except OSError:
        yield
        return
    watcher = _fork()
    if watcher == 0:
        _watch_over(group, reader)
    try:
        yield
    finally:
        os.write(writer, b".")
        os.close(reader)
        os.close(writer)
        if watcher is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(watcher, 0)


def _fork() -> int | None:
    """Fork; return 0 in the child, its id in the parent, None where there is no child."""
    try:
        return os.fork()
    except OSError:
        return None


def _watch_over(group: int, reader: int) -> NoReturn:
    """Wait until the parent writes, which means that the program has ended, or is gone; end the group then."""
    try:
        parent = os.getppid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        # Among the files are pipes of the parent, whose other end waits for them to be closed.
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != reader:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        # Another fork of the parent may hold the other end open, so its id is looked at too.
        while not select.select([reader], [], [], 1.0)[0] and os.getppid() == parent:
            pass
        if not (select.select([reader], [], [], 0)[0] and os.read(reader, 1)):
            end_group(group, is_left=lambda: _signal(group, 0))
    finally:
        os._exit(0)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
