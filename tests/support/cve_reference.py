# SPDX-License-Identifier: Apache-2.0
"""Random records of vendors and random hosts, and what a host is to a CVE, written down as plainly as can be.

Versions are compared by dpkg and rpm themselves, records are read as they stand in the export; nothing of the engine is
used. The rules: the record of a CVE counts before notices that name it; a record with an entry for subscribers affects
a version only if both its parts do; any record that affects a version counts.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, NamedTuple

AFFECTED, CLEAR, UNKNOWN = "affected", "clear", "unknown"
_CVE = re.compile(r"(?:(?:UBUNTU|DEBIAN)-)?(CVE-[0-9]{4}-[0-9]{4,12})")
Record = dict[str, Any]


# --- versions ---------------------------------------------------------------------------------------------------


@cache
def older(one: str, other: str, order: str) -> bool:
    """Whether a version comes before another, by the package manager's own comparison."""
    if order == "rpm":
        lua = f"%{{lua:print(rpm.vercmp('{one}', '{other}'))}}"
        done = subprocess.run(["rpm", "--eval", lua], capture_output=True, text=True, check=True)
        return done.stdout.strip() == "-1"
    return subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0


def same(one: str, other: str, order: str) -> bool:
    """Whether two versions are equal, however they are written."""
    return not older(one, other, order) and not older(other, one, order)


_UPSTREAMS = ("1", "2", "1.0", "1.1", "1.0~rc1", "2.0~", "2.0+deb12u1", "1.10", "2a", "3", "3.1")
_REVISIONS = {
    "deb": ("", "-0", "-1", "-1~deb12u1", "-1+deb12u1", "-1ubuntu0.9", "-1ubuntu0.10", "-1+esm1"),
    "rpm": ("-0", "-1.el9", "-1.el9_2", "-1.el9_10", "-1~rc1.el9", "-2.el9"),
}


def version(random: Random, order: str) -> str:
    """A version out of few parts, so that equal and neighbouring ones meet often."""
    epoch = random.choice(("", "", "", "0:", "1:"))
    return epoch + random.choice(_UPSTREAMS) + random.choice(_REVISIONS[order])


# --- records ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vendor:
    """How a vendor writes its records about one release."""

    release: str
    order: str
    ecosystem: str
    paid: str
    others: tuple[str, ...]
    cve_prefix: str
    notice: str


VENDORS = {
    "debian": Vendor("DEBIAN-12", "deb", "Debian:12", "", ("Debian:11", "Debian:13"), "DEBIAN-", "DSA"),
    "ubuntu": Vendor(
        "UBUNTU-22.04",
        "deb",
        "Ubuntu:22.04:LTS",
        "Ubuntu:Pro:22.04:LTS",
        ("Ubuntu:24.04:LTS", "Ubuntu:Pro:FIPS:22.04:LTS"),
        "UBUNTU-",
        "USN",
    ),
    "almalinux": Vendor("ALMA_LINUX-9", "rpm", "AlmaLinux:9", "", ("AlmaLinux:8",), "", "ALSA"),
}
SOURCES = ("tool", "libtool", "other")
CVES = tuple(f"CVE-2026-{number}" for number in range(1001, 1007))


def records(random: Random, vendor: Vendor) -> list[Record]:
    """Some records: most CVEs have one of their own, notices name some, an update of a notice names them again."""
    found = [_of_cve(random, vendor, cve) for cve in CVES if random.random() < 0.7 and vendor.cve_prefix]
    for number in range(random.randint(0, 4)):
        for update in range(random.choice((1, 1, 1, 2))):
            found += _notice(random, vendor, f"{vendor.notice}-{2000 + number}-{update + 1}")
    for each in found:
        if random.random() < 0.06:
            each["withdrawn"] = "2026-01-01T00:00:00Z"
    random.shuffle(found)
    return found


def _of_cve(random: Random, vendor: Vendor, cve: str) -> Record:
    links = {random.choice(("upstream", "aliases")): [cve]} if random.random() < 0.6 else {}
    if random.random() < 0.3:
        # Another vulnerability, which is only related to this one.
        links["related"] = [random.choice(CVES)]
    return {"id": vendor.cve_prefix + cve, **_times(random), **links, "affected": _said(random, vendor)}


def _notice(random: Random, vendor: Vendor, name: str) -> Iterator[Record]:
    cves = random.sample(CVES, random.randint(1, 3))
    spelled = [random.choice((vendor.cve_prefix, "")) + cve for cve in cves]
    made: Record = {"id": name, **_times(random), "affected": _said(random, vendor)}
    way = random.random()
    if way < 0.7:
        made[random.choice(("upstream", "aliases", "related"))] = spelled
    elif way < 0.85:
        made["upstream"] = [f"CHAIN-{name}"]
        yield {"id": f"CHAIN-{name}", "upstream": spelled, "affected": []}
    else:
        made["references"] = [{"type": "WEB", "url": f"https://example.com/{cve}"} for cve in cves]
    yield made


def _times(random: Random) -> Record:
    return {"published": f"2026-0{random.randint(1, 9)}-01T10:00:00Z", "modified": "2026-10-01T10:00:00Z"}


def _said(random: Random, vendor: Vendor) -> list[Record]:
    found = []
    for source in random.sample(SOURCES, random.randint(1, 2)):
        if vendor.paid and random.random() < 0.4:
            found.append(_entry(random, vendor, source, vendor.paid, esm=True))
            if random.random() < 0.5:
                continue
        for _ in range(random.choice((1, 1, 1, 1, 2))):
            found.append(_entry(random, vendor, source, vendor.ecosystem))
        if random.random() < 0.3:
            found.append(_entry(random, vendor, source, random.choice(vendor.others)))
    return found


def _entry(random: Random, vendor: Vendor, source: str, ecosystem: str, *, esm: bool = False) -> Record:
    order = vendor.order
    ranges = []
    for _ in range(random.choice((1, 1, 1, 1, 2))):
        events = [{"introduced": "0" if random.random() < 0.75 else version(random, order)}]
        if random.random() < 0.75:
            kind = "fixed" if random.random() < 0.85 else "last_affected"
            events.append({kind: version(random, order) + ("+esm9" if esm else "")})
        if random.random() < 0.15:
            events += [{"introduced": version(random, order)}, {"fixed": version(random, order)}]
        ranges.append({"type": "ECOSYSTEM", "events": events})
    if random.random() < 0.08:
        ranges[0]["events"].append(
            random.choice(({"fixed": "$(id)"}, {"limit": "2"}, {"fixed": "1", "introduced": "0"}))
        )
    listed = [version(random, order) for _ in range(random.randint(0, 3))]
    if random.random() < 0.15:
        ranges = [] if random.random() < 0.7 else [{"type": "GIT", "events": [{"introduced": "0"}]}]
    urgency = random.choice(("unimportant", "low", "high", "not yet assigned"))
    return {
        "package": {"ecosystem": ecosystem, "name": source},
        "ranges": ranges,
        "versions": listed,
        "ecosystem_specific": {"urgency": urgency},
    }


# --- hosts ------------------------------------------------------------------------------------------------------


class Built(NamedTuple):
    """A version of a binary package, and the source it was built from."""

    version: str
    source: str
    source_version: str


class Binary(NamedTuple):
    """An installed package, and its offers in ascending order."""

    name: str
    installed: Built
    offers: tuple[Built, ...]


def host(random: Random, order: str) -> list[Binary]:
    """Packages of the sources: called like them or not, of their version or not, several of one, and not all alike."""
    found = []
    for name in ("tool", "libtool1", "libtool2", "tool-data", "moved", "single"):
        if random.random() < 0.25:
            continue
        source = {"tool": "tool", "single": "other"}.get(name) or random.choice(SOURCES)
        versions = [version(random, order) for _ in range(random.choice((1, 1, 2, 3)))]
        ascending: list[str] = []
        for each in versions:
            place = next((n for n, known in enumerate(ascending) if older(each, known, order)), len(ascending))
            ascending.insert(place, each)
        # Some are built with a version of their own, such as gcc's from gcc-defaults.
        own = "9:" if order == "deb" and random.random() < 0.3 else ""
        sources = [source] * len(ascending)
        if name == "moved" and len(ascending) > 1:
            sources[-1] = random.choice(SOURCES)
        built = [
            Built(own + each.rpartition(":")[2] if own else each, from_, each)
            for from_, each in zip(sources, ascending, strict=True)
        ]
        found.append(Binary(name, built[0], tuple(built[1:])))
    return found


# --- the answer -------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What one version of a source is to a CVE: the first version with the fix, and whether it is for subscribers."""

    state: str
    was: bool = False
    fixed: str = ""
    paid: bool = False


class Reference:
    """The answers of some records about one release."""

    def __init__(self, found: list[Record], vendor: Vendor) -> None:
        self.vendor = vendor
        self.records = {each["id"]: each for each in reversed(found) if not each.get("withdrawn")}

    def cves(self, record: Record) -> set[str]:
        """The CVEs that a record is about, also by way of others."""
        found: set[str] = set()
        ahead, seen = [record], {record["id"]}
        while ahead:
            each = ahead.pop()
            found |= self._named(each)
            for link in (*each.get("aliases", ()), *each.get("upstream", ())):
                if link in self.records and link not in seen:
                    seen.add(link)
                    ahead.append(self.records[link])
        return found

    @staticmethod
    def _named(record: Record) -> set[str]:
        own = _CVE.fullmatch(record["id"])
        words = [record["id"], *record.get("aliases", ()), *record.get("upstream", ())]
        words += () if own else record.get("related", ())
        found = {match[1] for word in words if (match := _CVE.fullmatch(word))}
        urls = [each["url"] for each in record.get("references", ())]
        return found or {cve for url in urls for cve in re.findall(r"CVE-[0-9]+-[0-9]+", url)}

    def about(self, cve: str, source: str) -> list[Record]:
        """The records that count for a CVE of one source; a notice that names none stands for itself."""
        if not _CVE.fullmatch(cve):
            return [self.records[cve]]
        naming = [
            each
            for each in self.records.values()
            if cve in self.cves(each) and any(self._entries(each, source).values())
        ]
        return [each for each in naming if _CVE.fullmatch(each["id"])] or naming

    def sources(self, cve: str) -> set[str]:
        """The sources of which anything is said about a CVE."""
        return {source for source in SOURCES if self.about(cve, source)}

    def _entries(self, record: Record, source: str) -> dict[bool, list[Record]]:
        """The entries about one source, by whether they are for subscribers."""
        named = [each for each in record["affected"] if each["package"]["name"] == source]
        return {
            False: [each for each in named if each["package"]["ecosystem"] == self.vendor.ecosystem],
            True: [each for each in named if self.vendor.paid and each["package"]["ecosystem"] == self.vendor.paid],
        }

    def answer(self, cve: str, source: str, own: str) -> Answer:
        """What one version of a source is to a CVE."""
        about = self.about(cve, source)
        state, was = self._state(about, source, own)
        if state != AFFECTED:
            return Answer(state, was)
        for paid in (False, True):
            ends = [
                end
                for record in about
                for entry in self._entries(record, source)[paid]
                for end in self._ends(entry)
                if older(own, end, self.vendor.order)
            ]
            clear = [end for end in ends if self._state(about, source, end)[0] != AFFECTED]
            for end in clear:
                if not any(older(other, end, self.vendor.order) for other in clear):
                    return Answer(state, fixed=end, paid=paid)
        return Answer(state)

    def way_out(self, cve: str, source: str, own: str, offers: list[str]) -> str:
        """The first newer version on offer that is not affected, where no record names one with the fix."""
        found = ""
        for each in offers:
            clear = older(own, each, self.vendor.order) and self.is_clear(cve, source, each)
            if clear and (not found or older(each, found, self.vendor.order)):
                found = each
        return found

    def is_clear(self, cve: str, source: str, own: str, *, surely: bool = True) -> bool:
        """Whether a version is not affected, where not ``surely`` as far as it is known."""
        state, _was = self._state(self.about(cve, source), source, own)
        return state == CLEAR or (not surely and state == UNKNOWN)

    def _state(self, about: list[Record], source: str, own: str) -> tuple[str, bool]:
        found = [self._of_record(record, source, own) for record in about]
        for state in (AFFECTED, UNKNOWN):
            if any(each == state for each, _ in found):
                return state, False
        return CLEAR, any(was for _, was in found)

    def _of_record(self, record: Record, source: str, own: str) -> tuple[str, bool]:
        parts = [self._of_part(part, own) for part in self._entries(record, source).values() if part]
        clear = [each for each in parts if each[0] == CLEAR]
        if clear:
            return CLEAR, any(was for _, was in clear)
        return (UNKNOWN, False) if (UNKNOWN, False) in parts else (AFFECTED, False)

    def _of_part(self, entries: list[Record], own: str) -> tuple[str, bool]:
        said = [self._of_entry(entry, own) for entry in entries]
        for state in (AFFECTED, UNKNOWN):
            if state in [each for each, _ in said]:
                return state, False
        return CLEAR, any(was for _, was in said)

    def _of_entry(self, entry: Record, own: str) -> tuple[str, bool]:
        """Whether a version is affected by an entry, or was before (OSV's evaluation)."""
        if not _readable(entry):
            return UNKNOWN, False
        was = False
        order = self.vendor.order
        for events in _ranges(entry):
            vulnerable = False
            for name, bound in self._ordered(events):
                if name == "introduced":
                    vulnerable = vulnerable or bound == "0" or not older(own, bound, order)
                elif not older(own, bound, order) and (name == "fixed" or older(bound, own, order)):
                    was, vulnerable = was or vulnerable, False
            if vulnerable:
                return AFFECTED, False
        listed = not _ranges(entry) and any(same(own, each, order) for each in entry["versions"])
        return (AFFECTED, False) if listed else (CLEAR, was)

    def _ends(self, entry: Record) -> list[str]:
        """The versions by which an entry becomes fixed."""
        found = []
        for events in _ranges(entry) if _readable(entry) else ():
            vulnerable = False
            for name, bound in self._ordered(events):
                if name == "fixed" and vulnerable:
                    found.append(bound)
                vulnerable = name == "introduced"
        return found

    def _ordered(self, events: list[dict[str, str]]) -> list[tuple[str, str]]:
        """Events by their versions; of one version as they stand."""
        found: list[tuple[str, str]] = []
        for event in events:
            ((name, bound),) = event.items()
            before = bound == "0" and name == "introduced"
            place = 0
            for number, (known_name, known) in enumerate(found):
                if (known_name == "introduced" and known == "0") or (
                    not before and not older(bound, known, self.vendor.order)
                ):
                    place = number + 1
            found.insert(place, (name, bound))
        return found


def _ranges(entry: Record) -> list[list[dict[str, str]]]:
    return [each["events"] for each in entry["ranges"] if each["type"] == "ECOSYSTEM"]


def _readable(entry: Record) -> bool:
    events = [event for each in _ranges(entry) for event in each]
    whole = all(len(event) == 1 and "limit" not in event and "$(id)" not in event.values() for event in events)
    return whole and bool(events or entry["versions"])
