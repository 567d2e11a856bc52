# SPDX-License-Identifier: Apache-2.0
"""The command ``version``: the version of the engine, and what it recognised of the host."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from .. import __version__, osinfo
from ..config import Settings
from ..errors import SsmpatchError
from ..host import Host
from .caller import Caller


def version(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return the version, where the engine is, and what was recognised of the host."""
    found: dict[str, Any] = {"version": __version__, "engine": str(Path(__file__).parents[1])}
    with contextlib.suppress(SsmpatchError):
        os_info = osinfo.detect(
            root=settings.root,
            operating_system=settings.operating_system,
            product=settings.product,
            package_manager=settings.package_manager,
        )
        found |= {
            "backend": os_info.package_manager,
            "operating_system": os_info.operating_system,
            "product": os_info.product,
        }
    return found
