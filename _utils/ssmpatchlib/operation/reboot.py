# SPDX-License-Identifier: Apache-2.0
"""The command ``reboot``: a reboot on request, by the reboot policy."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import reboot as policy
from ..config import Settings
from ..errors import RebootAttemptsExhausted
from ..host import Host
from ..times import aws_time
from .caller import Caller
from .finish import request_anew
from .keep import load_known
from .lock import locked_operation
from .resume import settle
from .session import Session, judge_host, open_session


def reboot(
    settings: Settings, *, caller: Caller, host: Host | None = None, force: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Finish an interrupted operation, then apply the reboot policy; return ``{action, reason, due}``.

    Args:
        force: reboot although nothing is pending, the option is NoReboot or no window is open.
        dry_run: only decide; finish and request nothing.

    Raises:
        RebootAttemptsExhausted: a reboot was requested as often as allowed and the machine did not boot.
        SsmpatchError: the system cannot reboot.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller)
    with locked_operation(session, "reboot") as lock:
        if not dry_run:
            settle(session, lock)
        decision = _decision(session, force)
        lock.phase(decision.action)
        if decision.action == policy.EXHAUSTED and not dry_run:
            raise RebootAttemptsExhausted(decision.reason)
        if decision.action == policy.REBOOT and not dry_run:
            request_anew(session)
    due = aws_time(decision.due) if decision.due is not None else None
    return {"action": decision.action, "reason": decision.reason, "due": due}


def _decision(session: Session, force: bool) -> policy.RebootDecision:
    settings, host = session.settings, session.host
    judged = judge_host(session, now=host.now())
    known = load_known(session, judged.evaluation.verdicts)
    hints = (*session.backend.reboot_reasons(), *policy.flag_hints(settings.root))
    forced = dataclasses.replace(settings.reboot, option=policy.REBOOT_IF_NEEDED, windows=())
    return policy.decide(
        forced if force else settings.reboot,
        changed=force,
        pending=known.pending,
        hints=hints,
        requests=policy.RebootRequests() if force else known.requests,
        now=host.now(),
        boot=host.this_boot(),
        root=settings.root,
    )
