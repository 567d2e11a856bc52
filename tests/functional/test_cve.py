# SPDX-License-Identifier: Apache-2.0
"""A feed of advisories on a Debian root: dates, severities and ids for the baseline, and what cve says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import osv
from support.loader_minion import LoaderMinion, case, installed_versions, package

MakeMinion = Callable[..., LoaderMinion]
pytestmark = pytest.mark.root


def days_ago(days: float) -> str:
    moment = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def records(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """openssl 2.0 by an advisory of two days ago, with two CVEs; postgresql's without one; zlib's without a fix."""
    return [
        osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", "CVE-2026-1002", published=days_ago(2)),
        osv.debian_cve("CVE-2026-1001", "openssl", "2.0", urgency="high", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1002", "openssl", "2.0", urgency="low", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1003", "postgresql-15", "2.0", urgency="medium", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1004", "zlib", urgency="not yet assigned", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1005", "zlib", urgency="unimportant", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1006", "zlib", "0.9", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1007", "nothing-here", "5", modified=days_ago(1)),
        *more,
    ]


@pytest.fixture
def feed(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Writes a feed; returns the setting that names it."""

    def write(*more: dict[str, Any], said: list[dict[str, Any]] | None = None, **settings: Any) -> dict[str, Any]:
        data = osv.compiled(
            "DEBIAN-12",
            records(*more) if said is None else said,
            until=days_ago(0),
            exploited={"CVE-2026-1002": "2026-02-03"},
        )
        directory = tmp_path / "advisories"
        directory.mkdir(exist_ok=True)
        (directory / "DEBIAN-12.jsonl.gz").write_bytes(data)
        return {"location": str(directory), **settings}

    return write


def system() -> dict[str, Any]:
    return case(
        [
            package("libssl3", "1.0", source="openssl"),
            package("postgresql", "7", source="postgresql-15 (1.0)"),
            package("zlib1g", "1:1.0", source="zlib (1.0)"),
        ],
        [
            package("libssl3", "2.0", source="openssl"),
            package("postgresql", "8", source="postgresql-15 (2.0)"),
        ],
    )


def rule(*filters: tuple[str, list[str]], **more: Any) -> dict[str, Any]:
    """A baseline of one rule."""
    wanted = {"PatchFilters": [{"Key": key, "Values": values} for key, values in filters]}
    return {
        "Name": "own-baseline",
        "OperatingSystem": "DEBIAN",
        "ApprovalRules": {"PatchRules": [{"PatchFilterGroup": wanted, **more}]},
    }


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Id"].partition(".")[0]: row["PatchState"] for row in report["patches"]}


def by_cve(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {row["cve"]: row for row in answer["cves"]}
    assert len(found) == len(answer["cves"])
    return found


def test_rows_carry_what_the_vendor_says(make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=0))
    report = minion("scan", details=True)
    rows = {row["Id"]: row for row in report["patches"]}
    openssl = rows["libssl3.amd64"]
    assert openssl["CVEIds"] == "CVE-2026-1001,CVE-2026-1002"
    assert (openssl["advisories"], openssl["PatchSeverity"], openssl["Classification"]) == (
        "DSA-1001-1",
        "high",
        "Security",
    )
    assert (rows["postgresql.amd64"]["CVEIds"], rows["postgresql.amd64"]["PatchSeverity"]) == (
        "CVE-2026-1003",
        "medium",
    )
    assert rows["zlib1g.amd64"]["PatchState"] == "InstalledOther" and "CVEIds" not in rows["zlib1g.amd64"]
    assert report["warnings"] == []
    assert report["cves"]["counts"] == {
        "open": 4, "exploited": 1, "fixable": 3, "unknown": 0, "unimportant": 1,
        "critical": 0, "high": 1, "medium": 1, "low": 1, "other": 1,
    }  # fmt: skip
    assert report["cves"]["data"] == "DEBIAN-12" and report["cves"]["left_out"] == 0
    groups = [(group["package"], group["state"], group["cves"]) for group in report["cves"]["open"]]
    assert groups == [
        ("openssl", "fix available", "CVE-2026-1002"),
        ("openssl", "fix available", "CVE-2026-1001"),
        ("postgresql-15", "fix available", "CVE-2026-1003"),
        ("zlib", "affected, no fix yet", "CVE-2026-1004"),
    ]
    assert minion("report", details=True)["cves"] == report["cves"]


@pytest.mark.parametrize(("days", "missing"), [(1, True), (7, False)])
def test_a_delay_counts_from_the_advisory(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]], days: int, missing: bool
) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=days))
    report = minion("scan", details=True)
    # What no advisory names is as old as this host has known it.
    assert states(report) == {
        "libssl3": "Missing" if missing else "InstalledOther",
        "postgresql": "InstalledOther",
        "zlib1g": "InstalledOther",
    }
    assert report["warnings"] == []


def test_awss_default_baseline_approves_at_once_as_without_a_feed(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]
) -> None:
    minion = make_minion(system(), advisories=feed())
    report = minion("scan", details=True)
    assert report["baseline"]["origin"] == "built-in default"
    assert states(report) == {"libssl3": "Missing", "postgresql": "Missing", "zlib1g": "InstalledOther"}
    minion = make_minion(system(), advisories=feed(), approval_delay="first_seen")
    assert states(minion("scan", details=True))["libssl3"] == "InstalledOther"


@pytest.mark.parametrize(
    ("filters", "missing"),
    [
        ([("SEVERITY", ["High"])], {"libssl3"}),
        ([("SEVERITY", ["Medium", "Critical"])], {"postgresql"}),
        ([("CLASSIFICATION", ["Security"]), ("SEVERITY", ["high", "moderate"])], {"libssl3", "postgresql"}),
        ([("SEVERITY", ["Negligible"])], set()),
    ],
)
def test_severities_can_be_asked_for(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]], filters: list[Any], missing: set[str]
) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(*filters, ApproveAfterDays=0))
    report = minion("scan", details=True)
    assert {name for name, state in states(report).items() if state == "Missing"} == missing
    assert report["warnings"] == []


def test_severities_are_refused_where_nothing_tells_any(make_minion: MakeMinion) -> None:
    minion = make_minion(system(), baseline=rule(("SEVERITY", ["High"]), ApproveAfterDays=0))
    with pytest.raises(Exception, match="apt's archives publish no severities; configure the vendor's advisories"):
        minion("scan")
    assert any("publish no severities" in line for line in minion("validate"))


@pytest.mark.parametrize("name", ["DSA-1001-1", "cve-2026-1001"])
def test_lists_take_ids(make_minion: MakeMinion, feed: Callable[..., dict[str, Any]], name: str) -> None:
    minion = make_minion(
        system(),
        advisories=feed(),
        baseline={"Name": "own-baseline", "OperatingSystem": "DEBIAN", "ApprovedPatches": [name]},
    )
    assert states(minion("scan", details=True))["libssl3"] == "Missing"
    assert states(minion("scan", details=True))["postgresql"] == "InstalledOther"
    rejected = {
        **rule(("PRIORITY", ["*"]), ApproveAfterDays=0),
        "RejectedPatches": [name],
        "RejectedPatchesAction": "BLOCK",
    }
    minion = make_minion(system(), advisories=feed(), baseline=rejected)
    report = minion("scan", details=True)
    assert states(report)["libssl3"] == "InstalledOther" and states(report)["postgresql"] == "Missing"
    assert by_cve(minion("cve", "CVE-2026-1001"))["CVE-2026-1001"]["state"] == "fix kept out"


def test_a_later_version_than_the_rejected_one_has_the_fix_too(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]
) -> None:
    what = system()
    what["repositories"].append(
        {"id": "main", "origin": "Debian", "label": "Debian", "suite": "oldstable", "codename": "bookworm",
         "packages": [package("libssl3", "2.1", source="openssl")]}
    )  # fmt: skip
    rejected = {**rule(("PRIORITY", ["*"]), ApproveAfterDays=30), "RejectedPatches": ["DSA-1001-1"]}
    (row,) = make_minion(what, advisories=feed(), baseline=rejected)("cve", "CVE-2026-1001")["cves"]
    assert (row["state"], row["available"], row["approved"]) == ("fix available", "libssl3.amd64:2.1", False)


def test_what_cve_says(make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=0))
    everything = minion("cve")
    assert [row["cve"] for row in everything["cves"]] == [f"CVE-2026-100{n}" for n in (2, 1, 3, 4)]
    ids = [f"CVE-2026-100{n}" for n in range(1, 9)]
    found = by_cve(minion("cve", ids))
    assert {cve: row["state"] for cve, row in found.items()} == {
        "CVE-2026-1001": "fix available",
        "CVE-2026-1002": "fix available",
        "CVE-2026-1003": "fix available",
        "CVE-2026-1004": "affected, no fix yet",
        "CVE-2026-1005": "affected, no fix yet",
        "CVE-2026-1006": "fixed",
        "CVE-2026-1007": "not affected",
        "CVE-2026-1008": "unknown",
    }
    first = found["CVE-2026-1001"]
    assert (first["package"], first["packages"], first["installed"], first["fixed"]) == (
        "openssl",
        ["libssl3.amd64"],
        "1.0",
        "2.0",
    )
    assert (first["available"], first["approved"], first["advisories"]) == ("libssl3.amd64:2.0", True, ["DSA-1001-1"])
    assert found["CVE-2026-1002"]["exploited"] == "2026-02-03"
    assert "unimportant" in found["CVE-2026-1005"]["reason"] and "not installed" in found["CVE-2026-1007"]["reason"]
    assert by_cve(minion("cve", "dsa-1001-1")).keys() == {"CVE-2026-1001", "CVE-2026-1002"}
    assert minion("cve", "DSA-1001")["cves"][0]["reason"].endswith("names it; in full it may be DSA-1001-1")

    minion("scan")
    stored = by_cve(minion("cve", ids, stored=True))
    assert {cve: row["state"] for cve, row in stored.items()} == {cve: row["state"] for cve, row in found.items()}
    for name in ("packages", "exploited", "advisories", "installed", "fixed", "available", "approved", "severity"):
        assert {cve: row[name] for cve, row in stored.items()} == {cve: row[name] for cve, row in found.items()}, name

    minion("install", reboot_option="NoReboot")
    assert installed_versions(minion.root)["libssl3"] == "2.0"
    after = by_cve(minion("cve", ids[:3]))
    assert {row["state"] for row in after.values()} == {"fixed"}
    assert after["CVE-2026-1001"]["installed"] == "2.0"


def test_a_fix_outside_of_the_security_archive_is_found(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]
) -> None:
    what = system()
    what["repositories"].append(
        {"id": "main", "origin": "Debian", "label": "Debian", "suite": "oldstable", "codename": "bookworm",
         "packages": [package("zlib1g", "1:1.1", source="zlib (1.1)")]}
    )  # fmt: skip
    more = osv.debian_cve("CVE-2026-1010", "zlib", "1.1", modified=days_ago(1))
    minion = make_minion(what, advisories=feed(more), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=0))
    assert states(minion("scan", details=True))["zlib1g"] == "Missing"
    assert by_cve(minion("cve", "CVE-2026-1010"))["CVE-2026-1010"]["available"] == "zlib1g.amd64:1:1.1"


def test_what_is_new_is_looked_up_also_by_a_stored_answer(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]
) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=0))
    minion("scan")
    feed(osv.debian_cve("CVE-2026-1011", "zlib", "3.0", modified=days_ago(1)))
    (row,) = minion("cve", "DEBIAN-CVE-2026-1011", stored=True)["cves"]
    assert (row["cve"], row["state"], row["available"]) == ("CVE-2026-1011", "fix kept out", "")


def test_a_stored_answer_has_each_date_and_who_gets_the_fix(
    make_minion: MakeMinion, feed: Callable[..., dict[str, Any]]
) -> None:
    """CVEs of several days share a group of the report."""
    said = [
        osv.debian_cve(f"CVE-2026-200{day}", "zlib", published=f"2026-01-0{day}T00:00:00Z", modified=days_ago(1))
        for day in (1, 2, 3)
    ]
    for_subscribers = {"availability": "Available with a subscription"}
    esm = osv.affected("Debian:12", "openssl", ("introduced", "0"), ("fixed", "9"), ecosystem_specific=for_subscribers)
    minion = make_minion(system(), advisories=feed(said=[*said, osv.record("DEBIAN-CVE-2026-2004", esm)]))
    minion("scan")
    for arguments in ([], [[f"CVE-2026-200{n}" for n in (1, 2, 3, 4)]]):
        stored = by_cve(minion("cve", *arguments, stored=True))
        assert [stored[f"CVE-2026-200{day}"]["published"] for day in (1, 2, 3)] == [
            "2026-01-01",
            "2026-01-02",
            "2026-01-03",
        ]
        assert {cve for cve, row in stored.items() if row["subscription"]} == {"CVE-2026-2004"}
        assert stored == by_cve(minion("cve", *arguments))


@pytest.mark.parametrize(
    ("ids", "said"),
    [("CVE-2026-1001,bar", "'bar' is not allowed"), ([f"CVE-2026-{n}" for n in range(1000, 1101)], "101 ids")],
)
def test_wrong_ids_are_named(make_minion: MakeMinion, ids: Any, said: str) -> None:
    with pytest.raises(Exception, match=said):
        make_minion(system())("cve", ids)


def no_file(directory: Path) -> None:
    (directory / "DEBIAN-12.jsonl.gz").unlink()


def cut(directory: Path) -> None:
    path = directory / "DEBIAN-12.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])


def other_release(directory: Path) -> None:
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-11", osv.samples(), until=days_ago(0)))


def old(directory: Path) -> None:
    said = [osv.debian_cve("CVE-2026-1001", "openssl", "2.0", modified=days_ago(30))]
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-12", said, until=days_ago(0)))


def no_time(directory: Path) -> None:
    said = [osv.debian_cve("CVE-2026-1001", "openssl", "2.0")]
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-12", said, until=days_ago(0)))


@pytest.mark.parametrize("damage", [no_file, cut, other_release, old, no_time])
@pytest.mark.parametrize("warm", [False, True])
def test_bad_data_are_said_and_nothing_is_concluded_from_them(
    make_minion: MakeMinion,
    feed: Callable[..., dict[str, Any]],
    damage: Callable[[Path], None],
    warm: bool,
) -> None:
    setting = feed()
    plain = rule(("PRIORITY", ["*"]), ApproveAfterDays=0)
    minion = make_minion(system(), advisories=setting, baseline=plain)
    if warm:
        minion("scan")
    damage(Path(setting["location"]))
    report = minion("scan", details=True)
    assert states(report) == {"libssl3": "Missing", "postgresql": "Missing", "zlib1g": "InstalledOther"}
    assert any(words.startswith("advisories: ") and "judged without them" in words for words in report["warnings"])
    assert report["cves"]["data"] == "" and report["cves"]["problem"] and report["cves"]["open"] == []
    answer = minion("cve", ["CVE-2026-1001", "CVE-2026-1007"])
    assert {row["state"] for row in answer["cves"]} == {"unknown"} and all(row["reason"] for row in answer["cves"])
    assert minion("cve")["cves"] == [] and minion("cve")["problem"]
    # A baseline that asks for severities cannot be judged then.
    minion = make_minion(system(), advisories=setting, baseline=rule(("SEVERITY", ["Low"]), ApproveAfterDays=0))
    assert minion("scan")["compliance"] in ("UNKNOWN", "NON_COMPLIANT")
