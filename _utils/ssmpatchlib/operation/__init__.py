# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host: the functions that the Salt modules, and nobody else, call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import config
from ..config import Settings
from ..report import brief
from .actions import reboot, upload
from .install import install, plan
from .outcome import return_code
from .queries import baseline, explain, freeze, history, report, status, validate, version
from .recovery import resume
from .scan import scan
from .session import Surface


def load_settings(
    minion: Mapping[str, Any] | None, pillar: Mapping[str, Any] | None, arguments: Mapping[str, Any]
) -> Settings:
    """Merge and check the configuration of a call.

    Raises:
        InvalidInput: something in it is wrong.
    """
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
