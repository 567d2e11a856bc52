# SPDX-License-Identifier: Apache-2.0
"""What is open on a host by a feed: kernels that do or do not run, packages of one source that differ, real records."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.found import find
from ssmpatchlib.advisories.said import Found, sources_of
from ssmpatchlib.advisories.sources import as_running
from ssmpatchlib.model import Advisory, Carrier, OpenCves, Package, Version
from support import osv

CVE = "CVE-2026-1001"
NOW = "2026-11-20T06:30:00Z"


def version(name: str, own: str, source: str = "", source_version: str = "", arch: str = "amd64") -> Version:
    return Version(name, arch, own, (Advisory(False),), source=source, source_version=source_version)


def package(name: str, installed: str, *offers: str, source: str = "", arch: str = "amd64", **more: Any) -> Package:
    """A package whose source has its version."""
    versions = tuple(version(name, each, source, arch=arch) for each in offers)
    return Package(name, arch, version(name, installed, source, arch=arch), versions=versions, **more)


def found(
    records: Iterable[dict[str, Any]],
    *packages: Package,
    idle: Iterable[tuple[str, str]] = (),
    release: str = "DEBIAN-12",
) -> Found:
    data = osv.compiled(release, records, until=NOW)
    feed = compact.read(io.BytesIO(data), release=release, sources=sources_of(packages))
    return find(feed, packages, idle=frozenset(idle))


def opened(*given: Any, **more: Any) -> list[OpenCves]:
    return list(found(*given, **more).open)


def ubuntu(source: str, fixed: str = "", *, cve: str = CVE, release: str = "22.04") -> dict[str, Any]:
    events = [("introduced", "0"), *([("fixed", fixed)] if fixed else [])]
    return osv.record(f"UBUNTU-{cve}", osv.affected(f"Ubuntu:{release}:LTS", source, *events))


def debian(source: str, fixed: str = "", *, cve: str = CVE) -> dict[str, Any]:
    return osv.debian_cve(cve, source, fixed)


# --- packages of one source -------------------------------------------------------------------------------------


def test_a_package_that_was_left_behind_is_not_mended_by_others_of_its_source() -> None:
    """libicu67 stays from an earlier release: what libicu72 has, or will have, does not help it."""
    old = package("libicu67", "67.1-7", source="icu")
    for new in (
        package("libicu72", "72.1-3", "72.1-3+deb12u1", source="icu"),
        package("libicu72", "72.1-4", source="icu"),
    ):
        groups = {group.packages: group for group in opened([debian("icu", "72.1-3+deb12u1")], old, new)}
        left = groups["libicu67.amd64",]
        assert (left.installed, left.carriers, left.waiting) == ("67.1-7", (), "")
        if new.versions:
            assert groups["libicu72.amd64",].carriers == (Carrier("libicu72.amd64", "72.1-3+deb12u1"),)
        else:
            assert len(groups) == 1


def test_packages_of_one_source_that_differ_are_told_apart() -> None:
    held = package("libssl3", "3.0.11-1", "3.0.13-1", "3.0.14-1", source="openssl", locked="held")
    updated = package("openssl", "3.0.13-1", "3.0.14-1")
    (group,) = opened([debian("openssl", "3.0.13-1")], held, updated)
    assert (group.packages, group.installed, group.fixed) == (("libssl3.amd64",), "3.0.11-1", "3.0.13-1")
    assert group.carriers == (Carrier("libssl3.amd64", "3.0.13-1"),) and not group.waiting


def test_a_package_with_an_offer_and_one_without_are_two_groups() -> None:
    offered, left = package("libfoo2", "1-1", "1-2", source="foo"), package("libfoo1", "1-1", source="foo")
    groups = {group.packages: group.carriers for group in opened([debian("foo", "1-2")], offered, left)}
    assert groups == {("libfoo2.amd64",): (Carrier("libfoo2.amd64", "1-2"),), ("libfoo1.amd64",): ()}


@pytest.mark.parametrize("fixed", ["", "9"])
def test_a_package_that_is_on_offer_as_it_is_installed_is_named_once(fixed: str) -> None:
    installed = version("foo", "1-1")
    (group,) = opened([debian("foo", fixed)], Package("foo", "amd64", installed, versions=(installed,)))
    assert group.packages == ("foo.amd64",)


def test_a_multi_arch_pair_is_one_group() -> None:
    pair = [package("libc6", "2.36-9", "2.36-9+deb12u3", source="glibc", arch=arch) for arch in ("amd64", "i386")]
    (group,) = opened(osv.samples(), *pair)
    assert group.packages == ("libc6.amd64", "libc6.i386") and len(group.carriers) == 2


def test_a_binary_that_is_built_anew_has_the_code_of_its_source() -> None:
    rebuilt = Package(
        "foo", "amd64", version("foo", "1.2-3+b1", "", "1.2-3"), versions=(version("foo", "1.2-3+b2", "", "1.2-3"),)
    )
    (group,) = opened([debian("foo", "1.2-3+deb12u1")], rebuilt)
    assert (group.installed, group.carriers) == ("1.2-3", ())
    assert opened([debian("foo", "1.2-3")], rebuilt) == []


def test_a_package_that_moved_to_another_source_has_what_is_said_of_the_one_it_was_built_from() -> None:
    moved = Package("tool", "amd64", version("tool", "1-1", "old"), versions=(version("tool", "2-1", "new"),))
    said = [debian("old", "1-2"), debian("new", "2-1", cve="CVE-2026-1002")]
    (group,) = opened(said, moved)
    assert (group.source, group.cves, group.carriers) == ("old", (CVE,), ())
    assert found(said, moved).updates == {}, "another source's version says nothing of what is mended"


def test_a_version_newer_than_all_fixes_is_not_open_and_a_downgrade_is() -> None:
    assert opened([debian("foo", "1.2-3")], package("foo", "2-1")) == []
    (group,) = opened([debian("foo", "1.2-3")], package("foo", "1.2-2", "1.2-3"))
    assert group.carriers == (Carrier("foo.amd64", "1.2-3"),)


def test_two_records_of_one_cve_are_fixed_by_what_none_of_them_affects() -> None:
    """The first fix was not whole: the notice after it names the same CVE."""
    first = osv.dsa("DSA-1-1", "foo", "1-2", CVE, published=NOW)
    again = osv.record(
        "DSA-1-2", osv.affected("Debian:12", "foo", ("introduced", "1-2"), ("fixed", "1-4")), upstream=[CVE]
    )
    (group,) = opened([first, again], package("foo", "1-1", "1-2", "1-4"))
    assert (group.fixed, group.carriers) == ("1-4", (Carrier("foo.amd64", "1-4"),))
    (group,) = opened([first, again], package("foo", "1-3", "1-4"))
    assert group.fixed == "1-4"


def test_a_fix_for_subscribers_counts_only_where_the_release_has_none() -> None:
    def said(*fixed: str) -> dict[str, Any]:
        ecosystems = ("Ubuntu:22.04:LTS", "Ubuntu:Pro:22.04:LTS")
        events = [(("introduced", "0"), *([("fixed", each)] if each else [])) for each in fixed]
        entries = [osv.affected(e, "foo", *own) for e, own in zip(ecosystems, events, strict=False)]
        return osv.record(f"UBUNTU-{CVE}", *entries)

    foo = package("foo", "1-1")
    for fixed, expected in (
        (("", "1-1+esm1"), ("1-1+esm1", True)),
        (("1-2", "1-1+esm1"), ("1-2", False)),
        (("",), ("", False)),
    ):
        (group,) = opened([said(*fixed)], foo, release="UBUNTU-22.04")
        assert (group.fixed, group.subscription) == expected
    for own in ("1-1+esm1", "1-2"):
        assert opened([said("1-2", "1-1+esm1")], package("foo", own), release="UBUNTU-22.04") == []


# --- kernels ----------------------------------------------------------------------------------------------------


def debian_kernel(abi: int, own: str, *offers: str) -> Package:
    return package(f"linux-image-6.1.0-{abi}-amd64", own, *offers, source="linux-signed-amd64")


META = package("linux-image-amd64", "6.1.106-3", "6.1.112-1", source="linux-signed-amd64")
HEADERS = package("linux-libc-dev", "6.1.106-3", "6.1.112-1", source="linux")


def test_an_image_that_has_no_update_itself_gets_the_fix_by_the_package_that_requires_the_newest() -> None:
    (group,) = opened([debian("linux", "6.1.112-1")], debian_kernel(25, "6.1.106-3"), META)
    assert group.packages == ("linux-image-6.1.0-25-amd64.amd64",)
    assert group.carriers == (Carrier("linux-image-amd64.amd64", "6.1.112-1"),)
    assert not group.waiting


def test_an_image_without_such_a_package_does_not_get_the_fix_by_the_headers_of_the_c_library() -> None:
    groups = {g.packages[0]: g for g in opened([debian("linux", "6.1.112-1")], debian_kernel(25, "6.1.106-3"), HEADERS)}
    assert groups["linux-image-6.1.0-25-amd64.amd64"].carriers == ()
    assert groups["linux-libc-dev.amd64"].carriers == (Carrier("linux-libc-dev.amd64", "6.1.112-1"),)


def test_where_the_old_kernel_runs_the_new_one_waits_and_everything_else_of_the_source_does_not() -> None:
    running, new = debian_kernel(25, "6.1.106-3"), debian_kernel(26, "6.1.112-1")
    meta = package("linux-image-amd64", "6.1.112-1", source="linux-signed-amd64")
    idle = [("linux-image-6.1.0-26-amd64.amd64", "6.1.112-1")]
    groups = {g.packages[0]: g for g in opened([debian("linux", "6.1.112-1")], running, new, meta, HEADERS, idle=idle)}
    assert groups.keys() == {"linux-image-6.1.0-25-amd64.amd64", "linux-libc-dev.amd64"}
    assert groups["linux-image-6.1.0-25-amd64.amd64"].waiting == "6.1.112-1"
    assert groups["linux-libc-dev.amd64"].waiting == ""
    assert groups["linux-libc-dev.amd64"].carriers == (Carrier("linux-libc-dev.amd64", "6.1.112-1"),)


def test_an_image_that_was_updated_in_place_waits_for_the_reboot() -> None:
    """An upload of the same ABI has the same package name; what runs is what was booted."""
    image = debian_kernel(25, "6.1.106-3")
    booted = {image.id: "6.1.106-1"}
    packages = tuple(as_running([image, package("linux-libc-dev", "6.1.106-3", source="linux")], booted))
    idle = [(image.id, "6.1.106-3")]
    (group,) = opened([debian("linux", "6.1.106-2")], *packages, idle=idle)
    assert (group.packages, group.installed, group.waiting) == ((image.id,), "6.1.106-1", "6.1.106-3")
    assert not opened([debian("linux", "6.1.106-1")], *packages, idle=idle)


def test_old_kernels_that_do_not_run_are_not_open() -> None:
    old, running = debian_kernel(25, "6.1.106-3"), debian_kernel(26, "6.1.112-1")
    idle = [("linux-image-6.1.0-25-amd64.amd64", "6.1.106-3")]
    assert opened([debian("linux", "6.1.112-1")], old, running, idle=idle) == []
    # The one that runs has the next one, and neither has it installed.
    (group,) = opened([debian("linux", "6.1.115-1")], old, running, idle=idle)
    assert group.packages == ("linux-image-6.1.0-26-amd64.amd64",) and not group.waiting


def test_the_package_that_requires_the_newest_kernel_is_no_kernel() -> None:
    held_back = package("linux-image-amd64", "6.1.106-3", source="linux-signed-amd64")
    assert opened([debian("linux", "6.1.112-1")], held_back, debian_kernel(26, "6.1.112-1")) == []
    (group,) = opened([debian("linux")], META, debian_kernel(25, "6.1.106-3"))
    assert group.packages == ("linux-image-6.1.0-25-amd64.amd64",)


@pytest.mark.parametrize(
    ("meta", "news", "source", "suffix"),
    [
        ("5.15.0.118.118", "5.15.0.119.119", "", ""),
        ("5.15.0-118.128", "5.15.0-119.129", "", ""),
        ("5.15.0.118.128~20.04.1", "5.15.0.119.129~20.04.1", "-hwe-5.15", "~20.04.1"),
        ("5.15.0-118.128~20.04.1", "5.15.0-119.129~20.04.1", "-hwe-5.15", "~20.04.1"),
    ],
)
def test_ubuntus_kernels(meta: str, news: str, source: str, suffix: str) -> None:
    image = package("linux-image-5.15.0-118-generic", f"5.15.0-118.128{suffix}", source=f"linux-signed{source}")
    modules = package("linux-modules-5.15.0-118-generic", f"5.15.0-118.128{suffix}", source=f"linux{source}")
    newest = package("linux-image-generic", meta, news, source=f"linux-meta{source}")
    headers = package("linux-headers-generic", meta, source=f"linux-meta{source}")
    said = [ubuntu(f"linux{source}", f"5.15.0-119.129{suffix}")]
    (group,) = opened(said, image, modules, newest, headers, release="UBUNTU-22.04")
    assert group.packages == ("linux-image-5.15.0-118-generic.amd64", "linux-modules-5.15.0-118-generic.amd64")
    assert group.carriers == (Carrier("linux-image-generic.amd64", news),)
    step = found(said, image, newest, release="UBUNTU-22.04").updates
    assert [words[0].cves for words in step.values()] == [(CVE,)], "the update of it brings the fix"
    # An update to an ABI before the fix brings none.
    other = package("linux-image-generic", meta, news, source=f"linux-meta{source}")
    (group,) = opened([ubuntu(f"linux{source}", f"5.15.0-120.130{suffix}")], image, other, release="UBUNTU-22.04")
    assert group.carriers == ()


def test_on_rpm_a_kernel_of_the_same_name_waits() -> None:
    def kernel(own: str) -> Package:
        return Package("kernel-core", "x86_64", Version("kernel-core", "x86_64", own, (Advisory(False),)))

    said = osv.affected("AlmaLinux:9", "kernel-core", ("introduced", "0"), ("fixed", "5.14.0-10.el9"))
    record = osv.record("ALSA-2026:1", said, related=[CVE])
    running, new = kernel("0:5.14.0-9.el9"), kernel("0:5.14.0-10.el9")
    (group,) = opened([record], running, new, idle=[("kernel-core.x86_64", "0:5.14.0-10.el9")], release="ALMA_LINUX-9")
    assert (group.installed, group.waiting) == ("0:5.14.0-9.el9", "0:5.14.0-10.el9")


# --- the vendors' own records -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "own", "release", "cve", "fixed"),
    [
        ("openssh-server", "openssh", "1:8.9p1-3ubuntu0.9", "UBUNTU-22.04", "CVE-2024-6387", "1:8.9p1-3ubuntu0.10"),
        ("openssh-server", "openssh", "1:8.9p1-3ubuntu0.10", "UBUNTU-22.04", "CVE-2024-6387", ""),
        ("openssh-client", "openssh", "1:9.6p1-3ubuntu13", "UBUNTU-24.04", "CVE-2024-6387", "1:9.6p1-3ubuntu13.3"),
        ("openssh-client", "openssh", "1:9.6p1-3ubuntu13.3", "UBUNTU-24.04", "CVE-2024-6387", ""),
        ("libc6", "glibc", "2.35-0ubuntu3.12", "UBUNTU-22.04", "CVE-2026-0915", "2.35-0ubuntu3.13"),
        ("libc6", "glibc", "2.35-0ubuntu3.13", "UBUNTU-22.04", "CVE-2026-0915", ""),
        ("libc6", "glibc", "2.31-0ubuntu9.18", "UBUNTU-20.04", "CVE-2026-0915", "2.31-0ubuntu9.18+esm1"),
        ("libc6", "glibc", "2.31-0ubuntu9.18+esm1", "UBUNTU-20.04", "CVE-2026-0915", ""),
        ("libc6", "glibc", "2.36-9+deb12u2", "DEBIAN-12", "CVE-2023-4911", "2.36-9+deb12u3"),
        ("libc6", "glibc", "2.36-9+deb12u3", "DEBIAN-12", "CVE-2023-4911", ""),
        ("libc6", "glibc", "2.31-13+deb11u6", "DEBIAN-11", "CVE-2023-4911", "2.31-13+deb11u7"),
        ("libc6", "glibc", "2.31-13+deb11u7", "DEBIAN-11", "CVE-2023-4911", ""),
    ],
)  # fmt: skip
def test_the_versions_of_the_vendors_pages(
    name: str, source: str, own: str, release: str, cve: str, fixed: str
) -> None:
    groups = opened(osv.samples(), package(name, own, source=source), release=release)
    assert [(group.cves, group.fixed) for group in groups] == ([((cve,), fixed)] if fixed else [])


def test_cves_that_are_alike_share_a_group_and_keep_their_dates() -> None:
    days = {"CVE-2026-1001": "2026-03-02", "CVE-2026-1002": "2026-01-05", "CVE-2026-1003": "2025-12-31"}
    said = [osv.debian_cve(cve, "foo", published=f"{day}T10:00:00Z") for cve, day in days.items()]
    (group,) = opened(said, package("foo", "1-1"))
    assert (group.cves, group.dates) == (tuple(days), tuple(days.values()))
    assert group.published == "2025-12-31"
