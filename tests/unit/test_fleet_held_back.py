# SPDX-License-Identifier: Apache-2.0
"""What frozen sets hold back, on the master: counted apart, no success and no failure, and never closed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import export, fleetreport, gate, history, metrics, minion_states, remediation, text_table
from ssmpatchlib.fleet import settings as fleet_settings
from ssmpatchlib.fleet.hosts import read_report
from ssmpatchlib.fleet.html import html_text
from ssmpatchlib.fleet.settings import Remediation
from support.reports import NOW, minion_return, utc

DAY = 86400
RING = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])[0]


def answer(*missing: str, held_back: tuple[str, ...] = (), at: float = NOW, **more: Any) -> dict[str, Any]:
    """What a minion with a frozen set says that lacks these packages."""
    _, returned = minion_return(3, rows=0)
    assert returned is not None
    found: dict[str, Any] = returned["ssmpatch.report"]
    rows = [{"Id": name, "PatchState": "Missing", "Status": "NON_COMPLIANT", "Severity": "HIGH"} for name in missing]
    summary = {**found["summary"], "OperationEndTime": utc(at), "MissingCount": str(len(missing))}
    by_it = "COMPLIANT" if set(missing) == set(held_back) else "NON_COMPLIANT"
    found |= {"compliance": "NON_COMPLIANT" if missing else "COMPLIANT", "frozen_compliance": by_it}
    found |= {"patches": rows, "held_back": list(held_back), "summary": summary}
    return found | {"baseline": {**found["baseline"], "frozen": "salt://frozen.json"}, **more}


def report(*answers: dict[str, Any]) -> fleetreport.FleetReport:
    pairs = [(f"m{number}", {"ssmpatch.report": each}) for number, each in enumerate(answers)]
    names = [name for name, _ in pairs]
    return fleetreport.make_report(pairs, expected=names, target="*", clock=lambda: NOW, stale_after=7 * DAY)


@pytest.mark.parametrize(
    ("said", "verdict", "by_frozen_set"),
    [
        (answer("x.amd64", held_back=("x.amd64",)), "NON_COMPLIANT", "COMPLIANT"),
        (answer("x.amd64", "y.amd64", held_back=("x.amd64",)), "NON_COMPLIANT", "NON_COMPLIANT"),
        (answer("x.amd64"), "NON_COMPLIANT", "NON_COMPLIANT"),
        (answer(), "COMPLIANT", "COMPLIANT"),
        (answer("x.amd64", held_back=("x.amd64",), frozen_compliance="UNKNOWN"), "NON_COMPLIANT", "UNKNOWN"),
        (answer("x.amd64", held_back=("x.amd64",), patches=[{"Id": "x.amd64"}]), "UNKNOWN", "UNKNOWN"),
        (answer("x.amd64", held_back=("x.amd64",), summary={"MissingCount": "2"}), "NON_COMPLIANT", "NON_COMPLIANT"),
        (answer("x.amd64", held_back=("x.amd64",), held_back_=1), "NON_COMPLIANT", "COMPLIANT"),
        (answer("x.amd64", frozen_compliance="COMPLIANT"), "NON_COMPLIANT", "NON_COMPLIANT"),
        (answer(compliance="UNKNOWN", frozen_compliance="COMPLIANT"), "UNKNOWN", "UNKNOWN"),
        (
            answer(held_back=("x.amd64",), patches=[{"Id": "x.amd64", "PatchState": "Failed"}]),
            "NON_COMPLIANT",
            "NON_COMPLIANT",
        ),
    ],
)
def test_nobody_is_compliant_by_his_frozen_set_against_his_own_rows(
    said: dict[str, Any], verdict: str, by_frozen_set: str
) -> None:
    found = read_report(said, now=NOW)
    assert (found.verdict, found.frozen_verdict) == (verdict, by_frozen_set)


def test_the_fleet_report_counts_it_apart() -> None:
    made = report(answer("x.amd64", "y.amd64", held_back=("x.amd64", "y.amd64")), answer("x.amd64"), answer())
    totals = made.totals
    assert totals.verdicts["COMPLIANT"] == 1 and totals.let_in == 2
    assert (totals.patches["missing"], totals.patches["held_back"]) == (3, 2)
    summary = fleetreport.summary_of(made)
    assert (summary["compliant_percent"], summary["frozen_compliant_percent"]) == (33.33, 66.67)
    assert "2 of the missing held back by frozen sets; 66.7 % of hosts compliant without these" in " ".join(
        text_table.table_text(made).split()
    )
    hosts = json.loads("".join(export.json_text(made)))["hosts"]
    assert [host["counts"]["held_back"] for host in hosts] == [2, 0, 0]
    assert [row["held_back"] for host in hosts for row in host["rows"]] == [True, True, False]
    measured = "".join(metrics.prometheus_text(made)).splitlines()
    samples = {re.sub(r'(minion="\w+")[^}]*', r"\1", line) for line in measured}
    assert samples > {
        'ssmpatch_host_held_back_patches{minion="m0"} 2',
        "ssmpatch_held_back_patches 2",
        "ssmpatch_frozen_compliant_hosts 2",
        'ssmpatch_host_compliant{minion="m0"} 0',
    }
    page = "".join(html_text(made))
    assert "2 missing patches held back by frozen sets. Without these 66.7 % of the hosts are compliant." in page
    assert "with updates held back 1" in page


def test_a_fleet_without_frozen_sets_reads_nothing_of_them() -> None:
    made = report(answer("x.amd64"))
    assert "held back" not in text_table.table_text(made)
    assert "held back by frozen sets" not in "".join(html_text(made))


def verified(said: dict[str, Any]) -> minion_states.Minion:
    waiting = minion_states.Minion(phase=minion_states.VERIFYING, job="1")
    return minion_states.answered(waiting, said, ring=RING, now=NOW, limits=fleet_settings.Limits())


def test_the_gate_judges_by_the_frozen_set_and_says_both_figures() -> None:
    minions = {
        "a": verified(answer("x.amd64", held_back=("x.amd64",))),
        "b": verified(answer()),
        "c": verified(answer("x.amd64", "y.amd64", held_back=("x.amd64",))),
    }
    phases = {name: minion.phase for name, minion in minions.items()}
    assert phases == {"a": minion_states.DONE, "b": minion_states.DONE, "c": minion_states.NON_COMPLIANT}
    assert (minions["a"].held_back, minions["c"].patches) == (1, ("y.amd64",))
    planned = gate.PlannedRing(RING, tuple(minions))
    outcome = gate.judge(planned, minions)
    assert outcome.figures == {"by_frozen_set": 2, "by_baseline": 1}
    assert outcome.problems[0].startswith("2 of 3 minions compliant by the frozen set (1 by the baseline)")
    assert gate.judge(gate.PlannedRing(RING, ("a", "b")), minions).problems == ()


def test_remediation_does_not_fail_on_what_the_frozen_set_holds_back() -> None:
    record = remediation.Record(attempts=(NOW,), job="1")
    held = answer("x.amd64", held_back=("x.amd64",))
    settled = remediation.settle(record, held, limits=Remediation(), now=NOW)
    assert (settled.failures, settled.job) == (0, "")
    both = answer("x.amd64", "y.amd64", held_back=("x.amd64",))
    settled = remediation.settle(record, both, limits=Remediation(), now=NOW)
    assert settled.failures == 1 and settled.reason.startswith("y.amd64")


def test_what_a_frozen_set_holds_back_stays_open(tmp_path: Path) -> None:
    path = tmp_path / history.FILE

    record(path, answer("x.amd64", "y.amd64", at=NOW - 20), NOW - 20)
    trends = record(path, answer("y.amd64", held_back=("y.amd64",), at=NOW - 10), NOW - 10)
    assert [each.patch for each in trends.oldest] == ["y.amd64"]
    assert [number for _, number, _ in trends.mean_seconds] == [1]


def record(path: Path, said: dict[str, Any], at: float) -> history.Trends:
    made = report(said)
    return history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=at)


def test_a_source_that_cannot_be_read_closes_nothing(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    record(path, answer("x.amd64", at=NOW - 20), NOW - 20)
    trends = record(path, answer(at=NOW - 10, compliance="UNKNOWN"), NOW - 10)
    assert [each.patch for each in trends.oldest] == ["x.amd64"] and trends.mean_seconds == ()
    trends = record(path, answer(at=NOW), NOW)
    assert trends.oldest == () and [number for _, number, _ in trends.mean_seconds] == [1]


def test_another_baseline_closes_nothing(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    said = answer("x.amd64", at=NOW - 20)
    record(path, said, NOW - 20)
    other = answer(at=NOW - 10)
    other["summary"]["BaselineId"] = "pb-another"
    trends = record(path, other, NOW - 10)
    assert trends.oldest == () and trends.mean_seconds == ()


def test_a_host_that_lacks_only_what_is_held_back_is_not_patched_again() -> None:
    record = remediation.Record(queued=NOW)
    held = {"ssmpatch.report": answer("x.amd64", held_back=("x.amd64",))}
    assert remediation.asked(record, held, now=NOW)[1] == "its own report says that nothing is to be installed"
    both = {"ssmpatch.report": answer("x.amd64", "y.amd64", held_back=("x.amd64",))}
    assert remediation.asked(record, both, now=NOW)[1] == ""
