# SPDX-License-Identifier: Apache-2.0
"""Which versions an entry is about: OSV's events as intervals, and the question whether a version lies in one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .. import versions
from .ecosystems import is_version

#: More than any record has; what has more is not taken apart.
MOST_EVENTS = 2000
_EVENTS = ("introduced", "fixed", "last_affected")
#: OSV's word for the beginning of all versions, which sorts below ``0~``.
_ALWAYS = "0"


class Interval(NamedTuple):
    """Versions from ``introduced`` (``""``: from the first) to before ``fixed`` or up to ``last_affected``.

    Neither of the two: there is no fix.
    """

    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""


class Unusable(ValueError):
    """The events say nothing that versions can be compared with; the message is for people."""


def intervals_of(events: Sequence[Any], order: str) -> list[Interval]:
    """Return the intervals of one range, as OSV's algorithm of evaluation has them (osv-schema, "Evaluation").

    Events count in the order of their versions; those of one version in the order in which they stand. Without any
    ``introduced`` the range begins with the first version.

    Raises:
        Unusable: there is no event, an unknown one, or one whose version is none of this order.
    """
    if not events:
        raise Unusable("a range without events")
    if len(events) > MOST_EVENTS:
        raise Unusable(f"more than {MOST_EVENTS} events")
    found = [_event(event, order) for event in events]
    found.sort(key=lambda each: (1, key_of(each[1], order)) if each[1] else (0, ()))
    intervals = []
    start = None if any(name == "introduced" for name, _ in found) else ""
    for name, version in found:
        if name == "introduced":
            start = version if start is None else start
        elif start is not None:
            intervals.append(Interval(start, **{name: version}))
            start = None
    if start is not None:
        intervals.append(Interval(start))
    return intervals


def _event(event: Any, order: str) -> tuple[str, str]:
    if not isinstance(event, Mapping) or len(event) != 1:
        raise Unusable("an event that is none")
    name, version = next(iter(event.items()))
    if name not in _EVENTS:
        raise Unusable("an event of an unknown kind")
    if name == "introduced" and version == _ALWAYS:
        return name, ""
    if not is_version(version, order):
        raise Unusable("a version that is none")
    return name, version


def is_affected(version: str, intervals: Iterable[Interval], listed: Iterable[str] = (), *, order: str) -> bool:
    """Return whether a version lies in one of the intervals, or is one of those listed.

    Args:
        version: of the source package, as the archive has it.
        intervals, listed: what the entry says.
        order: ``deb`` or ``rpm``.
    """
    own = key_of(version, order)
    for introduced, fixed, last_affected in intervals:
        if introduced and own < key_of(introduced, order):
            continue
        if not (fixed and own >= key_of(fixed, order)) and not (last_affected and own > key_of(last_affected, order)):
            return True
    return any(own == key_of(each, order) for each in listed)


@lru_cache(maxsize=16384)
def key_of(version: str, order: str) -> Any:
    """Return ``versions.sort_key(order)`` of a version; hundreds of records name the same ones."""
    return versions.sort_key(order)(version)
