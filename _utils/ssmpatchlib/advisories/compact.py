# SPDX-License-Identifier: Apache-2.0
"""The compact file of one release: written whole, read for some packages only. Pure; nothing in it is believed.

The file is gzip over lines of JSON. The first says what it is. Then there is a line for each source package, by
name, and a line for each record, by id; packages name records by their place among them. The last line has the SHA-256
of all before it. What several records say alike of a package stands there once. Reading decompresses and hashes
everything, and parses the lines of the wanted packages and of the records that these name: see benchmarks/advisories.py
for the cost, beside a database. A file of the same content has the same bytes, so that caches see what has changed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, NamedTuple

from ..cve_words import severity_rank
from ..errors import SsmpatchError
from ..files import parse_json
from ..names import LONGEST_TEXT, one_line
from . import ranges
from .ecosystems import is_name, is_version, order_of
from .ranges import Interval
from .record import link_of, own_cve

FORM = "ssmpatch advisories"
VERSION = 1
SUFFIX = ".jsonl.gz"
#: Bytes of a file, decompressed, beyond which it is none of ours.
MOST_TEXT = 256 << 20
#: More than any vendor says: bytes of one line, and of all that is taken from a file; of one source package what
#: records say, the CVEs and the versions that these name, and what is said of one CVE.
MOST_LINE, MOST_TAKEN = 8 << 20, 32 << 20
MOST_SAID, MOST_NAMED, MOST_VERSIONS, MOST_OF_CVE = 50_000, 100_000, 200_000, 1000
_BEGINS = b'{"source":"'
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_PIECE = 1 << 18
_NOT_READ = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


class Damaged(SsmpatchError):
    """A compact file is cut short, altered, of another form, or for another release."""


class Vulnerable(NamedTuple):
    """What one record says of one source package of the release.

    ``advisories`` are the vendor's notices (USN, DSA) of this package that name one of the ``cves``. ``severity`` and
    ``urgency`` are the vendor's words. ``subscription``: the fix is only for subscribers. ``binaries`` has the names of
    binary packages after their version with the fix; without a fix after the last affected one. ``exploited`` has CVEs
    with the date since when. Times are ``aws_time``'s, ``""`` where none is known. ``problem`` says why it cannot be
    told what is affected.
    """

    id: str
    cves: tuple[str, ...]
    advisories: tuple[str, ...]
    intervals: tuple[Interval, ...]
    versions: tuple[str, ...]
    published: str
    severity: str
    urgency: str
    cvss: str
    subscription: bool
    binaries: tuple[tuple[str, tuple[str, ...]], ...]
    references: tuple[str, ...]
    exploited: tuple[tuple[str, str], ...]
    problem: str

    def is_affected(self, version: str, *, order: str) -> bool | None:
        """Return whether this version of the source package is affected; None when that cannot be told."""
        return None if self.problem else ranges.is_affected(version, self.intervals, self.versions, order=order)


@dataclass(frozen=True, slots=True)
class Feed:
    """What a file says of some packages, and of itself.

    ``records`` counts its records by kind (``DSA``, ``DEBIAN-CVE``): what a kind that is missing would have said is not
    known. ``data_time`` is when the newest of them was modified, ``""`` where no record says. ``exploited``: whether
    a list of exploited vulnerabilities was at hand.
    """

    release: str
    order: str
    ecosystems: tuple[str, ...]
    records: Mapping[str, int]
    data_time: str
    exploited: bool
    sha256: str
    packages: Mapping[str, tuple[Vulnerable, ...]]


def write(header: Mapping[str, Any], lines: Iterable[str]) -> bytes:
    """Return the bytes of a file: ``Compiler.header`` and ``Compiler.lines`` of one release."""
    body = BytesIO()
    digest = hashlib.sha256()
    with gzip.GzipFile(fileobj=body, mode="wb", compresslevel=9, mtime=0, filename="") as stream:
        for line in (json.dumps({"form": FORM, "version": VERSION, **header}), *lines):
            data = line.encode("ascii") + b"\n"
            digest.update(data)
            stream.write(data)
        stream.write(_end(digest.hexdigest()) + b"\n")
    return body.getvalue()


def read(handle: IO[bytes], *, release: str, sources: Collection[str]) -> Feed:
    """Return what a file says of some source packages.

    Args:
        handle: the file, opened for reading bytes.
        release: which release it must be for, such as ``DEBIAN-12``.
        sources: the names of source packages; those of which nothing is said are not in ``packages``.

    Raises:
        Damaged: it is no whole file of this form, or is for another release.
    """
    try:
        with gzip.GzipFile(fileobj=handle) as stream:
            return _read(_Lines(stream), release, sources)
    except (OSError, EOFError, zlib.error, *_NOT_READ) as exc:
        raise _damaged(release, exc) from exc


def _damaged(release: str, exc: Exception) -> Damaged:
    return Damaged(f"{release}: the file cannot be used: {_words(exc)}; compile it again")


def _words(exc: Exception) -> str:
    return "it is no gzip file" if isinstance(exc, gzip.BadGzipFile) else one_line(str(exc))


def find_sources(handle: IO[bytes], *, release: str, ids: Collection[str]) -> frozenset[str]:
    """Return the source packages of which records of some ids say something: CVEs, or advisories by their own id.

    Args:
        handle: the file, opened for reading bytes; it is read twice, and left at its beginning.
        release: which release it must be for.
        ids: as the records have them, in capitals.

    Raises:
        Damaged: it is no whole file of this form, or is for another release.
    """
    try:
        with gzip.GzipFile(fileobj=handle) as stream:
            numbers = _numbers_of(_Lines(stream), release, ids)
        handle.seek(0)
        with gzip.GzipFile(fileobj=handle) as stream:
            found = frozenset(_naming(_Lines(stream), numbers))
        handle.seek(0)
        return found
    except (OSError, EOFError, zlib.error, *_NOT_READ) as exc:
        raise _damaged(release, exc) from exc


def _numbers_of(lines: _Lines, release: str, ids: Collection[str]) -> frozenset[int]:
    """The places of the records that are about one of the ids."""
    names = re.compile(b"|".join(re.escape(each.encode()) for each in sorted(ids)) or b"(?!)")
    found, first, seen_header = set(), 0, False
    for batch in lines:
        if not seen_header:
            _header(batch.pop(0), release)
            seen_header = True
        for line in batch:
            if line.startswith(_BEGINS):
                continue
            if names.search(line):
                fact = _fact(_parsed(line))
                if any(each in ids for each in (fact.id, *fact.cves)):
                    found.add(first)
            first += 1
    if not seen_header:
        raise ValueError("it is empty")
    return frozenset(found)


def _naming(lines: _Lines, numbers: frozenset[int]) -> Iterator[str]:
    """The source packages that name one of the records."""
    for batch in lines:
        for line in batch if numbers else ():
            if not line.startswith(_BEGINS):
                continue
            data = _parsed(line)
            if any(not numbers.isdisjoint(group["records"]) for group in data["groups"]):
                yield _text(data["source"])


class _Lines:
    """The lines of a file in batches, hashed as they are read; all together of bounded size."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.sha256 = ""

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield all lines but the last, without their ends; a line at a time would take longer than all the rest.

        Raises:
            ValueError: there is too much, or the last line does not have the hash of the others.
        """
        left = MOST_TEXT
        begun: list[bytes] = []
        last: list[bytes] = []
        while piece := self._stream.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise ValueError(f"more than {MOST_TEXT} bytes of text")
            whole, end, rest = piece.rpartition(b"\n")
            if not end:
                begun.append(piece)
                continue
            lines = last + b"".join([*begun, whole]).split(b"\n")
            begun, last = [rest], [lines.pop()]
            if lines:
                self._digest.update(b"\n".join(lines) + b"\n")
                yield lines
        self.sha256 = self._digest.hexdigest()
        if any(begun) or last != [_end(self.sha256)]:
            raise ValueError("it is cut short, or its content is not what its hash says")


def _end(sha256: str) -> bytes:
    return b'{"sha256":"%s"}' % sha256.encode("ascii")


def _read(lines: _Lines, release: str, sources: Collection[str]) -> Feed:
    wanted = {name.encode() for name in sources}
    header: Any = None
    packages: dict[str, Any] = {}
    needed: list[int] | None = None
    records: dict[int, Any] = {}
    first = taken = 0
    for batch in lines:
        if header is None:
            header = _header(batch.pop(0), release)
        if needed is None:
            begin = next((place for place, line in enumerate(batch) if not line.startswith(_BEGINS)), len(batch))
            for line in batch[:begin]:
                if taken > MOST_TAKEN:
                    raise ValueError("too much is said of these packages")
                if line[len(_BEGINS) : line.index(b'"', len(_BEGINS))] in wanted:
                    found = _parsed(line)
                    packages[found["source"]] = found
                    taken += len(line)
            if begin == len(batch):
                continue
            del batch[:begin]
            needed = sorted({n for each in packages.values() for group in each["groups"] for n in group["records"]})
        for number in needed[bisect_left(needed, first) : bisect_left(needed, first + len(batch))]:
            records[number] = _fact(_parsed(batch[number - first]))
            taken += len(batch[number - first])
            if taken > MOST_TAKEN:
                raise ValueError("too much is said of these packages")
        first += len(batch)
    if header is None:
        raise ValueError("it is empty")
    order = order_of(release)
    return Feed(
        release=release,
        order=order,
        ecosystems=tuple(map(_text, header["ecosystems"])),
        records={_text(kind): int(number) for kind, number in header["records"].items()},
        data_time=_time(header["data_time"]),
        exploited=header["exploited"] is True,
        sha256=lines.sha256,
        packages={name: _package(each, records, order) for name, each in packages.items()},
    )


def _parsed(line: bytes) -> Any:
    if len(line) > MOST_LINE:
        raise ValueError(f"a line of more than {MOST_LINE} bytes")
    return parse_json(line)


def _header(line: bytes, release: str) -> Any:
    header = _parsed(line)
    if header["form"] != FORM or header["version"] != VERSION:
        raise ValueError("another form or version of it")
    if header["release"] != release:
        raise ValueError(f"it is for {header['release']}")
    return header


class _Fact(NamedTuple):
    """What a record says by itself."""

    id: str
    is_notice: bool
    cves: tuple[str, ...]
    published: str
    severity: str
    cvss: str
    references: tuple[str, ...]
    exploited: tuple[tuple[str, str], ...]


def _fact(record: Mapping[str, Any]) -> _Fact:
    name = _text(record["id"])
    own, link = own_cve(name), link_of(name)
    others = _texts(record.get("references", ()))
    return _Fact(
        id=name,
        is_notice=not own,
        cves=_texts(record["cves"]) if "cves" in record else (own,) if own else (),
        published=_time(record.get("published", "")),
        severity=_text(record.get("severity", "")),
        cvss=_text(record.get("cvss", "")),
        references=(link, *others) if link else others,
        exploited=tuple((_text(cve), _text(since)) for cve, since in record.get("exploited", {}).items()),
    )


def _package(data: Mapping[str, Any], records: Mapping[int, _Fact], order: str) -> tuple[Vulnerable, ...]:
    """What is said of one source package, with each vulnerability's notices and each notice's severity."""
    _bound(data["groups"])
    binaries = [_binaries(each, order) for each in data.get("binaries", ())]
    found = [
        (records[number], said)
        for said in (_said(group, binaries, order) for group in data["groups"])
        for number in said.records
    ]
    named = Counter(cve for fact, _said in found for cve in fact.cves)
    if named.total() > MOST_NAMED or max(named.values(), default=0) > MOST_OF_CVE:
        raise ValueError("too much is said of too many vulnerabilities")
    notices: dict[str, dict[str, None]] = {}
    severities: dict[str, str] = {}
    for fact, said in found:
        for cve in fact.cves:
            if fact.is_notice:
                notices.setdefault(cve, {})[fact.id] = None
            else:
                severities[cve] = max(severities.get(cve, ""), said.severity or fact.severity, key=severity_rank)
    return tuple(sorted(_vulnerable(fact, said, notices, severities) for fact, said in found))


def _bound(groups: Any) -> None:
    said = sum(len(group["records"]) for group in groups)
    named = sum(len(group.get("ranges", ())) + len(group.get("versions", ())) for group in groups)
    if len(groups) > MOST_SAID or said > MOST_SAID or named > MOST_VERSIONS:
        raise ValueError("more than any vendor says of a package")


class _Said(NamedTuple):
    """What several records say alike of a package."""

    records: tuple[int, ...]
    intervals: tuple[Interval, ...]
    versions: tuple[str, ...]
    severity: str
    urgency: str
    subscription: bool
    binaries: tuple[tuple[str, tuple[str, ...]], ...]
    problem: str


def _said(group: Mapping[str, Any], binaries: list[tuple[tuple[str, tuple[str, ...]], ...]], order: str) -> _Said:
    intervals = tuple(Interval(*_texts(each)) for each in group.get("ranges", ()))
    versions = _texts(group.get("versions", ()))
    if not all(is_version(each, order) for each in (*versions, *(end for each in intervals for end in each if end))):
        raise ValueError("a version that is none")
    return _Said(
        records=tuple(group["records"]),
        intervals=intervals,
        versions=versions,
        severity=_text(group.get("severity", "")),
        urgency=_text(group.get("urgency", "")),
        subscription=group.get("subscription") is True,
        binaries=binaries[group["binaries"]] if "binaries" in group else (),
        problem=_text(group.get("problem", "")) or ("" if intervals or versions else "neither a range nor versions"),
    )


def _vulnerable(
    fact: _Fact, said: _Said, notices: Mapping[str, Iterable[str]], severities: Mapping[str, str]
) -> Vulnerable:
    if fact.is_notice:
        advisories: tuple[str, ...] = (fact.id,)
    else:
        advisories = tuple(sorted({notice for cve in fact.cves for notice in notices.get(cve, ())}))
    severity = said.severity or fact.severity
    if not severity and fact.is_notice:
        severity = max((severities.get(cve, "") for cve in fact.cves), key=severity_rank, default="")
    return Vulnerable(
        id=fact.id,
        cves=fact.cves,
        advisories=advisories,
        intervals=said.intervals,
        versions=said.versions,
        published=fact.published,
        severity=severity,
        urgency=said.urgency,
        cvss=fact.cvss,
        subscription=said.subscription,
        binaries=said.binaries,
        references=fact.references,
        problem=said.problem,
        exploited=fact.exploited,
    )


def _binaries(data: Mapping[Any, Any], order: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = tuple((version, tuple(names)) for version, names in data.items())
    if not all(is_version(version, order) and all(is_name(each, order) for each in names) for version, names in found):
        raise ValueError("a binary package that is none")
    return found


def _time(value: Any) -> str:
    if value and (not isinstance(value, str) or not _TIME.fullmatch(value)):
        raise ValueError("a time that is none")
    return value or ""


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError("a value that is no list")
    return tuple(map(_text, value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a value that is no text")
    return value if value.isascii() and value.isprintable() and len(value) <= LONGEST_TEXT else one_line(value)
