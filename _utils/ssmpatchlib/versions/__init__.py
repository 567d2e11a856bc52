# SPDX-License-Identifier: Apache-2.0
"""Version order of a package family, chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def sort_key(order: str) -> Callable[[str], Any]:
    """Return the key function of ``deb`` or ``rpm`` version order; keys of one order compare with each other.

    Raises:
        ValueError: no such order.
    """
    if order == "deb":
        from . import deb

        return deb.sort_key
    if order == "rpm":
        from . import rpm

        return rpm.sort_key
    raise ValueError(f"{order!r} is no version order; use deb or rpm")
