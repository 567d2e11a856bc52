# SPDX-License-Identifier: Apache-2.0
"""rpm systems through Salt's loaders, by the built-in baselines: module and states do there what they do on Debian."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltfactories.utils.functional import Loaders

from support import dnf_root, rpm_root, suse_root
from support.loader_minion import LoaderMinion
from support.rpm_build import Spec

pytestmark = pytest.mark.root

INSTALLED = ["alpha-1-1.noarch", "curl-1-1.noarch", "openssl-1-1.noarch"]
OFFERED = [Spec("curl"), Spec("openssl", requires=["libnew"]), Spec("libnew", "1")]
FIXED = ("curl-2-1.noarch", "openssl-2-1.noarch")
CHANGES = {
    "curl": {"old": "0:1-1", "new": "0:2-1"},
    "libnew": {"old": "", "new": "0:1-1"},
    "openssl": {"old": "0:1-1", "new": "0:2-1"},
}


def build_dnf(root: Path) -> dict[str, str]:
    advisories = [dnf_root.advisory("RHSA-2024:1", *FIXED)]
    dnf_root.build(root, installed=INSTALLED, specs=OFFERED, advisories=advisories)
    return {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6"}


def build_zypper(root: Path) -> dict[str, str]:
    advisories = [suse_root.patch("SUSE-SLE-Module-Basesystem-15-SP6-2024-1", *FIXED)]
    suse_root.build(root, installed=INSTALLED, specs=OFFERED, advisories=advisories)
    return {"operating_system": "SUSE", "product": "Suse15.6"}


@pytest.fixture(params=["dnf", "zypper"])
def minion(request: pytest.FixtureRequest, loaders: Loaders, tmp_path: Path) -> LoaderMinion:
    """A minion whose package manager follows from its operating system."""
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    build: Callable[[Path], dict[str, str]] = {"dnf": build_dnf, "zypper": build_zypper}[request.param]
    root = tmp_path / "root"
    return LoaderMinion(loaders, root, pillar={"ssmpatch": {**build(root), "reboot": {"option": "NoReboot"}}})


def missing(report: dict[str, Any]) -> set[str]:
    return {row["Id"] for row in report["patches"] if row["PatchState"] == "Missing"}


def test_from_a_scan_through_a_plan_to_an_install(minion: LoaderMinion) -> None:
    report = minion("scan")
    assert (report["compliance"], report["baseline"]["origin"]) == ("NON_COMPLIANT", "built-in default")
    assert missing(report) == {"curl.noarch", "openssl.noarch"}
    assert minion("report", name="curl*")["patches"][0]["Id"] == "curl.noarch"
    (curl,) = minion("explain", "curl")
    assert [version["approved"] for version in curl["versions"]][-1] is True
    plan = minion("plan")
    assert plan["changes"] == CHANGES
    assert minion("install", dry_run=True) == {**plan, "warnings": minion("plan")["warnings"]}
    assert rpm_root.installed(minion.root)["curl.noarch"] == ["0:1-1"]
    done = minion("install")
    assert done["changes"] == CHANGES
    assert minion("history")[0]["changes"] == CHANGES
    assert minion("version")["backend"] in ("dnf", "zypper")


def test_the_same_changes_in_both_modes_and_none_the_second_time(minion: LoaderMinion) -> None:
    before = rpm_root.installed(minion.root)
    tried = minion.state("compliant", test=True)
    assert (tried["result"], tried["changes"]) == (None, CHANGES)
    assert rpm_root.installed(minion.root) == before
    assert minion.state("scanned")["result"] is False
    done = minion.state("compliant")
    assert (done["result"], done["changes"]) == (True, CHANGES)
    for test in (True, False):
        again = minion.state("compliant", test=test)
        assert (again["result"], again["changes"]) == (True, {})


def test_a_frozen_set_goes_no_further(minion: LoaderMinion) -> None:
    frozen = minion("freeze")
    assert frozen["packages"]["curl.noarch"] == "0:1-1"
    partly = {**frozen, "packages": {**frozen["packages"], "openssl.noarch": "0:2-1"}}
    settings = {**minion.pillar["ssmpatch"], "frozen": partly}
    limited = LoaderMinion(minion.loaders, minion.root, pillar={"ssmpatch": settings})
    found = limited("scan")
    assert missing(found) - set(found["held_back"]) == {"openssl.noarch"}
