# SPDX-License-Identifier: Apache-2.0
"""What one minion or one stored file says harms nobody else: it is read by itself, named, and never compliant."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.fleet import collect, export, fleetreport, history, journal, minion_states, remediation, rollout
from ssmpatchlib.fleet import settings as fleet_settings
from ssmpatchlib.fleet.html import html_text
from ssmpatchlib.fleet.salt_client import Call
from ssmpatchlib.fleet.text_table import table_text
from support.fake_fleet import START, FakeFleet, FakeMinion
from support.reports import NOW, minion_return, utc

DAY = 86400
HUGE = 10**5000


def returned(**changes: Any) -> dict[str, Any]:
    """A compliant host's return with some parts of its report changed."""
    _, found = minion_return(3, rows=0)
    assert found is not None
    found["ssmpatch.report"] |= changes
    return found


def dated(when: Any) -> dict[str, Any]:
    found = returned()
    found["ssmpatch.report"]["summary"]["OperationEndTime"] = when
    return found


def make(*, now: float = NOW, **hosts: Any) -> fleetreport.FleetReport:
    return fleetreport.make_report(
        hosts.items(), expected=list(hosts), target="*", clock=lambda: now, stale_after=7 * DAY
    )


# --- shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"patches": [{"PatchState": ["Missing"]}]},
        {"patches": [{"PatchState": {"a": 1}, "Status": "NON_COMPLIANT"}]},
        {"patches": [{"PatchState": "Gone"}]},
        {"patches": [5]},
        {"patches": 5},
        {"patches": None},
        {"patches": "Missing"},
        {"patches": [{"PatchState": "Installed"}] * 20_001},
        {"compliance": ["COMPLIANT"]},
        {"compliance": HUGE},
        {"summary": {"MissingCount": float("nan")}},
        {"summary": {"MissingCount": ["0"]}},
        {"summary": {"MissingCount": HUGE}},
        {"summary": {"MissingCount": "-1"}},
        {"summary": ["MissingCount"]},
    ],
)
def test_what_cannot_be_read_is_named_unknown_and_the_others_are_reported(changes: Any) -> None:
    made = make(hostile=returned(**changes), good=returned())
    assert {each.id: each.verdict for each in made.hosts} == {"hostile": "UNKNOWN", "good": "COMPLIANT"}
    assert "what 1 host said cannot be read in full" in str(made.warnings) and "hostile (" in str(made.warnings)
    assert any(text.startswith("cannot be read: ") for text in made.hosts[1].warnings)


@pytest.mark.parametrize("answer", [5, [5], True, {"ssmpatch.report": 7}, {"ssmpatch.report": [{}]}])
def test_an_answer_that_is_no_report_is_unknown(answer: Any) -> None:
    made = make(hostile=answer, good=returned())
    assert made.totals.verdicts["UNKNOWN"] == made.totals.verdicts["COMPLIANT"] == 1 and "hostile" in made.warnings[0]


def test_secrets_that_a_minion_sends_stand_in_no_report() -> None:
    url = "http://user:hunter2@mirror.example/x?token=s3cret"
    found = returned(warnings=[f"could not read {url}"], compliance="UNKNOWN")
    found["ssmpatch.report"]["baseline"]["name"] = url
    made = make(a=found, b=f"ERROR: {url}", c={"ssmpatch.report": {"compliance": url, "patches": [url]}})
    pieces = [table_text(made), *export.json_text(made), *export.csv_text(made), *html_text(made)]
    assert "mirror.example" in "".join(pieces)
    assert not any(secret in "".join(pieces) for secret in ("hunter2", "s3cret"))


def test_rows_that_can_be_read_count_beside_one_that_cannot() -> None:
    _, found = minion_return(1, rows=2)
    assert found is not None
    found["ssmpatch.report"]["patches"].append({"PatchState": ["Missing"]})
    (host,) = make(a=found).hosts
    assert host.verdict == "NON_COMPLIANT" and len(host.rows) == 2 and host.unreadable


def test_a_host_whose_rows_cannot_be_read_has_patched_nothing(tmp_path: Path) -> None:
    def record(at: float, **hosts: Any) -> history.Trends:
        made = make(now=at, **hosts)
        return history.update(tmp_path / "h", scope="*", hosts=made.hosts, totals=made.totals, now=at)

    lacking = returned(compliance="NON_COMPLIANT", patches=[{"Id": "x.amd64", "PatchState": "Missing"}])
    lacking["ssmpatch.report"]["summary"]["OperationEndTime"] = utc(NOW)
    broken = dated(utc(NOW + DAY))
    broken["ssmpatch.report"]["patches"] = [{"PatchState": ["Missing"]}]
    assert [each.patch for each in record(NOW, a=lacking).oldest] == ["x.amd64"]
    trends = record(NOW + DAY, a=broken)
    assert [each.patch for each in trends.oldest] == ["x.amd64"] and trends.mean_seconds == ()


ANSWERS = [
    {"compliance": "NON_COMPLIANT", "patches": 5},
    {"compliance": "NON_COMPLIANT", "patches": [{"PatchState": ["Missing"]}], "summary": {}},
    {"compliance": ["COMPLIANT"], "patches": []},
    {"compliance": "COMPLIANT", "patches": 5, "summary": {}},
    {"compliance": "COMPLIANT", "patches": [{"PatchState": []}], "summary": {}},
    {"compliance": HUGE},
    [HUGE],
    5,
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_remediation_counts_an_answer_that_cannot_be_read_as_a_failure(answer: Any) -> None:
    record = remediation.Record(attempts=(NOW,), job="1")
    settled = remediation.settle(record, answer, limits=fleet_settings.Remediation(), now=NOW + 60)
    assert settled.failures == 1 and settled.reason and not settled.job


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("phase", [minion_states.CHECKING, minion_states.INSTALLING, minion_states.VERIFYING])
def test_a_rollout_passes_nobody_by_an_answer_that_cannot_be_read(phase: str, answer: Any) -> None:
    ring = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]
    minion = minion_states.Minion(phase=phase, job="1")
    found = minion_states.answered(minion, answer, ring=ring, now=1, limits=fleet_settings.Limits())
    assert found.phase in (minion_states.FAILURES | {minion_states.TO_VERIFY})
    assert found.reason or found.warnings


@pytest.mark.parametrize("free", [float("inf"), float("nan"), [1], "9" * 5000, None])
def test_room_on_a_disk_may_be_anything(free: Any) -> None:
    answer = {
        "ssmpatch.status": {"running": None, "boot_id": "1"},
        "ssmpatch.version": {"operating_system": "DEBIAN", "product": "Debian12"},
        "disk.usage": {"/": {"available": free}},
    }
    ring = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]
    minion = minion_states.Minion(phase=minion_states.CHECKING, job="1")
    found = minion_states.answered(minion, answer, ring=ring, now=1, limits=fleet_settings.Limits())
    assert found.phase == minion_states.READY


# --- times -----------------------------------------------------------------------------------------


def test_a_report_from_the_future_is_stale_named_and_capped() -> None:
    made = make(liar=dated("2099-01-01T00:00:00Z"), slow=dated(utc(NOW + 200)), good=dated(utc(NOW)))
    assert made.totals.stale == ("liar",)
    assert {each.id: each.ended for each in made.hosts} == dict.fromkeys(("liar", "slow", "good"), NOW)
    assert "dated 2099-01-01T00:00:00Z, later than the master's clock" in str(made.warnings)


@pytest.mark.parametrize("when", [None, "", "yesterday", 7, ["2026-11-20T06:30:00Z"], "2026-13-40T06:30:00Z"])
def test_a_report_of_no_time_is_stale_and_named(when: Any) -> None:
    made = make(liar=dated(when), good=dated(utc(NOW)))
    assert made.totals.stale == ("liar",) and "liar (the time of its report cannot be read" in str(made.warnings)


def test_a_report_from_the_future_freezes_no_history(tmp_path: Path) -> None:
    def record(at: float, when: float, *lacks: str) -> history.Trends:
        found = dated(utc(when))
        found["ssmpatch.report"]["patches"] = [{"Id": name, "PatchState": "Missing"} for name in lacks]
        made = make(now=at, a=found)
        return history.update(tmp_path / "h", scope="*", hosts=made.hosts, totals=made.totals, now=at)

    record(NOW, NOW + 70 * 365 * DAY, "x.amd64")
    trends = record(NOW + DAY, NOW + DAY, "y.amd64")
    assert [(each.patch, each.since) for each in trends.oldest] == [("y.amd64", NOW + DAY)]
    assert trends.mean_seconds == (("UNSPECIFIED", 1, DAY),)


def test_a_history_that_was_frozen_by_a_report_from_the_future_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "h"

    def record(at: float, *lacks: str) -> history.Trends:
        found = dated(utc(at))
        found["ssmpatch.report"]["patches"] = [{"Id": name, "PatchState": "Missing"} for name in lacks]
        made = make(now=at, a=found)
        return history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=at)

    record(NOW, "x.amd64")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE host SET seen = 4e9")
        connection.execute("UPDATE open SET since = 4e9")
    assert [each.patch for each in record(NOW + DAY, "y.amd64").oldest] == ["y.amd64"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE open SET level = 9",
        "UPDATE open SET since = 'often'",
        "UPDATE host SET seen = 'x'",
        "UPDATE host SET seen = 9e999",
        "UPDATE daily SET value = 'many'",
        "INSERT INTO closed VALUES ('2026-11-20', -9, 0, 1.0)",
        "DROP TABLE closed",
        "ALTER TABLE host DROP COLUMN seen",
    ],
)
def test_a_history_with_strange_values_is_set_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "h"
    found = returned(patches=[{"Id": "x.amd64", "PatchState": "Missing"}])
    made = make(a=found)
    history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    trends = history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW)
    assert "set aside" in trends.warnings[0] and [each.patch for each in trends.oldest] == ["x.amd64"]


# --- the journal of a rollout ----------------------------------------------------------------------


def rollout_of(tmp_path: Path) -> tuple[Any, FakeFleet, Path]:
    """The settings, fleet and journal of a rollout that has ended."""
    config = fleet_settings.load(None, state_dir=tmp_path / "state")
    fleet = FakeFleet({"p0": FakeMinion(installable=False), "p1": FakeMinion()})
    checks = [{"test.ping": True}]
    rings = fleet_settings.parse_rings([{"name": "all", "tgt": "p*", "gate": {"checks": checks}}])
    rollout.start(config, rings, fleet.salt(), freeze=False, file_roots=[])
    (path,) = (tmp_path / "state" / journal.DIRECTORY).glob("*.json")
    return config, fleet, path


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("id",), ["x"]),
        (("created",), float("nan")),
        (("updated",), "now"),
        (("status",), ["running"]),
        (("status",), "lost"),
        (("ring",), 7),
        (("ring",), -1),
        (("frozen",), {"a": 5}),
        (("rings",), [5]),
        (("rings", 0, "batch"), float("inf")),
        (("rings", 0, "window"), {"start": 5}),
        (("members",), [{"minions": ["p0"], "elsewhere": 0}]),
        (("members", 0, "minions"), [["p0"], "p1"]),
        (("progress", 0, "batch"), "1"),
        (("progress", 0, "soak_until"), 1e300),
        (("progress", 0, "spent"), [None]),
        (("minions", "p0", "phase"), ["ready"]),
        (("minions", "p0", "phase"), "asleep"),
        (("minions", "p0", "since"), {}),
        (("minions", "p0", "job"), 5),
        (("minions", "p0", "patches"), 5),
        (("minions", "p0"), {"phase": "testing", "tested": 3}),
        (("minions", "p0", "more"), 1),
    ],
)
def test_a_journal_of_a_rollout_with_strange_values_is_set_aside(tmp_path: Path, where: Any, value: Any) -> None:
    config, fleet, path = rollout_of(tmp_path)
    document = json.loads(path.read_text())
    inner = document
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(SsmpatchError, match="set aside"):
        rollout.resume(config, fleet.salt(), rollout="", file_roots=[])


@pytest.mark.parametrize("text", ["5", "[]", "{}", '{"version": 1}', "NaN", "[" * 100_000, '"\ud800"', "9" * 5000])
def test_a_journal_may_be_anything(tmp_path: Path, text: str) -> None:
    config, fleet, path = rollout_of(tmp_path)
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(SsmpatchError, match="set aside"):
        rollout.status(config, fleet.salt(), rollout="", details=True)


@pytest.mark.parametrize("text", ["5", "[]", "{", '"a"', "[" * 100_000, "\ud800"])
def test_a_request_to_stop_may_be_anything(tmp_path: Path, text: str) -> None:
    config, fleet, path = rollout_of(tmp_path)
    path.with_suffix(".abort").write_text(text, errors="surrogatepass")
    assert isinstance(journal.abort_requested(config.state_dir, path.stem), str)


class SlowFleet(FakeFleet):
    """A fleet whose scans take a quarter of an hour."""

    def _begin(self, job: str, name: str, call: Call) -> None:
        self.due.append((self.time + 900, job, name, call))


def test_a_report_that_was_made_while_it_was_waited_for_is_not_from_the_future(tmp_path: Path) -> None:
    fleet = SlowFleet({"a": FakeMinion(), "b": FakeMinion()})
    config = fleet_settings.load({}, state_dir=tmp_path)
    made = collect.collect(
        config, fleet.salt(), tgt="*", tgt_type="glob", rescan=True, group_by="", timeout=3600, remember=False
    )
    assert (made.totals.stale, made.warnings) == ((), ())
    assert [host.undated for host in made.hosts] == ["", ""] and made.made == START + fleet.time
