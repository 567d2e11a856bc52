# SPDX-License-Identifier: Apache-2.0
"""The lock of an operation, and the events of its start and failure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import SsmpatchError
from ..store.lock import OperationLock, operation_lock
from .events import fire
from .session import Session


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
            yield lock
        except Exception as exc:
            code = exc.code if isinstance(exc, SsmpatchError) else 1
            fire(session, name, "failed", {"run_id": session.run_id, "error": str(exc), "code": code})
            raise
