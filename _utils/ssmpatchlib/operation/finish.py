# SPDX-License-Identifier: Apache-2.0
"""The end of an install, also of a resumed one: verdicts, reboot decision, report, records, journal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import reboot
from ..config import Settings
from ..errors import SsmpatchError
from ..evaluate import Judged
from ..files import Unwritable
from ..model import INSTALLED_STATES, ExecutionResult, Target, Verdict
from ..patching.targets import final_verdicts, reached
from ..reboot import RebootDecision
from ..report import Report, add_warnings, mark_pending
from ..store import journal, pending
from ..windows import is_open
from .hooks import run_hooks
from .keep import Known, installed_titles, keep, keep_pending, load_known
from .refresh import Freshness
from .restarts import (
    Restarts,
    describe,
    look,
    reasons,
    restart_services,
    restart_the_last,
    standing_reasons,
    waiting,
)
from .result import changes_between, describe_reboot, make_report, snapshot
from .session import Session, system_reasons
from .window import may_begin

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


def finish(
    session: Session,
    done: Finished,
    entry: journal.JournalEntry | None,
    *,
    upload: str | None,
    phase: Callable[[str], None],
) -> Report:
    """Restart services, decide about the reboot, store the report, close the journal or keep it until the reboot.

    Args:
        phase: is told what is done now, where that may take long.
    """
    host, settings = session.host, session.settings
    # What did not come in when it was its turn may have come with another package, before or later.
    there = reached(done.targets, done.judged.inventory)
    verdicts = final_verdicts(
        done.judged.evaluation.verdicts,
        targets=done.targets,
        failures={id_: words for id_, words in done.executed.failures.items() if id_ not in there},
        listed=session.override_list is not None,
    )
    known = load_known(session, installed_titles(verdicts))
    decision, hints, left, restarts = _consequences(session, known, done, _hints(session, done, verdicts), phase)
    unprepared = prepared(session) if decision.action == reboot.REBOOT else ""
    if unprepared:
        decision = RebootDecision(reboot.DEFERRED, unprepared)
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
        warnings=(*done.executed.warnings, *done.warnings, *restarts.warnings, *filter(None, (unprepared,))),
        changes=changes_between(dict(done.before), after),
        restarts=describe(restarts),
    )
    unrecorded = keep_pending(session, known, waiting, left, problem=unprepared)
    result, stored = keep(session, add_warnings(result, (unrecorded,)), upload=upload, last_no_reboot=last_no_reboot)
    if entry is not None and (unrecorded or not stored):
        # The journal stays open: the next operation writes what could not be written, and decides about the reboot.
        return _deferred(result, "this run could not be recorded") if decision.action == reboot.REBOOT else result
    unwritten: list[str] = []
    if entry is not None:
        entry = note(entry, journal.REPORTED, unwritten)
    problem = _requested(session, entry, hints) if decision.action == reboot.REBOOT else ""
    if problem:
        result = _deferred(result, problem)
        unwritten.append(problem)
    if entry is not None and (problem or decision.action != reboot.REBOOT):
        if decision.requested:
            note(entry, journal.REBOOT_REQUESTED, unwritten, reboot=known.requests)
        else:
            _close(entry, unwritten)
    return add_warnings(result, unwritten)


def _consequences(
    session: Session, known: Known, done: Finished, hints: tuple[str, ...], phase: Callable[[str], None]
) -> tuple[RebootDecision, tuple[str, ...], tuple[str, ...], Restarts]:
    """Restart services where no reboot comes that does it, and decide about the reboot.

    Returns:
        The decision, why the system asks for a reboot, the same with what restarts would cure, and what was restarted.
    """
    decision = _decide(session, known, done, hints)
    if decision.action == reboot.REBOOT or decision.requested or not done.may_reboot:
        restarts = Restarts(look(session))
        asked = standing_reasons(session, restarts.found)
    elif not may_begin(session.settings, session.host.now()):
        # An interrupted install is finished at any time, but a restart begins in the window only, like a batch.
        restarts = waiting(session)
        asked = standing_reasons(session, restarts.found)
        decision = _decide(session, known, done, (*hints, *asked))
    else:
        restarts = restart_services(session, phase, changed=bool(done.changed))
        asked = reasons(session, restarts.found)
        decision = _decide(session, known, done, (*hints, *asked))
        if decision.action != reboot.REBOOT:
            restarts = restart_the_last(session, restarts)
    left = (*hints, *reasons(session, restarts.found))
    return decision, (*hints, *asked), left, restarts


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


def _requested(session: Session, entry: journal.JournalEntry | None, hints: Sequence[str]) -> str:
    """Request the reboot; return why that failed, ``""`` when it did not. After a failure the reboot stays pending."""
    try:
        if entry is None:
            request_anew(session, hints)
        else:
            request(session, entry, hints)
    except SsmpatchError as exc:
        return str(exc)
    return ""


def prepared(session: Session, *, force: bool = False) -> str:
    """Run the hook ``pre_reboot``; return why the reboot must not be requested now, ``""`` when it may.

    To drain a node may take longer than the reboot window is open; with ``force`` that does not matter.
    """
    problem, policy = run_hooks(session, "pre_reboot"), session.settings.reboot
    if not problem and not force and not is_open(policy.windows, session.host.now() + policy.delay * 60):
        problem = "the reboot window closed while the hook pre_reboot ran"
    return f"{problem}; the reboot stays pending" if problem else ""


def take_over(session: Session) -> None:
    """Close the journal of a run that waits for its reboot, so that the new operation can open its own."""
    earlier, _ = journal.load_open(session.settings.place(session.host.now()))
    if earlier is not None and earlier.phase == journal.REBOOT_REQUESTED:
        journal.close(earlier)


def request_anew(session: Session, hints: Sequence[str]) -> None:
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
        request(session, entry, hints)
    except SsmpatchError:
        journal.close(entry)
        raise


def request(session: Session, entry: journal.JournalEntry, hints: Sequence[str]) -> None:
    """Record that a reboot is requested, and for which ``hints``, then request it.

    Raises:
        SsmpatchError: the system does not reboot.
    """
    settings, host = session.settings, session.host
    place, boot = settings.place(host.now()), host.this_boot()
    record, _ = pending.load_pending(place)
    record = record or pending.PendingReboot((), place.now, boot.id)
    earlier = reboot.without_cancelled(record.requests, host, delay=settings.reboot.delay)
    requests = reboot.one_more(earlier, now=place.now, boot=boot, hints=hints)
    record = dataclasses.replace(record, requests=requests)
    pending.save_pending(record, place)
    journal.advance(entry, journal.REBOOT_REQUESTED, reboot=requests)
    try:
        reboot.request_reboot(host, delay_minutes=settings.reboot.delay, message=settings.reboot.message)
    except SsmpatchError as exc:
        # It counts as an attempt, but no reboot is under way.
        failed = dataclasses.replace(requests, requested_at=0.0, problem=str(exc))
        record = dataclasses.replace(record, requests=failed)
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
    return tuple(dict.fromkeys((*system_reasons(session), *suggested, *done.executed.reboot_hints)))


def _decide(session: Session, known: Known, done: Finished, hints: tuple[str, ...]) -> RebootDecision:
    settings, host = session.settings, session.host
    if not done.may_reboot:
        return RebootDecision(reboot.NONE, "a hook failed: the reboot is left to later")
    return reboot.decide(
        settings.reboot,
        changed=bool(done.changed),
        pending=known.pending,
        hints=hints,
        requests=reboot.without_cancelled(known.requests, host, delay=settings.reboot.delay),
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
