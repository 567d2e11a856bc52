# SPDX-License-Identifier: Apache-2.0
"""Sending reports to AWS: the last one on request, and an operation's own where that is wanted."""

from __future__ import annotations

from typing import Any

from ..config import Settings
from ..errors import SsmpatchError
from ..host import Host
from ..model import UNKNOWN
from ..report import Report
from ..store import reports
from .caller import Caller
from .session import Session


def upload(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Send the last stored report, and what is queued, to AWS.

    Raises:
        SsmpatchError: AWS is not configured or there is no report; what AWS refuses stays queued.
    """
    host = host or Host()
    if settings.aws is None:
        raise SsmpatchError("upload: AWS is not configured; set ssmpatch:aws (region, instance_id, …)")
    stored, _ = reports.load_report(settings.place(host.now()))
    if stored is None:
        raise SsmpatchError("upload: no report is stored; run ssmpatch.scan first")
    from ..aws import upload as sender

    sent = sender.send_report(stored, settings, host=host)
    if sent.error:
        raise SsmpatchError(f"upload: {sent.error}", code=sent.code, info={"warnings": list(sent.warnings)})
    return {"sent": sent.sent, "queued": sent.queued, "partial": sent.partial, "warnings": list(sent.warnings)}


def send(session: Session, report: Report, upload: bool | None) -> list[str]:
    """Send an operation's report, or what waits, to AWS; return warnings. What fails is queued there."""
    wanted, why_not = _wants_upload(session, report, upload)
    settings = session.settings
    if not wanted and (settings.aws is None or upload is False or settings.upload == "never"):
        return [why_not] if why_not else []
    from ..aws import upload as sender

    if wanted:
        return list(sender.send_report(report, settings, host=session.host).warnings)
    return [why_not, *sender.send_waiting(settings, host=session.host).warnings]


def _wants_upload(session: Session, report: Report, upload: bool | None) -> tuple[bool, str]:
    """Return whether a report goes to AWS, and why not. Rule: docs/rules.md, Trust and Install."""
    mode = {True: "always", False: "never", None: session.settings.upload}[upload]
    if mode == "always":
        return True, ""
    if mode == "never" or session.settings.aws is None:
        return False, ""
    if session.overridden:
        return False, "not uploaded: the baseline was overridden; set upload: always to send such reports too"
    if report.compliance == UNKNOWN:
        return False, "not uploaded: compliance is UNKNOWN; set upload: always to send such reports too"
    return True, ""
