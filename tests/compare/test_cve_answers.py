# SPDX-License-Identifier: Apache-2.0
"""What a host is to a CVE: from random records to rows, against a plain reference that asks dpkg and rpm."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from random import Random

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.found import find
from ssmpatchlib.advisories.ranges import key_of
from ssmpatchlib.advisories.said import sources_of
from ssmpatchlib.model import Advisory, Package, Version
from ssmpatchlib.operation.cve_rows import Row, fed_rows, matching
from ssmpatchlib.operation.feed import installed_sources
from support import osv
from support.cve_reference import (
    AFFECTED,
    CLEAR,
    CVES,
    SOURCES,
    UNKNOWN,
    VENDORS,
    Answer,
    Binary,
    Built,
    Reference,
    Vendor,
    host,
    older,
    records,
    same,
)
from support.generated import Cases

WORDS = {"affected, no fix yet": AFFECTED, "fix available": AFFECTED, "unknown": UNKNOWN, "fixed": CLEAR}


def built(name: str, each: Built) -> Version:
    source = "" if each.source == name else each.source
    source_version = "" if each.source_version == each.version else each.source_version
    return Version(name, "amd64", each.version, (Advisory(False),), source=source, source_version=source_version)


def packages_of(binaries: Iterable[Binary]) -> list[Package]:
    return [
        Package(
            each.name,
            "amd64",
            built(each.name, each.installed),
            versions=tuple(built(each.name, o) for o in each.offers),
        )
        for each in binaries
    ]


def opened(feed: compact.Feed, packages: list[Package]) -> dict[tuple[str, str, str], Answer]:
    """What is open, by CVE, source and package, from what is found on the host."""
    found = {}
    for group in find(feed, packages, idle=()).open:
        state = UNKNOWN if group.problem else AFFECTED
        for cve in group.cves:
            for id_ in group.packages:
                assert (cve, group.source, id_) not in found, "a package has one row for a CVE"
                found[cve, group.source, id_] = Answer(state, False, group.fixed, group.subscription)
    return found


def expected_rows(reference: Reference, cve: str, binaries: list[Binary]) -> dict[tuple[str, str], Answer]:
    concerned = {each.installed[1:] for each in binaries if each.installed.source in reference.sources(cve)}
    return {each: reference.answer(cve, *each) for each in concerned}


def agree(row: Row, answer: Answer, order: str) -> None:
    state = CLEAR if row.state in ("not affected", "fixed") else WORDS[row.state]
    assert state == answer.state
    assert (row.state == "fixed") == answer.was
    if state == AFFECTED:
        agree_on_fix(row.fixed, row.subscription, answer, order)


def agree_on_fix(fixed: str, subscription: bool, answer: Answer, order: str) -> None:
    assert bool(fixed) == bool(answer.fixed) and subscription == answer.paid
    assert not fixed or same(fixed, answer.fixed, order), (fixed, answer.fixed)


def ways_out(reference: Reference, cve: str, answer: Answer, own: Built, binaries: list[Binary]) -> Answer:
    """An answer with the fix that the host's offers have where no record names one."""
    if answer.state != AFFECTED or answer.fixed:
        return answer
    of_source = [each for each in binaries if each.installed.source == own.source]
    offers = [o.source_version for each in of_source for o in each.offers if o.source == own.source]
    return answer._replace(fixed=reference.way_out(cve, own.source, own.source_version, offers))


def carriers_agree(
    reference: Reference, feed: compact.Feed, packages: list[Package], binaries: list[Binary], order: str
) -> None:
    """Each package is told the first of its own versions that has the fix, and no other's."""
    offers = {f"{each.name}.amd64": each.offers for each in binaries}
    for group in find(feed, packages, idle=()).open:
        assert not group.waiting, "no kernel is installed"
        for id_ in group.packages if group.fixed else ():
            having = [
                each.version
                for each in offers[id_]
                if each.source == group.source
                and not older(each.source_version, group.fixed, order)
                and reference.is_clear(group.cves[0], group.source, each.source_version, surely=False)
            ]
            assert [each.version for each in group.carriers if each.id == id_] == having[:1]
        assert {each.id for each in group.carriers} in (set(), set(group.packages))


def one_case(random: Random, vendor: Vendor, seen: set[tuple[str, bool, bool]]) -> None:
    said, binaries = records(random, vendor), host(random, vendor.order)
    data = osv.compiled(vendor.release, said, until="2026-11-20T00:00:00Z")
    packages = packages_of(binaries)
    reference = Reference(said, vendor)
    feed = compact.read(io.BytesIO(data), release=vendor.release, sources=sources_of(packages))
    found = opened(feed, packages)
    for cve in CVES:
        expected = expected_rows(reference, cve, binaries)
        wanted = {
            (cve, each.installed.source, f"{each.name}.amd64"): ways_out(
                reference, cve, expected[each.installed[1:]], each.installed, binaries
            )
            for each in binaries
            if each.installed[1:] in expected and expected[each.installed[1:]].state != CLEAR
        }
        assert {key for key in found if key[0] == cve} == wanted.keys(), cve
        for key, answer in wanted.items():
            assert found[key].state == answer.state, key
            agree_on_fix(found[key].fixed, found[key].paid, answer, vendor.order)
        rows = asked(data, vendor, cve, packages)
        assert {(row.package, row.installed): row.state for row in rows}.keys() == (
            expected.keys() or ({("", "")} if reference.sources(cve) else set())
        )
        for row in rows:
            if row.package:
                agree(row, expected[row.package, row.installed], vendor.order)
            else:
                assert row.state == "not affected" and row.reason.startswith("not installed: ")
        seen.update((each.state, each.was, bool(each.fixed)) for each in expected.values())
    carriers_agree(reference, feed, packages, binaries, vendor.order)


def asked(data: bytes, vendor: Vendor, cve: str, packages: list[Package]) -> list[Row]:
    """The rows of one CVE that is asked for."""
    sources = compact.find_sources(io.BytesIO(data), release=vendor.release, ids={cve})
    feed = compact.read(io.BytesIO(data), release=vendor.release, sources=sources)
    by_source = matching(feed, {cve}).get(cve)
    return list(fed_rows(cve, by_source, installed_sources(packages, ()), feed, ())) if by_source else []


EVERYTHING = {
    (AFFECTED, False, True),
    (AFFECTED, False, False),
    (UNKNOWN, False, False),
    (CLEAR, True, False),
    (CLEAR, False, False),
}


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this host")
@pytest.mark.parametrize("name", ["debian", "ubuntu"])
@pytest.mark.cases(60)
def test_every_answer_is_that_of_the_records_as_dpkg_compares(cases: Cases, name: str) -> None:
    compare(cases, VENDORS[name])


@pytest.mark.skipif(shutil.which("rpm") is None, reason="no rpm on this host")
@pytest.mark.cases(20)
def test_every_answer_is_that_of_the_records_as_rpm_compares(cases: Cases) -> None:
    compare(cases, VENDORS["almalinux"])


def compare(cases: Cases, vendor: Vendor) -> None:
    seen: set[tuple[str, bool, bool]] = set()
    for number, random in cases:
        try:
            one_case(random, vendor, seen)
        except AssertionError as exc:
            raise AssertionError(f"{cases.again(number)}: {exc}") from exc
    assert seen == EVERYTHING or len(cases) < 10


def test_the_reference_compares_as_it_should() -> None:
    """The reference would be worth nothing where both sides agreed in an error."""
    for order, one, other in (("deb", "1.0~rc1", "1.0"), ("deb", "9", "1:0"), ("rpm", "1.0~rc1-1", "1.0-1")):
        if shutil.which({"deb": "dpkg", "rpm": "rpm"}[order]):
            assert older(one, other, order) and key_of(one, order) < key_of(other, order)
    assert SOURCES
