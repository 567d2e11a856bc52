# SPDX-License-Identifier: Apache-2.0
"""Whether a version of a source package has a vulnerability, by all records that are about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .compact import Vulnerable
from .ranges import key_of
from .record import own_cve

AFFECTED, FIXED, NOT_AFFECTED, UNKNOWN = "affected", "fixed", "not affected", "unknown"
#: Debian's urgencies that are words of a severity; the others say that nobody has judged it, or that nobody will.
_URGENCIES = ("unimportant", "low", "medium", "high")
UNIMPORTANT = "unimportant"


class Standing(NamedTuple):
    """What one version is to a vulnerability.

    ``fixed`` is the version that has the fix: of an affected one the first after it, ``""`` where there is none yet.
    ``subscription``: that one is for subscribers only. ``problem`` says why the state is unknown.
    """

    state: str
    fixed: str = ""
    subscription: bool = False
    problem: str = ""


def by_cve(entries: Iterable[Vulnerable]) -> dict[str, tuple[Vulnerable, ...]]:
    """Return what is said of each CVE; an advisory that names none is known by its own id.

    Where the vendor has a record of the CVE itself, that record counts and not the advisories that name it: they say
    which update came with a fix, and an update may come with a part of it.
    """
    found: dict[str, list[Vulnerable]] = {}
    for entry in entries:
        for cve in entry.cves or (entry.id,):
            found.setdefault(cve, []).append(entry)
    return {cve: tuple([e for e in said if own_cve(e.id)] or said) for cve, said in found.items()}


def standing(entries: Sequence[Vulnerable], version: str, order: str) -> Standing:
    """Return what a version is to the one vulnerability that all entries are about.

    It is affected when one record says so. A record with an entry for subscribers says so when both its entries do:
    the release's own archive often has no fix where the other has one.
    """
    records: dict[str, list[Vulnerable]] = {}
    for entry in entries:
        records.setdefault(entry.id, []).append(entry)
    found = [_by_record(said, version, order) for said in records.values()]
    for state in (AFFECTED, UNKNOWN):
        same = [each for each in found if each.state == state]
        if same:
            return _last(same, order) if state == AFFECTED else same[0]
    fixed = [each for each in found if each.state == FIXED]
    return _last(fixed, order) if fixed else Standing(NOT_AFFECTED)


def _last(found: Sequence[Standing], order: str) -> Standing:
    """The one whose fix comes last; without a fix there is none for all."""
    missing = [each for each in found if not each.fixed]
    return missing[0] if missing else max(found, key=lambda each: key_of(each.fixed, order))


def _by_record(entries: Sequence[Vulnerable], version: str, order: str) -> Standing:
    own = [e for e in entries if not e.subscription]
    paid = [e for e in entries if e.subscription]
    found = [_by_entries(said, version, order) for said in (own, paid) if said]
    clear = [each for each in found if each.state in (FIXED, NOT_AFFECTED)]
    if clear:
        return next((each for each in clear if each.state == FIXED), clear[0])
    unknown = next((each for each in found if each.state == UNKNOWN), None)
    if unknown:
        return unknown
    return next((each for each in found if each.fixed), found[0])


def _by_entries(entries: Sequence[Vulnerable], version: str, order: str) -> Standing:
    said = [entry.is_affected(version, order=order) for entry in entries]
    paid = entries[0].subscription
    if True in said:
        fixed = _first_fix(entries, version, order)
        return Standing(AFFECTED, fixed, subscription=paid and bool(fixed))
    if None in said:
        return Standing(UNKNOWN, problem=next(entry.problem for entry in entries if entry.problem))
    within = _fix_within(entries, version, order)
    return Standing(FIXED, within, paid) if within is not None else Standing(NOT_AFFECTED)


def _first_fix(entries: Sequence[Vulnerable], version: str, order: str) -> str:
    """The lowest version with a fix that is newer and not affected by another entry."""
    own = key_of(version, order)
    ends = {
        each.fixed for entry in entries for each in entry.intervals if each.fixed and key_of(each.fixed, order) > own
    }
    in_order = sorted(ends, key=lambda end: key_of(end, order))
    clear = (end for end in in_order if not any(entry.is_affected(end, order=order) for entry in entries))
    return next(clear, "")


def _fix_within(entries: Sequence[Vulnerable], version: str, order: str) -> str | None:
    """The highest version with a fix that is not newer; ``""`` after a last affected one, None where never affected."""
    own = key_of(version, order)
    intervals = [each for entry in entries for each in entry.intervals]
    ends = [each.fixed for each in intervals if each.fixed and key_of(each.fixed, order) <= own]
    if ends:
        return max(ends, key=lambda end: key_of(end, order))
    passed = any(each.last_affected and key_of(each.last_affected, order) < own for each in intervals)
    return "" if passed else None


def word_of(entry: Vulnerable) -> str:
    """Return the vendor's word for the severity: Ubuntu's priority, Debian's urgency; ``""`` where there is none."""
    return entry.severity or (entry.urgency if entry.urgency in _URGENCIES else "")


def is_unimportant(entries: Sequence[Vulnerable]) -> bool:
    """Return whether the vendor says that it is no vulnerability in practice."""
    return all(entry.urgency == UNIMPORTANT for entry in entries)


_SEVERITIES: Mapping[str, int] = {
    "critical": 6,
    "high": 5,
    "important": 5,
    "medium": 4,
    "moderate": 4,
    "low": 3,
    "negligible": 2,
    UNIMPORTANT: 1,
}


def severity_rank(word: str) -> int:
    """Return the place of a vendor's word for a severity, higher is worse; 0 for others."""
    return _SEVERITIES.get(word.lower(), 0)
