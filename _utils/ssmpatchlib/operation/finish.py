# SPDX-License-Identifier: Apache-2.0
"""The end of an install, also of a resumed one: verdicts, reboot decision, report, records, journal."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import reboot
from ..config import Settings
from ..errors import SsmpatchError
from ..evaluate import Judged
from ..files import Unwritable
from ..model import INSTALLED_STATES, ExecutionResult, Target, Verdict
from ..patching.targets import final_verdicts
from ..reboot import RebootDecision
from ..report import Report, add_warnings, mark_pending
from ..store import journal, pending
from .keep import Known, keep, keep_pending, load_known
from .refresh import Freshness
from .result import changes_between, describe_reboot, make_report, snapshot
from .session import Session

#: The operation named by a journal that was begun only for a reboot.
REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Finished:
    """What an install did. ``changed`` are the ``name.arch`` that it installed or changed in version or build."""

    operation: str
    started: float
    judged: Judged
    targets: tuple[Target, ...]
    executed: ExecutionResult
    changed: tuple[str, ...]
    before: Mapping[str, str]
    freshness: Freshness
    warnings: tuple[str, ...] = ()
    may_reboot: bool = True


def finish(session: Session, done: Finished, entry: journal.JournalEntry | None, *, upload: str | None) -> Report:
    """Decide about the reboot, store the report, close the journal or keep it until the reboot; return the report."""
    host, settings = session.host, session.settings
    verdicts = final_verdicts(
        done.judged.evaluation.verdicts,
        targets=done.targets,
        failures=done.executed.failures,
        listed=session.override_list is not None,
    )
    known = load_known(session, verdicts)
    hints = _hints(session, done, verdicts)
    decision = _decide(session, known, done, hints)
    waiting, shown = _pending(settings, known, verdicts, done.changed, hints, decision)
    ended = host.now()
    last_no_reboot = ended if settings.reboot.option == reboot.NO_REBOOT else known.states.last_no_reboot
    after = {name: version for name, (version, _build) in snapshot(done.judged.inventory).items()}
    result = make_report(
        session,
        operation=done.operation,
        started=done.started,
        ended=ended,
        judged=done.judged,
        verdicts=mark_pending(verdicts, shown),
        freshness=done.freshness,
        known=known,
        reboot=describe_reboot(settings.reboot.option, pending=waiting, hints=hints, decision=decision),
        last_no_reboot=last_no_reboot,
        warnings=(*done.executed.warnings, *done.warnings),
        changes=changes_between(dict(done.before), after),
    )
    unrecorded = keep_pending(session, known, waiting)
    result, stored = keep(session, add_warnings(result, (unrecorded,)), upload=upload, last_no_reboot=last_no_reboot)
    if entry is not None and (unrecorded or not stored):
        # The journal stays open: the next operation writes what could not be written, and decides about the reboot.
        return _deferred(result, "this run could not be recorded") if decision.action == reboot.REBOOT else result
    unwritten: list[str] = []
    if entry is not None:
        entry = note(entry, journal.REPORTED, unwritten)
    problem = _requested(session, entry) if decision.action == reboot.REBOOT else ""
    if problem:
        result = _deferred(result, problem)
        unwritten.append(problem)
    if entry is not None and (problem or decision.action != reboot.REBOOT):
        if decision.requested:
            note(entry, journal.REBOOT_REQUESTED, unwritten, reboot=known.requests)
        else:
            _close(entry, unwritten)
    return add_warnings(result, unwritten)


def _deferred(result: Report, reason: str) -> Report:
    """Return the report with the reboot shown as deferred."""
    put_off = dataclasses.replace(result.reboot, action=reboot.DEFERRED, reason=reason, due=None)
    return dataclasses.replace(result, reboot=put_off)


def note(entry: journal.JournalEntry, phase: str, warnings: list[str], **fields: Any) -> journal.JournalEntry:
    """Advance the journal; where it cannot be written, add a warning and return the entry of the older phase."""
    try:
        return journal.advance(entry, phase, **fields)
    except Unwritable as exc:
        warnings.append(f"{exc}; if this run is interrupted it is finished from phase {entry.phase}")
        return entry


def _close(entry: journal.JournalEntry, warnings: list[str]) -> None:
    try:
        journal.close(entry)
    except Unwritable as exc:
        warnings.append(f"{exc}; the next operation closes this run")


def _requested(session: Session, entry: journal.JournalEntry | None) -> str:
    """Request the reboot; return why that failed, ``""`` when it did not. After a failure the reboot stays pending."""
    try:
        if entry is None:
            request_anew(session)
        else:
            request(session, entry)
    except SsmpatchError as exc:
        return str(exc)
    return ""


def take_over(session: Session) -> None:
    """Close the journal of a run that waits for its reboot, so that the new operation can open its own."""
    earlier, _ = journal.load_open(session.settings.place(session.host.now()))
    if earlier is not None and earlier.phase == journal.REBOOT_REQUESTED:
        journal.close(earlier)


def request_anew(session: Session) -> None:
    """Request a reboot with a journal of its own, by which it is verified like the reboot of an install.

    Raises:
        SsmpatchError: the system does not reboot.
    """
    settings, host = session.settings, session.host
    take_over(session)
    entry = journal.begin(
        settings.place(host.now()),
        run_id=session.run_id,
        operation=REBOOT,
        boot_id=host.boot_id(),
        settings={},
        transaction={},
        before={},
    )
    try:
        request(session, entry)
    except SsmpatchError:
        journal.close(entry)
        raise


def request(session: Session, entry: journal.JournalEntry) -> None:
    """Record that a reboot is requested, then request it.

    Raises:
        SsmpatchError: the system does not reboot.
    """
    settings, host = session.settings, session.host
    place, boot = settings.place(host.now()), host.this_boot()
    record, _ = pending.load_pending(place)
    record = record or pending.PendingReboot((), place.now, boot.id)
    requests = reboot.one_more(record.requests, now=place.now, boot=boot)
    record = dataclasses.replace(record, requests=requests)
    pending.save_pending(record, place)
    journal.advance(entry, journal.REBOOT_REQUESTED, reboot=requests)
    try:
        reboot.request_reboot(host, delay_minutes=settings.reboot.delay, message=settings.reboot.message)
    except SsmpatchError:
        # It counts as an attempt, but no reboot is under way.
        record = dataclasses.replace(record, requests=dataclasses.replace(requests, requested_at=0.0))
        pending.save_pending(record, place)
        raise


def _hints(session: Session, done: Finished, verdicts: Collection[Verdict]) -> tuple[str, ...]:
    changed = set(done.changed)
    suggested = tuple(
        f"{advisory.id or v.title} suggests a reboot"
        for v in verdicts
        if v.package.id in changed and v.package.installed
        for advisory in v.package.installed.advisories
        if advisory.reboot_suggested
    )
    flags = reboot.flag_hints(session.settings.root)
    return tuple(dict.fromkeys((*session.backend.reboot_reasons(), *flags, *suggested, *done.executed.reboot_hints)))


def _decide(session: Session, known: Known, done: Finished, hints: tuple[str, ...]) -> RebootDecision:
    settings, host = session.settings, session.host
    if not done.may_reboot:
        return RebootDecision(reboot.NONE, "a hook failed: the reboot is left to later")
    return reboot.decide(
        settings.reboot,
        changed=bool(done.changed),
        pending=known.pending,
        hints=hints,
        requests=known.requests,
        now=host.now(),
        boot=host.this_boot(),
        root=settings.root,
    )


def _pending(
    settings: Settings,
    known: Known,
    verdicts: Collection[Verdict],
    changed: Collection[str],
    hints: tuple[str, ...],
    decision: RebootDecision,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the Titles that wait for a reboot, and those of them that the report shows as InstalledPendingReboot.

    As AWS's does, a report just before a reboot shows the states after it. Packages of a root other than the running
    system wait for a reboot only under NoReboot.
    """
    new = [v.title for v in verdicts if v.package.id in set(changed) and _is_there(v)]
    if settings.reboot.option == reboot.NO_REBOOT:
        waiting = sorted({*known.pending, *new})
        return tuple(waiting), tuple(waiting)
    if settings.root.resolve() != Path("/"):
        return (), ()
    needed = settings.reboot.option == reboot.REBOOT_IF_NEEDED or bool(hints)
    waiting = sorted({*known.pending, *(new if needed else ())})
    return tuple(waiting), () if decision.action == reboot.REBOOT else tuple(waiting)


def _is_there(verdict: Verdict) -> bool:
    """Return whether the Title's version is on the system, installed or still to be configured."""
    installed = verdict.package.installed
    unpacked = bool(verdict.package.broken) and installed is not None and installed.version == verdict.version.version
    return unpacked or verdict.state in INSTALLED_STATES
