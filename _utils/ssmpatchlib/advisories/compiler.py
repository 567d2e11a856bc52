# SPDX-License-Identifier: Apache-2.0
"""From the records of a vendor to what one release needs of them: gathered record by record, small in memory. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ..files import parse_json
from .ecosystems import order_of
from .record import MOST_CVES, NAMELESS, OTHER_RELEASES, Entry, LeftOut, Record, kind_of, own_cve, read_record

#: A record whose id came before: the first counts.
REPEATED = "records that came before"
MOST_EXAMPLES = 3
#: How many records may stand between an advisory and the CVE that it is about.
_LONGEST_CHAIN = 5


class _Kept(NamedTuple):
    """A record that is kept, and its facts but for the CVEs, as JSON: thousands of dictionaries would take memory."""

    id: str
    cves: tuple[str, ...]
    links: tuple[str, ...]
    facts: str


class _Source:
    """What is said of one source package: records by what they say alike, and the lists of binaries once each."""

    __slots__ = ("binaries", "groups")

    def __init__(self) -> None:
        self.binaries: dict[str, int] = {}
        self.groups: dict[str, list[int]] = {}

    def add(self, entry: Entry, number: int) -> None:
        group: dict[str, Any] = {}
        if entry.intervals:
            # Empty text at the end of an interval goes without saying.
            group["ranges"] = [_trimmed(each) for each in entry.intervals]
        for key in ("versions", "severity", "urgency", "subscription", "problem"):
            if value := getattr(entry, key):
                group[key] = value
        if entry.binaries:
            group["binaries"] = self.binaries.setdefault(_json(entry.binaries), len(self.binaries))
        numbers = self.groups.setdefault(_json(group), [])
        if not numbers or numbers[-1] != number:
            numbers.append(number)


class Release:
    """What is gathered about one release. ``newest`` is the last time that a record of it was modified."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: dict[str, _Source] = {}
        self.ecosystems: set[str] = set()
        self.kinds: Counter[str] = Counter()
        self.newest = ""

    def add(self, record: Record, number: int, entries: list[Entry], *, until: str) -> None:
        """Take what a record says of this release; times after ``until`` tell nothing of the data's age."""
        for entry in entries:
            self.ecosystems.add(entry.ecosystem)
            self.sources.setdefault(entry.source, _Source()).add(entry, number)
        self.kinds[kind_of(record.id)] += 1
        changed = record.modified or record.published
        if self.newest < changed <= until:
            self.newest = changed


class Compiler:
    """Takes records one by one; ``lines`` then has what the file of a release holds.

    Args:
        releases: names such as ``DEBIAN-12``.
        exploited: CVEs that are known to be exploited, each with the date since when, ``yes`` where none is known.
        until: the present, as ``aws_time`` writes it.
    """

    def __init__(self, releases: Collection[str], *, exploited: Mapping[str, str], until: str) -> None:
        self.releases = {name: Release(name) for name in releases}
        self.read: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        #: How many exploited CVEs are known.
        self.exploited = len(exploited)
        self._exploited = exploited
        self._until = until
        self._records: list[_Kept] = []
        self._seen: set[str] = set()
        self._chain: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def add(self, data: Any) -> None:
        """Take one record as JSON has it; what is left out is counted."""
        try:
            record, problems = read_record(data, self.releases)
        except LeftOut as exc:
            self.drop(exc.reason, str(exc))
            return
        for reason, example in problems:
            self.drop(reason, example)
        if record.id in self._seen:
            self.drop(REPEATED, record.id)
            return
        self._seen.add(record.id)
        self.read[kind_of(record.id)] += 1
        if record.cves != (own_cve(record.id),):
            self._chain[record.id] = (record.cves, record.links)
        if not record.entries:
            if not problems:
                self.drop(OTHER_RELEASES, record.id)
            return
        by_release: dict[str, list[Entry]] = {}
        for entry in record.entries:
            by_release.setdefault(entry.release, []).append(entry)
        for name, entries in by_release.items():
            self.releases[name].add(record, len(self._records), entries, until=self._until)
        self._records.append(_Kept(record.id, record.cves, record.links, _facts(record, self._until)))

    def drop(self, reason: str, example: str) -> None:
        """Count what is left out, and remember some of it."""
        self.dropped[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(example[:200])

    def header(self, name: str) -> dict[str, Any]:
        """What the file of a release says of itself."""
        release = self.releases[name]
        return {
            "release": name,
            "order": order_of(name),
            "ecosystems": sorted(release.ecosystems),
            "records": dict(sorted(release.kinds.items())),
            "sources": len(release.sources.keys() - {NAMELESS}),
            "data_time": release.newest,
            "exploited": bool(self._exploited),
        }

    def lines(self, name: str) -> Iterator[str]:
        """Yield a line of JSON for every source package of a release, by name, then one for every record, by id."""
        release = self.releases[name]
        used = {number for source in release.sources.values() for group in source.groups.values() for number in group}
        by_id = sorted(used, key=lambda number: self._records[number].id)
        place = {number: index for index, number in enumerate(by_id)}
        for source_name in sorted(release.sources):
            source = release.sources[source_name]
            groups = [
                {**parse_json(group), "records": sorted(place[number] for number in numbers)}
                for group, numbers in sorted(source.groups.items())
            ]
            binaries = [parse_json(each) for each in source.binaries]
            yield _json({"source": source_name, "groups": groups, **({"binaries": binaries} if binaries else {})})
        for number in by_id:
            yield self._record_line(self._records[number])

    def _record_line(self, kept: _Kept) -> str:
        cves = sorted(self._cves(kept.cves, kept.links))[:MOST_CVES]
        data: dict[str, Any] = {"id": kept.id, **parse_json(kept.facts)}
        if cves != [own_cve(kept.id)]:
            data["cves"] = cves
        if exploited := {cve: self._exploited[cve] for cve in cves if cve in self._exploited}:
            data["exploited"] = exploited
        return _json(data)

    def _cves(self, cves: tuple[str, ...], links: tuple[str, ...]) -> set[str]:
        """The CVEs that a record names, and those of the records that it stands for."""
        found, seen, ahead = set(cves), set(links), list(links)
        for _ in range(_LONGEST_CHAIN):
            steps = [self._chain[each] for each in ahead if each in self._chain]
            found.update(cve for more, _ in steps for cve in more)
            ahead = [each for _, further in steps for each in further if each not in seen]
            seen.update(ahead)
            if not ahead or len(seen) > MOST_CVES:
                break
        return found


def _facts(record: Record, until: str) -> str:
    """What a record says by itself; a date that is still to come is none."""
    facts = {key: value for key in ("published", "severity", "cvss", "references") if (value := getattr(record, key))}
    if record.published > until:
        del facts["published"]
    return _json(facts)


def _trimmed(interval: tuple[str, ...]) -> list[str]:
    words = list(interval)
    while len(words) > 1 and not words[-1]:
        words.pop()
    return words


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
