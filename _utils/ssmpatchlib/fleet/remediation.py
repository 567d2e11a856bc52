# SPDX-License-Identifier: Apache-2.0
"""Repairs drift without a human, within limits: who may be patched now, who waits, and who needs a human."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import InvalidInput
from ..host import Host
from ..model import COMPLIANT, INSTALLED_PENDING_REBOOT
from ..store.lock import operation_lock
from ..times import aws_time
from ..windows import is_open, next_open
from .formatting import span
from .hosts import clean, read_report
from .salt_client import Call, Salt, keywords
from .settings import Remediation

FILE = "remediation.json"
VERSION = 1
_LOCK_ROOT = Path("/remediation")
KEEP_SECONDS = 30 * 86400


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one minion. Times are epoch seconds.

    ``attempts`` are the times of past installs, ``job`` the one whose outcome is not known yet; ``failures`` counts
    installs in a row that did not help. ``queued`` is when it asked for one that had to wait.
    """

    attempts: tuple[float, ...] = ()
    job: str = ""
    failures: int = 0
    queued: float = 0
    stopped: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """``action`` is ``start``, ``wait`` (until ``due``, epoch seconds, if known), ``busy`` or ``stopped``."""

    action: str
    reason: str
    due: float | None = None


def decide(record: Record, *, fleet: Iterable[float], limits: Remediation, now: float) -> Decision:
    """Whether a minion may be patched now. Pure.

    Args:
        fleet: the times of all past installs of this kind, of every minion.
    """
    if record.job:
        return Decision("busy", "an earlier install has not returned yet")
    if record.stopped:
        return Decision("stopped", record.reason)
    if not is_open(limits.windows, now):
        return Decision("wait", "outside of the windows", next_open(limits.windows, now))
    for times, rate, whose in ((record.attempts, limits.per_minion, "this minion"), (fleet, limits.fleet, "the fleet")):
        recent = sorted(time for time in times if time > now - rate.seconds)
        if len(recent) >= rate.number:
            due = recent[-rate.number] + rate.seconds
            return Decision("wait", f"{whose} had its {rate.number} within {span(rate.seconds)}", due)
    return Decision("start", "")


def settle(record: Record, answer: Any, *, limits: Remediation, now: float) -> Record:
    """The record after an install: None in ``answer`` means that it has not returned. Pure."""
    if answer is None:
        if now - record.attempts[-1] <= limits.timeout:
            return record
        return _failed(record, f"the install has not returned within {span(limits.timeout)}", limits)
    report = read_report(answer, now=now)
    open_rows = [row for row in report.rows if row.state != INSTALLED_PENDING_REBOOT]
    if report.verdict == COMPLIANT or (report.rows and not open_rows and not report.unreadable):
        return Record(attempts=record.attempts)
    words = "; ".join(f"cannot be read: {what}" for what in report.unreadable) or report.problem
    if open_rows:
        words = f"{open_rows[0].id}: {clean(open_rows[0].reason, 300)}"
    return _failed(record, words or report.verdict, limits)


def _failed(record: Record, reason: str, limits: Remediation) -> Record:
    failures = record.failures + 1
    stopped = failures >= limits.max_failures
    # The next attempt is asked for here: nothing else would, since the host does not change its state any more.
    queued = 0 if stopped else record.attempts[-1]
    return dataclasses.replace(
        record, job="", failures=failures, stopped=stopped, queued=queued, reason=clean(reason, 500)
    )


def remediate(minion: str, *, salt: Salt, state_dir: Path, limits: Remediation, reset: bool = False) -> dict[str, Any]:
    """Settle what has returned, then start what may start now: this minion, and those that wait.

    Never waits for an install. Fires ``ssmpatch/remediation/<minion>/<started|stopped|done>``.

    Args:
        minion: who asks to be patched; ``""`` for nobody, only those that wait are looked after.
        reset: do not patch ``minion`` but forget its failures, so that it may be patched again when it asks.
    """
    if minion and not salt.expand([minion], "list"):
        raise InvalidInput(f"minion: {minion!r} is no accepted minion; name it by its id")
    with operation_lock(
        state_dir=state_dir, root=_LOCK_ROOT, operation="remediate", run_id="", timeout=60, host=Host()
    ):
        records, warnings = _load(state_dir / FILE, salt.now())
        if minion:
            record = records.get(minion, Record())
            records[minion] = (
                Record(attempts=record.attempts, job=record.job)
                if reset
                else dataclasses.replace(record, queued=record.queued or salt.now())
            )
        events = _settle_all(records, salt, limits)
        started, waiting = _start(records, salt, limits, state_dir / FILE, events)
        files.write_json(state_dir / FILE, _document(records, salt.now()))
        for tag, data in events:
            salt.fire(tag, data)
    return {
        "started": started,
        "waiting": waiting,
        "stopped": {name: record.reason for name, record in sorted(records.items()) if record.stopped},
        "running": sorted(name for name, record in records.items() if record.job),
        "warnings": list(warnings),
    }


Events = list[tuple[str, dict[str, Any]]]


def _settle_all(records: dict[str, Record], salt: Salt, limits: Remediation) -> Events:
    events: Events = []
    for name, record in records.items():
        if not record.job:
            continue
        settled = settle(record, salt.returns(record.job).get(name), limits=limits, now=salt.now())
        records[name] = settled
        if settled.stopped:
            events.append(_event(name, "stopped", settled))
        elif not settled.job and not settled.failures:
            events.append(_event(name, "done", settled))
    return events


def _event(name: str, what: str, record: Record) -> tuple[str, dict[str, Any]]:
    data = {"id": name, "failures": record.failures, "reason": record.reason}
    return f"ssmpatch/remediation/{name}/{what}", data


def _start(
    records: dict[str, Record], salt: Salt, limits: Remediation, path: Path, events: Events
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Publish the installs that may begin, first come first served; return who began and who waits for what."""
    started: list[str] = []
    waiting: dict[str, dict[str, Any]] = {}
    queue = sorted((record.queued, name) for name, record in records.items() if record.queued)
    for _, name in queue:
        now = salt.now()
        fleet = [time for record in records.values() for time in record.attempts]
        decision = decide(records[name], fleet=fleet, limits=limits, now=now)
        if decision.action == "wait":
            waiting[name] = {
                "reason": decision.reason,
                "due": aws_time(decision.due) if decision.due is not None else None,
            }
            continue
        record = dataclasses.replace(records[name], queued=0)
        if decision.action == "start":
            job = salt.new_job()
            record = dataclasses.replace(record, job=job, attempts=(*record.attempts, now))
        records[name] = record
        if decision.action == "start":
            # Written before it is done: a killed runner must not forget that it used up the rate.
            files.write_json(path, _document(records, now))
            salt.publish(record.job, [name], _install(limits))
            started.append(name)
            events.append(_event(name, "started", record))
    return started, waiting


def _install(limits: Remediation) -> Call:
    given = {"reboot_option": limits.reboot_option} if limits.reboot_option else {}
    return Call(("ssmpatch.install",), (keywords(**given),))


def _document(records: Mapping[str, Record], now: float) -> dict[str, Any]:
    kept = {}
    for name, record in records.items():
        recent = tuple(time for time in record.attempts if time > now - KEEP_SECONDS)
        if recent or record.queued or record.stopped or record.job:
            kept[name] = dataclasses.asdict(dataclasses.replace(record, attempts=recent or record.attempts[-1:]))
    return {"version": VERSION, "minions": kept}


def _load(path: Path, now: float) -> tuple[dict[str, Record], tuple[str, ...]]:
    document, warnings = files.read_json(path, shape=_problem, now=now)
    if document is None:
        return {}, warnings
    return {name: _record(data) for name, data in document["minions"].items()}, warnings


def _record(data: Mapping[str, Any]) -> Record:
    return Record(**{**data, "attempts": tuple(float(time) for time in data["attempts"])})


def _problem(document: Any) -> str:
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return f"not a remediation journal of format {VERSION}"
    try:
        [_record(data) for data in document["minions"].values()]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return f"not complete: {exc}"
    return ""
