# SPDX-License-Identifier: Apache-2.0
"""The end of an install, whoever reaches it: verdicts, reboot decision, report, records, journal."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import reboot, report
from ..errors import SsmpatchError
from ..evaluate import Judged
from ..files import Unwritable
from ..model import INSTALLED_STATES, ExecutionResult, Target, Verdict
from ..patching.targets import final_verdicts
from ..reboot import RebootDecision
from ..store import journal, pending
from . import keep
from .refresh import Freshness
from .result import changes_between, describe_reboot, make_report, snapshot
from .session import Session

#: The operation that a journal names which was begun for a reboot alone.
REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Finished:
    """What an install did. ``changed`` are the ``name.arch`` that are new or in another version or build since."""

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
    session: Session, done: Finished, entry: journal.JournalEntry | None, *, upload: bool | None
) -> dict[str, Any]:
    """Write the report of an install, decide about the reboot, close or hand over the journal; return the report."""
    host, settings = session.host, session.settings
    verdicts = final_verdicts(
        done.judged.evaluation.verdicts,
        targets=done.targets,
        failures=done.executed.failures,
        listed=session.override_list is not None,
    )
    known = keep.load_known(session, verdicts)
    hints = _hints(session, done, verdicts)
    decision = _decide(session, known, done, hints)
    waiting, shown = _pending(settings.reboot.option, settings.root, known, verdicts, done.changed, hints, decision)
    ended = host.now()
    no_reboot = settings.reboot.option == reboot.NO_REBOOT
    last_no_reboot = ended if no_reboot else known.last_no_reboot_install
    after = {name: version for name, (version, _build) in snapshot(done.judged.inventory).items()}
    changes = changes_between(dict(done.before), after)
    result = make_report(
        session,
        run=report.Run(
            id=session.run_id,
            operation=done.operation,
            started=done.started,
            ended=ended,
            reboot_option=settings.reboot.option,
            patch_group=session.patch_group,
            snapshot_id=session.snapshot_id,
            install_override_list=session.override_list.location if session.override_list else "",
            last_no_reboot_install=last_no_reboot,
        ),
        verdicts=report.mark_pending(verdicts, shown),
        judged=done.judged,
        unread=done.freshness.with_inventory(done.judged.inventory),
        stale=done.freshness.stale,
        warnings=_said(session, done, known),
        saved_times=known.saved_times,
        duration=max(0.0, ended - done.started),
        reboot=describe_reboot(settings.reboot.option, pending=waiting, hints=hints, decision=decision),
    )
    result["changes"] = changes
    recorded = keep.keep_pending(session, known, waiting, result["warnings"])
    result, stored = keep.keep(session, result, upload=upload, last_no_reboot=last_no_reboot, changes=changes)
    if entry is not None:
        if not (recorded and stored):
            return _left_open(result, decision)
        entry = note(entry, journal.REPORTED, result["warnings"])
    if decision.action == reboot.REBOOT and _is_requested(session, result, entry):
        return result
    if entry is not None:
        if decision.requested:
            note(entry, journal.REBOOT_REQUESTED, result["warnings"], reboot=known.requests)
        else:
            _close(entry, result["warnings"])
    return result


def _left_open(result: dict[str, Any], decision: RebootDecision) -> dict[str, Any]:
    """The journal stays as it is: the next operation writes what this one could not, and decides about the reboot."""
    if decision.action == reboot.REBOOT:
        _defer(result, "this run could not be recorded")
    return result


def _defer(result: dict[str, Any], reason: str) -> None:
    result["reboot"] = {**result["reboot"], "action": reboot.DEFERRED, "reason": reason, "due": None}


def note(entry: journal.JournalEntry, phase: str, warnings: list[str], **fields: Any) -> journal.JournalEntry:
    """Advance the journal of an operation that goes on where that cannot be written: an older phase is as good."""
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


def _is_requested(session: Session, result: dict[str, Any], entry: journal.JournalEntry | None) -> bool:
    """Request the reboot; where that fails the report says so and the reboot stays pending."""
    try:
        if entry is None:
            request_anew(session)
        else:
            request(session, entry)
    except SsmpatchError as exc:
        result["warnings"].append(str(exc))
        _defer(result, str(exc))
        return False
    return True


def take_over(session: Session) -> None:
    """Close the journal of a run that waits for its reboot: the operation that begins now waits for it from here on."""
    earlier, _ = journal.load_open(session.settings.place(session.host.now()))
    if earlier is not None and earlier.phase == journal.REBOOT_REQUESTED:
        journal.close(earlier)


def request_anew(session: Session) -> None:
    """Request a reboot that no install of this call asks for; it is verified like one of an install.

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
    """Request a reboot and remember it, before the machine goes down.

    Raises:
        SsmpatchError: the system does not reboot.
    """
    settings, host = session.settings, session.host
    place, boot = settings.place(host.now()), host.this_boot()
    record, _ = pending.load_pending(place)
    if record is None:
        record = pending.PendingReboot((), place.now, boot.id)
    requests = reboot.one_more(record.requests, now=place.now, boot=boot)
    record = pending.PendingReboot(record.titles, record.since, record.boot_id, requests)
    pending.save_pending(record, place)
    journal.advance(entry, journal.REBOOT_REQUESTED, reboot=requests)
    try:
        reboot.request_reboot(host, delay_minutes=settings.reboot.delay, message=settings.reboot.message)
    except SsmpatchError:
        # It was an attempt, but there is nothing to wait for.
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


def _decide(session: Session, known: keep.Known, done: Finished, hints: tuple[str, ...]) -> RebootDecision:
    settings, host = session.settings, session.host
    if not done.may_reboot:
        return RebootDecision(reboot.NONE, "a hook failed: the reboot is left to later")
    return reboot.decide(
        option=settings.reboot.option,
        changed=bool(done.changed),
        pending=known.pending,
        hints=hints,
        windows=settings.reboot.windows,
        delay_minutes=settings.reboot.delay,
        max_attempts=settings.reboot.max_attempts,
        requests=known.requests,
        now=host.now(),
        boot=host.this_boot(),
        root=settings.root,
    )


def _pending(
    option: str,
    root: Path,
    known: keep.Known,
    verdicts: Collection[Verdict],
    changed: Collection[str],
    hints: tuple[str, ...],
    decision: RebootDecision,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the Titles that wait for a reboot, and those of them that the report shows as InstalledPendingReboot.

    As AWS does, a report before a reboot that is about to happen shows what it will have brought about. What another
    root than the running system got waits only where NoReboot says so.
    """
    new = [v.title for v in verdicts if v.package.id in set(changed) and _is_there(v)]
    if option == reboot.NO_REBOOT:
        waiting = sorted({*known.pending, *new})
        return tuple(waiting), tuple(waiting)
    if root.resolve() != Path("/"):
        return (), ()
    needed = option == reboot.REBOOT_IF_NEEDED or bool(hints)
    waiting = sorted({*known.pending, *(new if needed else ())})
    return tuple(waiting), () if decision.action == reboot.REBOOT else tuple(waiting)


def _is_there(verdict: Verdict) -> bool:
    """Whether the Title's version is on the system; what is still to be configured waits for a reboot as well."""
    installed = verdict.package.installed
    unpacked = bool(verdict.package.broken) and installed is not None and installed.version == verdict.version.version
    return unpacked or verdict.state in INSTALLED_STATES


def _said(session: Session, done: Finished, known: keep.Known) -> list[str]:
    groups = (
        session.warnings,
        done.freshness.warnings,
        done.judged.warnings,
        done.judged.inventory.warnings,
        known.warnings,
        done.executed.warnings,
        done.warnings,
    )
    return [text for group in groups for text in group if text]
