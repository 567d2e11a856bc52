# SPDX-License-Identifier: Apache-2.0
"""The command ``freeze``: the approved versions of a host, as a limit for other hosts."""

from __future__ import annotations

from typing import Any

from ..baseline.frozen import build_frozen
from ..config import Settings
from ..errors import SsmpatchError
from ..evaluate import Judged
from ..host import Host
from ..patching.planner import make_plan
from ..patching.targets import choose_targets, forbids
from .caller import Caller
from .judge import judge_host
from .session import Session, open_session


def freeze(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return the approved versions of the installed packages, as a document for the setting ``frozen``.

    A package without an approved update, or with one that a frozen set in force holds back, is frozen at its installed
    version. What the approved updates need, and bring in, is frozen at the version that an install here would take.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller)
    judged = judge_host(session, now=host.now())
    verdicts = judged.evaluation.verdicts
    updates = [v.target for v in verdicts if v.target and not v.held_back]
    present = [v.package.installed for v in verdicts if v.package.installed]
    versions = {version.id: version.version for version in (*present, *updates)}
    versions.update(_needed(session, judged))
    return build_frozen(
        operating_system=session.os_info.operating_system,
        product=session.os_info.product,
        created=host.now(),
        baseline=session.baseline.id,
        packages=versions,
    )


def _needed(session: Session, judged: Judged) -> dict[str, str]:
    """Return the versions of the dependencies that an install would bring in; none where it cannot be planned now."""
    try:
        transaction = make_plan(
            session.backend,
            choose_targets(judged, None),
            inventory=judged.inventory,
            forbidden=forbids(session.baseline, judged, None, session.frozen),
        )
    except SsmpatchError as exc:
        session.caller.log.warning("ssmpatch freeze: what updates need is not in the document: %s", exc)
        return {}
    return {change.id: change.new for change in transaction.changes if change.new and not change.target}
