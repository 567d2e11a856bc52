# SPDX-License-Identifier: Apache-2.0
"""Whether a reboot is due now, apart from an install: why the system asks for one, and what the policy says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .. import reboot as policy
from .keep import Known, load_known
from .restarts import SERVICES, look, standing_reasons
from .session import Session, system_reasons


def reboot_hints(session: Session) -> tuple[str, ...]:
    """Return why the system asks for a reboot."""
    old = look(session) if session.settings.restart == SERVICES else None
    return (*system_reasons(session), *standing_reasons(session, old))


def known_now(session: Session) -> Known:
    """Return the records of earlier operations, for what is installed now."""
    return load_known(session, [f"{id_}:{version}" for id_, version in session.backend.installed().items()])


def decide_now(session: Session, hints: Sequence[str], *, force: bool = False) -> policy.RebootDecision:
    """Return what the reboot policy says now.

    Args:
        hints: why the system asks for a reboot.
        force: reboot although nothing is pending, the option is NoReboot or no window is open.
    """
    settings, host = session.settings, session.host
    known = known_now(session)
    requests = policy.without_cancelled(known.requests, host, delay=settings.reboot.delay)
    forced = dataclasses.replace(settings.reboot, option=policy.REBOOT_IF_NEEDED, windows=())
    return policy.decide(
        forced if force else settings.reboot,
        changed=force,
        pending=known.pending,
        hints=hints,
        requests=policy.RebootRequests() if force else requests,
        now=host.now(),
        boot=host.this_boot(),
        root=settings.root,
    )
