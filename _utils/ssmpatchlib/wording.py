# SPDX-License-Identifier: Apache-2.0
"""How numbers of things, and lists of them, are said."""

from __future__ import annotations

from collections.abc import Sequence

_SINGULAR = {"are": "is", "do": "does", "have": "has"}
_MANY = {"cy": "cies", "ry": "ries", "ch": "ches"}


def some_of(names: Sequence[str], most: int) -> str:
    """Return the first ``most`` names, and how many more there are: ``a, b and 3 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def amount(number: int, what: str, does: str = "") -> str:
    """Return ``1 host``, ``12,000 hosts``; with what they do ``1 host waits``, ``2 hosts wait``."""
    if number != 1:
        what = what[:-2] + _MANY.get(what[-2:], what[-2:] + "s")
    elif does:
        does = _SINGULAR.get(does, does + "s")
    return f"{number:,} {what} {does}".rstrip()
