# SPDX-License-Identifier: Apache-2.0
"""The command ``scan``: judges the host, stores and returns the report, and installs nothing."""

from __future__ import annotations

import os
from typing import Any

from ..config import Settings
from ..host import Host
from ..report_form import event_data, to_plain
from ..store.lock import OperationLock
from .caller import Caller
from .events import enter, fire
from .judge import collector_paused
from .keep import keep
from .lock import locked_operation
from .refresh import refresh_index
from .scan_report import judge_and_report
from .session import Session, open_session
from .window import opening


@collector_paused()
def scan(
    settings: Settings,
    *,
    caller: Caller,
    host: Host | None = None,
    baseline_override: Any = None,
    snapshot_id: str | None = None,
    refresh: bool = True,
    upload: str | None = None,
) -> dict[str, Any]:
    """Judge the host by its baseline; return the full report.

    An interrupted operation is finished first. Where this user may not write the state directory, nothing is stored
    and the report says so.

    Raises:
        InvalidInput: arguments or configuration are wrong; nothing was done.
        Busy: another operation runs.
        SsmpatchError: the package manager's data could not be read.
    """
    host = host or Host()
    started = host.now()
    session = open_session(
        settings, host=host, caller=caller, baseline_override=baseline_override, snapshot_id=snapshot_id
    )
    with locked_operation(session, "scan", optional=True) as lock:
        settled = _settle(session, lock) if lock.locked else ()
        enter(session, lock, "scan", "refreshing")
        freshness = refresh_index(session, wanted=refresh)
        enter(session, lock, "scan", "scanning")
        result = judge_and_report(session, freshness, started=started, warnings=(lock.warning, *settled))
        result, _ = keep(session, result, upload=upload)
        fire(session, "scan", "complete", event_data(result))
    return {**to_plain(result), "next_open": opening(settings, host.now())}


def _settle(session: Session, lock: OperationLock) -> tuple[str, ...]:
    """Finish what an earlier operation left open; load the code for it only where there is something."""
    if not os.path.lexists(session.settings.place(session.host.now()).file("journal")):
        return ()
    from .resume import settle

    return settle(session, lock)
