# SPDX-License-Identifier: Apache-2.0
"""Repairs drift without a human, within limits: who may be patched now, who waits, and who needs a human.

Who asks for it is never believed: a minion is patched, or its failures are forgotten, by its own stored report.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import NOT_STARTED, InvalidInput, OutsideWindow
from ..fields import check_fields, is_count, is_text, is_time
from ..host import Host
from ..input_errors import show
from ..model import COMPLIANT, FAILED, INSTALLED_PENDING_REBOOT
from ..store.lock import operation_lock
from ..times import aws_time
from ..windows import is_open, next_open
from .formatting import span
from .hosts import CLOCK_SECONDS, REPORT, STATUS, HostReport, opening_of, read_host, read_report
from .salt_client import Call, Salt, ask, keywords
from .settings import Remediation
from .untrusted import Pool, clean

FILE = "remediation.json"
VERSION = 1
_LOCK_ROOT = Path("/remediation")
KEEP_SECONDS = 30 * 86400
#: How many that wait are asked at once; those whose window is closed make room for the others.
ASKED = 100


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one minion. Times are epoch seconds.

    ``attempts`` are the times of past installs, ``job`` the one whose outcome is not known yet; ``failures`` counts
    installs in a row that did not help. ``queued`` is when it asked for one that had to wait, ``until`` when its own
    maintenance window opens.
    """

    attempts: tuple[float, ...] = ()
    job: str = ""
    failures: int = 0
    queued: float = 0
    until: float = 0
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
    if record.until > now:
        return Decision("wait", "outside of its own window", record.until)
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
    refused = OutsideWindow.next_open_in(answer) if isinstance(answer, str) else ""
    if refused:
        # Nothing was done, so nothing has failed and no rate is used up.
        waiting = dataclasses.replace(record, job="", attempts=record.attempts[:-1], queued=record.attempts[-1])
        return dataclasses.replace(waiting, until=opening_of(refused, now) or 0)
    report = read_report(answer, now=now)
    if _is_well(report):
        return Record(attempts=record.attempts)
    if _only_not_started(report):
        return dataclasses.replace(record, job="", queued=record.attempts[-1])
    return _failed(record, _what_is_wrong(report), limits)


def _is_well(report: HostReport) -> bool:
    """Whether a report lacks nothing that an install would bring; what a frozen set holds back it would not."""
    pending = report.let_in and all(row.state == INSTALLED_PENDING_REBOOT for row in report.let_in)
    return report.frozen_verdict == COMPLIANT or bool(pending and not report.unreadable)


def _only_not_started(report: HostReport) -> bool:
    """Whether nothing failed but what the end of the maintenance window has put off."""
    failed = [row.reason for row in report.rows if row.state == FAILED]
    return bool(failed) and all(NOT_STARTED in reason for reason in failed) and not report.unreadable


def _what_is_wrong(report: HostReport) -> str:
    for row in report.let_in:
        if row.state != INSTALLED_PENDING_REBOOT:
            return f"{row.id}: {clean(row.reason, 300)}"
    return "; ".join(f"cannot be read: {what}" for what in report.unreadable) or report.problem or report.frozen_verdict


def asked(record: Record, answer: Any, *, now: float) -> tuple[Record, str]:
    """The record after its minion was asked for its stored report, and why it is not to be patched; ``""`` if it is.

    Args:
        answer: what it returned for ``ssmpatch.report`` and ``ssmpatch.status``. Pure.
    """
    report = read_host("", answer, pool=Pool(), now=now)
    if _is_well(report):
        last = max(record.attempts, default=0.0)
        known = report.ended is not None and report.ended + CLOCK_SECONDS >= last
        forgotten = record.job or (record.failures and not known)
        kept = dataclasses.replace(record, queued=0) if forgotten else Record(attempts=record.attempts)
        return kept, "its own report says that nothing is to be installed"
    if not report.let_in:
        # One that has failed is asked again, after the others.
        kept = dataclasses.replace(record, queued=now if record.failures else 0)
        return kept, f"its own report names nothing to install: {_what_is_wrong(report)}"
    status = answer.get(STATUS) if isinstance(answer, Mapping) else None
    opens = status.get("next_open") if isinstance(status, Mapping) else None
    return dataclasses.replace(record, until=opening_of(opens, now) or 0), ""


def _failed(record: Record, reason: str, limits: Remediation) -> Record:
    failures = record.failures + 1
    stopped = failures >= limits.max_failures
    # The next attempt is asked for here: nothing else would, since the host does not change its state any more.
    queued = 0 if stopped else record.attempts[-1]
    return dataclasses.replace(
        record, job="", failures=failures, stopped=stopped, queued=queued, reason=clean(reason, 500)
    )


def remediate(
    minion: Any, *, salt: Salt, state_dir: Path, limits: Remediation, reset: bool = False, reach: float = 60
) -> dict[str, Any]:
    """Settle what has returned, then start what may start now: this minion, or without one those that wait.

    Never waits for an install, only for the stored reports of those that may be patched. Fires
    ``ssmpatch/remediation/<minion>/<started|stopped|done>``.

    Args:
        minion: who is to be looked at; ``""`` for those that wait.
        reset: do not patch ``minion`` but forget its failures, so that it may be patched again when it asks.
        reach: seconds that minions have to answer.

    Raises:
        InvalidInput: ``minion`` is no accepted minion.
    """
    if minion != "" and (not isinstance(minion, str) or salt.expand([minion], "list") != [minion]):
        raise InvalidInput(f"minion: {show(minion)} is no accepted minion; name it by its id")
    path = state_dir / FILE
    warnings: list[str] = []
    with _records(path, salt, limits, warnings) as records:
        if minion:
            record = records.get(minion, Record())
            if reset:
                records[minion] = Record(attempts=record.attempts, job=record.job)
            else:
                records[minion] = dataclasses.replace(record, queued=record.queued or salt.now())
        wanted = ([] if reset else [minion]) if minion else _may_start(records, limits, salt.now())[:ASKED]
    call = Call((REPORT, STATUS), (keywords(details=False), ()))
    answers = dict(ask(salt, wanted, call, timeout=reach)) if wanted else {}
    with _records(path, salt, limits, warnings) as records:
        ready, silent = _heard(records, wanted, answers, warnings, salt.now())
        started = _start(
            [name for name in _may_start(records, limits, salt.now()) if name in ready], records, salt, limits, path
        )
        waiting = _waiting(records, silent, limits, salt.now())
    return {
        "started": started,
        "waiting": waiting,
        "stopped": {name: record.reason for name, record in sorted(records.items()) if record.stopped},
        "running": sorted(name for name, record in records.items() if record.job),
        "warnings": warnings,
    }


@contextlib.contextmanager
def _records(path: Path, salt: Salt, limits: Remediation, warnings: list[str]) -> Iterator[dict[str, Record]]:
    """What is known of all minions, with what has returned settled; written and told at the end."""
    with operation_lock(
        state_dir=path.parent, root=_LOCK_ROOT, operation="remediate", run_id="", timeout=60, host=Host()
    ):
        records, said = _load(path, salt.now())
        warnings += said
        events = _settle_all(records, salt, limits)
        yield records
        files.write_json(path, _document(records, salt.now()))
        for tag, data in events:
            salt.fire(tag, data)


def _may_start(records: Mapping[str, Record], limits: Remediation, now: float) -> list[str]:
    """Who waits and may be patched now, as far as the master knows, first come first served."""
    fleet = _attempts(records)
    queue = sorted((record.queued, name) for name, record in records.items() if record.queued)
    found = [(name, decide(records[name], fleet=fleet, limits=limits, now=now)) for _, name in queue]
    return [name for name, decision in found if decision.action == "start"]


def _attempts(records: Mapping[str, Record]) -> list[float]:
    return [time for record in records.values() for time in record.attempts]


def _heard(
    records: dict[str, Record], wanted: Iterable[str], answers: Mapping[str, Any], warnings: list[str], now: float
) -> tuple[set[str], set[str]]:
    """Put into the records what minions said of themselves; return who may be patched, and who has not answered."""
    ready: set[str] = set()
    silent: set[str] = set()
    for name in wanted:
        if answers.get(name) is None:
            silent.add(name)
            # It makes room for the others.
            records[name] = dataclasses.replace(records.get(name, Record()), queued=now)
            continue
        records[name], reason = asked(records.get(name, Record()), answers[name], now=now)
        if reason:
            warnings.append(f"{name} is not patched: {reason}")
        else:
            ready.add(name)
    return ready, silent


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
        elif not settled.job and not settled.failures and not settled.queued:
            events.append(_event(name, "done", settled))
    return events


def _event(name: str, what: str, record: Record) -> tuple[str, dict[str, Any]]:
    data = {"id": name, "failures": record.failures, "reason": record.reason}
    return f"ssmpatch/remediation/{name}/{what}", data


def _start(names: Iterable[str], records: dict[str, Record], salt: Salt, limits: Remediation, path: Path) -> list[str]:
    """Publish the installs that may begin; return who began."""
    started = []
    for name in names:
        now = salt.now()
        if decide(records[name], fleet=_attempts(records), limits=limits, now=now).action != "start":
            continue
        job = salt.new_job()
        records[name] = dataclasses.replace(records[name], queued=0, job=job, attempts=(*records[name].attempts, now))
        # Written before it is done: a killed runner must not forget that it used up the rate.
        files.write_json(path, _document(records, now))
        salt.publish(job, [name], _install(limits))
        started.append(name)
        salt.fire(*_event(name, "started", records[name]))
    return started


def _waiting(
    records: dict[str, Record], silent: Iterable[str], limits: Remediation, now: float
) -> dict[str, dict[str, Any]]:
    """Who waits for what and until when; who runs or was stopped does not wait any more."""
    waiting: dict[str, dict[str, Any]] = {}
    fleet = _attempts(records)
    for _, name in sorted((record.queued, name) for name, record in records.items() if record.queued):
        decision = decide(records[name], fleet=fleet, limits=limits, now=now)
        if decision.action in ("busy", "stopped"):
            records[name] = dataclasses.replace(records[name], queued=0)
            continue
        reason = "it has not answered" if name in silent else decision.reason or "it is asked by the next call"
        waiting[name] = {"reason": reason, "due": aws_time(decision.due) if decision.due is not None else None}
    return waiting


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
    return {name: _record(data, now) for name, data in document["minions"].items()}, warnings


def _record(data: Mapping[str, Any], now: float) -> Record:
    """A stored record; no time in it is later than the present one, but that of its next window."""
    times = tuple(min(float(time), now) for time in data.get("attempts", ()))
    return Record(**{**data, "attempts": times, "queued": min(data.get("queued", 0), now)})


def _are_times(value: object) -> bool:
    return isinstance(value, list) and all(map(is_time, value))


_FIELDS = {
    "attempts": _are_times,
    "job": is_text,
    "failures": is_count,
    "queued": is_time,
    "until": is_time,
    "stopped": lambda value: isinstance(value, bool),
    "reason": is_text,
}


def _problem(document: Any) -> str:
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return f"not a remediation journal of format {VERSION}"
    minions = document.get("minions")
    if not isinstance(minions, dict):
        return "field 'minions' has a wrong value"
    for name, data in minions.items():
        empty = {**dataclasses.asdict(Record()), "attempts": []}
        problem = check_fields({**empty, **data} if isinstance(data, dict) else data, None, _FIELDS)
        if not problem and data.get("job") and not data.get("attempts"):
            problem = "a job without an attempt"
        if problem:
            return f"{name[:40]!r}: {problem}"
    return ""
