# SPDX-License-Identifier: Apache-2.0
"""One operation at a time per root: a lock that the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import Busy, SsmpatchError
from ..files import Unwritable, ensure_directory, parse_json
from ..host import Host
from ..paths import state_file
from ..times import aws_time

AWS_LOCK_NAME = "patch-baseline-concurrent.lock"
_POLL_SECONDS = 0.5
# A process that asks for the holder takes the lock for an instant: only a lock that outlasts some probes is held.
_PROBES = 3
_PROBE_SECONDS = 0.1
_MAX_CONTENT = 65536


class OperationLock:
    """The lock of a running operation; ``warning`` says why the operation runs without one."""

    def __init__(self, handle: int | None, *, content: Mapping[str, Any], warning: str = "") -> None:
        self.warning = warning
        self._handle = handle
        self._content = content
        self.phase("starting")

    @property
    def locked(self) -> bool:
        """Whether the lock is held."""
        return self._handle is not None

    def phase(self, name: str) -> None:
        """Write the operation's phase into the lock file, for ``status`` and for those who wait; never fail."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                _write(self._handle, {**self._content, "phase": name})

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)
            _unlock(self._handle)
            self._handle = None


@contextlib.contextmanager
def operation_lock(
    *,
    state_dir: Path,
    root: Path,
    operation: str,
    run_id: str,
    timeout: float,
    host: Host,
    aws_dir: Path | None = None,
    optional: bool = False,
) -> Iterator[OperationLock]:
    """Hold the lock of ``root`` during a with statement; with ``aws_dir`` the AWS agent's lock too, if there is one.

    Args:
        timeout: how many seconds to wait for another operation to end.
        optional: run without a lock where its file cannot be written (a scan by an ordinary user).

    Raises:
        Busy: another operation held the lock for ``timeout`` seconds; the message and ``info`` say which.
        Unwritable: the lock file cannot be written.
    """
    path = state_file(state_dir, "lock", root, ".lock")
    pauses = _pauses(timeout, host)
    with contextlib.ExitStack() as stack:
        handle, warning = None, ""
        try:
            handle = _acquire(path, pauses, timeout)
        except Unwritable as exc:
            if not optional:
                raise
            warning = f"running without a lock, another operation may run meanwhile: {exc}"
        content = {
            "pid": os.getpid(),
            "operation": operation,
            "run_id": run_id,
            "since": host.now(),
            "boot_id": host.boot_id(),
        }
        lock = OperationLock(handle, content=content, warning=warning)
        stack.callback(lock.release)
        if lock.locked and aws_dir is not None:
            _acquire_aws(aws_dir.parent / AWS_LOCK_NAME, pauses, timeout, stack)
        yield lock


def current(state_dir: Path, root: Path) -> dict[str, Any] | None:
    """Return the operation that holds the lock of ``root`` now, None if there is none.

    The kernel is asked, because the file may still have the words of a dead process.

    Returns:
        ``pid``, ``operation``, ``run_id``, ``phase``, ``since`` (epoch seconds) and ``boot_id``; a value is None where
        the holder has not written it.

    Raises:
        SsmpatchError: the lock file may not be read by this user.
    """
    path = state_file(state_dir, "lock", root, ".lock")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise SsmpatchError(f"{path}: cannot be read: {reason}; run as root to see what runs") from exc
    try:
        return None if _try_lock(handle, fcntl.LOCK_SH) else _read(handle)
    finally:
        os.close(handle)


def _acquire(path: Path, pauses: Iterator[None], timeout: float) -> int:
    """Return the handle of the lock file, locked."""
    ensure_directory(path.parent)
    try:
        for _ in itertools.chain((None,), pauses):
            if (handle := _attempt(path)) is not None:
                return handle
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise Unwritable(path, exc) from exc
    try:
        raise _busy(_read(handle), timeout)
    finally:
        os.close(handle)


def _attempt(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, handle)
        # A lock on a file that was deleted or replaced meanwhile keeps no other process out.
        with contextlib.suppress(FileNotFoundError):
            if _try_lock(handle, fcntl.LOCK_EX) and os.path.samestat(os.fstat(handle), path.stat()):
                stack.pop_all()
                return handle
    return None


def _acquire_aws(path: Path, pauses: Iterator[None], timeout: float, stack: contextlib.ExitStack) -> None:
    """Lock the AWS agent's own lock file where one exists; it is never created here."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    stack.callback(_unlock, handle)
    for _ in itertools.chain((None,), pauses):
        if _try_lock(handle, fcntl.LOCK_EX):
            return
    raise Busy(f"busy: the AWS Systems Manager agent is patching ({path} is locked); waited {timeout:g} s for it")


def _pauses(timeout: float, host: Host) -> Iterator[None]:
    """Wait before each yield until ``timeout`` seconds were waited; the clock is not used, it may be set meanwhile."""
    waited = 0.0
    while waited < max(timeout, _PROBES * _PROBE_SECONDS):
        pause = _PROBE_SECONDS if waited < _PROBES * _PROBE_SECONDS else _POLL_SECONDS
        host.sleep(pause)
        waited += pause
        yield


def _try_lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(handle: int) -> None:
    # Closing alone does not unlock while a forked child has a copy of the handle.
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _write(handle: int, content: Mapping[str, Any]) -> None:
    # The file is written in place: a new file would not be locked.
    data = json.dumps(content).encode() + b"\n"
    os.pwrite(handle, data, 0)
    os.ftruncate(handle, len(data))


def _read(handle: int) -> dict[str, Any]:
    try:
        # What follows the first line was left by a longer one, which is being cut off.
        content = parse_json(os.pread(handle, _MAX_CONTENT, 0).partition(b"\n")[0])
    except (OSError, ValueError):
        content = None
    found = content if isinstance(content, dict) else {}
    texts = {key: found.get(key) for key in ("operation", "run_id", "phase", "boot_id")}
    numbers = {key: found.get(key) for key in ("pid", "since")}
    return {
        **{key: value if isinstance(value, str) else None for key, value in texts.items()},
        **{key: value if _is_number(value) else None for key, value in numbers.items()},
    }


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**32


def _busy(holder: Mapping[str, Any], timeout: float) -> Busy:
    words = [holder["operation"] or "another operation"]
    if holder["since"] is not None:
        words.append(f"since {aws_time(holder['since'])}")
    details = [f"pid {holder['pid']}"] if holder["pid"] is not None else []
    details += [f"phase {holder['phase']}"] if holder["phase"] else []
    what = ", ".join([" ".join(words), *details])
    return Busy(f"busy: {what}; waited {timeout:g} s for it; try again later", info={"busy": dict(holder)})
