# SPDX-License-Identifier: Apache-2.0
"""What reports say of open CVEs: read from any shape, added up, and shown in every format."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest

from ssmpatchlib.fleet import export, fleetreport, metrics, text_table
from ssmpatchlib.fleet.cve_text import MOST_SHOWN, render_open
from ssmpatchlib.fleet.cves import MAX_CVES, CveCounts, HostCves, read_cves
from ssmpatchlib.fleet.history import Trends
from ssmpatchlib.fleet.history_cves import CveTime
from ssmpatchlib.fleet.untrusted import Pool
from support.cve_reports import fleet_with_cves, group, told
from support.reports import NOW, minion_return

DAY = 86400
OPENSSL = {
    "package": "openssl",
    "installed": "3.0.11-1",
    "state": "fix available",
    "fixed": "3.0.13-1",
    "severity": "high",
    "advisories": "DSA-5747-1",
    "exploited": "CVE-2026-2",
    "cves": "CVE-2026-1,CVE-2026-2",
    "published": "2026-01-05T00:00:00Z",
    "reason": "",
}
KERNEL = OPENSSL | {
    "package": "linux", "state": "affected, no fix yet", "severity": "critical", "advisories": "", "exploited": "",
    "cves": "CVE-2026-2,CVE-2026-3,CVE-2026-4", "published": "2025-03-01T00:00:00Z", "fixed": "",
}  # fmt: skip


def reporting(cves: Any) -> dict[str, Any]:
    """A compliant host's return whose report says this of CVEs."""
    _, returned = minion_return(3, rows=0)
    assert returned is not None
    returned["ssmpatch.report"] |= {} if cves is None else {"cves": cves}
    return returned


def make(**hosts: Any) -> fleetreport.FleetReport:
    pairs = {name: None if cves == "silent" else reporting(cves) for name, cves in hosts.items()}
    return fleetreport.make_report(
        pairs.items(), expected=list(pairs), target="*", clock=lambda: NOW, stale_after=7 * DAY
    )


def read(said: Any) -> HostCves:
    found = read_cves(said, pool=Pool())
    assert found is not None
    return found


# --- reading ---------------------------------------------------------------------------------------


def test_what_a_report_says_is_read() -> None:
    found = read(told([OPENSSL, KERNEL]))
    assert found.complete and found.data == "DEBIAN-12"
    assert found.counts == CveCounts(open=4, exploited=1, fixable=2, unimportant=12, critical=3, high=2)
    assert [each.ids for each in found.groups] == [
        ("CVE-2026-1", "CVE-2026-2"),
        ("CVE-2026-2", "CVE-2026-3", "CVE-2026-4"),
    ]
    assert found.groups[0].exploited == {"CVE-2026-2"} and found.groups[0].advisories == ("DSA-5747-1",)
    assert read_cves(None, pool=Pool()) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (5, "its CVEs cannot be read: 5"),
        ("none", "its CVEs cannot be read: 'none'"),
        ({}, "open: None"),
        (told([OPENSSL], open="x"), "open: 'x'"),
        (told([OPENSSL], open=[5]), "open[0]: 5"),
        (told([OPENSSL | {"state": "fixed"}]), "open[0]: {"),
        (told([OPENSSL | {"state": ["fix available"]}]), "open[0]: {"),
        (told([OPENSSL | {"cves": "CVE-2026-1,<script>"}]), "open[0]: '<script>'"),
        (told([OPENSSL], left_out=-1), "left_out: -1"),
        (told([OPENSSL], counts=[]), "counts: []"),
        (told([OPENSSL], counts={"open": "4"}), "open: '4'"),
        (told([OPENSSL], open=[OPENSSL] * 5001), "more than 5000 groups"),
    ],
)
def test_what_cannot_be_read_makes_a_host_unknown(said: Any, words: str) -> None:
    found = read(said)
    assert words in found.problem and not found.complete
    made = make(odd=said, good=told([KERNEL]))
    assert made.totals.cves.unknown == ("odd",) and made.totals.cves.known == 1
    # What is said of CVEs says nothing of patches.
    assert made.totals.verdicts["COMPLIANT"] == 2


def test_no_counter_is_less_than_what_is_listed() -> None:
    counts = read(told([OPENSSL, KERNEL], counts={"open": 0}, left_out=7)).counts
    assert (counts.open, counts.exploited, counts.fixable) == (11, 1, 2)


def test_ids_are_bounded_and_those_beyond_are_left_out() -> None:
    many = [
        OPENSSL | {"cves": ",".join(f"CVE-2026-{start + each}" for each in range(2000))} for start in (1, 3001, 6001)
    ]
    found = read(told(many))
    assert [len(each.ids) for each in found.groups] == [2000, 2000, 1000]
    assert found.left_out == 6000 - MAX_CVES and found.counts.open == 6000 and not found.complete


def test_equal_groups_are_kept_once() -> None:
    made = fleetreport.make_report(
        fleet_with_cves(80, rows=0), expected=(), target="*", clock=lambda: NOW, stale_after=7 * DAY
    )
    groups = [each for host in made.hosts if host.cves for each in host.cves.groups]
    assert len(groups) > 1400 and len({id(each) for each in groups}) == len(set(groups)) < 130
    assert len({id(name) for each in groups for name in each.ids}) == len({n for each in groups for n in each.ids})


def test_texts_can_be_shown() -> None:
    hostile = "\x1b[31m\u202e" + "x" * 5000
    found = read(told([OPENSSL | {"package": hostile, "reason": "https://user:secret@host/x"}], problem=hostile))
    texts = [found.problem, found.groups[0].package, found.groups[0].reason]
    assert all(len(text) <= 300 and text.isprintable() and "secret" not in text for text in texts)


def test_cves_of_which_a_host_does_not_know_are_not_open_and_not_closed() -> None:
    odd = OPENSSL | {"cves": "CVE-2026-9", "state": "unknown", "exploited": "", "reason": "of another release"}
    made = make(a=told([KERNEL, odd]), b=told([OPENSSL]))
    assert "CVE-2026-9" not in {each.id for each in made.totals.cves.open} and made.totals.cves.unknown == ()
    assert made.hosts[0].cves and made.hosts[0].cves.groups[1].reason == "of another release"


# --- totals ----------------------------------------------------------------------------------------


def test_each_host_counts_once_and_exploited_ones_come_first() -> None:
    made = make(
        a=told([OPENSSL, KERNEL]),
        b=told([KERNEL]),
        c=told([KERNEL | {"severity": "moderate", "installed": "5"}]),
        old=None,
        stale=told([OPENSSL], problem="the feed is 40 days old"),
        gone="silent",
        clean=told([]),
    )
    cves = made.totals.cves
    found = {each.id: (each.severity, each.exploited, each.hosts, each.fixable) for each in cves.open}
    assert list(found) == ["CVE-2026-2", "CVE-2026-3", "CVE-2026-4", "CVE-2026-1"]
    assert found["CVE-2026-2"] == ("critical", True, 4, 2) and found["CVE-2026-1"] == ("high", False, 2, 2)
    assert cves.open[0].packages == ("linux", "openssl") and cves.open[0].published == "2025-03-01T00:00:00Z"
    assert (cves.known, cves.unknown) == (4, ("gone", "old", "stale"))
    assert cves.affected == ("a", "b", "c", "stale") and cves.endangered == ("a", "stale")
    assert cves.by_severity == {"critical": 3, "high": 1, "medium": 0, "low": 0, "other": 0}
    assert fleetreport.summary_of(made)["cves"] == {
        "open": 4, "exploited": 1, "fixable": 2, "by_severity": cves.by_severity, "affected": 4, "exploited_on": 2,
        "unknown": 3, "left_out": 0,
    }  # fmt: skip


def test_a_fleet_that_says_nothing_of_cves_shows_none() -> None:
    made = make(a=None, b="silent")
    assert not made.totals.cves.any and fleetreport.summary_of(made)["cves"] is None
    assert "CVE" not in text_table.table_text(made)
    lines = "".join(metrics.prometheus_text(made)).splitlines()
    assert "ssmpatch_cves_unknown_hosts 2" in lines
    assert not [line for line in lines if line.startswith(("ssmpatch_open", "ssmpatch_oldest"))]


# --- formats ---------------------------------------------------------------------------------------


def test_the_table_has_one_line_of_cves() -> None:
    shown = text_table.table_text(make(a=told([OPENSSL, KERNEL]), b=None))
    assert "  4 open CVEs on 1 host, 1 exploited on 1 host, not known of 1 host\n" in shown


def test_the_json_writes_each_group_once() -> None:
    made = make(a=told([OPENSSL, KERNEL]), b=told([KERNEL]), c=None)
    made = with_times(made, CveTime("CVE-2026-3", NOW - 9 * DAY, 0, 2, 3 * DAY))
    document = json.loads("".join(export.json_text(made)))
    assert [host["cves"] and host["cves"]["groups"] for host in document["hosts"]] == [[0, 1], [1], None]
    assert [each["package"] for each in document["cve_groups"]] == ["openssl", "linux"]
    assert document["cve_groups"][0]["exploited"] == ["CVE-2026-2"]
    known = {each["id"]: each for each in document["cves"]}
    assert known["CVE-2026-3"]["closed"] == 2 and known["CVE-2026-3"]["mean_seconds"] == 3 * DAY
    assert known["CVE-2026-3"]["first_seen"] == "2026-11-11T06:30:00Z" and "closed" not in known["CVE-2026-4"]


def with_times(made: fleetreport.FleetReport, *times: CveTime) -> fleetreport.FleetReport:
    return dataclasses.replace(made, trends=Trends(cves=times))


def test_the_csv_counts_where_it_is_known() -> None:
    made = make(a=told([OPENSSL, KERNEL]), b=None, c=told([], problem="too old"), d=told([]))
    lines = list(csv.DictReader(io.StringIO("".join(export.csv_text(made)))))
    assert [[line[name] for name in export.CVE_COLUMNS] for line in lines] == [
        ["4", "1", "2"], ["", "", ""], ["", "", ""], ["0", "0", "0"],
    ]  # fmt: skip


def test_metrics_count_cves_of_the_fleet_and_of_hosts() -> None:
    made = make(a=told([OPENSSL, KERNEL]), b=told([KERNEL]), c=None, d=told([]))
    made = with_times(
        made, CveTime("CVE-2026-3", NOW - 9 * DAY, 0, 0, 0), CveTime("CVE-2026-1", NOW - 2 * DAY, 0, 0, 0)
    )
    lines = "".join(metrics.prometheus_text(made)).splitlines()
    published = 1740787200  # of CVE-2026-2 and CVE-2026-4, which have no history: 2025-03-01
    assert [line for line in lines if "_cve" in line and not line.startswith(("#", "ssmpatch_host"))] == [
        "ssmpatch_cves_unknown_hosts 1",
        'ssmpatch_open_cves{severity="critical"} 3',
        'ssmpatch_open_cves{severity="high"} 1',
        'ssmpatch_open_cves{severity="medium"} 0',
        'ssmpatch_open_cves{severity="low"} 0',
        'ssmpatch_open_cves{severity="other"} 0',
        "ssmpatch_open_exploited_cves 1",
        f'ssmpatch_oldest_open_cve_time_seconds{{severity="critical"}} {published}',
        f'ssmpatch_oldest_open_cve_time_seconds{{severity="high"}} {NOW - 2 * DAY:.0f}',
        f"ssmpatch_oldest_open_exploited_cve_time_seconds {published}",
    ]
    hosts = [
        line.partition("{")[0] + line.rpartition("}")[2] for line in lines if line.startswith("ssmpatch_host_open")
    ]
    assert hosts == [
        "ssmpatch_host_open_cves 4",
        "ssmpatch_host_open_cves 3",
        "ssmpatch_host_open_cves 0",
        "ssmpatch_host_open_exploited_cves 1",
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_open_cves_of_a_fleet_as_a_table(columns: int) -> None:
    made = make(a=told([OPENSSL, KERNEL]), b=told([KERNEL]), old=None)
    shown = "".join(render_open(made, format="table", columns=columns)).splitlines()
    assert shown[2:4] == ["  4 open CVEs, 1 exploited, 2 with a fix on offer", "  2 hosts affected, 2 known in full"]
    assert [line.split()[0] for line in shown[7:11]] == ["CVE-2026-2", "CVE-2026-3", "CVE-2026-4", "CVE-2026-1"]
    assert shown[7].split()[1:5] == ["critical", "exploited", "2", "1"]
    assert ("DSA-5747-1" in shown[7]) == (columns == 120)
    assert shown[-2:] == ["  not known: its report says nothing of CVEs (1)", "    old"]


def test_a_table_of_very_many_cves_says_how_many_more_there_are() -> None:
    made = make(a=told([group(1, number, size=60) for number in range(20)]))
    shown = "".join(render_open(made, format="table", columns=80)).splitlines()
    number = len(made.totals.cves.open)
    assert number > MOST_SHOWN and shown[-1] == f"    and {number - MOST_SHOWN:,} more"
    assert max(map(len, shown)) <= 80
    document = json.loads("".join(render_open(made, format="json", columns=80)))
    lines = list(csv.DictReader(io.StringIO("".join(render_open(made, format="csv", columns=80)))))
    assert len(document["cves"]) == len(lines) == number
    assert [each["id"] for each in document["cves"]] == [line["CVE"] for line in lines]
