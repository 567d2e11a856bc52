# SPDX-License-Identifier: Apache-2.0
"""The master's memory: the daily series, open patches, the time until they are closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.fleet import fleetreport, history
from support.reports import NOW, minion_return

DAY = 86400


def missing(*names: str, level: str = "HIGH", at: float = NOW) -> dict[str, Any]:
    """What a minion returns that lacks these packages, by a report made at that time."""
    from support.reports import utc

    _, returned = minion_return(3, rows=0)
    assert returned is not None
    found: dict[str, Any] = returned["ssmpatch.report"]
    found["summary"]["OperationEndTime"] = utc(at)
    found["compliance"] = "NON_COMPLIANT" if names else "COMPLIANT"
    found["patches"] = [{"Id": name, "PatchState": "Missing", "Severity": level} for name in names]
    return returned


def record(path: Path, at: float, scope: str = "glob:*", **hosts: Any) -> history.Trends:
    made = fleetreport.make_report(
        hosts.items(), expected=list(hosts), target="*", clock=lambda: at, stale_after=7 * DAY
    )
    return history.update(path, scope=scope, hosts=made.hosts, totals=made.totals, now=at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / history.FILE


def test_a_line_a_day_the_last_report_of_the_day_counts(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64"), b=missing())
    record(path, NOW + 60, a=missing(at=NOW + 50), b=missing())
    trends = record(path, NOW + DAY, a=missing(at=NOW + DAY), b=None)
    assert [day.day for day in trends.days] == ["2026-11-20", "2026-11-21"]
    assert [day.values["COMPLIANT"] for day in trends.days] == [2, 1]
    assert [day.hosts for day in trends.days] == [2, 2] and trends.days[1].values["UNREACHABLE"] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_scope_has_its_own_series(path: Path) -> None:
    record(path, NOW, a=missing(), b=missing("x.amd64"))
    trends = record(path, NOW, scope="glob:a", a=missing())
    assert [day.hosts for day in trends.days] == [1]


def test_time_to_patch_is_measured_from_report_to_report_by_level(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64", "y.amd64"), b=missing("x.amd64", level="LOW"))
    record(path, NOW + DAY, a=missing("y.amd64", at=NOW + DAY), b=missing("x.amd64", level="LOW", at=NOW + DAY))
    trends = record(path, NOW + 3 * DAY, a=missing(at=NOW + 3 * DAY), b=missing(at=NOW + 2 * DAY))
    assert trends.mean_seconds == (("HIGH", 2, 2 * DAY), ("LOW", 1, 2 * DAY))
    assert trends.oldest == ()


def test_a_report_that_is_seen_twice_counts_once(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64"))
    record(path, NOW + DAY, a=missing(at=NOW + DAY))
    trends = record(path, NOW + 2 * DAY, a=missing(at=NOW + DAY))
    assert trends.mean_seconds == (("HIGH", 1, DAY),)
    # An older report than the one that is known, read late, changes nothing.
    trends = record(path, NOW + 2 * DAY, a=missing("x.amd64", at=NOW + 60))
    assert trends.oldest == ()


def test_the_oldest_open_patches_of_the_hosts_asked_for(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64"), b=missing("y.amd64"))
    record(path, NOW + DAY, a=missing("x.amd64", "z.amd64", level="CRITICAL", at=NOW + DAY), b=missing("y.amd64"))
    trends = record(path, NOW + DAY, scope="glob:a", a=missing("x.amd64", "z.amd64", at=NOW + DAY))
    assert [(each.host, each.patch, each.since) for each in trends.oldest] == [
        ("a", "x.amd64", NOW),
        ("a", "z.amd64", NOW + DAY),
    ]
    assert trends.oldest[0].level == "CRITICAL"


def test_a_host_that_falls_silent_keeps_what_it_lacked_and_when_it_was_seen(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64"))
    trends = record(path, NOW + 30 * DAY, a=None)
    assert trends.last_seen == (("a", NOW),) and [each.patch for each in trends.oldest] == ["x.amd64"]
    assert trends.mean_seconds == ()
    trends = record(path, NOW + 400 * DAY, a=None)
    assert trends.last_seen == () and trends.oldest == () and trends.mean_seconds == ()


def test_a_damaged_file_is_set_aside_with_a_warning(path: Path) -> None:
    record(path, NOW, a=missing("x.amd64"))
    path.write_bytes(b"not a database" * 1000)
    trends = record(path, NOW + 60, a=missing("x.amd64"))
    assert len(trends.days) == 1 and "set aside as fleet-history.sqlite.damaged-" in trends.warnings[0]
    assert record(path, NOW + 120, a=missing()).warnings == ()


def test_nothing_is_half_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(path, NOW, a=missing("x.amd64"))

    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(history, "_forget", fail)
    with pytest.raises(SsmpatchError, match="the history cannot be written: disk full"):
        record(path, NOW + DAY, a=missing(at=NOW + DAY))
    monkeypatch.undo()
    trends = record(path, NOW + 2 * DAY, a=missing("x.amd64", at=NOW + 2 * DAY))
    assert [day.day for day in trends.days] == ["2026-11-20", "2026-11-22"] and trends.mean_seconds == ()


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    record(path, NOW, a=missing())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SsmpatchError, match="another version"):
        record(path, NOW, a=missing())
