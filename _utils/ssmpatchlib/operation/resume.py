# SPDX-License-Identifier: Apache-2.0
"""Finishes an operation that was interrupted by a kill, a crash, or the reboot that it asked for."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from .. import reboot
from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..evaluate import Judged
from ..files import set_aside
from ..host import Host
from ..model import ExecutionResult, Target
from ..patching.targets import reached
from ..report import Report
from ..report_form import event_data, to_plain
from ..store import journal
from ..store.lock import OperationLock
from .caller import Caller
from .events import enter, fire
from .finish import REBOOT, Finished, finish, note
from .hooks import run_hooks
from .journal_form import Begun, read_begun
from .judge import judge_host
from .keep import keep
from .lock import locked_operation
from .notice import announce
from .refresh import Freshness, refresh_index
from .reinstall import reinstall
from .result import snapshot
from .scan_report import judge_and_report
from .session import Session, open_session, with_baseline, with_frozen_set, with_reboot_option


def resume(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Finish or close an interrupted operation; after a requested reboot verify it by a scan; announce what is planned.

    Returns:
        ``resumed`` (id of the run, None when nothing was open), ``phase`` it had reached, ``report`` and ``warnings``.

    Raises:
        Busy: an operation runs.
        SsmpatchError: the operation cannot be finished now; the journal stays open.
    """
    host = host or Host()
    started = host.now()
    session = open_session(settings, host=host, caller=caller, read_frozen=False, needs_baseline=False)
    with locked_operation(session, "resume") as lock:
        entry, begun, warnings = _load(session)
        if entry is None:
            said = (*warnings, *announce(session))
            return {"resumed": None, "phase": None, "report": None, "warnings": list(said)}
        result = None
        if begun is not None:
            result = _finish_interrupted(session, lock, entry, begun, warnings, may_install=True)
        elif entry.phase == journal.VERIFIED:
            journal.close(entry)
        elif _booted(entry, host):
            result, warnings = _verify(session, entry, started, warnings)
        else:
            warnings = (*warnings, _still_to_come(session, entry))
        if result is not None:
            fire(session, "resume", "complete", event_data(result))
        warnings = (*warnings, *announce(session))
    report = to_plain(result) if result else None
    return {"resumed": entry.run_id, "phase": entry.phase, "report": report, "warnings": list(warnings)}


def _verify(
    session: Session, entry: journal.JournalEntry, started: float, warnings: tuple[str, ...]
) -> tuple[Report | None, tuple[str, ...]]:
    """Scan after the reboot and close the run; without what the host is judged by there is no report to be made."""
    unknown = session.unknown
    try:
        session = session if unknown else with_frozen_set(session)
    except SsmpatchError as exc:
        unknown = str(exc)
    warnings = (*warnings, *_happened(entry, run_hooks(session, "after_reboot")))
    result = None
    if unknown:
        warnings = (*warnings, f"compliance is UNKNOWN: {unknown}; run ssmpatch.scan once that is mended")
    else:
        freshness = refresh_index(session, wanted=True, however_young=True)
        result = judge_and_report(session, freshness, started=started, warnings=warnings)
        result, _ = keep(session, result, upload=None)
    _close_verified(entry)
    return result, warnings


def settle(session: Session, lock: OperationLock) -> tuple[str, ...]:
    """Finish what an earlier operation left open, before a new one begins; return warnings.

    The journal of a reboot that was requested and has not happened stays open.
    """
    entry, begun, warnings = _load(session)
    if entry is None:
        return warnings
    if begun is not None:
        _finish_interrupted(session, lock, entry, begun, warnings)
        return (*warnings, f"run {entry.run_id} was interrupted in phase {entry.phase}; its report has been finished")
    if entry.phase == journal.VERIFIED:
        journal.close(entry)
        return warnings
    if not _booted(entry, session.host):
        return (*warnings, _still_to_come(session, entry))
    problem = run_hooks(session, "after_reboot")
    _close_verified(entry)
    return (*warnings, *_happened(entry, problem))


def _load(session: Session) -> tuple[journal.JournalEntry | None, Begun | None, tuple[str, ...]]:
    """Return the open journal, what its operation had decided if its report is to be finished, and warnings.

    A journal that cannot be understood is set aside, since it would stop every further operation.
    """
    now = session.host.now()
    entry, warnings = journal.load_open(session.settings.place(now))
    if entry is None or entry.phase in (journal.REBOOT_REQUESTED, journal.VERIFIED):
        return entry, None, warnings
    if entry.operation == REBOOT:
        # The run ended before it requested the reboot.
        journal.close(entry)
        return None, None, warnings
    try:
        family = session.os_info.operating_system
        begun = read_begun(entry.settings, entry.transaction, operating_system=family)
        with_baseline(session, begun.baseline)
    except (ValueError, InvalidInput) as exc:
        return None, None, (*warnings, set_aside(entry.path, f"run {entry.run_id} cannot be finished: {exc}", now=now))
    return entry, begun, warnings


def _booted(entry: journal.JournalEntry, host: Host) -> bool:
    requests = entry.reboot
    recorded_id = requests.boot_id or entry.boot_id
    return not reboot.same_boot(host.this_boot(), recorded_id=recorded_id, recorded_at=requests.requested_at)


def _happened(entry: journal.JournalEntry, problem: str) -> tuple[str, ...]:
    return tuple(text for text in (f"the reboot that run {entry.run_id} requested has happened", problem) if text)


def _still_to_come(session: Session, entry: journal.JournalEntry) -> str:
    words = f"the reboot that run {entry.run_id} requested"
    if reboot.without_cancelled(entry.reboot, session.host, delay=session.settings.reboot.delay) != entry.reboot:
        return f"{words} was cancelled; the next install, or ssmpatch.reboot, requests it again"
    return f"{words} has not happened yet"


def _close_verified(entry: journal.JournalEntry) -> None:
    journal.close(journal.advance(entry, journal.VERIFIED))


def _finish_interrupted(
    session: Session,
    lock: OperationLock,
    entry: journal.JournalEntry,
    begun: Begun,
    warnings: tuple[str, ...],
    *,
    may_install: bool = False,
) -> Report:
    """Repair the package manager, find what the interrupted install has brought in, and return its stored report.

    With ``may_install`` what is half-installed is installed again.
    """
    enter(session, lock, "resume", "repairing")
    session = _as_begun(session, entry, begun)
    same_boot = reboot.same_boot(session.host.this_boot(), recorded_id=entry.boot_id, recorded_at=entry.started)
    booted = {} if same_boot else session.backend.installed()
    repaired = session.backend.repair()
    judged, freshness = _judge(session, lock, anew=not same_boot)
    again: tuple[Target, ...] = ()
    mended = ExecutionResult({})
    if may_install and any(package.reinstall for package in judged.inventory.packages):
        judged, again, mended = reinstall(session, lock, judged)
    enter(session, lock, "resume", "reporting")
    after = {name: version for name, (version, _build) in snapshot(judged.inventory).items()}
    words = f"interrupted in phase {entry.phase}"
    there = reached(begun.targets, judged.inventory)
    failures = {t.id: entry.failures.get(t.id, words) for t in begun.targets if t.id not in there}
    failures = {**failures, **{name: text for name, text in begun.blocked.items() if name in failures}}
    failures = {**failures, **mended.failures}
    unwritten: list[str] = []
    if entry.phase == journal.INSTALLING:
        entry = note(entry, journal.INSTALLED, unwritten, failures=failures)
    done = Finished(
        operation="Install",
        started=entry.started,
        judged=judged,
        targets=(*begun.targets, *(t for t in again if t.id not in {target.id for target in begun.targets})),
        executed=dataclasses.replace(mended, failures=failures),
        # After a boot, a version that was installed before the repair waits for no further boot.
        changed=tuple(sorted(n for n, version in after.items() if version not in (entry.before.get(n), booted.get(n)))),
        before=entry.before,
        freshness=freshness,
        warnings=(*warnings, f"this run was {words} and finished later", *repaired, *unwritten),
    )
    result = finish(session, done, entry, upload=None, phase=partial(enter, session, lock, "resume"))
    fire(session, "install", "complete", event_data(result))
    return result


def _judge(session: Session, lock: OperationLock, *, anew: bool) -> tuple[Judged, Freshness]:
    """Judge the host; refresh the index first where it is to be read ``anew``, or else has a source nobody can read.

    A power cut leaves indexes half-written: package managers do not wait until they are on the disk.
    """
    if not anew:
        judged = judge_host(session, now=session.host.now())
        if not judged.inventory.unread:
            return judged, refresh_index(session, wanted=False)
    enter(session, lock, "resume", "refreshing")
    freshness = refresh_index(session, wanted=True, however_young=True)
    return judge_host(session, now=session.host.now()), freshness


def _as_begun(session: Session, entry: journal.JournalEntry, begun: Begun) -> Session:
    """Return the session with the baseline, the lists and the reboot option of the interrupted operation."""
    return dataclasses.replace(
        with_baseline(session, begun.baseline),
        settings=with_reboot_option(session.settings, begun.reboot_option),
        frozen=begun.frozen,
        override_list=begun.override_list,
        overridden=begun.overridden,
        run_id=entry.run_id,
        snapshot_id=begun.snapshot_id,
        patch_group=begun.patch_group,
    )
