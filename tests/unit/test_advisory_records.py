# SPDX-License-Identifier: Apache-2.0
"""OSV records of every form that vendors publish: what is kept of them, and what is left out and why."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ssmpatchlib.advisories import compact, record
from ssmpatchlib.advisories.compact import Feed, Vulnerable
from ssmpatchlib.advisories.compiler import REPEATED, Compiler
from ssmpatchlib.advisories.ecosystems import product_of
from ssmpatchlib.advisories.ranges import Interval
from support import osv

NOW = "2026-11-20T06:30:00Z"
ALWAYS = ("introduced", "0")


def compiled(*records: Any, release: str = "DEBIAN-12", exploited: dict[str, str] | None = None) -> Compiler:
    found = Compiler([release], exploited=exploited or {}, until=NOW)
    for each in records:
        found.add(each)
    return found


def bytes_of(compiler: Compiler) -> bytes:
    (release,) = compiler.releases
    return compact.write(compiler.header(release), compiler.lines(release))


def feed(compiler: Compiler, *sources: str) -> Feed:
    (release,) = compiler.releases
    return compact.read(io.BytesIO(bytes_of(compiler)), release=release, sources=sources)


def entries(*records: Any, source: str = "tool", release: str = "DEBIAN-12", **more: Any) -> dict[str, Vulnerable]:
    found = feed(compiled(*records, release=release, **more), source).packages.get(source, ())
    return {each.id: each for each in found}


def one(said: dict[str, Any], *, release: str = "DEBIAN-12", **more: Any) -> Vulnerable:
    (found,) = entries(osv.record("DEBIAN-CVE-2026-0001", said, **more), release=release).values()
    return found


# --- the vendors' own records ---------------------------------------------------------------------------------


def test_ubuntus_notice_and_vulnerability_are_joined_by_both_spellings_of_the_link() -> None:
    """1.6 has ``related`` where 1.7 has ``upstream``, the priority elsewhere, and another purl."""
    found = entries(*osv.samples(), source="openssh", release="UBUNTU-22.04", exploited={"CVE-2024-6387": "2024-07-02"})
    notice, cve = found["USN-6859-1"], found["UBUNTU-CVE-2024-6387"]
    assert notice.cves == cve.cves == ("CVE-2024-6387",)
    assert notice.advisories == cve.advisories == ("USN-6859-1",)
    assert notice.intervals == cve.intervals == (Interval("", "1:8.9p1-3ubuntu0.10"),)
    assert (notice.published, cve.published) == ("2024-07-01T09:06:31Z", "2024-07-01T00:00:00Z")
    assert (notice.severity, cve.severity) == ("high", "high"), "a notice has none of its own"
    assert cve.cvss == "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H" and not notice.cvss
    assert not notice.subscription and notice.exploited == (("CVE-2024-6387", "2024-07-02"),)
    ((version, binaries),) = cve.binaries
    assert version == "1:8.9p1-3ubuntu0.10" and "openssh-server" in binaries
    assert not [name for name in binaries if name.endswith("-dbgsym")]
    assert notice.references == (
        "https://ubuntu.com/security/notices/USN-6859-1",
        "https://ubuntu.com/security/CVE-2024-6387",
    )
    assert notice.is_affected("1:8.9p1-3ubuntu0.9", order="deb") is True
    assert notice.is_affected("1:8.9p1-3ubuntu0.10", order="deb") is False
    assert notice.is_affected("9.9p1-1", order="deb") is True, "no epoch is epoch 0"


def test_a_fix_for_subscribers_is_marked_and_keeps_its_release_apart() -> None:
    found = entries(*osv.samples(), source="glibc", release="UBUNTU-20.04")["UBUNTU-CVE-2026-0915"]
    assert found.subscription and found.severity == "medium"
    assert found.intervals == (Interval("", "2.31-0ubuntu9.18+esm1"),)
    other = entries(*osv.samples(), source="glibc", release="UBUNTU-22.04")["UBUNTU-CVE-2026-0915"]
    assert not other.subscription and other.intervals == (Interval("", "2.35-0ubuntu3.13"),)
    unfixed = entries(*osv.samples(), source="eglibc", release="UBUNTU-14.04")["UBUNTU-CVE-2026-0915"]
    assert unfixed.subscription and unfixed.intervals == (Interval(),)
    assert unfixed.is_affected("2.19-0ubuntu6.15+esm4", order="deb") is True


def test_debians_records() -> None:
    found = entries(*osv.samples(), source="php-league-commonmark")["DEBIAN-CVE-2024-58382"]
    assert (found.published, found.urgency) == ("2026-09-09T14:17:10Z", "not yet assigned")
    assert found.is_affected("2.3.9-1+deb12u1", order="deb") is True
    notice = entries(*osv.samples(), source="glibc")["DSA-5514-1"]
    assert notice.published == "" and notice.cves == ("CVE-2023-4911",)
    assert notice.intervals == (Interval("", "2.36-9+deb12u3"),), "the fix of Debian 11 is another"


def test_a_file_says_what_it_is_about() -> None:
    compiler = compiled(*osv.samples())
    found = feed(compiler, "glibc", "no-such-source")
    assert (found.release, found.order, found.ecosystems) == ("DEBIAN-12", "deb", ("Debian:12",))
    assert found.records == {"DEBIAN-CVE": 1, "DSA": 1} and list(found.packages) == ["glibc"]
    assert found.data_time == "2026-09-12T11:00:05Z" and not found.exploited
    assert compiler.read == {"DEBIAN-CVE": 1, "DSA": 1, "UBUNTU-CVE": 2, "USN": 1}
    assert compiler.dropped == {record.OTHER_RELEASES: 3}


# --- what a record may say ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "intervals"),
    [
        ((ALWAYS,), (Interval(),)),
        ((ALWAYS, ("fixed", "1:2.0~rc1-1")), (Interval("", "1:2.0~rc1-1"),)),
        ((("introduced", "1.2-1"), ("fixed", "1.10-1")), (Interval("1.2-1", "1.10-1"),)),
        ((ALWAYS, ("last_affected", "1.2-1")), (Interval("", "", "1.2-1"),)),
        # In no order, and more than one interval in a range.
        (
            (("fixed", "1.10-1"), ("introduced", "2-1"), ALWAYS, ("fixed", "2.1-1")),
            (Interval("", "1.10-1"), Interval("2-1", "2.1-1")),
        ),
        ((ALWAYS, ("fixed", "1-1"), ("introduced", "1-1")), (Interval("", "1-1"), Interval("1-1"))),
        ((("fixed", "1-1"),), (Interval("", "1-1"),)),
        ((ALWAYS, ALWAYS, ("fixed", "1-1"), ("fixed", "2-1")), (Interval("", "1-1"),)),
    ],
)
def test_events_become_intervals(events: tuple[tuple[str, str], ...], intervals: tuple[Interval, ...]) -> None:
    assert one(osv.affected("Debian:12", "tool", *events)).intervals == intervals


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("0~~", True), ("1:0", False), ("0.9-1", True), ("1.0~rc1-1", True), ("1.0-1", False), ("1.9-1", False),
        ("2.0-1~bpo12+1", False), ("2.0-1", True), ("2.5-1", True), ("2.5-1+b1", False), ("3:1-1", False),
    ],
)  # fmt: skip
def test_several_ranges_in_one_entry(version: str, affected: bool) -> None:
    said = osv.affected("Debian:12", "tool", ALWAYS, ("fixed", "1.0-1"))
    said["ranges"] += osv.affected("Debian:12", "tool", ("introduced", "2.0-1"), ("last_affected", "2.5-1"))["ranges"]
    assert one(said).is_affected(version, order="deb") is affected


def test_versions_count_where_there_is_no_range() -> None:
    listed = one(osv.affected("Debian:12", "tool", versions=["1.0-1", "1.1-1"]))
    assert [listed.is_affected(each, order="deb") for each in ("1.0-1", "0:1.1-1", "1.2-1")] == [True, True, False]
    ranged = one(osv.affected("Debian:12", "tool", ALWAYS, ("fixed", "1.0-1"), versions=["9-1"]))
    assert ranged.versions == () and ranged.is_affected("9-1", order="deb") is False
    of_git = osv.affected("Debian:12", "tool", versions=["1.0-1"])
    of_git["ranges"] = [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]
    assert one(of_git).is_affected("1.0-1", order="deb") is True


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (osv.affected("Debian:12", "tool"), "neither a range nor versions"),
        (osv.affected("Debian:12", "tool", ALWAYS, ("fixed", "$(id)")), "a version that is none"),
        (osv.affected("Debian:12", "tool", ALWAYS, ("mended", "1")), "an event of an unknown kind"),
        (osv.affected("Debian:12", "tool", versions=["1", 2]), "a version that is none"),
        ({**osv.affected("Debian:12", "tool"), "ranges": [{"type": "ECOSYSTEM"}]}, "a range without events"),
        ({**osv.affected("Debian:12", "tool"), "ranges": ["x"]}, "a range that is none"),
        (osv.affected("Debian:12", "tool", *[("fixed", str(n)) for n in range(2001)]), "more than 2000 events"),
    ],
)
def test_an_entry_that_cannot_be_compared_with_is_unknown_and_not_safe(said: dict[str, Any], problem: str) -> None:
    compiler = compiled(osv.record("DEBIAN-CVE-2026-0001", said))
    (entry,) = feed(compiler, "tool").packages["tool"]
    assert entry.problem == problem and entry.is_affected("1", order="deb") is None
    assert compiler.dropped == {record.UNUSABLE: 1}
    assert compiler.examples[record.UNUSABLE] == [f"DEBIAN-CVE-2026-0001, tool: {problem}"]


@pytest.mark.parametrize(
    ("data", "reason", "example"),
    [
        ([], record.MALFORMED, "a record without an id"),
        ({"id": "../../etc/passwd", "affected": []}, record.MALFORMED, "a record without an id"),
        ({"id": "DSA-1-1"}, record.MALFORMED, "DSA-1-1: no list of affected packages"),
        (osv.record("LSN-0100-1"), record.LIVE_PATCH, "LSN-0100-1"),
        (
            osv.record("DSA-1-1", osv.affected("Debian:12", "tool", ALWAYS), withdrawn="2026-01-01T00:00:00Z"),
            record.WITHDRAWN,
            "DSA-1-1",
        ),
        (osv.record("DSA-1-1", osv.affected("Debian", "tool", ALWAYS)), record.OTHER_RELEASES, "DSA-1-1"),
    ],
)
def test_a_record_that_counts_for_nothing_is_counted(data: Any, reason: str, example: str) -> None:
    compiler = compiled(data)
    assert compiler.dropped == {reason: 1} and compiler.examples == {reason: [example]}
    assert feed(compiler, "tool").packages == {}


def test_packages_without_a_name_and_records_that_come_twice() -> None:
    good = osv.record("DSA-1-1", osv.affected("Debian:12", "tool", ALWAYS))
    again = osv.record("DSA-1-1", osv.affected("Debian:12", "other", ALWAYS))
    bad = osv.record("DSA-2-1", {"package": "x"}, osv.affected("Debian:12", "a b", ALWAYS), good["affected"][0])
    compiler = compiled(good, again, bad)
    nameless = osv.record("DSA-3-1", osv.affected("Debian:12", "a b", ALWAYS))
    compiler.add(nameless)
    assert list(feed(compiler, "tool", "other").packages) == ["tool"]
    assert compiler.dropped == {REPEATED: 1, record.NO_PACKAGE: 3}, "a record is left out for one reason"


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2024-07-01T09:06:31.434165Z", "2024-07-01T09:06:31Z"),
        ("2026-09-12T11:00:05.986201214Z", "2026-09-12T11:00:05Z"),
        ("2024-07-01t01:30:00+02:00", "2024-06-30T23:30:00Z"),
        ("2024-02-30T00:00:00Z", ""),
        ("2024-07-01", ""),
        ("0001-01-01T00:00:00Z", ""),
        ("٢٠٢٤-07-01T00:00:00Z", ""),
        (1719792000, ""),
        (None, ""),
    ],
)
def test_times(written: Any, time: str) -> None:
    assert record.time_of(written) == time


def test_a_chain_of_records_leads_to_the_cve() -> None:
    said = osv.affected("Ubuntu:22.04:LTS", "tool", ALWAYS, ("fixed", "2"))
    chain = [
        osv.record("USN-1-1", said, related=["UBUNTU-CVE-2026-0001"]),
        osv.record("USN-2-1", said, upstream=["UBUNTU-CVE-2026-0002", "CVE-2026-0003"]),
        osv.record("USN-3-1", said, aliases=["GHSA-aaaa"]),
        osv.record("GHSA-aaaa", upstream=["GHSA-bbbb"]),
        osv.record("GHSA-bbbb", aliases=["CVE-2026-0005", "GHSA-aaaa"]),
        osv.record(
            "USN-4-1", said, references=[{"type": "REPORT", "url": "https://ubuntu.com/security/CVE-2026-0006"}]
        ),
        osv.record("UBUNTU-CVE-2026-0001", said, related=["CVE-2026-9999", "USN-1-1"], upstream=["CVE-2026-0001"]),
    ]
    found = entries(*chain, release="UBUNTU-22.04")
    assert {name: each.cves for name, each in found.items()} == {
        "USN-1-1": ("CVE-2026-0001",),
        "USN-2-1": ("CVE-2026-0002", "CVE-2026-0003"),
        "USN-3-1": ("CVE-2026-0005",),
        "USN-4-1": ("CVE-2026-0006",),
        "UBUNTU-CVE-2026-0001": ("CVE-2026-0001",),
    }
    assert found["UBUNTU-CVE-2026-0001"].advisories == ("USN-1-1",)


def test_binaries_in_both_spellings_and_with_versions_of_their_own() -> None:
    new = [{"binary_name": "tool", "binary_version": "2"}, {"binary_name": "tool-data", "binary_version": "1:2"}]
    old = {"tool": "2", "tool-data": "1:2", "tool-dbgsym": "2", "-x": "2"}
    for binaries in (new, old, [old]):
        said = osv.affected("Ubuntu:22.04:LTS", "tool", ALWAYS, ecosystem_specific={"binaries": binaries})
        assert one(said, release="UBUNTU-22.04").binaries == (("1:2", ("tool-data",)), ("2", ("tool",)))


def test_the_vendors_words() -> None:
    said = osv.affected("Debian:12", "tool", ALWAYS, ecosystem_specific={"urgency": "unimportant"})
    assert one(said).urgency == "unimportant" and one(said).severity == ""
    priority = {"ubuntu_priority": "High", "availability": "Available with Ubuntu Pro: https://ubuntu.com/pro"}
    old = osv.affected("Ubuntu:22.04:LTS", "tool", ALWAYS, ecosystem_specific=priority)
    assert one(old, release="UBUNTU-22.04").severity == "high" and one(old, release="UBUNTU-22.04").subscription
    untriaged = osv.affected("Ubuntu:22.04:LTS", "tool", ALWAYS, ecosystem_specific={"ubuntu_priority": "untriaged"})
    for said_of in (untriaged, osv.affected("Ubuntu:22.04:LTS", "tool", ALWAYS)):
        assert one(said_of, release="UBUNTU-22.04", severity=[{"type": "Ubuntu", "score": "untriaged"}]).severity == ""
    scores = [{"type": "CVSS_V3", "score": "CVSS:3.1/x"}, {"type": "CVSS_V4", "score": "CVSS:4.0/x"}, "x", {"type": 1}]
    found = one(said, severity=scores)
    assert found.severity == "" and found.cvss == "CVSS:4.0/x"


@pytest.mark.parametrize(
    ("ecosystem", "release", "subscription"),
    [
        ("Debian:12", "DEBIAN-12", False),
        ("Ubuntu:22.04:LTS", "UBUNTU-22.04", False),
        ("Ubuntu:25.10", "UBUNTU-25.10", False),
        ("Ubuntu:Pro:20.04:LTS", "UBUNTU-20.04", True),
        ("AlmaLinux:9", "ALMA_LINUX-9", False),
        ("Rocky Linux:8", "ROCKY_LINUX-8", False),
        ("Red Hat:enterprise_linux:9::baseos", "REDHAT_ENTERPRISE_LINUX-9", False),
        ("SUSE:Linux Enterprise Server 15 SP6", "SUSE-15.6", False),
        ("SUSE:Linux Enterprise Module for Basesystem 15 SP6", "SUSE-15.6", False),
        ("SUSE:Linux Enterprise Server 12 SP5-LTSS", "SUSE-12.5", True),
        ("Ubuntu:Pro:FIPS:20.04:LTS", "UBUNTU-20.04", True),
        ("Ubuntu:Pro:FIPS-updates:22.04:LTS", "UBUNTU-22.04", True),
        ("Ubuntu:Pro:Realtime:22.04:LTS", "UBUNTU-22.04", True),
        ("Ubuntu:Pro:24.04:LTS:Realtime:Kernel", "UBUNTU-24.04", True),
        ("Ubuntu:22.04:LTS:for:NVIDIA:BlueField", "UBUNTU-22.04", False),
        ("Ubuntu:Nvidia-BlueField:24.04:LTS", "UBUNTU-24.04", False),
        ("Ubuntu:Pro:Other:24.04:LTS", "", False),
        ("Debian", "", False),
        ("Debian:12 ", "", False),
        ("PyPI", "", False),
        ("x" * 1000, "", False),
    ],
)
def test_ecosystems(ecosystem: str, release: str, subscription: bool) -> None:
    found = product_of(ecosystem)
    assert (found.release, found.subscription) == (release, subscription) if found else release == ""


def test_rpms_order_is_used_for_rpm_systems() -> None:
    found = one(osv.affected("AlmaLinux:9", "tool", ALWAYS, ("fixed", "2:1.0^git1-3.el9")), release="ALMA_LINUX-9")
    assert found.is_affected("2:1.0-9.el9", order="rpm") is True
    assert found.is_affected("2:1.0^git1-3.el9_2", order="rpm") is False


def test_a_large_record_and_a_kernel_with_thousands_of_cves_stay_small() -> None:
    versions = [f"1.{number}-1" for number in range(450_000)]
    large = osv.record("DEBIAN-CVE-2026-0001", osv.affected("Debian:12", "tool", ALWAYS, versions=versions))
    assert len(json.dumps(large)) > 5 << 20
    assert len(bytes_of(compiled(large))) < 1000
    said = osv.affected("Debian:12", "linux", ALWAYS, ("fixed", "6.1.1-1"))
    many = compiled(*[osv.record(f"DEBIAN-CVE-2026-{number:05}", said) for number in range(5000)])
    assert len(bytes_of(many)) < 40_000 and len(feed(many, "linux").packages["linux"]) == 5000
