# SPDX-License-Identifier: Apache-2.0
"""What cve says on rpm systems: by the repositories' advisories, and by a feed of what has no fix yet."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from saltfactories.utils.functional import Loaders

from support import dnf_root, osv, suse_root
from support.loader_minion import LoaderMinion
from support.rpm_build import Spec
from support.rpm_repo import package

pytestmark = pytest.mark.root

INSTALLED = [
    "alpha-1-1.noarch",
    "curl-1-1.noarch",
    "openssl-3-1.noarch",
    package("beta-libs-1-1.noarch", source_name="beta"),
]
SYSTEMS = {
    "dnf": {"operating_system": "ALMA_LINUX", "product": "AlmaLinux8.6", "baseline": "default"},
    "zypper": {"operating_system": "SUSE", "product": "Suse15.3", "baseline": "default"},
}


def named(advisory: dict[str, Any], *cves: str) -> dict[str, Any]:
    return {**advisory, "references": [{"type": "cve", "id": cve} for cve in cves]}


@pytest.fixture(params=["dnf", "zypper"])
def minion(request: pytest.FixtureRequest, loaders: Loaders, tmp_path: Path) -> LoaderMinion:
    """curl 2 and 3 have fixes, openssl's fix is older than what is installed; nothing of gone is installed."""
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    kind = {"dnf": dnf_root, "zypper": suse_root}[request.param]
    make = dnf_root.advisory if request.param == "dnf" else suse_root.patch
    advisories = [
        named(make("UPD-1", "curl-2-1.noarch", severity="Important"), "CVE-2026-1001", "CVE-2026-1002"),
        named(make("UPD-2", "curl-3-1.noarch", severity="Critical"), "CVE-2026-1003"),
        named(make("UPD-3", "openssl-2-1.noarch"), "CVE-2026-1004"),
        named(make("UPD-4", "gone-2-1.noarch"), "CVE-2026-1005"),
        named(make("UPD-5", "openssl-2-1.noarch"), "CVE-2026-1010"),
        named(make("UPD-6", "openssl-4-1.noarch"), "CVE-2026-1010"),
    ]
    root = tmp_path / "root"
    kind.build(root, installed=INSTALLED, specs=[Spec("curl", "2"), Spec("curl", "3")], advisories=advisories)
    settings = {**SYSTEMS[request.param], "reboot": {"option": "NoReboot"}, "package_manager": request.param}
    return LoaderMinion(loaders, root, pillar={"ssmpatch": settings})


def by_cve(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {row["cve"]: row for row in answer["cves"]}
    assert len(found) == len(answer["cves"])
    return found


IDS = [f"CVE-2026-100{n}" for n in range(1, 7)]


def test_the_repositories_advisories_tell(minion: LoaderMinion) -> None:
    report = minion("scan")
    assert report["cves"]["data"] == "updateinfo"
    assert report["cves"]["counts"]["open"] == report["cves"]["counts"]["fixable"] == 3
    assert (report["cves"]["counts"]["critical"], report["cves"]["counts"]["high"]) == (1, 2)
    for stored in (False, True):
        found = by_cve(minion("cve", IDS, stored=stored))
        assert {cve: row["state"] for cve, row in found.items()} == {
            "CVE-2026-1001": "fix available",
            "CVE-2026-1002": "fix available",
            "CVE-2026-1003": "fix available",
            "CVE-2026-1004": "fixed",
            "CVE-2026-1005": "not affected",
            "CVE-2026-1006": "unknown",
        }
    row = found["CVE-2026-1001"]
    assert (row["package"], row["installed"], row["fixed"], row["severity"]) == ("curl", "0:1-1", "0:2-1", "important")
    assert row["available"].startswith("curl.noarch:0:") and len(row["advisories"]) == 1
    everything = minion("cve")
    assert [row["cve"] for row in everything["cves"]] == ["CVE-2026-1003", "CVE-2026-1001", "CVE-2026-1002"]
    assert [row["cve"] for row in minion("cve", stored=True)["cves"]] == [row["cve"] for row in everything["cves"]]
    minion("install")
    assert {row["state"] for row in minion("cve", IDS[:4])["cves"]} == {"fixed"}
    assert minion("cve")["cves"] == []


def test_what_has_one_of_two_fixes_is_not_fixed(minion: LoaderMinion) -> None:
    minion("scan")
    row = by_cve(minion("cve", "CVE-2026-1010"))["CVE-2026-1010"]
    assert (row["state"], row["installed"], row["fixed"]) == ("fix kept out", "0:3-1", "0:4-1")


def test_a_feed_says_what_has_no_fix_yet(minion: LoaderMinion, tmp_path: Path) -> None:
    settings = minion.pillar["ssmpatch"]
    release, ecosystem = (
        ("ALMA_LINUX-8", "AlmaLinux:8")
        if settings["package_manager"] == "dnf"
        else ("SUSE-15.3", "SUSE:Linux Enterprise Server 15 SP3")
    )
    modified = {"modified": "2026-11-01T00:00:00Z"}
    records = [
        osv.record("CVE-2026-1006", osv.affected(ecosystem, "alpha", ("introduced", "0")), **modified),
        osv.record("CVE-2026-1001", osv.affected(ecosystem, "curl", ("introduced", "0")), **modified),
        osv.record("CVE-2026-1002", osv.affected(ecosystem, "alpha", ("introduced", "0")), **modified),
        osv.record("CVE-2026-1005", osv.affected(ecosystem, "gone", ("introduced", "0")), **modified),
        osv.record(
            "CVE-2026-1007", osv.affected(ecosystem, "alpha", ("introduced", "0"), ("fixed", "1-1")), **modified
        ),
    ]
    # Some vendors name packages, others their sources.
    records += [
        osv.record("CVE-2026-1008", osv.affected(ecosystem, "beta", ("introduced", "0")), **modified),
        osv.record("CVE-2026-1009", osv.affected(ecosystem, "beta-libs", ("introduced", "0")), **modified),
    ]
    path = tmp_path / f"{release}.jsonl.gz"
    path.write_bytes(osv.compiled(release, records, until="2026-11-30T00:00:00Z"))
    settings["advisories"] = {"location": str(path), "max_age": "3650d"}
    report = minion("scan")
    assert not any("advisories" in words for words in report["warnings"])
    assert (report["cves"]["data"], report["cves"]["counts"]["open"]) == (release, 6)
    found = by_cve(minion("cve", [IDS[0], *IDS[2:], "CVE-2026-1007"]))
    assert found["CVE-2026-1006"]["state"] == "affected, no fix yet"
    assert (found["CVE-2026-1001"]["state"], found["CVE-2026-1004"]["state"]) == ("fix available", "fixed")
    assert (found["CVE-2026-1007"]["state"], found["CVE-2026-1005"]["state"]) == ("fixed", "not affected")
    several = {row["package"]: row["state"] for row in minion("cve")["cves"] if row["cve"] == "CVE-2026-1002"}
    assert several == {"curl": "fix available", "alpha": "affected, no fix yet"}
    both = by_cve(minion("cve", ["CVE-2026-1008", "CVE-2026-1009"]))
    assert {row["state"] for row in both.values()} == {"affected, no fix yet"}
    assert [row["packages"] for row in both.values()] == [["beta-libs.noarch"]] * 2
