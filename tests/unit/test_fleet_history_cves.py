# SPDX-License-Identifier: Apache-2.0
"""The master's memory of CVEs: since when each is open, which hosts closed it, and how long that took."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import fleetreport, history, history_cves
from ssmpatchlib.fleet.history_cves import CveTime
from support.cve_reports import told
from support.reports import NOW, minion_return, utc

DAY = 86400
GROUP = {
    "package": "openssl", "installed": "1", "state": "fix available", "fixed": "2", "severity": "high",
    "advisories": "", "exploited": "", "published": "", "reason": "",
}  # fmt: skip


def opened(ids: str, *, at: float = NOW, state: str = "fix available", exploited: str = "", **changes: Any) -> Any:
    """What a minion returns whose report, made at that time, says that these CVEs are open."""
    _, returned = minion_return(3, rows=0)
    assert returned is not None
    report = returned["ssmpatch.report"]
    report["summary"]["OperationEndTime"] = utc(at)
    groups = [GROUP | {"cves": ids, "state": state, "exploited": exploited}] if ids else []
    report["cves"] = told(groups, **changes)
    return returned


def saying_nothing(at: float) -> Any:
    returned = opened("", at=at)
    del returned["ssmpatch.report"]["cves"]
    return returned


def unknown(at: float) -> Any:
    returned = opened("", at=at)
    returned["ssmpatch.report"]["compliance"] = "UNKNOWN"
    return returned


def record(path: Path, at: float, **hosts: Any) -> dict[str, CveTime]:
    made = fleetreport.make_report(
        hosts.items(), expected=list(hosts), target="*", clock=lambda: at, stale_after=7 * DAY
    )
    trends = history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=at)
    assert trends.warnings == ()
    return {each.id: each for each in trends.cves}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / history.FILE


def test_when_a_cve_was_first_seen_and_when_the_last_host_closed_it(path: Path) -> None:
    record(path, NOW, a=opened("CVE-1-1", at=NOW - DAY), b=opened("CVE-1-1"))
    found = record(path, NOW + 2 * DAY, a=opened("", at=NOW + DAY), b=opened("CVE-1-1", at=NOW + DAY))
    assert found["CVE-1-1"] == CveTime("CVE-1-1", NOW - DAY, 0, 1, 2 * DAY)
    found = record(path, NOW + 6 * DAY, a=opened("", at=NOW + 5 * DAY), b=opened("", at=NOW + 4 * DAY))
    assert found["CVE-1-1"] == CveTime("CVE-1-1", NOW - DAY, NOW + 4 * DAY, 2, 3 * DAY)


def test_only_what_has_a_fix_or_is_exploited_is_followed(path: Path) -> None:
    record(path, NOW, a=opened("CVE-1-1,CVE-1-2", state="affected, no fix yet", exploited="CVE-1-2"))
    found = record(path, NOW + DAY, a=opened("", at=NOW + DAY))
    assert [(each.id, each.closed, each.mean) for each in found.values()] == [("CVE-1-2", 1, DAY)]
    found = record(path, NOW + 2 * DAY, a=opened("CVE-1-1", state="affected, no fix yet", at=NOW + 2 * DAY))
    assert found["CVE-1-1"] == CveTime("CVE-1-1", NOW, 0, 0, 0)
    # The time to patch begins with the fix.
    record(path, NOW + 9 * DAY, a=opened("CVE-1-1", at=NOW + 9 * DAY))
    found = record(path, NOW + 10 * DAY, a=opened("", at=NOW + 10 * DAY))
    assert (found["CVE-1-1"].closed, found["CVE-1-1"].mean) == (1, DAY)


@pytest.mark.parametrize(
    "unsure",
    [
        lambda at: opened("", at=at, problem="the feed is 40 days old"),
        lambda at: opened("", at=at, left_out=3),
        lambda at: opened("", at=at, open="x"),
        lambda at: opened("CVE-1-1", at=at, state="unknown"),
        saying_nothing,
        unknown,
        lambda at: None,
    ],
    ids=["problem", "left out", "unreadable", "this one", "missing", "unknown", "silent"],
)  # fmt: skip
def test_a_host_whose_cves_are_unknown_closes_nothing(path: Path, unsure: Any) -> None:
    record(path, NOW, a=opened("CVE-1-1"), b=opened("CVE-1-1"))
    found = record(path, NOW + DAY, a=unsure(NOW + DAY), b=opened("CVE-1-1", at=NOW + DAY))
    assert found["CVE-1-1"].closed == 0
    found = record(path, NOW + 2 * DAY, a=opened("", at=NOW + 2 * DAY), b=opened("", at=NOW + 2 * DAY))
    assert found["CVE-1-1"] == CveTime("CVE-1-1", NOW, NOW + 2 * DAY, 2, 2 * DAY)


def test_other_data_close_nothing_in_time(path: Path) -> None:
    record(path, NOW, a=opened("CVE-1-1,CVE-1-2"))
    record(path, NOW + DAY, a=opened("CVE-1-2", at=NOW + DAY, data="updateinfo"))
    found = record(path, NOW + 2 * DAY, a=opened("", at=NOW + 2 * DAY, data="updateinfo"))
    assert [(each.id, each.closed) for each in found.values()] == [("CVE-1-2", 1)]


def test_a_host_is_followed_in_at_most_so_many_cves_those_first_that_are_exploited(path: Path) -> None:
    ids = [f"CVE-1-{number}" for number in range(1200)]
    record(path, NOW, a=opened(",".join(ids), exploited="CVE-1-1199,CVE-1-700"))
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT host, length(cves) / 4 FROM open_cves").fetchall()
    connection.close()
    assert rows == [(1, history_cves.MOST_OF_A_HOST)]
    found = record(path, NOW + DAY, a=opened(ids[5], at=NOW + DAY))
    assert sum(each.closed for each in found.values()) <= history_cves.SHOWN_CLOSED + 1
    with sqlite3.connect(path) as connection:
        closed = {name for (name,) in connection.execute("SELECT name FROM cve WHERE closed = 1")}
    connection.close()
    assert len(closed) in (499, 500) and {"CVE-1-1199", "CVE-1-700"} <= closed


def test_all_that_is_remembered_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_cves, "MOST", 10)
    for day in range(4):
        ids = ",".join(["CVE-1-1", *(f"CVE-{day + 2}-{number}" for number in range(8))])
        found = record(path, NOW + day * DAY, a=opened(ids, at=NOW + day * DAY))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM cve").fetchone() == (10,)
    connection.close()
    assert found["CVE-1-1"].first == NOW
    assert record(path, NOW + 1200 * DAY, a=None) == {}


def test_a_report_of_long_ago_makes_no_cve_older_than_hosts_are_remembered(path: Path) -> None:
    found = record(path, NOW, a=opened("CVE-1-1", at=1.0))
    assert found["CVE-1-1"].first == NOW - history.FORGET_HOST_SECONDS


def test_a_report_of_before_1970_is_of_no_time_and_harms_no_history(path: Path) -> None:
    record(path, NOW, a=opened("CVE-1-1", at=NOW))
    early = opened("CVE-1-1")
    early["ssmpatch.report"]["summary"]["OperationEndTime"] = "0001-01-01T00:00:00Z"
    record(path, NOW + 60, a=opened("CVE-1-1", at=NOW + 60), b=early)
    assert record(path, NOW + 120, a=opened("CVE-1-1", at=NOW + 120))["CVE-1-1"].first == NOW


def test_a_history_without_these_tables_goes_on(path: Path) -> None:
    record(path, NOW, a=opened("CVE-1-1"))
    with sqlite3.connect(path) as connection:
        for table in ("cve", "open_cves", "compared"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()
    found = record(path, NOW + DAY, a=opened("CVE-1-2", at=NOW + DAY))
    assert found == {"CVE-1-2": CveTime("CVE-1-2", NOW + DAY, 0, 0, 0)}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cve SET first = 'x'", "UPDATE cve SET closed = -1", "UPDATE cve SET seen = -5.0",
        "UPDATE open_cves SET cves = 'abcd'", "UPDATE open_cves SET cves = x'0102'", "UPDATE compared SET data = x'05'",
        "ALTER TABLE cve RENAME COLUMN seen TO saw",
    ],
)  # fmt: skip
def test_a_history_with_strange_values_is_set_aside(path: Path, change: str) -> None:
    record(path, NOW, a=opened("CVE-1-1"))
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    made = fleetreport.make_report(
        [("a", opened("CVE-1-1"))], expected=["a"], target="*", clock=lambda: NOW, stale_after=DAY
    )
    trends = history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW)
    assert "set aside" in trends.warnings[0] and [each.id for each in trends.cves] == ["CVE-1-1"]
