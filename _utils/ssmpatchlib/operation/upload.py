# SPDX-License-Identifier: Apache-2.0
"""Sends reports to AWS: the last one on request, and an operation's own where that is wanted."""

from __future__ import annotations

from typing import Any

from ..config import Settings
from ..errors import SsmpatchError
from ..files import require_private
from ..host import Host
from ..model import UNKNOWN
from ..report import Report
from ..store import reports
from .caller import Caller
from .session import Session


def upload(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Send the last stored report, and queued ones, to AWS.

    Raises:
        SsmpatchError: AWS is not configured, there is no report, or AWS refused one, which stays queued.
    """
    host = host or Host()
    if settings.aws is None:
        raise SsmpatchError("upload: AWS is not configured; set ssmpatch:aws (region, instance_id, …)")
    require_private(settings.state_dir)
    stored, _ = reports.load_report(settings.place(host.now()))
    if stored is None:
        raise SsmpatchError("upload: no report is stored; run ssmpatch.scan first")
    from ..aws import upload as sender

    sent = sender.send_report(stored, settings, host=host)
    if sent.error:
        raise SsmpatchError(f"upload: {sent.error}", code=sent.code, info={"warnings": list(sent.warnings)})
    return {"sent": sent.sent, "queued": sent.queued, "partial": sent.partial, "warnings": list(sent.warnings)}


def send(session: Session, report: Report, upload: str | None) -> list[str]:
    """Send an operation's report, or queued ones, to AWS; return warnings. Rule: docs/rules.md, Trust and Install."""
    settings = session.settings
    mode = upload or settings.upload
    if mode == "never" or (settings.aws is None and mode != "always"):
        return []
    from ..aws import upload as sender

    policy = settings.aws is not None and bool(settings.aws.association_id)
    doubt = "the baseline was overridden" if session.overridden and not policy else ""
    doubt = doubt or ("compliance is UNKNOWN" if report.compliance == UNKNOWN else "")
    if mode == "always" or not doubt:
        return list(sender.send_report(report, settings, host=session.host).warnings)
    why_not = f"not uploaded: {doubt}; set upload: always to send such reports too"
    return [why_not, *sender.send_waiting(settings, host=session.host).warnings]
