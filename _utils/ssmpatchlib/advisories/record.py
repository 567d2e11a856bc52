# SPDX-License-Identifier: Apache-2.0
"""One OSV record (schema 1.6 to 1.9) as what it says of releases. Pure; whatever the record holds, it is bounded."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..names import one_line
from ..times import aws_time
from .ecosystems import Product, is_name, is_version, order_of, product_of
from .ranges import MOST_EVENTS, Interval, Unusable, intervals_of

#: Why a record or an entry of it is left out.
MALFORMED = "malformed records"
WITHDRAWN = "withdrawn records"
LIVE_PATCH = "live patch notices, which name no package version"
OTHER_RELEASES = "records of other releases"
NO_PACKAGE = "entries without the name of a package"
#: An entry that is kept, so that nobody takes its package for safe.
UNUSABLE = "entries whose versions cannot be read (kept as unknown)"

#: In the place of the name of a package that an entry does not say: what a record says is not all that it is about.
NAMELESS = ""

MOST_CVES = 5000
MOST_BINARIES = 5000
MOST_VERSIONS = 5000
MOST_REFERENCES = 2
LONGEST_URL = 200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}")
_VENDORS_CVE = re.compile(r"(?:UBUNTU|DEBIAN)-(CVE-[0-9]{4}-[0-9]{4,12})")
_CVE_IN_URL = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}(?![0-9])")
_URL = re.compile(rf"https?://[!-~]{{1,{LONGEST_URL}}}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z -]{0,29}")
_DEBUG = ("-dbgsym", "-dbg", "-debuginfo", "-debugsource")
_PRIORITIES = ("critical", "high", "medium", "low", "negligible")
_FREE = ("", "no subscription required")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a record says of one source package of one release. ``problem``: why its versions cannot be told."""

    release: str
    ecosystem: str
    source: str
    intervals: tuple[Interval, ...] = ()
    versions: tuple[str, ...] = ()
    severity: str = ""
    urgency: str = ""
    subscription: bool = False
    binaries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: times as ``aws_time`` writes them, ``""`` where there are none.

    ``cves`` are those that it names itself, ``links`` the other records that it stands for.
    """

    id: str
    cves: tuple[str, ...]
    links: tuple[str, ...]
    published: str
    modified: str
    severity: str
    cvss: str
    references: tuple[str, ...]
    entries: tuple[Entry, ...]


class LeftOut(Exception):
    """The record counts for nothing; ``reason`` is one of the constants, the message names it."""

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(name)
        self.reason = reason


def read_record(data: Any, releases: Collection[str]) -> tuple[Record, list[tuple[str, str]]]:
    """Return what a record says of ``releases``, and what was left out of it: ``(reason, example)``.

    A record that says nothing of them has no ``entries``; what it links may still be needed.

    Raises:
        LeftOut: it is no record, is withdrawn, or is a notice of a live patch.
    """
    name = data.get("id") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise LeftOut(MALFORMED, "a record without an id")
    if data.get("withdrawn"):
        raise LeftOut(WITHDRAWN, name)
    if name.startswith("LSN-"):
        raise LeftOut(LIVE_PATCH, name)
    affected = data.get("affected")
    if not isinstance(affected, list):
        raise LeftOut(MALFORMED, f"{name}: no list of affected packages")
    problems: list[tuple[str, str]] = []
    entries = tuple(_entries(name, affected, releases, problems))
    severity, cvss = _severities(data.get("severity"))
    cves, links = _links(name, data)
    record = Record(
        id=name,
        cves=cves,
        links=links,
        published=time_of(data.get("published")),
        modified=time_of(data.get("modified")),
        severity=severity,
        cvss=cvss,
        references=_references(name, data.get("references")),
        entries=entries,
    )
    return record, problems


def time_of(value: object) -> str:
    """Return a time of RFC 3339, with fractions of any length, as ``aws_time`` writes it; ``""`` for anything else."""
    match = _TIME.fullmatch(value) if isinstance(value, str) and len(value) < 100 else None
    if match is None:
        return ""
    try:
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
        return aws_time(moment.timestamp()) if moment.year > 1 else ""
    except (ValueError, OverflowError):
        return ""


def own_cve(name: str) -> str:
    """Return the CVE that a record is about by its own name, ``""`` for an advisory: ``UBUNTU-CVE-…``, ``CVE-…``."""
    match = _VENDORS_CVE.fullmatch(name)
    return match[1] if match else name if _CVE.fullmatch(name) else ""


def is_cve(value: object) -> bool:
    """Return whether it is the id of a CVE."""
    return isinstance(value, str) and _CVE.fullmatch(value) is not None


def kind_of(name: str) -> str:
    """Return the kind of a record by its id: ``DSA``, ``UBUNTU-CVE``."""
    return name.partition("-CVE-")[0] + "-CVE" if "-CVE-" in name else name.partition("-")[0]


def link_of(name: str) -> str:
    """Return the vendor's page about a record, ``""`` where none is known."""
    cve = own_cve(name)
    if name.startswith("UBUNTU-CVE-"):
        return f"https://ubuntu.com/security/{cve}"
    if name.startswith("USN-"):
        return f"https://ubuntu.com/security/notices/{name}"
    if name.startswith(("DEBIAN-CVE-", "DSA-", "DLA-")):
        return f"https://security-tracker.debian.org/tracker/{cve or name}"
    return ""


def _ids(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    ids = value if isinstance(value, list) else []
    return [each for each in ids if isinstance(each, str) and _ID.fullmatch(each)]


def _links(name: str, data: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The CVEs that a record names itself, and the ids of other records that it stands for.

    ``related`` is what schema 1.6 had in the place of ``upstream``. A record of a CVE names others there that are not
    the same, so that there only its own name, its aliases and what is upstream of it count.
    """
    own = own_cve(name)
    named = _ids(data, "aliases") + _ids(data, "upstream") + ([] if own else _ids(data, "related"))
    cves = dict.fromkeys(filter(None, [own, *map(own_cve, named)]))
    links = tuple(each for each in _ids(data, "aliases") + _ids(data, "upstream") if each != name)
    if not cves:
        cves = dict.fromkeys(cve for url in _urls(data.get("references")) for cve in _CVE_IN_URL.findall(url))
    return tuple(sorted(cves)[:MOST_CVES]), links[:MOST_CVES]


def _severities(value: Any) -> tuple[str, str]:
    """The vendor's word, and the vector of CVSS, which is not the vendor's word."""
    word = cvss = ""
    for each in value if isinstance(value, list) else ():
        kind, score = (each.get("type"), each.get("score")) if isinstance(each, Mapping) else (None, None)
        if kind == "Ubuntu":
            word = word or _priority(score)
        elif isinstance(kind, str) and kind.startswith("CVSS_V") and isinstance(score, str):
            cvss = max(cvss, one_line(score))
    return word, cvss


def _word(value: Any) -> str:
    return value.lower() if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _priority(value: Any) -> str:
    """Ubuntu's word for a severity; what nobody has judged yet (``untriaged``) has none."""
    word = _word(value)
    return word if word in _PRIORITIES else ""


def _urls(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else ():
        url = each.get("url") if isinstance(each, Mapping) else None
        if isinstance(url, str) and _URL.fullmatch(url):
            yield url


def _references(name: str, value: Any) -> tuple[str, ...]:
    known = link_of(name)
    return tuple(url for url in dict.fromkeys(_urls(value)) if url != known)[:MOST_REFERENCES]


def _entries(
    name: str, affected: list[Any], releases: Collection[str], problems: list[tuple[str, str]]
) -> Iterator[Entry]:
    for each in affected:
        package = each.get("package") if isinstance(each, Mapping) else None
        ecosystem = package.get("ecosystem") if isinstance(package, Mapping) else None
        if not isinstance(package, Mapping) or not isinstance(ecosystem, str):
            problems.append((NO_PACKAGE, name))
            continue
        product = product_of(ecosystem)
        if product is None or product.release not in releases:
            continue
        order = order_of(product.release)
        source = package.get("name")
        if not isinstance(source, str) or not is_name(source, order):
            problems.append((NO_PACKAGE, f"{name} ({ecosystem})"))
            yield Entry(product.release, ecosystem, NAMELESS, problem="an entry of its record names no package")
            continue
        if product.kernels_only and not source.startswith("linux-"):
            continue
        entry = _entry(each, product, ecosystem, source)
        if entry.problem and not product.problem:
            problems.append((UNUSABLE, f"{name}, {source}: {entry.problem}"))
        yield entry


def _entry(data: Mapping[str, Any], product: Product, ecosystem: str, source: str) -> Entry:
    order = order_of(product.release)
    specific = data.get("ecosystem_specific")
    specific = specific if isinstance(specific, Mapping) else {}
    availability = specific.get("availability")
    intervals: list[Interval] = []
    listed: tuple[str, ...] = ()
    problem = product.problem
    try:
        if not problem:
            intervals = _intervals(data.get("ranges"), order)
            listed = () if intervals else _listed(data.get("versions"), order)
    except Unusable as exc:
        intervals, problem = [], str(exc)
    return Entry(
        release=product.release,
        ecosystem=ecosystem,
        source=source,
        intervals=tuple(intervals),
        versions=listed,
        severity=_severities(data.get("severity"))[0] or _priority(specific.get("ubuntu_priority")),
        urgency=_word(specific.get("urgency")),
        subscription=product.subscription
        or (isinstance(availability, str) and availability.strip().lower() not in _FREE),
        binaries=_binaries(specific.get("binaries"), order),
        problem=problem,
    )


def _intervals(ranges: Any, order: str) -> list[Interval]:
    found: list[Interval] = []
    for each in ranges if isinstance(ranges, list) else ():
        if not isinstance(each, Mapping):
            raise Unusable("a range that is none")
        if each.get("type") == "ECOSYSTEM":
            events = each.get("events")
            found += intervals_of(events if isinstance(events, list) else [], order)
        if len(found) > MOST_EVENTS:
            raise Unusable(f"more than {MOST_EVENTS} ranges")
    return found


def _listed(value: Any, order: str) -> tuple[str, ...]:
    """The affected versions of an entry without a range.

    Raises:
        Unusable: there is none, there are too many, or one is none.
    """
    listed = value if isinstance(value, list) else []
    if not listed:
        raise Unusable("neither a range nor versions")
    if len(listed) > MOST_VERSIONS:
        raise Unusable(f"more than {MOST_VERSIONS} versions")
    if not all(is_version(each, order) for each in listed):
        raise Unusable("a version that is none")
    return tuple(dict.fromkeys(listed))


def _binaries(value: Any, order: str) -> dict[str, tuple[str, ...]]:
    """Binary packages by their version: a list of mappings, or in older records one mapping ``{name: version}``."""
    pairs: list[tuple[Any, Any]] = []
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, Mapping):
            continue
        if "binary_name" in each:
            pairs.append((each["binary_name"], each.get("binary_version")))
        else:
            pairs += each.items()
    found: dict[str, dict[str, None]] = {}
    for name, version in pairs[:MOST_BINARIES]:
        if is_name(name, order) and is_version(version, order) and not name.endswith(_DEBUG):
            found.setdefault(version, {})[name] = None
    return {version: tuple(sorted(found[version])) for version in sorted(found)}
