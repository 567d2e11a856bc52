# SPDX-License-Identifier: Apache-2.0
"""Version order of a package family, chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import versions_deb, versions_rpm


def sort_key(order: str) -> Callable[[str], Any]:
    """Return the key function of ``deb`` or ``rpm`` version order; keys of one order compare with each other."""
    return {"deb": versions_deb.sort_key, "rpm": versions_rpm.sort_key}[order]
