# SPDX-License-Identifier: Apache-2.0
"""Whether a version of a source package has a vulnerability, by all records that are about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..cve_words import UNIMPORTANT
from .compact import Vulnerable
from .ecosystems import FIPS, RPM, is_fips
from .ranges import key_of
from .record import own_cve

AFFECTED, FIXED, NOT_AFFECTED, UNKNOWN = "affected", "fixed", "not affected", "unknown"
#: Debian's urgencies that are words of a severity; the others say that nobody has judged it, or that nobody will.
_URGENCIES = (UNIMPORTANT, "low", "medium", "high")
_END_OF_LIFE = "end-of-life"
#: What is fixed in no version, or in the first of all, as Debian writes of what was never affected.
_NEVER = ("", "0")


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
    if is_fips(version, order):
        return Standing(UNKNOWN, problem=FIPS)
    if order == RPM:
        of_all = entries
        entries = [entry for entry in entries if _is_of_stream(entry, version)]
        if of_all and not entries:
            return Standing(UNKNOWN, problem=_OTHER_STREAM)
    records = _records(entries)
    found = [_by_record(said, version, order) for said in records]
    if any(each.state == AFFECTED for each in found):
        return _first_fix(records, version, order)
    unknown = next((each for each in found if each.state == UNKNOWN), None)
    if unknown:
        return unknown
    fixed = [each for each in found if each.state == FIXED]
    return max(fixed, key=lambda each: key_of(each.fixed, order)) if fixed else Standing(NOT_AFFECTED)


_MODULE = ".module"
_OTHER_STREAM = "the record is about another stream of a module, whose versions do not compare with the installed one"


def _is_of_stream(entry: Vulnerable, version: str) -> bool:
    """Return whether the versions of an rpm record compare with one: those of two streams of a module do not.

    Records do not name the stream; what is built from a module has the word in its release, and streams differ in the
    first number of the version.
    """
    ends = [end for each in entry.intervals if (end := each.fixed or each.last_affected)]
    if _MODULE not in version:
        return not ends or any(_MODULE not in end for end in ends)
    return not ends or any(_MODULE in end and _first_number(end) == _first_number(version) for end in ends)


def _first_number(version: str) -> str:
    return version.rpartition(":")[2].partition("-")[0].partition(".")[0]


def _records(entries: Iterable[Vulnerable]) -> tuple[tuple[Vulnerable, ...], ...]:
    records: dict[str, list[Vulnerable]] = {}
    for entry in entries:
        records.setdefault(entry.id, []).append(entry)
    return tuple(map(tuple, records.values()))


def _parts(record: Sequence[Vulnerable]) -> Iterator[Sequence[Vulnerable]]:
    """What a record says of the release's own archive, and of that for subscribers."""
    for paid in (False, True):
        part = [entry for entry in record if entry.subscription is paid]
        if part:
            yield part


def _by_record(record: Sequence[Vulnerable], version: str, order: str) -> Standing:
    found = [_by_part(part, version, order) for part in _parts(record)]
    return min(found, key=lambda each: _CLEAREST[each.state])


_CLEAREST = MappingProxyType({FIXED: 0, NOT_AFFECTED: 1, UNKNOWN: 2, AFFECTED: 3})


def _by_part(entries: Sequence[Vulnerable], version: str, order: str) -> Standing:
    said = [entry.is_affected(version, order=order) for entry in entries]
    if True in said:
        return Standing(AFFECTED)
    if None in said:
        return Standing(UNKNOWN, problem=next(entry.problem for entry in entries if entry.problem))
    within = _fix_within(entries, version, order)
    return Standing(NOT_AFFECTED) if within is None else Standing(FIXED, within, entries[0].subscription)


def _first_fix(records: Sequence[Sequence[Vulnerable]], version: str, order: str) -> Standing:
    """The lowest newer version with a fix that no record affects; one for subscribers where there is no other."""
    own = key_of(version, order)
    for paid in (False, True):
        ends = {
            each.fixed
            for record in records
            for entry in record
            if entry.subscription is paid
            for each in entry.intervals
            if each.fixed and key_of(each.fixed, order) > own
        }
        for end in sorted(ends, key=lambda end: key_of(end, order)):
            if not any(_is_affected(record, end, order) for record in records):
                return Standing(AFFECTED, end, subscription=paid)
    return Standing(AFFECTED)


def _is_affected(record: Sequence[Vulnerable], version: str, order: str) -> bool:
    return all(any(entry.is_affected(version, order=order) for entry in part) for part in _parts(record))


def _fix_within(entries: Sequence[Vulnerable], version: str, order: str) -> str | None:
    """The highest version with a fix that is not newer; ``""`` after a last affected one, None where never affected."""
    own = key_of(version, order)
    intervals = [each for entry in entries for each in entry.intervals]
    ends = [each.fixed for each in intervals if each.fixed not in _NEVER and key_of(each.fixed, order) <= own]
    if ends:
        return max(ends, key=lambda end: key_of(end, order))
    passed = any(each.last_affected and key_of(each.last_affected, order) < own for each in intervals)
    return "" if passed else None


def ends_unnamed(entries: Iterable[Vulnerable]) -> bool:
    """Return whether later versions may be free of it though no record names one with the fix."""
    return any(entry.versions or any(each.last_affected for each in entry.intervals) for entry in entries)


def comes_back(entries: Iterable[Vulnerable]) -> bool:
    """Return whether a version that is newer than one with the fix may be affected."""
    return any(entry.versions or any(each.introduced for each in entry.intervals) for entry in entries)


def word_of(entry: Vulnerable) -> str:
    """Return the vendor's word for the severity: Ubuntu's priority, Debian's urgency; ``""`` where there is none."""
    return entry.severity or (entry.urgency if entry.urgency in _URGENCIES else "")


def is_unsupported(entries: Iterable[Vulnerable]) -> bool:
    """Return whether the vendor says that it no longer supports the package."""
    return any(entry.urgency == _END_OF_LIFE for entry in entries)


def is_unimportant(entries: Sequence[Vulnerable]) -> bool:
    """Return whether the vendor says that it is no vulnerability in practice."""
    return all(entry.urgency == UNIMPORTANT for entry in entries)
