# SPDX-License-Identifier: Apache-2.0
"""Finds which versions contain the fixes of versions that have left the repositories. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ...model import Advisory
from ...versions.rpm import satisfies, sort_key

#: Advisories by the version, ``epoch:version-release``, that they name.
Advisories = Mapping[str, Sequence[Advisory]]

#: Advisories of one version beyond which equal ones are not looked for.
_MANY = 200


def is_new(advisory: Advisory, known: Sequence[Advisory]) -> bool:
    """Return whether an advisory is not known; beyond a number that no vendor reaches each one counts as new."""
    return len(known) >= _MANY or advisory not in known


def without(advisories: Advisories, on_offer: Collection[str]) -> Advisories:
    """Return the advisories of the versions that are not on offer."""
    return {evr: given for evr, given in advisories.items() if given and evr not in on_offer}


def within(advisories: Advisories, *, above: str = "", below: str = "") -> Advisories:
    """Return the advisories of the versions above one version, or below one."""
    if above:
        floor = sort_key(above)
        return {evr: given for evr, given in advisories.items() if given and sort_key(evr) > floor}
    limit = sort_key(below)
    return {evr: given for evr, given in advisories.items() if given and sort_key(evr) < limit}


def joined(one: Advisories, other: Advisories) -> Advisories:
    """Return the advisories of both."""
    return {**one, **{evr: (*one.get(evr, ()), *given) for evr, given in other.items()}} if other else one


def obsoleted(advisories: Advisories, ranges: Sequence[tuple[str, str]]) -> dict[str, list[Advisory]]:
    """Return the advisories of the versions in any of some ranges (operator, version), each with what vanished."""
    return {
        evr: [replace(advisory, vanished=evr.removeprefix("0:")) for advisory in given]
        for evr, given in advisories.items()
        if any(satisfies(evr, *each) for each in ranges)
    }


def inherited(
    vanished: Advisories, *, free: Iterable[str], kept_out: Iterable[str] = (), own: Advisories
) -> dict[str, list[Advisory]]:
    """Return the advisories of vanished versions by the version that contains them, each with what vanished.

    That is the lowest version that is not older: of those that may be taken (``free``), else of the others.
    ``own`` are advisories that versions have anyway.
    """
    orders = [sorted((sort_key(evr), evr) for evr in set(evrs)) for evrs in (free, kept_out)]
    found: dict[str, dict[str, list[Advisory]]] = {}
    for evr, given in vanished.items():
        heir = _lowest(orders, evr)
        if not heir:
            continue
        kept = found.setdefault(heir, {})
        for advisory in given:
            same = kept.setdefault(advisory.id, [])
            if is_new(advisory, own.get(heir, ())) and (
                len(same) >= _MANY or all(replace(one, vanished="") != advisory for one in same)
            ):
                same.append(replace(advisory, vanished=evr.removeprefix("0:")))
    return {heir: [advisory for same in kept.values() for advisory in same] for heir, kept in found.items()}


def _lowest(orders: Iterable[Sequence[tuple[object, str]]], evr: str) -> str:
    """Return the lowest version that is not older, from the first order that has one; ``""`` without any."""
    wanted = (sort_key(evr), "")
    for order in orders:
        place = bisect_left(order, wanted)
        if place < len(order):
            return order[place][1]
    return ""
