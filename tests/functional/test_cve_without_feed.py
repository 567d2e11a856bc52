# SPDX-License-Identifier: Apache-2.0
"""A feed that gets lost, lacks records, or is of another time: nothing is called safe because of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from functional.test_cve import by_cve, days_ago, feed, rule, states, system

from support import osv
from support.loader_minion import LoaderMinion

MakeMinion = Callable[..., LoaderMinion]
Feed = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.root
__all__ = ["feed"]

PLAIN = rule(("PRIORITY", ["*"]), ApproveAfterDays=0)


def lose(setting: dict[str, Any]) -> None:
    """Remove the file of the feed."""
    (Path(setting["location"]) / "DEBIAN-12.jsonl.gz").unlink()


def kept_file(minion: LoaderMinion) -> Path:
    (path,) = minion.root.rglob("advisories.json")
    return path


@pytest.mark.parametrize("days", [1, 7])
def test_without_its_feed_a_host_is_judged_as_one_that_has_none(
    make_minion: MakeMinion, feed: Feed, days: int, tmp_path: Path
) -> None:
    setting = feed()
    wanted = rule(("PRIORITY", ["*"]), ApproveAfterDays=days)
    minion = make_minion(system(), advisories=setting, baseline=wanted)
    minion("scan")
    lose(setting)
    report = minion("scan", details=True)
    del minion.configuration["advisories"]
    plain = minion("scan", details=True)
    assert states(report) == states(plain) and report["compliance"] == plain["compliance"] == "NON_COMPLIANT"
    assert any("judged without them" in words for words in report["warnings"])
    assert any("are not applied" in words for words in report["warnings"])


def test_a_delay_from_the_first_sight_outlives_the_feed(make_minion: MakeMinion, feed: Feed) -> None:
    setting = feed()
    wanted = rule(("PRIORITY", ["*"]), ApproveAfterDays=7)
    minion = make_minion(system(), advisories=setting, baseline=wanted, approval_delay="first_seen")
    before = states(minion("scan", details=True))
    lose(setting)
    assert states(minion("scan", details=True)) == before and set(before.values()) == {"InstalledOther"}


def test_what_a_feed_dates_has_been_seen_too(
    make_minion: MakeMinion, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", published=days_ago(20))]
    setting = feed(said=said, max_age="90d")
    wanted = rule(("PRIORITY", ["*"]), ApproveAfterDays=7)
    minion = make_minion(system(), advisories=setting, baseline=wanted, approval_delay="first_seen")
    now = time.time()
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "time", lambda: now - 10 * 86400)
        assert states(minion("scan", details=True))["libssl3"] == "Missing"
    lose(setting)
    assert states(minion("scan", details=True))["libssl3"] == "Missing"


def test_lists_of_ids_outlive_the_feed(make_minion: MakeMinion, feed: Feed) -> None:
    setting = feed()
    approving = {"Name": "listed", "OperatingSystem": "DEBIAN", "ApprovedPatches": ["cve-2026-1001"]}
    minion = make_minion(system(), advisories=setting, baseline=approving)
    before = states(minion("scan", details=True))
    lose(setting)
    assert states(minion("scan", details=True)) == before and before["libssl3"] == "Missing"
    # Where nothing was known before, nothing is said to be all right.
    kept_file(minion).unlink()
    report = minion("scan", details=True)
    assert report["compliance"] == "UNKNOWN"
    assert any("lists of CVEs and advisories need them" in words for words in report["warnings"])


def test_what_is_rejected_by_id_stays_out_without_the_feed(make_minion: MakeMinion, feed: Feed) -> None:
    setting = feed()
    rejecting = {**PLAIN, "RejectedPatches": ["DSA-1001-1"], "RejectedPatchesAction": "BLOCK"}
    minion = make_minion(system(), advisories=setting, baseline=rejecting)
    minion("scan")
    lose(setting)
    report = minion("install", reboot_option="NoReboot")
    assert report["changes"].keys() == {"postgresql"}


@pytest.mark.parametrize("years", [1, 50])
def test_a_clock_that_is_set_back_is_noticed(
    make_minion: MakeMinion, feed: Feed, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=1))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - years * 365 * 86400)
    report = minion("scan", details=True)
    assert report["compliance"] == "NON_COMPLIANT" and "clock" in report["cves"]["problem"]
    assert {row["state"] for row in minion("cve", ["CVE-2026-1001", "CVE-2026-1007"])["cves"]} == {"unknown"}


def test_stored_answers_need_what_was_installed(make_minion: MakeMinion, feed: Feed) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=PLAIN)
    minion("scan")
    ids = [f"CVE-2026-100{number}" for number in range(1, 9)] + ["CVE-2026-2000"]
    feed(osv.debian_cve("CVE-2026-2000", "openssl", "2.0", modified=days_ago(0.1)))
    kept_file(minion).unlink()
    stored = by_cve(minion("cve", ids, stored=True))
    found = {cve: row["state"] for cve, row in stored.items()}
    assert found == {cve: row["state"] for cve, row in by_cve(minion("cve", ids)).items()}
    assert (found["CVE-2026-1006"], found["CVE-2026-2000"]) == ("fixed", "fix available")


def test_what_was_altered_of_the_kept_file_is_not_believed(make_minion: MakeMinion, feed: Feed) -> None:
    minion = make_minion(system(), advisories=feed(), baseline=PLAIN)
    minion("scan")
    path = kept_file(minion)
    head, _, said = path.read_text().partition("\n")
    good = json.loads(said)
    for key in ("release", "time", "sha256", "updates", "open", "installed"):
        for value in (5, None, [], {}, [[1, 2, 3]]):
            path.write_text(f"{head}\n{json.dumps({**good, key: value})}")
            states_ = by_cve(minion("cve", ["CVE-2026-1001", "CVE-2026-1006"], stored=True))
            assert {row["state"] for row in states_.values()} == {"fix available", "fixed"}
    path.write_text(f"{head}\n{json.dumps({**good, 'open': {name: [] for name in good['open']}})}")
    assert minion("scan")["cves"]["counts"]["open"] == 4


def test_advisories_alone_do_not_say_that_a_host_is_safe(make_minion: MakeMinion, feed: Feed) -> None:
    said = [
        osv.dsa("DSA-1-1", "nothing-here", "2.0", "CVE-2026-1", published=days_ago(2)),
        osv.dsa("DSA-2-1", "openssl", "1.0", "CVE-2026-1002", published=days_ago(2)),
    ]
    minion = make_minion(system(), advisories=feed(said=said), baseline=PLAIN)
    minion("scan")
    said[0]["upstream"] = ["CVE-2026-1001"]
    feed(said=said)
    for stored in (False, True):
        found = by_cve(minion("cve", ["CVE-2026-1001", "CVE-2026-1002"], stored=stored))
        assert found["CVE-2026-1001"]["state"] == "unknown" and "no records of CVEs" in found["CVE-2026-1001"]["reason"]
        assert found["CVE-2026-1002"]["state"] == "fixed"


def test_a_date_at_the_end_of_time_is_no_reason_to_end(make_minion: MakeMinion, feed: Feed) -> None:
    late = osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", published="9999-12-31T23:59:59Z")
    said = [{**late, "modified": days_ago(1)}]
    minion = make_minion(system(), advisories=feed(said=said), baseline=rule(("PRIORITY", ["*"]), ApproveAfterDays=7))
    assert states(minion("scan", details=True))["libssl3"] == "InstalledOther"


def test_the_report_has_as_many_ids_as_it_may(make_minion: MakeMinion, feed: Feed) -> None:
    many = [
        osv.debian_cve(f"CVE-2020-{number}", "zlib", urgency="high", modified=days_ago(1))
        for number in range(10000, 16000)
    ]
    minion = make_minion(system(), advisories=feed(*many), baseline=PLAIN)
    cves = minion("scan")["cves"]
    assert (cves["counts"]["open"], cves["counts"]["exploited"], cves["left_out"]) == (6004, 1, 1004)
    listed = [cve for group in cves["open"] for cve in group["cves"].split(",")]
    assert len(set(listed)) == len(listed) == 5000 and listed[0] == "CVE-2026-1002"
    for stored, left in ((False, "5,004"), (True, "4,000")):
        answer = minion("cve", stored=stored)
        assert len(answer["cves"]) == 1000 and answer["cves"][0]["cve"] == "CVE-2026-1002"
        assert answer["warnings"] == [
            f"{left} more rows of open CVEs not listed; set limit, or ask for CVEs by their ids"
        ]
    assert len(minion("cve", limit=10_000)["cves"]) == 6004


def test_each_package_is_named_once(make_minion: MakeMinion, feed: Feed) -> None:
    what = system()
    what["repositories"][0]["packages"] += what["installed"]
    minion = make_minion(what, advisories=feed(), baseline=PLAIN)
    assert by_cve(minion("cve", "CVE-2026-1001"))["CVE-2026-1001"]["packages"] == ["libssl3.amd64"]


def test_what_is_half_installed_is_not_fixed(make_minion: MakeMinion, feed: Feed) -> None:
    what = system()
    what["repositories"][0]["packages"][0]["postinst"] = "#!/bin/sh\nexit 1\n"
    minion = make_minion(what, advisories=feed(), baseline=PLAIN)
    ran = minion.state("not_vulnerable", "CVE-2026-1001", reboot_option="NoReboot")
    assert ran["changes"] == {"libssl3": {"old": "1.0", "new": "2.0"}}
    assert ran["result"] is False and "libssl3.amd64 failed: " in ran["comment"]
    for stored in (False, True):
        row = by_cve(minion("cve", "CVE-2026-1001", stored=stored))["CVE-2026-1001"]
        assert row["state"] == "unknown" and "dpkg" in row["reason"]
    minion("scan")
    assert by_cve(minion("cve", "CVE-2026-1001", stored=True))["CVE-2026-1001"]["state"] == "unknown"
    assert minion.state("not_vulnerable", "CVE-2026-1001", test=True)["result"] is False


def test_a_report_from_before_the_feed_asks_for_a_scan(make_minion: MakeMinion, feed: Feed) -> None:
    minion = make_minion(system(), baseline=PLAIN)
    minion("scan")
    minion.configuration["advisories"] = feed()
    found = minion("cve", "CVE-2026-1007", stored=True)
    assert found["cves"][0]["state"] == "unknown" and found["problem"].endswith("run ssmpatch.scan")
