# SPDX-License-Identifier: Apache-2.0
"""Fixes whose own version has left the repositories: what contains them has their level and class, installed too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support import dnf_root, rpm_root, suse_root
from support.operations import EVERYTHING, SECURITY, rows
from support.rpm_repo import package

pytestmark = pytest.mark.root

MANAGERS = [
    pytest.param(dnf_root, id="dnf", marks=pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")),
    pytest.param(suse_root, id="zypper", marks=pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")),
]
FOO = "foo.x86_64"


@pytest.fixture(params=MANAGERS)
def kind(request: pytest.FixtureRequest) -> Any:
    """The package manager's roots."""
    return request.param


def advised(kind: Any, id_: str, package: str, **more: Any) -> dict[str, Any]:
    """An advisory for one package."""
    found: dict[str, Any] = getattr(kind, "advisory" if kind is dnf_root else "patch")(id_, package, **more)
    return found


def build(kind: Any, root: Path, *, installed: str, offered: list[str], advisories: list[tuple[str, ...]]) -> Path:
    """A root with versions of foo; advisories are id, version and type."""
    built: Path = kind.build(
        root,
        installed=[f"foo-{installed}-1.x86_64"],
        packages=[f"foo-{version}-1.x86_64" for version in offered],
        advisories=[
            advised(kind, id_, f"foo-{version}-1.x86_64", type=type_, severity="Important" if type_ else "None")
            for id_, version, type_ in advisories
        ],
    )
    return built


def described(report: dict[str, Any]) -> tuple[str, ...]:
    """State, level and class of foo."""
    row = rows(report)[FOO]
    return row["PatchState"], row["Severity"], row["Classification"].lower()


@pytest.mark.parametrize("later", [[], [("UPD-3", "3", "bugfix")]], ids=["alone", "with-its-own-advisory"])
def test_what_is_missing_is_installed_with_the_same_level_and_class(kind: Any, tmp_path: Path, later: Any) -> None:
    root = build(kind, tmp_path / "root", installed="1", offered=["3"], advisories=[("UPD-2", "2", "security"), *later])
    before = kind.scan(root, baseline=SECURITY)
    assert described(before) == ("Missing", "CRITICAL", "security")
    assert "UPD-2 names 2-1, which is gone" in rows(before)[FOO]["reason"]

    after = kind.install(root, baseline=SECURITY)
    assert described(after) == ("InstalledPendingReboot", "CRITICAL", "security")
    assert after["summary"]["CriticalNonCompliantCount"] == "1"
    assert after["summary"]["NonCompliantSeverity"] == "CRITICAL"


@pytest.mark.parametrize(
    ("installed", "offered", "advisories", "expected"),
    [
        ("3", ["3"], [("UPD-2", "2", "security")], ("Installed", "CRITICAL", "security")),
        ("3", [], [("UPD-2", "2", "security")], ("Installed", "CRITICAL", "security")),
        (
            "3",
            ["3", "4"],
            [("UPD-2", "2", "security"), ("UPD-3", "3", "bugfix")],
            ("Installed", "CRITICAL", "security"),
        ),
        ("4", ["3", "4"], [("UPD-2", "2", "security")], ("InstalledOther", "UNSPECIFIED", "")),
        ("4", ["2", "4"], [("UPD-2", "2", "security")], ("InstalledOther", "UNSPECIFIED", "")),
        ("2", ["3"], [("UPD-2", "2", "security")], ("Installed", "CRITICAL", "security")),
    ],
    ids=["on-offer", "gone-itself", "own-bugfix", "an-older-one-has-it", "not-gone", "its-own"],
)
def test_the_lowest_successor_has_it(
    kind: Any, tmp_path: Path, installed: str, offered: list[str], advisories: Any, expected: tuple[str, ...]
) -> None:
    root = build(kind, tmp_path / "root", installed=installed, offered=[*offered, "0"], advisories=advisories)
    assert described(kind.scan(root, baseline=SECURITY)) == expected


@pytest.mark.parametrize(("before", "named", "after"), [("noarch", "noarch", "x86_64"), ("x86_64", "noarch", "x86_64")])
def test_the_successor_is_of_another_architecture(
    kind: Any, tmp_path: Path, before: str, named: str, after: str
) -> None:
    root = kind.build(
        tmp_path / "root",
        installed=[f"foo-1-1.{before}"],
        packages=[f"foo-3-1.{after}"],
        advisories=[advised(kind, "UPD-2", f"foo-2-1.{named}")],
    )
    report = kind.scan(root, baseline=SECURITY)
    assert rows(report)[f"foo.{before}"]["PatchState"] == "Missing"
    assert "UPD-2 names 2-1, which is gone" in rows(report)[f"foo.{before}"]["reason"]

    kind.install(root, baseline=SECURITY)

    assert rpm_root.installed(root)[f"foo.{after}"] == ["0:3-1"]
    assert described(kind.scan(root, baseline=SECURITY))[1:] == ("CRITICAL", "security")


@pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")
def test_a_version_that_was_taken_back_inherits_nothing(tmp_path: Path) -> None:
    root = suse_root.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=["foo-3-1.x86_64", "foo-4-1.x86_64"],
        advisories=[
            suse_root.patch("UPD-2", "foo-2-1.x86_64"),
            suse_root.patch("UPD-3", "foo-3-1.x86_64", status="retracted"),
        ],
    )
    assert described(suse_root.scan(root, baseline=SECURITY)) == ("Missing", "CRITICAL", "security")

    suse_root.install(root, baseline=SECURITY)

    assert rpm_root.installed(root)[FOO] == ["0:4-1"]
    assert described(suse_root.scan(root, baseline=SECURITY))[1:] == ("CRITICAL", "security")


@pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")
def test_a_version_that_must_not_be_taken_inherits_only_where_no_other_can(tmp_path: Path) -> None:
    root = dnf_root.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=["foo-3-1.x86_64", "foo-4-1.x86_64"],
        advisories=[dnf_root.advisory("UPD-2", "foo-2-1.x86_64")],
        excludes=["foo-3*"],
    )
    report = dnf_root.install(root, baseline=SECURITY)

    assert rpm_root.installed(root)[FOO] == ["0:4-1"]
    assert described(report) == ("InstalledPendingReboot", "CRITICAL", "security")


@pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")
def test_an_unapproved_row_is_described_by_its_own_patch(tmp_path: Path) -> None:
    later = [("UPD-2", "2", "security"), ("UPD-3", "3", "recommended")]
    root = build(suse_root, tmp_path / "root", installed="3", offered=["3"], advisories=later)
    nothing = {**EVERYTHING, "approvalRules": {"rules": []}}
    assert described(suse_root.scan(root, baseline=nothing)) == (
        "InstalledOther",
        "UNSPECIFIED",
        "recommended",
    )


@pytest.mark.parametrize("obsoletes", ["foo", "foo < 3"])
@pytest.mark.parametrize("arch", ["x86_64", "noarch"])
def test_a_fix_that_vanished_is_in_the_package_of_another_name(
    kind: Any, tmp_path: Path, obsoletes: str, arch: str
) -> None:
    root = kind.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=[package(f"bar-3-1.{arch}", obsoletes=[obsoletes])],
        advisories=[advised(kind, "UPD-2", "foo-2-1.x86_64", severity="Important")],
    )
    before = kind.scan(root, baseline=SECURITY)
    assert described(before) == ("Missing", "CRITICAL", "security")
    assert "UPD-2 names 2-1, which is gone" in rows(before)[FOO]["reason"]
    kind.install(root, baseline=SECURITY)
    after = rows(kind.scan(root, baseline=SECURITY))[f"bar.{arch}"]
    assert (after["PatchState"], after["Severity"]) == ("InstalledPendingReboot", "CRITICAL")


def test_a_package_of_another_name_has_no_fix_that_it_does_not_obsolete(kind: Any, tmp_path: Path) -> None:
    root = kind.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=[package("bar-3-1.x86_64", obsoletes=["foo < 2"])],
        advisories=[advised(kind, "UPD-2", "foo-2-1.x86_64", severity="Important")],
    )
    assert described(kind.scan(root, baseline=SECURITY))[0] != "Missing"
