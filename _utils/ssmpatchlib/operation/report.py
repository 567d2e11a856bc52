# SPDX-License-Identifier: Apache-2.0
"""The commands ``report``, ``history`` and ``status``, which read the state directory and load no package manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import Settings
from ..errors import NoReport
from ..files import require_private
from ..host import Host
from ..report import add_warnings, select, unmatched_names
from ..report_form import to_plain
from ..services import running as running_services
from ..store import journal, pending, reports
from ..store.lock import current
from ..times import aws_time
from .caller import Caller
from .window import opening


def report(
    settings: Settings,
    *,
    caller: Caller,
    host: Host | None = None,
    states: Sequence[str] | str | None = None,
    severity: Sequence[str] | str | None = None,
    name: Sequence[str] | str | None = None,
    details: bool = False,
) -> dict[str, Any]:
    """Return the last stored report with the rows asked for, without a scan, and when an install may begin.

    Raises:
        NoReport: no report is stored.
        InvalidInput: a severity that does not exist.
    """
    now = (host or Host()).now()
    require_private(settings.state_dir)
    stored, warnings = reports.load_report(settings.place(now))
    if stored is None:
        said = f" ({'; '.join(warnings)})" if warnings else ""
        raise NoReport(f"no report is stored in {settings.state_dir}{said}; run ssmpatch.scan first")
    chosen = select(stored, states=states, severity=severity, name=name, details=details)
    warnings = (*warnings, *unmatched_names(stored, name))
    return {**to_plain(add_warnings(chosen, warnings)), "next_open": opening(settings, now)}


def history(settings: Settings, *, caller: Caller, host: Host | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """Return past operations, newest first."""
    require_private(settings.state_dir)
    found, warnings = reports.read_history(settings.place((host or Host()).now()), limit=limit)
    for warning in warnings:
        caller.log.warning("ssmpatch: %s", warning)
    return [dict(row) for row in found]


def status(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return what runs, what was last, what waits for a reboot, what was interrupted, and when an install may begin."""
    host = host or Host()
    require_private(settings.state_dir)
    place = settings.place(host.now())
    running = current(settings.state_dir, settings.root)
    services = () if running else running_services(host, settings.root)
    last, said = reports.read_history(place, limit=1)
    record, more = pending.load_pending(place)
    entry, warnings = (None, ()) if running else journal.load_open(place)
    return {
        "running": _running(running) if running else _left(services, entry),
        "last": dict(last[0]) if last else None,
        "reboot_pending": _pending(record, host),
        "journal": None if entry is None else _entry(entry),
        "boot_id": host.boot_id(),
        "next_open": opening(settings, host.now()),
        "warnings": [*said, *more, *warnings],
    }


def _running(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {**holder, "since": _when(holder.get("since"))}


def _left(services: Sequence[str], entry: journal.JournalEntry | None) -> dict[str, Any] | None:
    """Return the operation whose process has ended while its package manager goes on, as a running one."""
    if not services:
        return None
    known = {} if entry is None else {**_entry(entry), "boot_id": entry.boot_id}
    keys = {"operation": "operation", "run_id": "run_id", "phase": "phase", "since": "started", "boot_id": "boot_id"}
    return {"pid": None, **{key: known.get(name) for key, name in keys.items()}, "service": services[0]}


def _pending(record: pending.PendingReboot | None, host: Host) -> dict[str, Any] | None:
    from ..reboot import same_boot

    if record is None or not (record.titles or record.requests.problem):
        return None
    if not same_boot(host.this_boot(), recorded_id=record.boot_id, recorded_at=record.since):
        return None
    return {
        "packages": list(record.titles),
        "since": aws_time(record.since),
        "boot_id": record.boot_id,
        "attempts": record.requests.attempts,
        "problem": record.requests.problem,
    }


def _entry(entry: journal.JournalEntry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "operation": entry.operation,
        "phase": entry.phase,
        "batch": entry.batch,
        "batches": entry.batches,
        "started": aws_time(entry.started),
    }


def _when(epoch: Any) -> str | None:
    return aws_time(epoch) if isinstance(epoch, (int, float)) else None
