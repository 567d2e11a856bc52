# SPDX-License-Identifier: Apache-2.0
"""Amazon Linux 2023, whose repositories are locked to a release: the newest one counts unless one is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import InvalidInput
from support import rpm_root
from support.dnf_root import advisory
from support.operations import SECURITY, Operations, states
from support.rpm_repo import package, write_repository

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

OWN, NEXT = "2023.1.20230705", "2023.2.20230920"
FIX = "app-2-1.x86_64"
AMAZON = Operations(
    {
        "baseline": SECURITY,
        "operating_system": "AMAZON_LINUX_2023",
        "product": "AmazonLinux2023",
        "package_manager": "dnf",
    }
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host as it was launched; the fix is in the releases after its own."""
    release = package(f"system-release-{OWN}-0.amzn2023.noarch", provides=[f"system-release(releasever) = {OWN}"])
    root = rpm_root.build(
        {
            "os": {"operating_system": "AMAZON_LINUX_2023", "id": "amzn", "product": "AmazonLinux2023"},
            "installed": [release, package("app-1-1.x86_64")],
            "repositories": [{"id": "amazonlinux", "packages": []}],
        },
        tmp_path / "root",
    )
    (root / "etc/dnf/vars/releasever").unlink()
    for name in (OWN, NEXT, "latest"):
        fixes = [] if name == OWN else [FIX]
        repository = {
            "id": "amazonlinux",
            "packages": [package(p) for p in ("app-1-1.x86_64", *fixes)],
            "advisories": [advisory("ALAS2023-1", "app-1-1.x86_64"), *(advisory("ALAS2023-2", fix) for fix in fixes)],
        }
        write_repository(root / "repos" / name, repository, work=root / "tmp")
    file = root / "etc/yum.repos.d/amazonlinux.repo"
    file.write_text(file.read_text().replace("/repos/amazonlinux", "/repos/$releasever"))
    return root


def about_releases(report: dict[str, Any]) -> list[str]:
    """The warnings that speak of releases."""
    return [words for words in report["warnings"] if "later releases are not known" in words]


def test_the_newest_release_counts(root: Path) -> None:
    report = AMAZON.scan(root)
    assert states(report)["app.x86_64"] == "Missing"
    assert report["baseline"]["releasever"] == "latest"
    assert report["warnings"] == []

    assert AMAZON.plan(root)["baseline"]["releasever"] == "latest"
    assert states(AMAZON.install(root))["app.x86_64"] == "InstalledPendingReboot"


@pytest.mark.parametrize("by", ["variable", "setting"])
@pytest.mark.parametrize(("release", "state"), [(OWN, "Installed"), (NEXT, "Missing")])
def test_a_release_that_is_named_counts_with_a_warning(root: Path, by: str, release: str, state: str) -> None:
    more = {"releasever": release}
    if by == "variable":
        rpm_root.put(root / "etc/dnf/vars/releasever", f"{release}\n")
        more = {}

    report = AMAZON.scan(root, **more)

    assert states(report)["app.x86_64"] == state
    assert report["baseline"]["releasever"] == release
    assert [release in words for words in about_releases(report)] == [True]


def test_the_setting_beats_the_variable(root: Path) -> None:
    rpm_root.put(root / "etc/dnf/vars/releasever", f"{OWN}\n")

    report = AMAZON.scan(root, releasever="latest")

    assert states(report)["app.x86_64"] == "Missing"
    assert not about_releases(report)


@pytest.mark.parametrize("release", ["-x", "../x", "a b", ""])
def test_what_is_no_release_is_refused(root: Path, release: str) -> None:
    with pytest.raises(InvalidInput, match="releasever"):
        AMAZON.scan(root, releasever=release)
