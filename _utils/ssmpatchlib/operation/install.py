# SPDX-License-Identifier: Apache-2.0
"""The commands ``plan`` and ``install``; the journal is written before every step."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..evaluate import Judged
from ..host import Host
from ..input_errors import refuse
from ..model import ExecutionResult, Transaction
from ..patching.planner import make_plan
from ..patching.progress import Progress
from ..patching.runner import execute
from ..patching.targets import choose_targets, forbids
from ..reboot import NO_REBOOT
from ..report import Report, source_warning
from ..report_form import event_data, to_plain
from ..store import journal
from ..store.lock import OperationLock
from .caller import Caller
from .events import ProgressTeller, enter, fire
from .finish import Finished, finish, note, take_over
from .hooks import run_hooks, unknown_hooks
from .journal_form import from_session, from_transaction
from .judge import judge_host
from .keep import installed_titles, load_known
from .lock import locked_operation
from .refresh import refresh_index
from .restarts import services_wait
from .result import changed_ids, describe_plan, snapshot, warnings_of
from .resume import settle
from .session import Session, open_session, with_reboot_option, work_dir
from .window import may_begin, opening, require_open


def plan(
    settings: Settings,
    *,
    caller: Caller,
    host: Host | None = None,
    baseline_override: Any = None,
    install_override_list: Any = None,
    refresh: bool = True,
) -> dict[str, Any]:
    """Return the transaction that ``install`` would run, as plain data; change only the package index.

    Raises:
        InvalidInput, Busy, SsmpatchError: as in ``install``.
    """
    session = open_session(
        settings,
        host=host or Host(),
        caller=caller,
        baseline_override=baseline_override,
        install_override_list=install_override_list,
        use_override_list=True,
    )
    with locked_operation(session, "plan", optional=True) as lock:
        freshness = refresh_index(session, wanted=refresh)
        judged = judge_host(session, now=session.host.now())
        transaction = _transaction(session, judged)
    unread = map(source_warning, freshness.with_inventory(judged.inventory))
    said = (*warnings_of(session, freshness, judged), lock.warning, *unread)
    plan = describe_plan(session, judged, transaction, said)
    return {**plan, "next_open": opening(settings, session.host.now())}


def install(
    settings: Settings,
    *,
    caller: Caller,
    host: Host | None = None,
    baseline_override: Any = None,
    install_override_list: Any = None,
    snapshot_id: str | None = None,
    reboot_option: str | None = None,
    refresh: bool = True,
    upload: str | None = None,
) -> dict[str, Any]:
    """Scan, install, scan again, store, upload and apply the reboot policy; return the full report.

    Raises:
        InvalidInput: arguments or configuration are wrong; nothing was done.
        Busy: another operation runs, or the package manager's lock was held too long.
        SsmpatchError: an install is not allowed now (window, not root), or failed; ``info`` has the report, if any.
    """
    host = host or Host()
    started = host.now()
    settings = with_reboot_option(settings, reboot_option)
    session = open_session(
        settings,
        host=host,
        caller=caller,
        baseline_override=baseline_override,
        install_override_list=install_override_list,
        use_override_list=True,
        snapshot_id=snapshot_id,
    )
    if unknown := unknown_hooks(caller, settings.hooks):
        refuse("configuration", unknown)
    if not host.is_root():
        raise InvalidInput("install: the package manager lets only root install; run the minion or salt-call as root")
    with locked_operation(session, "install") as lock:
        settled = settle(session, lock)
        require_open(settings, host.now())
        problem = ""
        try:
            with contextlib.ExitStack() as at_end:
                at_end.callback(session.backend.drop_held)
                result, problem = _install(
                    session, lock, started=started, refresh=refresh, upload=upload, settled=settled
                )
        finally:
            problem = "; ".join(text for text in (problem, run_hooks(session, "on_exit")) if text)
        fire(session, "install", "complete", event_data(result))
    form = {**to_plain(result), "next_open": opening(settings, host.now())}
    if problem:
        raise SsmpatchError(problem, info=form)
    return form


def _install(
    session: Session,
    lock: OperationLock,
    *,
    started: float,
    refresh: bool,
    upload: str | None,
    settled: tuple[str, ...],
) -> tuple[Report, str]:
    """Do the install under the lock; return the report and which hook failed, ``""`` for none."""
    enter(session, lock, "install", "repairing")
    repaired = session.backend.repair()
    enter(session, lock, "install", "refreshing")
    freshness = refresh_index(session, wanted=refresh, import_keys=True)
    enter(session, lock, "install", "planning")
    judged = judge_host(session, now=session.host.now())
    # A hook may change the system, so that a transaction held open before it would no longer fit.
    transaction = _transaction(session, judged, hold=not session.settings.hooks["pre_install"])
    before = snapshot(judged.inventory)
    problem = run_hooks(session, "pre_install") if transaction.batches or _waits(session, judged) else ""
    entry, executed = None, ExecutionResult(_words(transaction))
    if transaction.batches and not problem:
        entry = _begin(session, transaction, before, started)
        entry, executed = _execute(session, lock, transaction, entry)
        judged = judge_host(session, now=session.host.now())
        problem = run_hooks(session, "post_install")
    elif problem:
        executed = ExecutionResult({t.id: f"not attempted: {problem}" for t in transaction.targets})
    enter(session, lock, "install", "reporting")
    finished = Finished(
        operation="Install",
        started=started,
        judged=judged,
        targets=transaction.targets,
        executed=executed,
        changed=tuple(changed_ids(before, snapshot(judged.inventory))),
        before={name: version for name, (version, _build) in before.items()},
        freshness=freshness,
        warnings=(*settled, *repaired, *transaction.warnings, *([problem] if problem else [])),
        may_reboot=not problem,
    )
    phase = partial(enter, session, lock, "install")
    return finish(session, finished, entry, upload=upload, phase=phase), problem


def _waits(session: Session, judged: Judged) -> bool:
    """Return whether a reboot or restarts are due though there is nothing to install. Rule: docs/rules.md, Install."""
    if services_wait(session):
        return True
    if session.settings.reboot.option == NO_REBOOT:
        return False
    return bool(load_known(session, installed_titles(judged.evaluation.verdicts)).pending)


def _transaction(session: Session, judged: Judged, *, hold: bool = False) -> Transaction:
    """Return the transaction that installs what is approved; ``hold`` as in ``make_plan``."""
    return make_plan(
        session.backend,
        choose_targets(judged, session.override_list),
        inventory=judged.inventory,
        forbidden=forbids(session.baseline, judged, session.override_list, session.frozen),
        hold=hold,
    )


def _words(transaction: Transaction) -> dict[str, str]:
    return {b.target.id: b.reason for b in transaction.blocked}


def _begin(
    session: Session, transaction: Transaction, before: Mapping[str, tuple[str, str]], started: float
) -> journal.JournalEntry:
    take_over(session)
    return journal.begin(
        session.settings.place(started),
        run_id=session.run_id,
        operation="install",
        boot_id=session.host.boot_id(),
        settings=from_session(session),
        transaction=from_transaction(transaction),
        before={name: version for name, (version, _build) in before.items()},
    )


def _execute(
    session: Session, lock: OperationLock, transaction: Transaction, entry: journal.JournalEntry
) -> tuple[journal.JournalEntry, ExecutionResult]:
    """Run the transaction; write its progress to journal, lock, events and log; return the journal and the result."""
    latest = [entry]
    unwritten: list[str] = []
    teller = ProgressTeller(session)

    def on_progress(progress: Progress) -> None:
        reached = latest[0]
        forward = progress.phase in (reached.phase, *journal.NEXT_PHASES[reached.phase])
        phase = progress.phase if forward else reached.phase
        if (phase, progress.batch) != (reached.phase, reached.batch):
            latest[0] = note(reached, phase, unwritten, batch=progress.batch, batches=progress.batches)
        lock.phase(f"{progress.phase} (batch {progress.batch}/{progress.batches})")
        teller.tell(progress)

    executed = execute(
        session.backend,
        transaction,
        host=session.host,
        output=work_dir(session.settings),
        on_progress=on_progress,
        may_start_batch=lambda: may_begin(session.settings, session.host.now()),
    )
    entry = latest[0]
    if entry.phase == journal.INSTALLING:
        entry = note(entry, journal.INSTALLED, unwritten, failures=dict(executed.failures))
    return entry, dataclasses.replace(executed, warnings=(*executed.warnings, *unwritten))
