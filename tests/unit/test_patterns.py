# SPDX-License-Identifier: Apache-2.0
"""Every form by which a patch list may name a package version."""

from __future__ import annotations

import pytest

from ssmpatchlib.model import Advisory, Family, OverrideEntry, Package, Version
from ssmpatchlib.patterns import compile_patterns, names_package, override_matcher

SILENT = (Advisory(metadata=False),)
RPM = (Package("dbus", "x86_64"), Version("dbus", "x86_64", "1:1.12.28-1.amzn2023.0.1", SILENT))
DEB = (
    Package("libc6", "i386", spellings=("libc6:i386.i386",)),
    Version("libc6", "i386", "2:2.36-9", SILENT),
)
COMMON = (
    Package("tzdata", "amd64", spellings=("tzdata.all", "tzdata:all")),
    Version("tzdata", "amd64", "2024a-1", SILENT),
)


def family(forms, operators=False):
    return Family("test", version_order=forms, name_forms=forms, operators=operators)


def matches(pattern, subject, forms, operators=False):
    return compile_patterns((pattern,), family=family(forms, operators))(*subject) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "dbus",
        "dbus.x86_64",
        "dbus-1.12.28",
        "dbus-1.12.28-1.amzn2023.0.1",
        "dbus-1.12.28-1.amzn2023.0.1.x86_64",
        "1.12.28",
        "1.12.28-1.amzn2023.0.1",
        "1:1.12.28-1.amzn2023.0.1",
        "dbus-1:1.12.28-1.amzn2023.0.1",
        "dbus-1:1.12.28-1.amzn2023.0.1.x86_64",
        "1:dbus-1.12.28-1.amzn2023.0.1.x86_64",
        "dbus.x86_64:1:1.12.28-1.amzn2023.0.1",
        "DBUS.X86_64",
        "db?s",
        "db[u]s*",
        "*",
        "dbus-*.x86_64",
    ],
)
def test_rpm_forms(pattern):
    assert matches(pattern, RPM, "rpm")


@pytest.mark.parametrize(
    "pattern", ["dbu", "dbus-libs", "x86_64", "dbus.i686", "dbus-1.12", "0:1.12.28-1.amzn2023.0.1"]
)
def test_what_is_no_rpm_form(pattern):
    assert not matches(pattern, RPM, "rpm")


@pytest.mark.parametrize(
    "pattern",
    [
        "libc6",
        "libc6.i386",
        "libc6:i386",
        "libc6:i386.i386",
        "libc6:i386:2:2.36-9",
        "lib?6:i*86",
        "2:2.36-9",
        "libc6-2:2.36-9",
        "i386:2:2.36-9",
        "libc6.i386:2:2.36-9",
        "libc6:i386.i386:2:2.36-9",
        "LIBC*",
    ],
)
def test_deb_forms(pattern):
    assert matches(pattern, DEB, "deb")


@pytest.mark.parametrize("pattern", ["libc6.amd64", "libc6:amd64", "2.36-9", "libc"])
def test_what_is_no_deb_form(pattern):
    assert not matches(pattern, DEB, "deb")


@pytest.mark.parametrize("pattern", ["tzdata.all", "tzdata.amd64", "tzdata", "tzdata:amd64", "tzdata:all"])
def test_packages_for_all_architectures_go_by_both_names(pattern):
    assert matches(pattern, COMMON, "deb")


@pytest.mark.parametrize(("pattern", "named"), [("dbus-broker", True), ("dbus-broker.noarch", True), ("dbus", False)])
def test_a_version_that_replaces_a_package_goes_by_its_own_name(pattern, named):
    package, version = RPM[0], Version("dbus-broker", "noarch", "0:36-1", SILENT)
    assert version.replaces(package) and not RPM[1].replaces(package)
    assert matches(pattern, (package, version), "rpm") == named


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("dbus = 1:1.12.28-1.amzn2023.0.1", True),
        ("dbus >= 1:1.12", True),
        ("dbus > 1:1.12.28", False),
        ("dbus < 1:1.13", True),
        ("dbus.x86_64 != 1:1.12.28", False),
        ("dbus > 1:1.12 < 1:1.13", True),
        ("dbus > 1:1.13 < 1:1.14", False),
        ("dbus=1:1.12.28", True),
        ("dbus <= 1.12.28", False),  # no epoch is epoch 0
        ("dbus = 1.12*", True),
        ("other >= 1:1", False),
        ("db* >= 1:1", True),
    ],
)
def test_operators(pattern, holds):
    assert matches(pattern, RPM, "rpm", operators=True) == holds


def test_operators_are_plain_text_where_the_family_has_none():
    assert not matches("dbus >= 1:1.12", RPM, "rpm")


def test_forms_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="'apk' are no name forms; use deb or rpm"):
        compile_patterns((), family=family("apk"))


def test_no_pattern_names_nothing():
    assert compile_patterns((), family=family("deb"))(*DEB) == ""


@pytest.mark.parametrize(
    ("id_", "title", "found"),
    [
        ("libc6.i386", None, True),
        ("libc6*", "2:2.36-9", True),
        ("libc6.i386", "libc6.i386:2:2.36-9", True),
        ("libc6.i386", "2.36-9", False),
        ("libc6.amd64", None, False),
        ("libc6-2:2.36-9", None, True),
        ("libc6:i386", "libc6:i386:2:2.36-9", True),
        ("libc6:amd64", None, False),
    ],
)
def test_override_entries_match_id_and_title(id_, title, found):
    assert override_matcher(OverrideEntry(id_, title), family=family("deb"))(*DEB) == found


def test_operators_are_plain_text_in_override_entries():
    assert not override_matcher(OverrideEntry("dbus >= 1:1.12"), family=family("rpm", operators=True))(*RPM)


def test_a_package_is_named_by_globs_over_its_names():
    assert names_package("LIBC*", DEB[0]) and names_package("libc6:i386", DEB[0])
    assert names_package("tzdata:amd64", COMMON[0]) and not names_package("tzdata:i386", COMMON[0])
    assert not names_package("2:2.36-9", DEB[0])
