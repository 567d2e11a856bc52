# SPDX-License-Identifier: Apache-2.0
"""What real minions say of CVEs, as the master reads it: their reports, and their answers to the runner."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet.cve_report import CveReport, make_cve_report
from ssmpatchlib.fleet.cve_text import render_asked
from ssmpatchlib.fleet.fleetreport import FleetReport, make_report
from support import osv
from support.loader_minion import LoaderMinion, case, package

MakeMinion = Callable[..., LoaderMinion]
pytestmark = pytest.mark.root


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def days_ago(days: float) -> str:
    return (now() - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def minion(make_minion: MakeMinion, tmp_path: Path) -> LoaderMinion:
    """openssl has a fix on offer, with a notice; zlib has none yet; nothing of nginx is installed."""
    records = [
        osv.dsa("DSA-1001-1", "openssl", "2.0", "CVE-2026-1001", "CVE-2026-1002", published=days_ago(20)),
        osv.debian_cve("CVE-2026-1001", "openssl", "2.0", urgency="high", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1002", "openssl", "2.0", urgency="low", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1004", "zlib", urgency="medium", modified=days_ago(1)),
        osv.debian_cve("CVE-2026-1007", "nginx", "5", modified=days_ago(1)),
    ]
    path = tmp_path / "DEBIAN-12.jsonl.gz"
    path.write_bytes(osv.compiled("DEBIAN-12", records, until=days_ago(0), exploited={"CVE-2026-1002": "2026-02-03"}))
    installed = [package("libssl3", "1.0", source="openssl"), package("zlib1g", "1:1.0", source="zlib (1.0)")]
    return make_minion(
        case(installed, [package("libssl3", "2.0", source="openssl")]),
        advisories={"location": str(path)},
        baseline="default",
    )


def report_of(returned: Any) -> FleetReport:
    answers = [("real", json.loads(json.dumps({"ssmpatch.report": returned})))]
    return make_report(answers, expected=["real"], target="*", clock=lambda: now().timestamp() + 60, stale_after=86400)


def asked(minion: LoaderMinion, *ids: str) -> CveReport:
    answers = [("real", json.loads(json.dumps(minion("cve", ids=list(ids), stored=True))))]
    return make_cve_report(answers, ids, expected=["real"], target="*", now=now().timestamp())


def test_a_stored_report_is_read_in_full(minion: LoaderMinion) -> None:
    minion("scan")
    made = report_of(minion("report", details=False))
    cves = made.hosts[0].cves
    assert cves and cves.complete and cves.data == "DEBIAN-12" and made.warnings == ()
    assert (cves.counts.open, cves.counts.exploited, cves.counts.fixable) == (3, 1, 2)
    found = {each.id: (each.severity, each.exploited, each.fixable, each.advisories) for each in made.totals.cves.open}
    assert found == {
        "CVE-2026-1002": ("low", True, 1, ("DSA-1001-1",)),
        "CVE-2026-1001": ("high", False, 1, ("DSA-1001-1",)),
        "CVE-2026-1004": ("medium", False, 0, ()),
    }


def test_every_state_is_understood(minion: LoaderMinion) -> None:
    minion("scan")
    ids = ("CVE-2026-1001", "CVE-2026-1004", "CVE-2026-1007", "CVE-2026-9999", "dsa-1001-1")
    numbers = {each.id: each.numbers for each in asked(minion, *ids).asked}
    assert numbers == {
        "CVE-2026-1001": {"fix available": 1},
        "CVE-2026-1004": {"affected, no fix yet": 1},
        "CVE-2026-1007": {"not affected": 1},
        "CVE-2026-9999": {"unknown": 1},
        "DSA-1001-1": {"fix available": 1},
    }
    table = "".join(render_asked(asked(minion, "CVE-2026-1002"), format="table", columns=80))
    assert table.startswith("CVE-2026-1002, low, exploited") and "DSA-1001-1" in table
    minion("install")
    numbers = {each.id: each.numbers for each in asked(minion, *ids).asked}
    assert numbers["CVE-2026-1001"] == numbers["DSA-1001-1"] == {"fixed": 1}


def test_a_host_without_a_report_or_data_is_unknown_with_a_reason(make_minion: MakeMinion) -> None:
    bare = make_minion(case([package("libssl3", "1.0", source="openssl")], []))
    (host,) = asked(bare, "CVE-2026-1001").asked[0].hosts
    assert host.state == "unknown" and host.reason
    bare("scan")
    (host,) = asked(bare, "CVE-2026-1001").asked[0].hosts
    assert host.state == "unknown" and "ssmpatch.advisories" in host.reason
    assert report_of(bare("report")).totals.cves.open == ()
