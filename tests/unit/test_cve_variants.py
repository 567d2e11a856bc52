# SPDX-License-Identifier: Apache-2.0
"""What a host is to a CVE by records of uncommon forms, as somebody reads them who has them before him."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.advise import advise
from ssmpatchlib.advisories.found import find
from ssmpatchlib.advisories.said import sources_of
from ssmpatchlib.model import Advisory, CveData, Family, Inventory, OpenCves, Package, Version
from ssmpatchlib.operation.cve_rows import Row, fed_rows, matching, open_rows, stored_rows
from ssmpatchlib.operation.feed import installed_sources
from ssmpatchlib.operation.open_cves import Outcomes, describe
from support import osv

CVE = "CVE-2026-1001"
NOW = "2026-11-20T06:30:00Z"
ALWAYS = ("introduced", "0")
JAMMY = "Ubuntu:22.04:LTS"


def package(name: str, installed: str, *offers: str, source: str = "") -> Package:
    """A package whose source has its version."""
    versions = [Version(name, "amd64", each, (Advisory(False),), source=source) for each in (installed, *offers)]
    return Package(name, "amd64", versions[0], versions=tuple(versions[1:]))


class Host:
    """Some packages, and a feed of some records."""

    def __init__(self, said: list[dict[str, Any]], *packages: Package, release: str = "DEBIAN-12") -> None:
        self.data = osv.compiled(release, said, until=NOW)
        self.release = release
        self.packages = packages

    def open(self) -> list[OpenCves]:
        feed = compact.read(io.BytesIO(self.data), release=self.release, sources=sources_of(self.packages))
        return list(find(feed, self.packages, idle=()).open)

    def rows(self, cve: str = CVE) -> list[Row]:
        """What is said of a CVE besides what is open."""
        sources = compact.find_sources(io.BytesIO(self.data), release=self.release, ids={cve})
        feed = compact.read(io.BytesIO(self.data), release=self.release, sources=sources)
        by_source = matching(feed, {cve}).get(cve, {})
        return list(fed_rows(cve, by_source, installed_sources(self.packages, ()), feed, ())) if by_source else []

    def states(self, cve: str = CVE) -> list[tuple[str, str]]:
        return [(row.package, row.state) for row in self.rows(cve)]


def ubuntu(*said: dict[str, Any]) -> list[dict[str, Any]]:
    return [osv.record(f"UBUNTU-{CVE}", *said)]


def debian(*said: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [osv.record(f"DEBIAN-{CVE}", *said, **more)]


# --- editions of Ubuntu -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("installed", ["3.0.2-0ubuntu1.fips.7.1", "3.0.2-0ubuntu1.20+Fips1", "3.0.2-0ubuntu1.2+Fips1"])
def test_a_fips_build_is_not_taken_for_a_version_of_the_release(installed: str) -> None:
    """3.0.2-0ubuntu1.fips.7.1 sorts above 3.0.2-0ubuntu1.19, and is older."""
    said = ubuntu(osv.affected(JAMMY, "openssl", ALWAYS, ("fixed", "3.0.2-0ubuntu1.19")))
    host = Host(said, package("libssl3", installed, source="openssl"), release="UBUNTU-22.04")
    assert host.states() == [("openssl", "unknown")]
    (group,) = host.open()
    assert group.problem.startswith("a FIPS build") and not group.carriers


def test_a_fips_build_on_offer_is_no_fix() -> None:
    said = ubuntu(osv.affected(JAMMY, "openssl", ALWAYS, ("fixed", "3.0.2-0ubuntu1.19")))
    offers = ("3.0.2-0ubuntu1.19", "3.0.2-0ubuntu1.fips.7.1")
    for number, carriers in ((1, [offers[0]]), (0, [])):
        offered = offers if number else offers[1:]
        host = Host(said, package("libssl3", "3.0.2-0ubuntu1.2", *offered, source="openssl"), release="UBUNTU-22.04")
        (group,) = host.open()
        assert [each.version for each in group.carriers] == carriers


@pytest.mark.parametrize(
    ("ecosystem", "source", "fixed", "states"),
    [
        ("Ubuntu:Pro:22.04:LTS:Realtime:Kernel", "linux-realtime", "5.15.0-1060.68", "fixed"),
        ("Ubuntu:Pro:Realtime:22.04:LTS", "linux-realtime", "5.15.0-1099.1", "fix available"),
        ("Ubuntu:22.04:LTS:for:NVIDIA:BlueField", "linux-bluefield", "5.15.0-1060.68", "fixed"),
        ("Ubuntu:Pro:FIPS-updates:22.04:LTS", "linux-fips", "5.15.0-1060.68", "unknown"),
        ("Ubuntu:Pro:FIPS:22.04:LTS", "linux-fips", "", "unknown"),
    ],
)
def test_the_kernels_of_editions_are_known_by_their_own_records(
    ecosystem: str, source: str, fixed: str, states: str
) -> None:
    """Such a host has no package of the source linux, and is not safe by that."""
    plain = osv.affected(JAMMY, "linux", ALWAYS, ("fixed", "5.15.0-119.129"))
    own = osv.affected(ecosystem, source, ALWAYS, *([("fixed", fixed)] if fixed else []))
    image = package("linux-image-5.15.0-1060-x", "5.15.0-1060.68", source=source)
    host = Host(ubuntu(plain, own), image, release="UBUNTU-22.04")
    assert host.states() == [(source, states)]


def test_what_else_an_edition_builds_says_nothing_of_the_release() -> None:
    own = osv.affected("Ubuntu:Pro:FIPS-updates:22.04:LTS", "openssl", ALWAYS, ("fixed", "1"))
    host = Host(ubuntu(own), package("libssl3", "3.0.2-0ubuntu1.2", source="openssl"), release="UBUNTU-22.04")
    assert host.rows() == [] and host.open() == []


# --- entries ----------------------------------------------------------------------------------------------------


def test_an_entry_that_names_no_package_leaves_it_open_what_else_is_affected() -> None:
    said = debian(
        osv.affected("Debian:12", "openssl", ALWAYS, ("fixed", "2.0")),
        osv.affected("Debian:12", "not a name", ALWAYS),
    )
    without = Host(said, package("curl", "7"))
    assert without.states() == [("", "unknown")] and "names no package" in without.rows()[0].reason
    assert Host(said, package("openssl", "2.0")).states() == [("", "unknown"), ("openssl", "fixed")]
    elsewhere = debian(said[0]["affected"][0], osv.affected("Debian:11", "not a name", ALWAYS))
    assert Host(elsewhere, package("curl", "7")).states() == [("", "not affected")]


def test_what_debian_has_fixed_in_version_0_was_never_affected() -> None:
    host = Host(debian(osv.affected("Debian:12", "openssl", ALWAYS, ("fixed", "0"))), package("openssl", "1.0"))
    assert host.states() == [("openssl", "not affected")] and host.open() == []


def test_records_that_are_called_like_their_cve_are_records_of_cves() -> None:
    said = [osv.record(CVE, osv.affected("Debian:12", "openssl", ALWAYS, ("fixed", "2.0")))]
    assert Host(said, package("curl", "7")).states() == [("", "not affected")]
    notice = [osv.dsa("DSA-1-1", "openssl", "2.0", CVE, published=NOW)]
    assert Host(notice, package("curl", "7")).states() == [("", "unknown")]


@pytest.mark.parametrize(
    "said",
    [
        osv.affected("Debian:12", "tool", ALWAYS, ("last_affected", "1.5")),
        osv.affected("Debian:12", "tool", versions=["1.0", "1.5"]),
    ],
    ids=["last_affected", "listed"],
)
def test_a_version_after_the_last_affected_one_is_a_way_out(said: dict[str, Any]) -> None:
    (group,) = Host(debian(said), package("tool", "1.0", "1.5", "1.6", "1.7")).open()
    assert (group.fixed, [each.version for each in group.carriers]) == ("1.6", ["1.6"])
    (group,) = Host(debian(said), package("tool", "1.0", "1.5")).open()
    assert (group.fixed, group.carriers) == ("", ())
    assert Host(debian(said), package("tool", "1.6")).open() == []


def test_a_version_that_is_affected_again_is_no_fix() -> None:
    said = osv.affected("Debian:12", "tool", ALWAYS, ("fixed", "2.0"), ("introduced", "3.0"), ("fixed", "3.5"))
    for offers, carriers in ((("3.1",), []), (("3.1", "3.5"), ["3.5"]), (("2.1", "3.1"), ["2.1"])):
        (group,) = Host(debian(said), package("tool", "1.0", *offers)).open()
        assert (group.fixed, [each.version for each in group.carriers]) == ("2.0", carriers)


# --- what a report keeps ----------------------------------------------------------------------------------------


def test_a_report_keeps_who_gets_a_fix_and_what_still_runs_the_code() -> None:
    (group,) = Host(debian(osv.affected("Debian:12", "tool", ALWAYS, ("fixed", "9"))), package("tool", "1")).open()
    for each in (group._replace(subscription=True), group._replace(waiting="9")):
        data = CveData("DEBIAN-12", open=(each,))
        judged: Any = SimpleNamespace(cves=data, inventory=SimpleNamespace(packages=(), unread=()))
        part = describe(judged, wanted=True)
        assert part is not None
        dates = {(each.source, cve): date for cve, date in zip(each.cves, each.dates, strict=True)}
        assert list(stored_rows(part, dates=dates)) == list(open_rows(data, Outcomes(judged, {})))


def test_what_the_vendor_no_longer_supports_is_said_to_be_so() -> None:
    said = osv.affected("Debian:12", "tool", ALWAYS, ecosystem_specific={"urgency": "end-of-life"})
    host = Host(debian(said), package("tool", "1"))
    (group,) = host.open()
    judged: Any = SimpleNamespace(inventory=SimpleNamespace(packages=(), unread=()))
    outcome, (row,) = Outcomes(judged, {}).of(group), host.rows()
    assert (outcome.state, outcome.reason) == (row.state, row.reason)
    assert row.reason == "the vendor no longer supports this package"


# --- modules of rpm systems -------------------------------------------------------------------------------------


MODULE = ".module_el8.9.0+3+abc"


def stream(number: int, fixed: str) -> dict[str, Any]:
    entry = osv.affected("AlmaLinux:8", "nodejs", ALWAYS, ("fixed", fixed))
    return osv.record(f"ALSA-2026:{number}", entry, upstream=[CVE])


@pytest.mark.parametrize(
    ("installed", "state", "fixed"),
    [
        (f"1:18.19.0-1{MODULE}", "fix available", f"1:18.20.1-1{MODULE}"),
        (f"1:18.20.1-1{MODULE}", "fixed", f"1:18.20.1-1{MODULE}"),
        (f"1:20.1.0-1{MODULE}", "fix available", f"1:20.12.1-1{MODULE}"),
        (f"1:22.1.0-1{MODULE}", "unknown", ""),
        ("1:16.20.1-1.el8", "unknown", ""),
    ],
)
def test_streams_of_a_module_are_not_compared_with_each_other(installed: str, state: str, fixed: str) -> None:
    said = [stream(1, f"1:18.20.1-1{MODULE}"), stream(2, f"1:20.12.1-1{MODULE}")]
    (row,) = Host(said, package("nodejs", installed), release="ALMA_LINUX-8").rows()
    assert (row.state, row.fixed) == (state, fixed)
    assert state != "unknown" or "another stream" in row.reason


def test_a_package_of_no_module_has_its_own_records() -> None:
    said = [stream(1, "1:16.20.2-1.el8"), stream(2, f"1:18.20.1-1{MODULE}")]
    for installed, state in (("1:16.20.2-1.el8", "fixed"), (f"1:18.19.0-1{MODULE}", "fix available")):
        assert Host(said, package("nodejs", installed), release="ALMA_LINUX-8").states() == [("nodejs", state)]


# --- dates ------------------------------------------------------------------------------------------------------


def advisories(*said: dict[str, Any]) -> dict[str, str]:
    """The dates of the advisories of the version that is on offer."""
    tool = package("tool", "1.0", "2.0")
    data = osv.compiled("DEBIAN-12", said, until=NOW)
    feed = compact.read(io.BytesIO(data), release="DEBIAN-12", sources=["tool"])
    family = Family("apt", "deb", "deb", has_dates=False)
    found = advise(Inventory(family=family, packages=(tool,)), find(feed, [tool], idle=()), classify=False)
    (offer,) = found.packages[0].versions
    return {each.id: f"{each.released:%Y-%m-%d}" if each.released else "" for each in offer.advisories}


def test_an_advisory_without_a_date_has_none() -> None:
    dated = osv.dsa("DSA-1-1", "tool", "2.0", "CVE-2026-1001", published="2026-01-01T00:00:00Z")
    undated = {key: value for key, value in dated.items() if key not in ("published", "modified")}
    undated |= {"id": "DSA-2-1", "upstream": ["CVE-2026-1002"]}
    rest = osv.debian_cve("CVE-2026-1003", "tool", "2.0")
    assert advisories(dated, undated, rest) == {"DSA-1-1": "2026-01-01", "DSA-2-1": "", "": "2026-01-01"}


def test_a_date_that_is_still_to_come_is_none() -> None:
    coming = osv.dsa("DSA-1-1", "tool", "2.0", "CVE-2026-1001", published="2029-01-01T00:00:00Z")
    assert advisories(coming) == {"DSA-1-1": ""}
