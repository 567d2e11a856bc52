# SPDX-License-Identifier: Apache-2.0
"""The lock of an operation, and the events of its start and failure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..backends import Context, detached
from ..errors import SsmpatchError
from ..services import running
from ..store.lock import OperationLock, operation_lock
from .events import fire
from .session import Session, work_dir


@contextlib.contextmanager
def locked_operation(session: Session, name: str, *, optional: bool = False) -> Iterator[OperationLock]:
    """Hold the lock of an operation; send events when the operation starts and when it fails."""
    settings = session.settings
    with operation_lock(
        state_dir=settings.state_dir,
        root=settings.root,
        operation=name,
        run_id=session.run_id,
        timeout=settings.lock_timeout,
        host=session.host,
        aws_dir=settings.aws_dir,
        optional=optional,
    ) as lock:
        fire(session, name, "start", {"run_id": session.run_id})
        try:
            _wait_for_services(session, lock)
            yield lock
        except Exception as exc:
            code = exc.code if isinstance(exc, SsmpatchError) else 1
            fire(session, name, "failed", {"run_id": session.run_id, "error": str(exc), "code": code})
            raise


def _wait_for_services(session: Session, lock: OperationLock) -> None:
    """Wait for the package manager of an earlier run, which goes on when that run has ended."""
    settings = session.settings
    if running(session.host, settings.root):
        lock.phase("waiting")
        detached.wait_for_others(
            Context(session.host, settings.root, work_dir(settings), lock_timeout=settings.lock_timeout)
        )
        lock.phase("starting")
