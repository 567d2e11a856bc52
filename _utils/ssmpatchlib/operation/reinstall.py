# SPDX-License-Identifier: Apache-2.0
"""Installs again what an interrupted package manager left half-installed, which no repair mends."""

from __future__ import annotations

import contextlib

from ..evaluate import Judged
from ..model import ExecutionResult, Target
from ..patching.planner import make_plan
from ..patching.runner import execute
from ..patching.targets import choose_targets, forbids, half_installed
from ..store.lock import OperationLock
from .events import enter
from .judge import judge_host
from .session import Session, work_dir
from .window import may_begin


def reinstall(
    session: Session, lock: OperationLock, judged: Judged
) -> tuple[Judged, tuple[Target, ...], ExecutionResult]:
    """Install again what is half-installed, in the version that an install would bring in.

    The rules are those of an install: what is held or rejected stays as it is, and outside of the maintenance window
    nothing is installed.

    Returns:
        The host judged after it, what was to be installed, and what failed.
    """
    host, settings = session.host, session.settings
    wanted = tuple(half_installed(choose_targets(judged, session.override_list), judged.inventory))
    if not wanted or not may_begin(settings, host.now()):
        return judged, (), ExecutionResult({})
    enter(session, lock, "resume", "installing again")
    with contextlib.ExitStack() as at_end:
        at_end.callback(session.backend.drop_held)
        transaction = make_plan(
            session.backend,
            wanted,
            inventory=judged.inventory,
            forbidden=forbids(session.baseline, judged, session.override_list, session.frozen),
        )
        executed = execute(
            session.backend,
            transaction,
            host=host,
            output=work_dir(settings),
            on_progress=lambda progress: lock.phase(f"installing again (batch {progress.batch}/{progress.batches})"),
            may_start_batch=lambda: True,
        )
    return judge_host(session, now=host.now()), wanted, executed
