# SPDX-License-Identifier: Apache-2.0
"""The command ``reboot``: a reboot on request, by the reboot policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import reboot as policy
from ..config import Settings
from ..errors import RebootAttemptsExhausted, SsmpatchError
from ..host import Host
from ..times import aws_time
from .caller import Caller
from .due import decide_now, known_now, reboot_hints
from .finish import prepared, request_anew
from .keep import keep_pending
from .lock import locked_operation
from .resume import settle
from .session import Session, open_session


def reboot(
    settings: Settings, *, caller: Caller, host: Host | None = None, force: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Finish an interrupted operation, then apply the reboot policy; return ``{action, reason, due}``.

    Args:
        force: reboot although nothing is pending, the option is NoReboot or no window is open.
        dry_run: only decide; finish and request nothing.

    Raises:
        RebootAttemptsExhausted: a reboot was requested as often as allowed and the machine did not boot.
        SsmpatchError: the hook ``pre_reboot`` failed, or the system cannot reboot.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller, read_frozen=False, needs_baseline=False)
    with locked_operation(session, "reboot") as lock:
        if not dry_run:
            settle(session, lock)
        hints = reboot_hints(session)
        decision = decide_now(session, hints, force=force)
        lock.phase(decision.action)
        if decision.action == policy.EXHAUSTED and not dry_run:
            raise RebootAttemptsExhausted(decision.reason)
        if decision.action == policy.REBOOT and not dry_run:
            _request(session, hints, force)
    due = aws_time(decision.due) if decision.due is not None else None
    return {"action": decision.action, "reason": decision.reason, "due": due}


def _request(session: Session, hints: Sequence[str], force: bool) -> None:
    problem = prepared(session, force=force)
    if problem:
        known = known_now(session)
        keep_pending(session, known, known.pending, hints, problem=problem)
        raise SsmpatchError(problem)
    request_anew(session, hints)
