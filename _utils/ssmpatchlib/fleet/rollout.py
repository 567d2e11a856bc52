# SPDX-License-Identifier: Apache-2.0
"""Begin, resume, watch and stop a rollout, and say beforehand what it would do."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import Busy, InvalidInput, SsmpatchError
from ..host import Host
from ..store.lock import current, operation_lock
from ..times import aws_time
from ..wording import amount
from . import frozen, gate, journal, minion_states
from .drive import Driver
from .gate import PlannedRing
from .hosts import opening_of
from .journal import Rollout
from .minion_states import Minion
from .salt_client import Call, Salt, ask, keywords
from .settings import FleetSettings, Ring
from .untrusted import clean, error_text, shown

#: What a batch is expected to take as long as no rollout has taken any time yet (seconds).
ASSUMED_BATCH_SECONDS = 900
_LOCK_ROOT = Path("/")
#: What a ring is called of which nobody is at work; it stays so when the rollout ends.
_AT_REST = frozenset({"waiting", "gate closed", "done"})


def plan_rings(rings: Sequence[Ring], salt: Salt) -> tuple[PlannedRing, ...]:
    """Find the minions of each ring.

    Raises:
        InvalidInput: there are no rings, or one has no minion.
    """
    if not rings:
        raise InvalidInput(
            "rollout: there are no rings; give rings=…, or set ssmpatch:rings in the master configuration"
        )
    plan = gate.make_plan(rings, [salt.expand(ring.tgt, ring.tgt_type) for ring in rings])
    for planned in plan:
        if not planned.minions:
            why = f"; the {planned.elsewhere} it matches are in earlier rings" if planned.elsewhere else ""
            raise InvalidInput(f"ring {planned.ring.name}: no minion of its own matches {planned.ring.tgt!r}{why}")
    return plan


def start(
    settings: FleetSettings, rings: Sequence[Ring], salt: Salt, *, freeze: bool, file_roots: Sequence[str]
) -> dict[str, Any]:
    """Carry out a new rollout and return its status.

    Raises:
        Busy: a rollout runs.
        InvalidInput: nothing can be rolled out like this, or an interrupted rollout waits for a decision.
    """
    if freeze:
        frozen.directory_of(settings.frozen_dir, file_roots)
    with _lock(settings):
        _refuse_interrupted(settings, salt.now())
        plan = plan_rings(rings, salt)
        now = salt.now()
        stamp = dt.datetime.fromtimestamp(now, dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        rollout = Rollout(
            id=f"{stamp}-{secrets.token_hex(3)}",
            created=now,
            plan=plan,
            freeze=freeze,
            minions={name: Minion(since=now) for planned in plan for name in planned.minions},
            progress=[journal.Progress() for _ in plan],
        )
        journal.save(settings.state_dir, rollout, now=now)
        journal.prune(settings.state_dir)
        return _drive(settings, rollout, salt, file_roots)


def resume(settings: FleetSettings, salt: Salt, *, rollout: str, file_roots: Sequence[str]) -> dict[str, Any]:
    """Go on with a rollout that was interrupted, aborted, stopped by a gate, or left minions behind or failed.

    Args:
        rollout: its id; ``""`` for the last one.

    Raises:
        Busy: a rollout runs.
        InvalidInput: there is none, or it has succeeded.
    """
    with _lock(settings):
        found = _load(settings, rollout, salt.now())
        passed = all(minion.phase in minion_states.PASSED for minion in found.minions.values())
        if found.status == journal.SUCCEEDED and passed:
            raise InvalidInput(f"rollout {found.id}: it has succeeded, there is nothing left to do; start a new one")
        journal.clear_abort(settings.state_dir, found.id)
        return _drive(settings, found, salt, file_roots)


def abort(settings: FleetSettings, salt: Salt, *, rollout: str, reason: str) -> dict[str, Any]:
    """Stop a rollout before its next batch; one whose runner is gone is stopped at once. Returns its status.

    Raises:
        InvalidInput: there is no such rollout, or it has ended.
    """
    found = _load(settings, rollout, salt.now())
    if found.status != journal.RUNNING:
        raise InvalidInput(f"rollout {found.id}: it has ended already ({found.status})")
    if _holder(settings) is not None:
        journal.request_abort(settings.state_dir, found.id, reason)
    else:
        with _lock(settings):
            found.status, found.reason = journal.ABORTED, reason
            journal.save(settings.state_dir, found, now=salt.now())
        salt.fire(f"ssmpatch/rollout/{found.id}/aborted", {"rollout": found.id, "reason": reason})
    return describe(settings, found, now=salt.now())


def status(settings: FleetSettings, salt: Salt, *, rollout: str, details: bool) -> dict[str, Any]:
    """Where a rollout stands, the last one unless named.

    Raises:
        InvalidInput: there is none.
    """
    return describe(settings, _load(settings, rollout, salt.now()), now=salt.now(), details=details)


def describe(settings: FleetSettings, rollout: Rollout, *, now: float, details: bool = False) -> dict[str, Any]:
    """A rollout as plain data: rings, batches, minions that matter, and when it should end."""
    holder = _holder(settings)
    word = rollout.status
    if word == journal.RUNNING and holder is None:
        word = "interrupted"
    elif word == journal.RUNNING and journal.abort_requested(settings.state_dir, rollout.id):
        word = "stopping"
    eta = _eta(rollout, now) if word == journal.RUNNING else None
    rings = zip(rollout.plan, rollout.progress, strict=True)
    shown = minion_states.PASSED | {minion_states.WAITING}
    return {
        "id": rollout.id,
        "status": word,
        "reason": rollout.reason,
        "ring": rollout.plan[rollout.ring].ring.name,
        "started": aws_time(rollout.created),
        "updated": aws_time(rollout.updated),
        "eta": aws_time(eta) if eta is not None else None,
        "rings": [_describe_ring(planned, progress, rollout, word) for planned, progress in rings],
        "frozen": dict(rollout.frozen),
        **({"warnings": list(rollout.warnings)} if rollout.warnings else {}),
        "unreachable": [name for name, minion in rollout.minions.items() if minion.phase == minion_states.UNREACHABLE],
        "minions": {
            name: _describe_minion(minion, now)
            for name, minion in rollout.minions.items()
            if details or minion.phase not in shown or minion.warnings
        },
    }


def _describe_ring(
    planned: PlannedRing, progress: journal.Progress, rollout: Rollout, rollout_status: str
) -> dict[str, Any]:
    outcome = gate.judge(planned, rollout.minions)
    at_work = rollout_status in (journal.RUNNING, "stopping")
    described: dict[str, Any] = {
        "name": planned.ring.name,
        "status": progress.status if at_work or progress.status in _AT_REST else rollout_status,
        "minions": len(planned.minions),
        "batch": f"{progress.batch}/{len(planned.batches)}",
        "phases": dict(outcome.counts),
        "compliant": outcome.figures,
        "problems": list(progress.problems),
    }
    if progress.soak_until:
        described["soak_until"] = aws_time(progress.soak_until)
    return described


def _describe_minion(minion: Minion, now: float) -> dict[str, Any]:
    described: dict[str, Any] = {"phase": minion.phase, "seconds": max(0, round(now - minion.since))}
    for name in ("reason", "changed", "held_back", "attempts"):
        if getattr(minion, name):
            described[name] = getattr(minion, name)
    for name in ("patches", "warnings"):
        if getattr(minion, name):
            described[name] = list(getattr(minion, name))
    return described


def _eta(rollout: Rollout, now: float) -> float:
    """When the rollout should end, by what its batches took so far."""
    spent = [seconds for progress in rollout.progress for seconds in progress.spent]
    each = sum(spent) / len(spent) if spent else ASSUMED_BATCH_SECONDS
    left = 0.0
    for planned, progress in zip(rollout.plan, rollout.progress, strict=True):
        left += (len(planned.batches) - progress.batch) * each
        if not progress.ended:
            left += max(0.0, progress.soak_until - now) if progress.soak_until else planned.ring.soak
    waiting = [minion.opens for minion in rollout.minions.values() if minion.phase == minion_states.WINDOW]
    return max([now, *waiting]) + left


def dry_run(
    settings: FleetSettings, rings: Sequence[Ring], salt: Salt, *, ask_minions: bool, timeout: float
) -> dict[str, Any]:
    """Who would get what, and when; nothing is changed.

    Args:
        ask_minions: let every minion plan (``ssmpatch.plan``); else only rings, batches and times are told.
        timeout: seconds to wait for their plans.
    """
    plan = plan_rings(rings, salt)
    everybody = [name for planned in plan for name in planned.minions]
    answers = _planned_changes(salt, everybody, timeout) if ask_minions else {}
    now = salt.now()
    opens = {name: at for name, answer in answers.items() if (at := opening_of(answer.get("next_open"), now))}
    times = gate.forecast(
        plan,
        start=now,
        batch_seconds=_past_batch_seconds(settings, now),
        opens=opens,
        longest=settings.limits.window,
    )
    rings_said = [_forecast(planned, *when, opens) for planned, when in zip(plan, times, strict=True)]
    if not ask_minions:
        return {"rings": rings_said}
    return {
        "rings": rings_said,
        "changes": {name: answer["problem"] or answer["plan"] for name, answer in answers.items()},
        "unreachable": [name for name in everybody if name not in answers],
    }


def _forecast(
    planned: PlannedRing, begins: float, batches: Sequence[float], opens: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "name": planned.ring.name,
        "minions": len(planned.minions),
        "begins": aws_time(begins),
        "batches": [_forecast_batch(at, batch, opens) for at, batch in zip(batches, planned.batches, strict=True)],
        "soak": planned.ring.soak,
        "gate": {
            "min_compliant": str(planned.ring.gate.min_compliant),
            "max_failures": str(planned.ring.max_failures),
            "checks": [check.function for check in planned.ring.gate.checks],
        },
        **({"elsewhere": planned.elsewhere} if planned.elsewhere else {}),
    }


def _forecast_batch(at: float, batch: Sequence[str], opens: Mapping[str, float]) -> dict[str, Any]:
    """A batch with those of its minions that wait for their own window, and until when."""
    waiting = {name: aws_time(opens[name]) for name in batch if name in opens}
    return {"begins": aws_time(at), "minions": list(batch), **({"waiting": waiting} if waiting else {})}


def _planned_changes(salt: Salt, names: Sequence[str], timeout: float) -> dict[str, dict[str, Any]]:
    """What each minion that answers would do: ``plan``, or ``problem`` in words, and ``next_open``."""
    call = Call(("ssmpatch.plan",), (keywords(refresh=False),))
    found: dict[str, dict[str, Any]] = {}
    for name, answer in ask(salt, names, call, timeout=timeout):
        try:
            found[name] = _planned(answer)
        except Exception as exc:  # Whatever one minion says, the others are read.
            found[name] = {"problem": f"its plan cannot be read ({type(exc).__name__})"}
    return found


def _planned(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("changes"), Mapping):
        return {"problem": error_text(answer) or f"no plan, but {shown(answer)}"}
    changes = {
        clean(package): " → ".join((clean(_of(change, "old")) or "(new)", clean(_of(change, "new")) or "(removed)"))
        for package, change in answer["changes"].items()
    }
    blocked = answer.get("blocked") or ()
    if not isinstance(blocked, (list, tuple)):
        return {"problem": f"its plan cannot be read: blocked: {shown(blocked)}"}
    plan = {"changes": changes, "blocked": [clean(_of(each, "id")) for each in blocked if _of(each, "id")]}
    return {"problem": "", "plan": plan, "next_open": answer.get("next_open")}


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _past_batch_seconds(settings: FleetSettings, now: float) -> float:
    """What a batch took on average in the last rollout; assumed when there is none."""
    with contextlib.suppress(SsmpatchError):
        last = journal.load(settings.state_dir, journal.latest(settings.state_dir), now=now)
        spent = [seconds for progress in last.progress for seconds in progress.spent]
        if spent:
            return max(1.0, sum(spent) / len(spent))
    return ASSUMED_BATCH_SECONDS


@contextlib.contextmanager
def _lock(settings: FleetSettings) -> Iterator[None]:
    """One rollout at a time; the kernel frees the lock of a runner that died."""
    try:
        with operation_lock(
            state_dir=settings.state_dir, root=_LOCK_ROOT, operation="rollout", run_id="", timeout=0, host=Host()
        ):
            yield
    except Busy as exc:
        raise Busy(f"{exc}; see ssmpatch.rollout_status, or stop it with ssmpatch.rollout_abort") from exc


def _holder(settings: FleetSettings) -> dict[str, Any] | None:
    return current(settings.state_dir, _LOCK_ROOT)


def _load(settings: FleetSettings, rollout: str, now: float) -> Rollout:
    wanted = rollout or journal.latest(settings.state_dir)
    if not wanted:
        raise InvalidInput(
            f"rollout: there has been none yet (in {settings.state_dir}); start one with ssmpatch.rollout"
        )
    return journal.load(settings.state_dir, wanted, now=now)


def _refuse_interrupted(settings: FleetSettings, now: float) -> None:
    last = journal.latest(settings.state_dir)
    if not last:
        return
    found = journal.load(settings.state_dir, last, now=now)
    if found.status == journal.RUNNING:
        raise InvalidInput(
            f"rollout {found.id} was interrupted in ring {found.plan[found.ring].ring.name}; "
            "go on with resume=True, or give it up with ssmpatch.rollout_abort"
        )


def _drive(settings: FleetSettings, rollout: Rollout, salt: Salt, file_roots: Sequence[str]) -> dict[str, Any]:
    def freeze(of: Rollout) -> dict[str, str]:
        passed = [name for name in of.plan[0].minions if of.minions[name].phase in minion_states.PASSED]
        frozen_set = freeze_minions(settings, salt, passed, name=of.id, file_roots=file_roots)
        of.warnings = list(frozen_set.get("warnings", ()))
        return dict(frozen_set["locations"])

    Driver(rollout, salt=salt, state_dir=settings.state_dir, limits=settings.limits, freeze=freeze).run()
    return describe(settings, rollout, now=salt.now())


def freeze_minions(
    settings: FleetSettings, salt: Salt, minions: Sequence[str], *, name: str, file_roots: Sequence[str]
) -> dict[str, Any]:
    """Freeze what is approved on these minions; written under ``name`` and as the current set.

    Raises:
        NoFrozenSet: no minion gave a set.
        InvalidInput: there is no place on the file server.
    """
    directory = frozen.directory_of(settings.frozen_dir, file_roots)
    if not minions:
        raise frozen.NoFrozenSet("freeze: there is no minion to freeze")
    found = frozen.collect(salt, minions, now=salt.now(), timeout=settings.limits.scan)
    gave_none = [f"{name} gave no frozen set: {problem}" for name, problem in sorted(found.problems.items())]
    if not found.documents:
        raise frozen.NoFrozenSet(f"freeze: {amount(len(gave_none), 'minion')} gave no frozen set; {gave_none[0]}")
    locations = frozen.write(found.documents, directory=directory, name=name, file_roots=file_roots)
    if name != frozen.CURRENT:
        frozen.write(found.documents, directory=directory, name=frozen.CURRENT, file_roots=file_roots)
    warnings = [*gave_none[: frozen.MAX_TOLD], *found.warnings]
    return {
        "locations": locations,
        "packages": {system: len(document["packages"]) for system, document in found.documents.items()},
        "minions": len(minions),
        **({"warnings": warnings} if warnings else {}),
    }
