# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a feed with a right hash, in what is kept of it, or in a Source field: bounded, and no guess."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.advise import advise
from ssmpatchlib.advisories.found import find
from ssmpatchlib.advisories.said import Found
from ssmpatchlib.backends.apt.inventory import FAMILY
from ssmpatchlib.backends.apt.source_field import read_source
from ssmpatchlib.model import Advisory, Inventory, Package, Version
from ssmpatchlib.operation import feed
from ssmpatchlib.operation.cve_rows import fed_rows, matching
from ssmpatchlib.operation.kept_advisories import FORM, Kept, form, recall, sum_of
from support import osv
from support.fuzzing import mutated, named, within_budget
from support.generated import Cases

RELEASE = "UBUNTU-22.04"
CVES = frozenset({"CVE-2024-6387", "USN-6859-1", "CVE-2026-0915"})
WORDS = (
    b"Infinity",
    b"1e999",
    b"NaN",
    b"-1",
    b"[]",
    b"{}",
    b"null",
    b"[[]]",
    b'""',
    b'{"a":1}',
    b"0,0,0,0,0,0",
    b"true",
)


def version(name: str, own: str, source: str) -> Version:
    return Version(name, "amd64", own, (Advisory(False, {"PRIORITY": "optional"}),), source=source)


PACKAGES = (
    Package(
        "openssh-server",
        "amd64",
        version("openssh-server", "1:8.9p1-3ubuntu0.9", "openssh"),
        versions=(version("openssh-server", "1:8.9p1-3ubuntu0.10", "openssh"),),
    ),
    Package("libc6", "amd64", version("libc6", "2.35-0ubuntu3.12", "glibc")),
)
SOURCES = ("openssh", "glibc")


def signed(body: bytes) -> bytes:
    return body + b'{"sha256":"%s"}\n' % hashlib.sha256(body).hexdigest().encode()


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """The lines of a feed but the last."""
    data = osv.compiled(RELEASE, osv.samples(), until="2026-11-20T00:00:00Z", exploited={"CVE-2024-6387": "2024-07-02"})
    return gzip.decompress(data).splitlines(keepends=True)[:-1]


def ask(data: bytes) -> Found | None:
    """What a host makes of a feed, None where it is refused."""
    try:
        sources = compact.find_sources(io.BytesIO(data), release=RELEASE, ids=CVES)
        asked = compact.read(io.BytesIO(data), release=RELEASE, sources=sources)
        whole = compact.read(io.BytesIO(data), release=RELEASE, sources=SOURCES)
    except compact.Damaged:
        return None
    for cve, said in matching(asked, CVES).items():
        rows = list(fed_rows(cve, said, (("openssh", "1:8.9p1-3ubuntu0.9", ("openssh-server.amd64",)),), asked, ()))
        assert rows and all(isinstance(row.plain()["cve"], str) for row in rows)
    found = find(whole, PACKAGES, idle=())
    advised = advise(Inventory(FAMILY, PACKAGES), found, classify=True)
    assert len(advised.packages) == len(PACKAGES)
    json.dumps(form(Kept(RELEASE, whole.data_time, "", found, ())))
    return found


def restructured(random: Random, lines: list[bytes]) -> bytes:
    """A feed some of whose values are others: JSON all the same."""
    documents = [json.loads(line) for line in lines]
    for _ in range(random.choice((1, 1, 2, 4))):
        number = random.randrange(len(documents))
        places = list(inside(documents[number]))
        if not places:
            continue
        holder, key = random.choice(places)
        others = [value for each in documents for holder_, key_ in inside(each) for value in [holder_[key_]]]
        other = random.choice((random.choice(others or [None]), json.loads(random.choice(WORDS[:-2] + (b"1",)) or "0")))
        if random.random() < 0.2 and isinstance(holder, list):
            holder *= random.choice((2, 50))
        else:
            holder[key] = json.loads(json.dumps(other))
    body = b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in documents)
    return body


def inside(value: Any) -> Any:
    """Every place of a document, as what holds it and the key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from inside(value[key])


@pytest.mark.cases(250)
def test_a_feed_with_a_right_hash_is_refused_or_answers(cases: Cases, lines: list[bytes]) -> None:
    answered = 0
    for number, random in cases:
        structured = random.random() < 0.5
        body = restructured(random, lines) if structured else mutated(random, [b"".join(lines)], WORDS)
        data = gzip.compress(signed(body), compresslevel=1)
        with named(cases, number, body):
            within_budget(lambda data=data: ask(data), len(body), extra=0.5)  # type: ignore[misc]
            answered += ask(data) is not None
    assert 0 < answered < len(cases) or len(cases) < 20


def header(**more: Any) -> bytes:
    found = {"form": compact.FORM, "version": compact.VERSION, "release": RELEASE, "ecosystems": [], "records": {}}
    return json.dumps({**found, "data_time": "", "exploited": False, **more}).encode() + b"\n"


def source(groups: Any, **more: Any) -> bytes:
    text = json.dumps({"source": "openssh", "groups": groups, **more}, separators=(",", ":"))
    return text.encode() + b"\n"


def record(name: str, **more: Any) -> bytes:
    return json.dumps({"id": name, **more}, separators=(",", ":")).encode() + b"\n"


def many_ends(count: int) -> bytes:
    """Each record of one CVE is fixed by a version that the next one still affects."""
    groups = [{"ranges": [["", f"2.{number}"]], "records": [number]} for number in range(count)]
    return source(groups) + b"".join(record(f"USN-{number}-1", cves=["CVE-2026-1"]) for number in range(count))


def many_cves(count: int, notices: int) -> bytes:
    """Each of many notices names very many CVEs."""
    cves = [f"CVE-2026-{number}" for number in range(10_000, 10_000 + count)]
    groups = [{"ranges": [["", "9:1"]], "records": list(range(notices))}]
    return source(groups) + b"".join(record(f"USN-{number}-1", cves=cves) for number in range(notices))


ENDS, ONE = [["", "9:1"]], record("USN-1-1")
HOSTILE = {
    "a number that is none": header(records={"USN": float("inf")}),
    "one record very often": header() + source([{"ranges": ENDS, "records": [0] * 1_000_000}]) + ONE,
    "one group very often": header() + source([{"ranges": ENDS, "records": [0]}] * 300_000) + ONE,
    "very many ranges": header() + source([{"ranges": [["1", "2"]] * 1_500_000, "records": [0]}]) + record("USN-1-1"),
    "very many versions with a fix": header() + many_ends(3000),
    "very many CVEs of many notices": header() + many_cves(5000, 300),
    "just as many as may be": header() + many_cves(2500, 20),
    "as many versions with a fix as may be": header() + many_ends(1000),
    "a list of lists": header() + source([[]] * 5_000_000) + record("USN-1-1"),
    "deep": header() + b'{"source":"openssh","groups":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_feed_that_is_made_to_harm_is_bounded_in_time_and_memory(name: str) -> None:
    data = gzip.compress(signed(HOSTILE[name]), compresslevel=1)
    within_budget(lambda: ask(data), 1 << 20, memory=True)


def test_a_feed_without_a_line_is_refused() -> None:
    for body in (b"", b"\n", b"{}\n", b"[]\n", b"null\n"):
        data = gzip.compress(signed(body))
        with pytest.raises(compact.Damaged):
            compact.find_sources(io.BytesIO(data), release=RELEASE, ids=CVES)
        with pytest.raises(compact.Damaged):
            compact.read(io.BytesIO(data), release=RELEASE, sources=SOURCES)


@pytest.fixture(scope="module")
def kept(lines: list[bytes]) -> bytes:
    """What is kept of a feed."""
    whole = compact.read(io.BytesIO(gzip.compress(signed(b"".join(lines)))), release=RELEASE, sources=SOURCES)
    found = Kept(RELEASE, whole.data_time, "0", find(whole, PACKAGES, idle=()), feed.installed_sources(PACKAGES, ()))
    return json.dumps(form(found)).encode()


def summed(data: bytes) -> bytes:
    """A file of what is kept with the sum that belongs to it."""
    return json.dumps({"form": FORM, "key": "key", "sum": sum_of(data)}).encode() + b"\n" + data


@pytest.mark.cases(300)
def test_what_is_kept_is_none_or_can_be_used(cases: Cases, kept: bytes, tmp_path: Path) -> None:
    path = tmp_path / feed.FILE
    usable = 0
    for number, random in cases:
        data = mutated(random, [kept], WORDS) if random.random() < 0.5 else restructured(random, [kept])
        whole = summed(data)
        path.write_bytes(whole if random.random() < 0.7 else mutated(random, [summed(kept)], WORDS))

        def work() -> None:
            found = recall(path)
            if found is not None:
                advise(Inventory(FAMILY, PACKAGES), found.found, classify=True)
                feed.wants_everything(found.found)
                json.dumps(form(found))
                assert all(isinstance(word, str) for name, own, ids in found.installed for word in (name, own, *ids))

        with named(cases, number, data):
            within_budget(work, len(data))
        usable += recall(path) is not None
    assert recall(path, key="another") is None
    assert usable or len(cases) < 20


@pytest.mark.cases(400)
def test_a_source_field_names_a_source_or_nothing(cases: Cases) -> None:
    samples = [
        b"\nPackage: a\nSource: foo (1.2-3)\nVersion: 1\n",
        b"\nPackage: a\nVersion: 1\nSource: foo\nDescription: x\n Source: none\n",
        b"\nsource:  x (1:2~rc1-3+b1)\nPackage: a\n",
    ]
    for number, random in cases:
        text = mutated(random, samples, (b"Source: ", b"\nSource: ", b" (", b")", b"(" * 50)).decode(errors="replace")
        with named(cases, number, text):
            within_budget(lambda text=text: read_source(text), len(text))  # type: ignore[misc]
            name, own = read_source(text)
            assert (name, own) == ("", "") or (name and not set(name + own) & set(" \n\t()/;$"))
