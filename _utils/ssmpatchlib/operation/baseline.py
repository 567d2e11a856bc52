# SPDX-License-Identifier: Apache-2.0
"""The commands ``baseline`` and ``validate``: what the baseline says, and whether it and the settings are valid."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from .. import config
from ..baseline.export import to_api
from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..host import Host
from ..masking import masked
from ..model import Inventory
from ..report_form import part_form
from .caller import Caller
from .hooks import unknown_hooks
from .judge import reach_of
from .result import describe_baseline
from .session import Session, open_session


def baseline(
    settings: Settings, *, caller: Caller, host: Host | None = None, baseline_override: Any = None
) -> dict[str, Any]:
    """Return the baseline in force, in the form of AWS's API, and where it came from."""
    session = open_session(settings, host=host or Host(), caller=caller, baseline_override=baseline_override)
    return {"baseline": to_api(session.baseline), **part_form(describe_baseline(session))}


def validate(
    minion: Mapping[str, Any] | None,
    pillar: Mapping[str, Any] | None,
    *,
    caller: Caller,
    baseline_override: Any = None,
) -> list[str]:
    """Return every problem of configuration and baseline, as ``path: problem`` lines; an empty list means valid."""
    found = config.problems(minion, pillar)
    if found:
        return list(map(masked, found))
    try:
        settings = config.load(minion=minion, pillar=pillar)
        session = open_session(settings, host=Host(), caller=caller, baseline_override=baseline_override)
        return [*unknown_hooks(caller, settings.hooks), *_unreached(session)]
    except InvalidInput as exc:
        return [line if ": " in line else str(exc) for line in exc.problems] or [str(exc)]
    except SsmpatchError as exc:
        return [str(exc)]


def _unreached(session: Session) -> list[str]:
    """Return what of a valid baseline cannot apply on this host."""
    by_feed = session.settings.advisories is not None
    problems = reach_of(session, Inventory(session.backend.family, ()), by_feed=by_feed).problems
    if problems:
        # Packages may have values that are no known words.
        with contextlib.suppress(SsmpatchError):
            problems = reach_of(session, session.backend.inventory(non_security=True), by_feed=by_feed).problems
    return [f"baseline {session.baseline.name}: {problem}" for problem in problems]
