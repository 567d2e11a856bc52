# SPDX-License-Identifier: Apache-2.0
"""The report of a host as it is: what a scan returns, and what verifies an install after its reboot."""

from __future__ import annotations

from typing import Any

from .. import reboot, report
from . import keep
from .refresh import Freshness
from .result import describe_reboot, make_report
from .session import Session, collector_paused, judge_host


@collector_paused()
def judge_and_report(
    session: Session, freshness: Freshness, *, started: float, warnings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Judge the host as it is and return the report of a Scan."""
    host, settings = session.host, session.settings
    judged = judge_host(session, now=host.now())
    known = keep.load_known(session, judged.evaluation.verdicts)
    verdicts = report.mark_pending(judged.evaluation.verdicts, known.pending)
    ended = host.now()
    hints = (*session.backend.reboot_reasons(), *reboot.flag_hints(settings.root))
    return make_report(
        session,
        run=report.Run(
            id=session.run_id,
            operation="Scan",
            started=started,
            ended=ended,
            reboot_option=settings.reboot.option,
            patch_group=session.patch_group,
            snapshot_id=session.snapshot_id,
            last_no_reboot_install=known.last_no_reboot_install,
        ),
        verdicts=verdicts,
        judged=judged,
        unread=freshness.with_inventory(judged.inventory),
        stale=freshness.stale,
        warnings=_said(session, freshness, judged.warnings, judged.inventory.warnings, known.warnings, warnings),
        saved_times=known.saved_times,
        duration=max(0.0, ended - started),
        reboot=describe_reboot(settings.reboot.option, pending=known.pending, hints=hints, decision=None),
    )


def _said(session: Session, freshness: Freshness, *groups: tuple[str, ...]) -> list[str]:
    """All warnings, each once, in the order of the steps."""
    return [text for group in (session.warnings, freshness.warnings, *groups) for text in group if text]
