# SPDX-License-Identifier: Apache-2.0
"""The state not_vulnerable on Debian and Red Hat roots: just the fixes, the same changes in both modes."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saltfactories.utils.functional import Loaders

from support import dnf_root, osv, rpm_root
from support.loader_minion import LoaderMinion, case, installed_versions, package
from support.rpm_build import Spec

MakeDebian = Callable[..., LoaderMinion]
pytestmark = pytest.mark.root

OPENSSL = {"libssl3": {"old": "1.0", "new": "2.0"}, "openssl": {"old": "1:1.0", "new": "1:2.0"}}
CURL = {"curl": {"old": "7", "new": "8"}}


@pytest.fixture(params=[True, False], ids=["test", "real"])
def testmode(request: pytest.FixtureRequest) -> bool:
    """Both modes of a state run."""
    return bool(request.param)


def days_ago(days: float) -> str:
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def cve(number: int, source: str, fixed: str = "") -> dict[str, Any]:
    return osv.debian_cve(f"CVE-2026-100{number}", source, fixed, modified=days_ago(1))


RECORDS = [
    osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", published=days_ago(2)),
    cve(1, "openssl", "2.0"),
    cve(2, "curl", "8"),
    cve(3, "zlib"),
    cve(4, "zlib", "0.9"),
    cve(5, "nothing-here", "5"),
]


def baseline(days: int = 0, **more: Any) -> dict[str, Any]:
    """Approves what was published so many days ago."""
    wanted = {"PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]}, "ApproveAfterDays": days}
    return {
        "Name": "own-baseline",
        "OperatingSystem": "DEBIAN",
        "ApprovalRules": {"PatchRules": [wanted]},
        **more,
    }


@pytest.fixture
def debian(make_minion: MakeDebian, tmp_path: Path) -> MakeDebian:
    """Makes a Debian host with two packages of openssl, and curl, all of which have updates, and zlib."""

    def make(*, held: bool = False, data: bool = True, unreachable: bool = False, **settings: Any) -> LoaderMinion:
        directory = tmp_path / "advisories"
        directory.mkdir()
        if data:
            compiled = osv.compiled("DEBIAN-12", RECORDS, until=days_ago(0))
            (directory / "DEBIAN-12.jsonl.gz").write_bytes(compiled)
        status = {"status": "hold ok installed"} if held else {}
        what = case(
            [
                package("libssl3", "1.0", source="openssl"),
                package("openssl", "1:1.0", source="openssl (1.0)", **status),
                package("curl", "7"),
                package("zlib1g", "1:1.0", source="zlib (1.0)"),
            ],
            [
                package("libssl3", "2.0", source="openssl"),
                package("openssl", "1:2.0", source="openssl (2.0)"),
                package("curl", "8"),
            ],
        )
        what["repositories"][0]["unreachable"] = unreachable
        return make_minion(what, advisories={"location": str(directory)}, **{"baseline": baseline(), **settings})

    return make


def test_just_the_fixes_are_installed(debian: MakeDebian, testmode: bool) -> None:
    minion = debian()
    before = installed_versions(minion.root)
    ret = minion.state("not_vulnerable", "CVE-2026-1001", test=testmode)
    assert ret["changes"] == OPENSSL, ret
    if testmode:
        assert (ret["result"], ret["comment"]) == (None, "2 packages would be changed")
        assert installed_versions(minion.root) == before
        return
    assert (ret["result"], ret["comment"]) == (True, "CVE-2026-1001: fixed (openssl 2.0)")
    assert installed_versions(minion.root) == {**before, "libssl3": "2.0", "openssl": "1:2.0"}
    for test in (True, False):
        again = minion.state("not_vulnerable", "CVE-2026-1001", test=test)
        assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.parametrize(
    ("cves", "changes"),
    [
        (["cve-2026-1001", "CVE-2026-1002"], {**OPENSSL, **CURL}),
        ("CVE-2026-1004,CVE-2026-1002,CVE-2026-1005", CURL),
        (["DSA-1001-1"], OPENSSL),
    ],
)
def test_several_at_once_of_which_some_are_fixed(
    debian: MakeDebian, testmode: bool, cves: list[str] | str, changes: dict[str, Any]
) -> None:
    minion = debian()
    ret = minion.state("not_vulnerable", "urgent", test=testmode, cves=cves)
    assert (ret["result"], ret["changes"]) == (None if testmode else True, changes), ret


def test_nothing_to_do(debian: MakeDebian, testmode: bool) -> None:
    ret = debian().state("not_vulnerable", "CVE-2026-1004,CVE-2026-1005", test=testmode)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"].splitlines() == [
        "CVE-2026-1004: fixed (zlib 1.0)",
        "CVE-2026-1005: not affected; not installed: nothing-here",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CVE-2026-1003", "CVE-2026-1003: affected, no fix yet (zlib 1.0); wait for the vendor's fix"),
        ("CVE-2026-9999", "CVE-2026-9999: unknown; no advisory and no record of the data at hand names it; look at"),
    ],
)
def test_what_cannot_be_fixed_is_a_failure(debian: MakeDebian, testmode: bool, name: str, words: str) -> None:
    ret = debian().state("not_vulnerable", name, test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"].startswith(words), ret["comment"]


def test_what_can_be_fixed_is_fixed_beside_what_cannot(debian: MakeDebian, testmode: bool) -> None:
    ret = debian().state("not_vulnerable", "urgent", test=testmode, cves=["CVE-2026-1002", "CVE-2026-1003"])
    assert (ret["result"], ret["changes"]) == (None if testmode else False, CURL)
    assert "CVE-2026-1003: affected, no fix yet" in ret["comment"]
    if testmode:
        assert ret["comment"].splitlines()[0] == "1 package would be changed; not fixed by that: CVE-2026-1003"


def test_a_held_package_stays(debian: MakeDebian, testmode: bool) -> None:
    minion = debian(held=True)
    ret = minion.state("not_vulnerable", "CVE-2026-1001", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "CVE-2026-1001: fix kept out" in ret["comment"] and "held" in ret["comment"], ret["comment"]
    assert "remove what keeps it out" in ret["comment"]
    assert installed_versions(minion.root)["openssl"] == "1:1.0"


def test_what_is_rejected_stays_out(debian: MakeDebian, testmode: bool) -> None:
    rejected = baseline(RejectedPatches=["CVE-2026-1002"], RejectedPatchesAction="BLOCK")
    minion = debian(baseline=rejected)
    ret = minion.state("not_vulnerable", "CVE-2026-1002", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "CVE-2026-1002: fix kept out" in ret["comment"] and "reject" in ret["comment"], ret["comment"]
    assert installed_versions(minion.root)["curl"] == "7"


@pytest.mark.parametrize("rejected", [[], ["libnew"]])
def test_what_is_rejected_does_not_come_with_a_fix(
    make_minion: MakeDebian, tmp_path: Path, testmode: bool, rejected: list[str]
) -> None:
    (tmp_path / "advisories").mkdir()
    data = osv.compiled("DEBIAN-12", RECORDS, until=days_ago(0))
    (tmp_path / "advisories" / "DEBIAN-12.jsonl.gz").write_bytes(data)
    what = case(
        [package("curl", "7"), package("libnew", "1")],
        [package("curl", "8", depends="libnew (>= 2)"), package("libnew", "2")],
    )
    own = baseline(**({"RejectedPatches": rejected, "RejectedPatchesAction": "BLOCK"} if rejected else {}))
    minion = make_minion(what, advisories={"location": str(tmp_path / "advisories")}, baseline=own)
    ret = minion.state("not_vulnerable", "CVE-2026-1002", test=testmode)
    if rejected:
        assert (ret["result"], ret["changes"]) == (False, {}), ret
        assert "libnew" in ret["comment"] and "rejected" in ret["comment"], ret["comment"]
        assert installed_versions(minion.root) == {"curl": "7", "libnew": "1"}
    else:
        changes = {**CURL, "libnew": {"old": "1", "new": "2"}}
        assert (ret["result"], ret["changes"]) == (None if testmode else True, changes), ret


def test_what_the_frozen_set_does_not_have_stays_out(debian: MakeDebian, testmode: bool) -> None:
    minion = debian()
    frozen = minion("freeze")
    frozen["packages"]["curl.amd64"] = "7"
    minion.configuration["frozen"] = frozen
    ret = minion.state("not_vulnerable", "CVE-2026-1002", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "CVE-2026-1002: fix beyond the frozen set" in ret["comment"] and "freeze a newer set" in ret["comment"]


def test_what_is_approved_later_comes_now_and_is_said(debian: MakeDebian, testmode: bool) -> None:
    minion = debian(baseline=baseline(days=30))
    ret = minion.state("not_vulnerable", "CVE-2026-1001", test=testmode)
    assert (ret["result"], ret["changes"]) == (None if testmode else True, OPENSSL), ret
    assert "installed because it is named here; the baseline does not approve it: " in ret["comment"]


def test_a_configured_override_is_the_baseline(debian: MakeDebian, testmode: bool) -> None:
    minion = debian(baseline="default", baseline_override=[baseline()])
    ret = minion.state("not_vulnerable", "CVE-2026-1001", test=testmode)
    assert (ret["result"], ret["changes"]) == (None if testmode else True, OPENSSL), ret
    assert "not approve" not in ret["comment"]
    for more, call in ({"install_override_list": {"patches": []}}, {}), ({}, {"baseline_override": [baseline()]}):
        minion.configuration.update(more)
        listed = {} if more else {"install_override_list": {"patches": []}}
        with pytest.raises(Exception, match="cannot be used together"):
            minion("plan", **call, **listed)


def test_without_data_nothing_is_said_to_be_fixed(debian: MakeDebian, testmode: bool) -> None:
    ret = debian(data=False).state("not_vulnerable", "CVE-2026-1004", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"].startswith("CVE-2026-1004: unknown; ")


def test_a_closed_window_keeps_everything_out(debian: MakeDebian) -> None:
    day = "wed" if time.gmtime().tm_wday == 0 else "mon"
    minion = debian(window={"days": [day], "start": "00:00", "duration": "1m", "timezone": "UTC"})
    ret = minion.state("not_vulnerable", "CVE-2026-1002")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "maintenance window" in ret["comment"] and installed_versions(minion.root)["curl"] == "7"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "urgent"}, "ssmpatch.not_vulnerable: name: 'urgent' is not allowed; use CVE-2024-6387, USN-"),
        ({"name": "urgent", "cves": ["openssl"]}, "ssmpatch.not_vulnerable: cves: ['openssl'] is not allowed"),
        ({"name": "urgent", "cves": []}, "ssmpatch.not_vulnerable: cves: "),
        ({"name": "urgent", "cves": 7}, "ssmpatch.not_vulnerable: cves: 7"),
        ({"name": "CVE-2026-1001", "refresh": "perhaps"}, "ssmpatch.not_vulnerable: refresh: 'perhaps'"),
        ({"name": "CVE-2026-1001", "cve": "x"}, "ssmpatch.not_vulnerable: cve='x': no such argument"),
    ],
)
def test_wrong_arguments_change_nothing(debian: MakeDebian, arguments: dict[str, Any], words: str) -> None:
    minion = debian()
    ret = minion.state("not_vulnerable", **arguments)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"].startswith(words), ret["comment"]
    assert minion("history") == []


def test_a_watched_change_runs_it_again(debian: MakeDebian) -> None:
    document = {
        "changed": {"test": ["succeed_with_changes"]},
        "CVE-2026-1002": {"ssmpatch": ["not_vulnerable", {"watch": [{"test": "changed"}]}]},
    }
    found = debian().sls(document)["CVE-2026-1002"]
    assert (found["result"], found["changes"]) == (True, CURL)


WAITING: dict[str, Any] = {
    "cve": "CVE-2026-1",
    "package": "linux",
    "installed": "6.1-1",
    "state": "fix available",
    "fixed": "6.1-2",
    "packages": ["linux-image-amd64.amd64"],
    "updates": [],
    "approved": False,
    "reason": "linux 6.1-2 is installed and does not run yet: reboot",
    "restart": ["the kernel"],
}
TO_INSTALL = {**WAITING, "updates": ["linux-image-amd64.amd64:6.1-2"], "approved": True, "reason": "", "restart": []}


def answering(debian: MakeDebian, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> LoaderMinion:
    """A minion whose engine gives these answers: only the running system has a kernel that runs."""
    minion = debian()
    minion("about")
    engine = sys.modules["ssmpatchlib.api"]
    for name, answer in answers.items():
        monkeypatch.setattr(engine, name, lambda *_args, _answer=answer, **_kwargs: next(_answer), raising=False)
    return minion


def said_of(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"data": "DEBIAN-12", "time": "", "problem": "", "cves": list(rows), "warnings": []}


@pytest.mark.parametrize(
    ("action", "reason", "result"),
    [
        ("deferred", "outside of the reboot windows; 1 installed package waits for it", False),
        ("deferred", "a reboot is under way; 1 installed package waits for it", True),
        ("none", "reboot_option is NoReboot; 1 installed package waits for it", False),
        ("reboot", "1 installed package waits for it", False),
    ],
)
def test_a_kernel_that_does_not_run_waits_for_the_policy(
    debian: MakeDebian, testmode: bool, monkeypatch: pytest.MonkeyPatch, action: str, reason: str, result: bool
) -> None:
    decision = {"action": action, "reason": reason, "due": None}
    minion = answering(debian, monkeypatch, cve=iter([said_of(WAITING)]), reboot=iter([decision]))
    ret = minion.state("not_vulnerable", "CVE-2026-1", test=testmode)
    assert (ret["result"], ret["changes"]) == (result, {})
    assert "does not run yet: reboot" in ret["comment"] and reason in ret["comment"], ret["comment"]


@pytest.mark.parametrize(("action", "result"), [("reboot", True), ("deferred", False), ("none", False)])
def test_a_kernel_that_was_installed_counts_when_the_reboot_is_requested(
    debian: MakeDebian, monkeypatch: pytest.MonkeyPatch, action: str, result: bool
) -> None:
    changes = {"linux-image-amd64": {"old": "6.1-1", "new": "6.1-2"}}
    decision = {"action": action, "reason": "as the policy says", "due": None}
    done = {"changes": changes, "patches": [], "warnings": [], "summary": {"FailedCount": "0"}, "reboot": decision}
    minion = answering(
        debian, monkeypatch, cve=iter([said_of(TO_INSTALL), said_of(WAITING)]), install=iter([done]),
        return_code=iter([0]), brief=iter([minion_scan(), done]),
    )  # fmt: skip
    ret = minion.state("not_vulnerable", "CVE-2026-1")
    assert (ret["result"], ret["changes"]) == (result, changes), ret
    assert "as the policy says" in ret["comment"]


def minion_scan() -> dict[str, Any]:
    return {"patches": [], "warnings": [], "reboot": {"action": "none"}}


# --- Red Hat -------------------------------------------------------------------------------------

INSTALLED = ["alpha-1-1.noarch", "curl-1-1.noarch", "openssl-1-1.noarch"]
ADVISORIES = [
    dnf_root.advisory("RHSA-2024:1", "curl-2-1.noarch"),
    dnf_root.advisory("RHSA-2024:2", "openssl-2-1.noarch"),
    dnf_root.advisory("RHSA-2024:3", "alpha-1-1.noarch"),
]


@pytest.fixture
def redhat(loaders: Loaders, tmp_path: Path) -> Callable[..., LoaderMinion]:
    """Makes a Red Hat host with updates of curl and openssl."""
    if not shutil.which("dnf"):
        pytest.skip("needs dnf")

    def make(**settings: Any) -> LoaderMinion:
        offered = [Spec("curl"), Spec("openssl", requires=["libnew"]), Spec("libnew", "1")]
        dnf_root.build(tmp_path / "root", installed=INSTALLED, specs=offered, advisories=ADVISORIES)
        system = {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6"}
        pillar = {"ssmpatch": {**system, "reboot": {"option": "NoReboot"}, **settings}}
        return LoaderMinion(loaders, tmp_path / "root", pillar=pillar)

    return make


def test_rpm_systems_get_just_the_fixes(redhat: Callable[..., LoaderMinion], testmode: bool) -> None:
    minion = redhat()
    names = ["RHSA-2024:2", "CVE-RHSA-2024:3"]
    ret = minion.state("not_vulnerable", "urgent", test=testmode, cves=names)
    changes = {"libnew": {"old": "", "new": "0:1-1"}, "openssl": {"old": "0:1-1", "new": "0:2-1"}}
    assert (ret["result"], ret["changes"]) == (None if testmode else True, changes), ret
    assert rpm_root.installed(minion.root)["curl.noarch"] == ["0:1-1"]
    assert rpm_root.installed(minion.root)["openssl.noarch"] == ["0:1-1" if testmode else "0:2-1"]
    if not testmode:
        for test in (True, False):
            again = minion.state("not_vulnerable", "urgent", test=test, cves=names)
            assert (again["result"], again["changes"]) == (True, {})


def test_rpm_systems_say_what_is_in_the_way(redhat: Callable[..., LoaderMinion], testmode: bool) -> None:
    rejected = {
        "Name": "own-baseline",
        "OperatingSystem": "REDHAT_ENTERPRISE_LINUX",
        "ApprovedPatches": ["openssl*"],
        "RejectedPatches": ["curl*"],
        "RejectedPatchesAction": "BLOCK",
    }
    minion = redhat(baseline=rejected)
    ret = minion.state("not_vulnerable", "urgent", test=testmode, cves="RHSA-2024:1,CVE-2026-1")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "CVE-RHSA-2024:1: fix kept out (curl 0:1-1)" in ret["comment"], ret["comment"]
    assert "CVE-2026-1: unknown; " in ret["comment"]


def test_advisories_of_a_repository_that_cannot_be_read_conclude_nothing(
    redhat: Callable[..., LoaderMinion], testmode: bool
) -> None:
    minion = redhat()
    minion("scan")
    shutil.rmtree(minion.root / "repos/updates/repodata")
    ret = minion.state("not_vulnerable", "CVE-RHSA-2024:3", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {}), ret
    assert "Not every repository could be read" in ret["comment"], ret
