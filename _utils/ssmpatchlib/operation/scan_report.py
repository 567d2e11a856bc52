# SPDX-License-Identifier: Apache-2.0
"""The report of a host as it is, for a scan and for verifying an install after its reboot."""

from __future__ import annotations

from ..reboot import remembered
from ..report import Report, mark_pending
from .judge import collector_paused, judge_host
from .keep import installed_titles, keep_pending, load_known
from .refresh import Freshness
from .restarts import Restarts, describe, look, reasons, standing_reasons
from .result import describe_reboot, make_report
from .session import Session, system_reasons


@collector_paused()
def judge_and_report(
    session: Session, freshness: Freshness, *, started: float, warnings: tuple[str, ...] = ()
) -> Report:
    """Judge the host as it is and return the report of a Scan."""
    host, settings = session.host, session.settings
    judged = judge_host(session, now=host.now())
    known = load_known(session, installed_titles(judged.evaluation.verdicts))
    verdicts = mark_pending(judged.evaluation.verdicts, known.pending)
    ended = host.now()
    old = look(session)
    systems = system_reasons(session)
    hints = (*systems, *standing_reasons(session, old))
    left = (*systems, *reasons(session, old))
    if remembered(known.requests, left, boot=host.this_boot()) != known.requests:
        # A reboot has cleared some: what asks for a reboot in the same words later is something new.
        keep_pending(session, known, known.pending, left)
    return make_report(
        session,
        operation="Scan",
        started=started,
        ended=ended,
        judged=judged,
        verdicts=verdicts,
        freshness=freshness,
        known=known,
        reboot=describe_reboot(settings.reboot.option, pending=known.pending, hints=hints, decision=None),
        last_no_reboot=known.states.last_no_reboot,
        warnings=warnings,
        restarts=describe(Restarts(old)),
    )
