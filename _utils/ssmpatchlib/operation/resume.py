# SPDX-License-Identifier: Apache-2.0
"""Finishes an operation that was interrupted by a kill, a crash, or the reboot that it asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import reboot
from ..config import Settings
from ..errors import InvalidInput
from ..files import set_aside
from ..host import Host
from ..model import ExecutionResult
from ..report import Report
from ..report_form import event_data, to_plain
from ..store import journal
from ..store.lock import OperationLock
from .caller import Caller
from .events import fire
from .finish import REBOOT, Finished, finish, note
from .hooks import run_hooks
from .journal_form import Begun, read_begun
from .keep import keep
from .lock import locked_operation
from .refresh import refresh_index
from .result import snapshot
from .scan_report import judge_and_report
from .session import Session, judge_host, open_session, with_baseline, with_frozen_set, with_reboot_option


def resume(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Finish or close an interrupted operation; after a requested reboot verify it by a scan.

    Returns:
        ``resumed`` (id of the run, None when nothing was open), ``phase`` it had reached, ``report`` and ``warnings``.

    Raises:
        Busy: an operation runs.
        SsmpatchError: the operation cannot be finished now; the journal stays open.
    """
    host = host or Host()
    started = host.now()
    session = open_session(settings, host=host, caller=caller, read_frozen=False)
    with locked_operation(session, "resume") as lock:
        entry, begun, warnings = _load(session)
        if entry is None:
            return {"resumed": None, "phase": None, "report": None, "warnings": list(warnings)}
        result = None
        if begun is not None:
            result = _finish_interrupted(session, lock, entry, begun, warnings)
        elif entry.phase == journal.VERIFIED:
            journal.close(entry)
        elif _booted(entry, host):
            session = with_frozen_set(session)
            problem = run_hooks(session, "after_reboot")
            freshness = refresh_index(session, wanted=True)
            said = (*warnings, *_happened(entry, problem))
            result = judge_and_report(session, freshness, started=started, warnings=said)
            result, _ = keep(session, result, upload=None)
            _close_verified(entry)
        else:
            warnings = (*warnings, _still_to_come(entry))
        if result is not None:
            fire(session, "resume", "complete", event_data(result))
    report = to_plain(result) if result else None
    return {"resumed": entry.run_id, "phase": entry.phase, "report": report, "warnings": list(warnings)}


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
        return (*warnings, _still_to_come(entry))
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


def _still_to_come(entry: journal.JournalEntry) -> str:
    return f"the reboot that run {entry.run_id} requested has not happened yet"


def _close_verified(entry: journal.JournalEntry) -> None:
    journal.close(journal.advance(entry, journal.VERIFIED))


def _finish_interrupted(
    session: Session,
    lock: OperationLock,
    entry: journal.JournalEntry,
    begun: Begun,
    warnings: tuple[str, ...],
) -> Report:
    """Repair the package manager, find what the interrupted install has brought in, and return its stored report."""
    lock.phase("repairing")
    session = _as_begun(session, entry, begun)
    same_boot = reboot.same_boot(session.host.this_boot(), recorded_id=entry.boot_id, recorded_at=entry.started)
    booted = {} if same_boot else session.backend.installed()
    repaired = session.backend.repair()
    lock.phase("reporting")
    judged = judge_host(session, now=session.host.now())
    after = {name: version for name, (version, _build) in snapshot(judged.inventory).items()}
    words = f"interrupted in phase {entry.phase}"
    broken = {package.id for package in judged.inventory.packages if package.broken}
    reached = {t.id for t in begun.targets if after.get(t.id) == t.version and t.id not in broken}
    failures = {t.id: entry.failures.get(t.id, words) for t in begun.targets if t.id not in reached}
    failures = {**failures, **{name: text for name, text in begun.blocked.items() if name in failures}}
    unwritten: list[str] = []
    if entry.phase == journal.INSTALLING:
        entry = note(entry, journal.INSTALLED, unwritten, failures=failures)
    done = Finished(
        operation="Install",
        started=entry.started,
        judged=judged,
        targets=begun.targets,
        executed=ExecutionResult(failures),
        # After a boot, a version that was installed before the repair waits for no further boot.
        changed=tuple(sorted(n for n, version in after.items() if version not in (entry.before.get(n), booted.get(n)))),
        before=entry.before,
        freshness=refresh_index(session, wanted=False),
        warnings=(*warnings, f"this run was {words} and finished later", *repaired, *unwritten),
    )
    return finish(session, done, entry, upload=None)


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
