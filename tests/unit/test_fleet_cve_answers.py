# SPDX-License-Identifier: Apache-2.0
"""What minions answer when they are asked for a CVE: who is affected first, and nobody is fine who cannot say so."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest

from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.fleet import cve_report
from ssmpatchlib.fleet.cve_answers import STATES, CveAnswer, read_answer, standing
from ssmpatchlib.fleet.cve_report import ask_cves, make_cve_report
from ssmpatchlib.fleet.cve_text import ROW_COLUMNS, render_asked
from ssmpatchlib.fleet.untrusted import Pool
from support.cve_reports import answer, row
from support.fake_fleet import FakeFleet, FakeMinion
from support.reports import NOW

CVE = "CVE-2026-1234"


def report(ids: Any = (CVE,), **answers: Any) -> cve_report.CveReport:
    return make_cve_report(answers.items(), list(ids), expected=list(answers), target="*", now=NOW)


def said(*rows: Any, **changes: Any) -> dict[str, Any]:
    return {"data": "DEBIAN-12", "time": "", "problem": "", "cves": list(rows), "warnings": [], **changes}


def state(returned: Any, asked: str = CVE, *, alone: bool = True) -> tuple[str, str]:
    found = standing(read_answer("m", returned, pool=Pool()), asked, alone=alone)
    return found.state, found.reason


def table(made: cve_report.CveReport, columns: int = 80) -> list[str]:
    return "".join(render_asked(made, format="table", columns=columns)).splitlines()


@pytest.mark.parametrize("name", [each for each in STATES if each not in ("unreachable", "cannot be read")])
def test_a_host_stands_as_its_row_says(name: str) -> None:
    assert state(said(row(CVE, name)))[0] == name


def test_the_worst_package_counts() -> None:
    assert state(said(row(CVE, "fixed"), row(CVE, "fix kept out"), row(CVE, "not affected")))[0] == "fix kept out"
    assert state(said(row(CVE, "fixed"), row(CVE, "unknown", reason="no data")))[0] == "unknown"


@pytest.mark.parametrize(
    ("returned", "expected", "words"),
    [
        ("'ssmpatch.cve' is not available.", "unknown", "no function cve; bring it a newer one"),
        ("ERROR: no report is stored yet", "unknown", "ERROR: no report is stored yet"),
        ("Traceback (most recent call last):\n  x\nKeyError: 'x'", "unknown", "'x'"),
        ("", "unknown", "an empty answer"),
        (said(row(CVE, "fixed"), problem="the feed is 40 days old"), "unknown", "the feed is 40 days old"),
        (said(), "unknown", "it says nothing of it"),
        (5, "cannot be read", "its answer: 5"),
        ([row(CVE, "fixed")], "cannot be read", "its answer"),
        ({}, "cannot be read", "cves: None"),
        (said(row(CVE, "fixed"), row(CVE, "fine")), "cannot be read", "cves[1]"),
        (said(row(CVE, "fixed"), row("x", "fixed")), "cannot be read", "cves[1]"),
        (said(*[row(CVE, "fixed")] * 5001), "cannot be read", "more than 5000 rows"),
        (said({**row(CVE, "fixed"), "state": {"a": 1}}), "cannot be read", "cves[0]"),
        # What is affected is believed whatever else cannot be read.
        (said(row(CVE, "fix available"), 5, problem="half of it"), "fix available", ""),
    ],
)
def test_nobody_is_fine_who_cannot_say_so(returned: Any, expected: str, words: str) -> None:
    found, reason = state(returned)
    assert found == expected and words in reason


def test_an_advisory_stands_for_its_cves_and_ids_are_asked_for_in_any_case() -> None:
    rows = said(row("CVE-2026-1", "fixed"), row("CVE-2026-2", "fix available", advisories=["USN-1-1"]))
    made = report(("usn-1-1", "cve-2026-1", "CVE-2026-9"), a=rows)
    assert [(each.id, each.numbers) for each in made.asked] == [
        ("USN-1-1", {"fix available": 1}), ("CVE-2026-1", {"fixed": 1}), ("CVE-2026-9", {"unknown": 1}),
    ]  # fmt: skip


def test_a_vendors_record_of_a_cve_is_that_of_the_cve() -> None:
    made = report(
        ["debian-cve-2026-1234", "CVE-2026-9999", CVE], m=said(row(CVE, "fixed"), row("CVE-2026-9999", "unknown"))
    )
    assert [(each.id, each.hosts[0].state) for each in made.asked] == [(CVE, "fixed"), ("CVE-2026-9999", "unknown")]


def test_what_is_said_of_the_id_itself() -> None:
    asked = report(a=said(row(CVE, "fixed", severity="low")), b=said(row(CVE, "fixed", exploited="2024-01-02"))).asked[
        0
    ]
    assert (asked.severity, asked.exploited, asked.published) == ("high", "2024-01-02", "2026-01-05T00:00:00Z")
    assert asked.advisories == ("DSA-5747-1",)
    lower, undated = row(CVE, "fixed", exploited="2026-02-03"), row(CVE, "fixed", exploited="yes")
    assert report(a=said(undated)).asked[0].exploited == "yes"
    assert table(report(a=said(undated)))[0].startswith(f"{CVE}, high, exploited, published")
    assert report(a=said(lower), b=said(undated)).asked[0].exploited == "2026-02-03"
    hostile = row(CVE, "fixed", references=["javascript:alert(1)", "https://x/y", "http://x"], advisories=["<b>", 5])
    asked = report(a=said(hostile)).asked[0]
    assert asked.references == ("https://x/y",) and asked.advisories == ()


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("number", [1, 3000])
def test_the_table(columns: int, number: int) -> None:
    names = [f"web-{each:05d}.fra.example.net" for each in range(number)]
    answers = [(name, answer(each)) for each, name in enumerate(names)]
    made = make_cve_report(answers, [CVE], expected=[*names, "web-gone"], target="web*", now=NOW)
    shown = table(made, columns)
    assert max(map(len, shown)) <= columns
    numbers = dict(reversed(line.strip().split("  ", 1)) for line in shown if line.startswith("    ") and "  " in line
                   and line.split()[0].replace(",", "").isdigit())  # fmt: skip
    assert {word: int(each.replace(",", "")) for word, each in numbers.items()} == made.asked[0].numbers
    assert sum(made.asked[0].numbers.values()) == number + 1
    text = "\n".join(shown)
    assert [name for name in (*names, "web-gone") if name not in text] == []
    assert "exploited since 2026-06-01" in text
    if number > 1:
        order = [
            text.index(f"\n  {each}") for each in ("fix available", "affected, no fix yet", "unknown: ", "fixed, ")
        ]
        assert order == sorted(order)
        assert "unknown: the feed DEBIAN-12 is 40 days old (250)" in text
        assert "fixed, and still running the old code" in text and ": nginx.service" in text


def test_reasons_stand_above_their_rows() -> None:
    made = report(
        a=said(row(CVE, "fix available", approved=False, reason="rule 1 waits 7 days")),
        b=said(row(CVE, "fix kept out", subscription=True, reason="only with Ubuntu Pro"), row(CVE, "fixed")),
        c=said(row(CVE, "fix available", reason="")),
    )
    shown = table(made)
    assert shown[shown.index("    rule 1 waits 7 days; not approved") + 1].split()[:3] == ["a", "openssl", "3.0.11-1"]
    assert shown[shown.index("    only with Ubuntu Pro; by subscription") + 1].split()[0] == "b"
    assert any(line.split()[:2] == ["c", "openssl"] for line in shown)


def test_json_and_csv_have_every_row() -> None:
    made = make_cve_report(
        [(f"m{number:02d}", answer(number)) for number in range(12)],
        [CVE],
        expected=["m00", "gone"],
        target="*",
        now=NOW,
    )
    document = json.loads("".join(render_asked(made, format="json", columns=80)))
    assert document["cves"][0]["numbers"] == made.asked[0].numbers and len(document["hosts"]) == 13
    states = {host["id"]: host["states"][CVE] for host in document["hosts"]}
    assert states["m00"] == "fix available" and states["gone"] == "unreachable"
    assert document["hosts"][1]["rows"][0]["advisories"] == ["DSA-5747-1"]
    lines = list(csv.DictReader(io.StringIO("".join(render_asked(made, format="csv", columns=80)))))
    assert tuple(lines[0]) == ROW_COLUMNS and {line["Host"] for line in lines} == set(states)
    assert [line["Index"] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]


def test_a_cell_is_no_formula() -> None:
    made = report(a=said(row(CVE, "fixed", package="=1+1", reason="@x")))
    (line,) = csv.DictReader(io.StringIO("".join(render_asked(made, format="csv", columns=80))))
    assert line["Package"] == "'=1+1" and line["Reason"] == "'@x"


def test_the_minions_are_asked_once_for_what_their_last_scan_stored() -> None:
    fleet = FakeFleet({name: FakeMinion(checks={"ssmpatch.cve": said(row(CVE, "fixed"))}) for name in "abc"})
    fleet.minions["c"] = FakeMinion(away=((0, 1e9),))
    calls: list[Any] = []
    seam = fleet.salt()
    publish = seam.publish

    def publishing(job: str, names: Any, call: Any) -> None:
        calls.append(call)
        publish(job, names, call)

    made = ask_cves(dataclasses.replace(seam, publish=publishing), [CVE], tgt="*", tgt_type="glob", timeout=5)
    assert made.asked[0].numbers == {"unreachable": 1, "fixed": 2}
    (call,) = calls
    assert call.functions == ("ssmpatch.cve",)
    assert call.args == (({"__kwarg__": True, "ids": [CVE], "stored": True},),)
    with pytest.raises(InvalidInput, match="no accepted minion matches 'x\\*'"):
        ask_cves(seam, [CVE], tgt="x*", tgt_type="glob", timeout=5)


def test_an_answer_that_nobody_thought_of_is_named() -> None:
    class Strange(dict):  # type: ignore[type-arg]
        def get(self, *_: Any) -> Any:
            raise RuntimeError

    assert read_answer("m", Strange(a=1), pool=Pool()) == CveAnswer("m", unreadable="its answer (RuntimeError)")
