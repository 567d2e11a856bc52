# SPDX-License-Identifier: Apache-2.0
"""explain of a CVE or an advisory: what it is, what it means for this host, and the versions that have the fix."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltfactories.utils.functional import Loaders

from support import dnf_root, osv
from support.loader_minion import LoaderMinion, case, package
from support.outputs import options, show

MakeMinion = Callable[..., LoaderMinion]
pytestmark = pytest.mark.root


def days_ago(days: float) -> str:
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


RECORDS = [
    osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", "CVE-2026-1002", published=days_ago(2)),
    osv.debian_cve("CVE-2026-1001", "openssl", "2.0", modified=days_ago(1)),
    osv.debian_cve("CVE-2026-1002", "openssl", "3.0", urgency="low", modified=days_ago(1)),
    osv.debian_cve("CVE-2026-1003", "zlib", modified=days_ago(1)),
    osv.debian_cve("CVE-2026-1004", "zlib", "0.9", modified=days_ago(1)),
    osv.debian_cve("CVE-2026-1005", "nothing-here", "5", modified=days_ago(1)),
]


@pytest.fixture
def debian(make_minion: MakeMinion, tmp_path: Path) -> LoaderMinion:
    """openssl 2.0 and 3.0 are on offer, nothing of zlib."""
    directory = tmp_path / "advisories"
    directory.mkdir()
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-12", RECORDS, until=days_ago(0)))
    what = case(
        [
            package("libssl3", "1.0", source="openssl"),
            package("zlib1g", "1:1.0", source="zlib (1.0)"),
            package("cve-2026-tools", "1"),
        ],
        [package("libssl3", "2.0", source="openssl")],
    )
    what["repositories"].append(
        {"id": "more", "origin": "Debian", "label": "Debian-Security", "suite": "oldstable-security",
         "codename": "bookworm-security", "packages": [package("libssl3", "3.0", source="openssl")]}
    )  # fmt: skip
    return make_minion(what, advisories={"location": str(directory)})


def versions(found: dict[str, Any]) -> dict[str, list[str]]:
    return {each["id"]: [version["version"] for version in each["versions"]] for each in found["packages"]}


@pytest.mark.parametrize(
    ("name", "kind", "states", "with_fix"),
    [
        ("CVE-2026-1001", "a CVE", {"CVE-2026-1001": "fix available"}, {"libssl3.amd64": ["2.0", "3.0"]}),
        ("cve-2026-1002", "a CVE", {"CVE-2026-1002": "fix available"}, {"libssl3.amd64": ["3.0"]}),
        (
            "dsa-1001-1",
            "a security advisory of Debian",
            {"CVE-2026-1001": "fix available", "CVE-2026-1002": "fix available"},
            {"libssl3.amd64": ["3.0"]},
        ),
        ("CVE-2026-1003", "a CVE", {"CVE-2026-1003": "affected, no fix yet"}, {"zlib1g.amd64": []}),
        ("CVE-2026-1004", "a CVE", {"CVE-2026-1004": "fixed"}, {"zlib1g.amd64": ["1:1.0"]}),
        ("CVE-2026-1005", "a CVE", {"CVE-2026-1005": "not affected"}, {}),
        ("USN-9-1", "a security notice of Ubuntu", {"USN-9-1": "unknown"}, {}),
    ],
)
def test_what_an_id_means_here(
    debian: LoaderMinion, name: str, kind: str, states: dict[str, str], with_fix: dict[str, list[str]]
) -> None:
    found = debian("explain", name)
    assert (found["id"], found["kind"], found["data"]) == (name.upper(), kind, "DEBIAN-12")
    assert {row["cve"]: row["state"] for row in found["cves"]} == states
    assert versions(found) == with_fix
    assert found["cves"] == debian("cve", name)["cves"]
    assert all(row["reason"] for row in found["cves"] if row["state"] in ("unknown", "not affected"))
    assert found["references"], found


def test_the_packages_are_explained_as_packages_are(debian: LoaderMinion) -> None:
    (mine,) = debian("explain", "CVE-2026-1002")["packages"]
    (own,) = debian("explain", "libssl3")
    assert {**own, "versions": own["versions"][-1:]} == mine and own["versions"][-1]["version"] == "3.0"


def test_a_package_of_such_a_name_comes_first(debian: LoaderMinion) -> None:
    assert [each["id"] for each in debian("explain", "cve-2026-tools")] == ["cve-2026-tools.amd64"]


@pytest.mark.parametrize("name", ["nosuch", "no-such-1", "DSA-*", "UPD-77"])
def test_what_is_neither_is_refused(debian: LoaderMinion, name: str) -> None:
    with pytest.raises(Exception, match="no package that is installed or on offer matches"):
        debian("explain", name)


def test_the_name_of_a_source_leads_to_its_packages(debian: LoaderMinion) -> None:
    with pytest.raises(Exception, match="matches 'OpenSSL'; built from the source openssl: libssl3"):
        debian("explain", "OpenSSL")


def test_without_data_it_is_unknown_and_says_why(make_minion: MakeMinion) -> None:
    found = make_minion(case([package("libssl3", "1.0", source="openssl")], []))("explain", "CVE-2026-1001")
    (row,) = found["cves"]
    assert (row["state"], found["packages"]) == ("unknown", [])
    assert "configure the vendor's (ssmpatch:advisories)" in row["reason"] == found["problem"]


def test_it_is_printed(debian: LoaderMinion, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = show({"m": debian("explain", "CVE-2026-1002")}, options(repo))
    lines = text.splitlines()
    assert lines[:3] == [
        "m:",
        "  Asked       CVE-2026-1002, a CVE",
        "  CVEs        1 open, 1 with a fix on offer",
    ]
    assert max(map(len, lines)) <= 80
    start = lines.index("  Package     libssl3.amd64, installed 1.0")
    assert lines[start - 1] == "" and "  Versions (1)" in lines[start:]
    unknown = show({"m": debian("explain", "USN-9-1")}, options(repo))
    assert "  Pages       https://ubuntu.com/security/notices/USN-9-1" in unknown and "Package " not in unknown


def test_rpm_systems(loaders: Loaders, tmp_path: Path) -> None:
    if not shutil.which("dnf"):
        pytest.skip("needs dnf")
    advisories = [
        dnf_root.advisory("RHSA-2024:1", "curl-2-1.noarch"),
        dnf_root.advisory("UPD-2", "alpha-1-1.noarch"),
    ]
    dnf_root.build(
        tmp_path / "root",
        installed=["alpha-1-1.noarch", "curl-1-1.noarch"],
        packages=["curl-2-1.noarch", "curl-3-1.noarch"],
        advisories=advisories,
    )
    system = {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6"}
    minion = LoaderMinion(loaders, tmp_path / "root", pillar={"ssmpatch": system})
    minion("scan")
    found = minion("explain", "RHSA-2024:1")
    assert (found["kind"], found["data"]) == ("a security advisory of Red Hat", "updateinfo")
    assert versions(found) == {"curl.noarch": ["0:2-1", "0:3-1"]}
    # Of another repository's ids it is known by the advisory that has it.
    found = minion("explain", "UPD-2")
    assert (found["kind"], [row["state"] for row in found["cves"]]) == ("an advisory of a repository", ["fixed"])
    assert versions(found) == {"alpha.noarch": ["0:1-1"]}
    assert [row["state"] for row in minion("explain", "RHSA-2030:1")["cves"]] == ["unknown"]
    with pytest.raises(Exception, match="no package that is installed or on offer matches"):
        minion("explain", "UPD-77")
