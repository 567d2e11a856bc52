# SPDX-License-Identifier: Apache-2.0
"""Finishing what was interrupted: by a kill, a crash, or the reboot that an install asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import reboot
from ..baseline.parse import parse_baseline
from ..config import Settings
from ..host import Host
from ..model import ExecutionResult
from ..store import journal
from ..store.lock import OperationLock
from . import plain, records
from .finish import Finished, finish
from .judging import judge_and_report
from .outcome import event_data, snapshot
from .session import Session, Surface, judge_host, open_session, with_reboot_option
from .steps import fire, locked_operation, refresh_index, run_hooks


def resume(settings: Settings, *, surface: Surface, host: Host | None = None) -> dict[str, Any]:
    """Finish or close an interrupted operation; after a requested reboot verify it by a scan.

    Returns:
        ``resumed`` (id of the run, None when nothing was open), ``phase`` it had reached, ``report`` and ``warnings``.

    Raises:
        Busy: an operation runs.
        SsmpatchError: it cannot be finished now; the journal stays open.
    """
    host = host or Host()
    started = host.now()
    session = open_session(settings, host=host, surface=surface)
    with locked_operation(session, "resume") as lock:
        entry, warnings = journal.load_open(state_dir=settings.state_dir, root=settings.root, now=started)
        if entry is None:
            return {"resumed": None, "phase": None, "report": None, "warnings": list(warnings)}
        if entry.phase == journal.REBOOT_REQUESTED and _booted(entry, host):
            said = _verified(session, entry)
            freshness = refresh_index(session, wanted=True)
            result = judge_and_report(session, freshness, started=started, warnings=(*warnings, *said))
            result = records.keep(session, result, upload=None)
        elif entry.phase in (journal.REBOOT_REQUESTED, journal.VERIFIED):
            result = None
            if entry.phase == journal.VERIFIED:
                journal.close(entry)
        else:
            result = _finish_interrupted(session, lock, entry, warnings)
        if result is not None:
            fire(session, "resume", "complete", event_data(result))
    return {"resumed": entry.run_id, "phase": entry.phase, "report": result, "warnings": list(warnings)}


def settle(session: Session, lock: OperationLock, *, installing: bool = False) -> tuple[str, ...]:
    """Before an operation: finish what an earlier one left open; return what there is to say.

    A reboot that was requested and has not happened is left to happen; an install that comes first takes it over.
    """
    settings, host = session.settings, session.host
    entry, warnings = journal.load_open(state_dir=settings.state_dir, root=settings.root, now=host.now())
    if entry is None:
        return warnings
    if entry.phase == journal.REBOOT_REQUESTED and not _booted(entry, host):
        if installing:
            journal.close(entry)
        return (*warnings, f"the reboot that run {entry.run_id} requested has not happened yet")
    if entry.phase == journal.REBOOT_REQUESTED:
        return (*warnings, *_verified(session, entry))
    if entry.phase == journal.VERIFIED:
        journal.close(entry)
        return warnings
    _finish_interrupted(session, lock, entry, warnings)
    return (*warnings, f"run {entry.run_id} was interrupted in phase {entry.phase}; its report has been finished")


def _booted(entry: journal.JournalEntry, host: Host) -> bool:
    requests = entry.reboot
    return not reboot.same_boot(
        recorded_id=requests.boot_id or entry.boot_id,
        recorded_at=requests.requested_at,
        boot_id=host.boot_id(),
        boot_time=host.boot_time(),
    )


def _verified(session: Session, entry: journal.JournalEntry) -> tuple[str, ...]:
    """Close the run whose reboot has happened; the scan at hand is its verification."""
    problem = run_hooks(session, "after_reboot")
    journal.close(journal.advance(entry, journal.VERIFIED))
    return tuple(text for text in (f"the reboot that run {entry.run_id} requested has happened", problem) if text)


def _finish_interrupted(
    session: Session, lock: OperationLock, entry: journal.JournalEntry, warnings: tuple[str, ...]
) -> dict[str, Any]:
    """Repair the package manager, see what the interrupted install has brought in, and write its report."""
    lock.phase("repairing")
    session = _as_begun(session, entry)
    repaired = session.backend.repair()
    lock.phase("reporting")
    judged = judge_host(session, now=session.host.now())
    after = {name: version for name, (version, _build) in snapshot(judged.inventory).items()}
    targets = plain.targets(entry.transaction)
    words = f"interrupted in phase {entry.phase}"
    broken = {package.id for package in judged.inventory.packages if package.broken}
    reached = {t.id for t in targets if after.get(t.id) == t.version and t.id not in broken}
    failures = {t.id: entry.failures.get(t.id, words) for t in targets if t.id not in reached}
    failures = {**failures, **{name: text for name, text in entry.transaction["blocked"].items() if name in failures}}
    if entry.phase == journal.INSTALLING:
        entry = journal.advance(entry, journal.INSTALLED, failures=failures)
    done = Finished(
        operation="Install",
        started=entry.started,
        judged=judged,
        targets=targets,
        executed=ExecutionResult(failures, changed=after != dict(entry.before)),
        changed=tuple(sorted(name for name, version in after.items() if entry.before.get(name) != version)),
        before=entry.before,
        freshness=refresh_index(session, wanted=False),
        warnings=(*warnings, f"this run was {words} and finished later", *repaired),
    )
    return finish(session, done, entry, upload=None)


def _as_begun(session: Session, entry: journal.JournalEntry) -> Session:
    """Return the session as the interrupted operation had it: its baseline, override list and reboot option."""
    begun = entry.settings
    baseline = parse_baseline(
        begun["baseline"], origin=begun["origin"], operating_system=session.os_info.operating_system
    )
    return dataclasses.replace(
        session,
        settings=with_reboot_option(session.settings, begun["reboot_option"]),
        baseline=baseline,
        override_list=plain.override_list(begun["override_list"]),
        overridden=begun["overridden"],
        run_id=entry.run_id,
        snapshot_id=begun["snapshot_id"],
        patch_group=begun["patch_group"],
    )
