# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host: the functions that the Salt modules, and nobody else, call.

Each is loaded when it is first asked for: to show a stored report takes no package manager.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config import Settings
    from ..report import brief
    from .actions import reboot, upload
    from .installing import install, plan
    from .outcome import return_code
    from .queries import baseline, explain, freeze, validate, version
    from .recovery import resume
    from .scanning import scan
    from .stored import history, report, status
    from .surface import Surface

_HOMES = {
    "Surface": ".surface",
    "baseline": ".queries",
    "brief": "..report",
    "explain": ".queries",
    "freeze": ".queries",
    "history": ".stored",
    "install": ".installing",
    "plan": ".installing",
    "reboot": ".actions",
    "report": ".stored",
    "resume": ".recovery",
    "return_code": ".outcome",
    "scan": ".scanning",
    "status": ".stored",
    "upload": ".actions",
    "validate": ".queries",
    "version": ".queries",
}


def __getattr__(name: str) -> Any:
    """Load a function by its name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name], __name__), name)
    return found


def load_settings(
    minion: Mapping[str, Any] | None, pillar: Mapping[str, Any] | None, arguments: Mapping[str, Any]
) -> Settings:
    """Merge and check the configuration of a call.

    Raises:
        InvalidInput: something in it is wrong.
    """
    from .. import config

    return config.load(minion=minion, pillar=pillar, arguments=arguments)


__all__ = [
    "Surface",
    "baseline",
    "brief",
    "explain",
    "freeze",
    "history",
    "install",
    "load_settings",
    "plan",
    "reboot",
    "report",
    "resume",
    "return_code",
    "scan",
    "status",
    "upload",
    "validate",
    "version",
]
