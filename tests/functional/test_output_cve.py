# SPDX-License-Identifier: Apache-2.0
"""The table of cve, and the line of a report about CVEs, through Salt's own loader: exact texts, widths, any shape."""

from __future__ import annotations

import functools
import re
import time
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.output
from hypothesis import given, settings
from hypothesis import strategies as st

from support.outputs import options, opts, show
from support.screens import lines_of

__all__ = ["opts"]

OPENSSL: dict[str, Any] = {
    "cve": "CVE-2026-1000",
    "package": "openssl",
    "packages": ["libssl3.amd64", "openssl.amd64"],
    "installed": "3.0.11-1",
    "state": "fix available",
    "fixed": "3.0.13-1",
    "available": "libssl3.amd64:3.0.13-1",
    "updates": ["libssl3.amd64:3.0.13-1", "openssl.amd64:3.0.13-1"],
    "approved": True,
    "reason": "approved by rule 0 (PRIORITY=optional)",
    "advisories": ["DSA-5747-1"],
    "severity": "high",
    "published": "2026-11-02",
    "exploited": "",
    "subscription": False,
    "references": ["https://security-tracker.debian.org/tracker/CVE-2026-1000"],
    "restart": [],
}
LINUX = {
    **OPENSSL,
    "package": "linux",
    "installed": "6.1.158-1",
    "state": "affected, no fix yet",
    "fixed": "",
    "available": "",
    "reason": "",
    "severity": "low",
}
CURL = {
    **OPENSSL,
    "cve": "CVE-2026-3000",
    "package": "curl",
    "installed": "7.88-1",
    "fixed": "7.88-2",
    "state": "fix kept out",
    "reason": "held by dpkg",
    "severity": "",
}
OPEN = [
    {**OPENSSL, "cve": "CVE-2026-1002", "exploited": "2026-11-03"},
    *({**OPENSSL, "cve": f"CVE-2026-{number}"} for number in range(1003, 1010)),
    {**OPENSSL, "cve": "CVE-2026-1010", "severity": "medium"},
    *({**LINUX, "cve": f"CVE-2026-{number}"} for number in range(2000, 2003)),
    CURL,
]
FIXED = {**OPENSSL, "cve": "CVE-2026-7", "installed": "3.0.13-1", "state": "fixed", "restart": ["nginx.service"]}
FIXED |= {"reason": "", "available": ""}
NOT_INSTALLED = {**dict.fromkeys(OPENSSL, ""), "cve": "CVE-2026-8", "state": "not affected"}
NOT_INSTALLED |= {"reason": "not installed: postgresql-15"}
UNHEARD_OF = {**dict.fromkeys(OPENSSL, ""), "cve": "CVE-2026-9", "state": "unknown"}
UNHEARD_OF |= {"reason": "no advisory and no record of the data at hand names it"}


def answer(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"data": "DEBIAN-12", "time": "2026-11-29T10:00:00Z", "problem": ""}
    return {**known, "cves": list(rows), "warnings": [], **more}


EVERYTHING = answer(*OPEN, warnings=["the archive x could not be read"])
EVERYTHING_TEXT = """\
web-1:
  CVEs        13 open, 1 exploited, 9 with a fix on offer
  Known by    the vendor's advisories for DEBIAN-12, 2026-11-29T10:00:00Z

  Exploited (1)
    fix available
      CVE-2026-1002  openssl  3.0.11-1 → 3.0.13-1  high  exploited since 2026-11-03

  Fix available, by package (1)
    approved by rule 0 (PRIORITY=optional)
      openssl  3.0.11-1 → 3.0.13-1  9 CVEs  8 high, 1 medium
          CVE-2026-1002, CVE-2026-1003, CVE-2026-1004, CVE-2026-1005, CVE-2026-1006, CVE-2026-1007
          and 3 more

  Fix kept out, by package (1)
    held by dpkg
      curl  7.88-1 → 7.88-2  1 CVE  CVE-2026-3000

  Affected, no fix yet, by package (1)
    linux  6.1.158-1  3 CVEs  3 low  CVE-2026-2000, CVE-2026-2001, CVE-2026-2002

  Warnings
    - the archive x could not be read"""

ASKED = answer(UNHEARD_OF, NOT_INSTALLED, FIXED, {**OPENSSL, "exploited": "2026-11-03"})
ASKED_TEXT = """\
web-1:
  CVEs        1 open, 1 exploited, 1 with a fix on offer, 2 fixed or not affected, 1 unknown
  Known by    the vendor's advisories for DEBIAN-12, 2026-11-29T10:00:00Z

  CVE         CVE-2026-1000, high, published 2026-11-02
  Exploited   since 2026-11-03
  State       fix available
  Advisories  DSA-5747-1
  Pages       https://security-tracker.debian.org/tracker/CVE-2026-1000

  Packages (1)
    fix available
      openssl  3.0.11-1 → 3.0.13-1
          approved by rule 0 (PRIORITY=optional); on offer: libssl3.amd64:3.0.13-1; installed:
          libssl3.amd64, openssl.amd64

  CVE         CVE-2026-9
  State       unknown
  Because     no advisory and no record of the data at hand names it

  CVE         CVE-2026-7, high, published 2026-11-02
  State       fixed
  Advisories  DSA-5747-1
  Pages       https://security-tracker.debian.org/tracker/CVE-2026-1000

  Packages (1)
    fixed
      openssl  3.0.13-1  still in use by nginx.service; installed: libssl3.amd64, openssl.amd64

  CVE         CVE-2026-8
  State       not affected
  Because     not installed: postgresql-15"""

NOTHING_TEXT = """\
web-1:
  CVEs        none open
  Known by    the advisories of the repositories (updateinfo)"""
WITHOUT_DATA_TEXT = """\
web-1:
  CVEs        not known

  Problem
    - apt's archives publish no advisories"""
ALL = {
    "everything": (EVERYTHING, EVERYTHING_TEXT),
    "asked": (ASKED, ASKED_TEXT),
    "nothing": (answer(data="updateinfo", time=""), NOTHING_TEXT),
    "without data": (answer(data="", time="", problem="apt's archives publish no advisories"), WITHOUT_DATA_TEXT),
}


@pytest.mark.parametrize("name", ALL)
def test_exact_text(name: str, opts: dict[str, Any]) -> None:
    returned, expected = ALL[name]
    assert show({"web-1": returned}, opts) == expected


def test_a_question_is_answered_by_blocks_however_many_are_open(opts: dict[str, Any]) -> None:
    """The answer itself says whether somebody asked, wherever it is shown."""
    assert "\n  CVE  " not in show({"m": {**EVERYTHING, "asked": []}}, opts)
    text = show({"m": {**EVERYTHING, "asked": ["DSA-5747-1"]}}, opts)
    assert text.count("\n  CVE  ") == len(OPEN)


def test_what_is_wrong_with_the_data_is_said_once(opts: dict[str, Any]) -> None:
    problem = "DEBIAN-12.jsonl.gz: its newest record is 30 days old"
    rows = [{**UNHEARD_OF, "cve": cve, "reason": problem} for cve in ("CVE-2026-9", "CVE-2026-10")]
    warnings = [f"advisories: {problem}; judged without them, and no CVE is known", "something else"]
    text = show({"m": answer(*rows, data="", time="", problem=problem, warnings=warnings)}, opts)
    assert text.count("30 days old") == 1 and "  Problem\n    - DEBIAN-12.jsonl.gz" in text
    assert "Because" not in text and "something else" in text
    counts = {"data": "", "time": "", "problem": problem, "counts": {}}
    text = show({"m": report(cves=counts, warnings=warnings)}, opts)
    assert text.count("30 days old") == 1 and "  CVEs        not known, see the warnings\n" in text


def test_an_advisory_is_named_once(opts: dict[str, Any]) -> None:
    row = {**UNHEARD_OF, "cve": "DSA-9-1"}
    text = show({"m": answer(row, id="DSA-9-1", kind="a security advisory of Debian", packages=[])}, opts)
    assert text.count("DSA-9-1") == 1 and "  State       unknown" in text
    assert "\n  Advisory    DSA-9-1\n" in show({"m": answer(row)}, opts)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ALL)
def test_it_fits_on_the_screen(width: int, name: str, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = show({"web-1": ALL[name][0]}, opts)
    assert list(lines_of(text, columns=width)) == text.splitlines()


def test_colours_mark_what_is_exploited_and_change_nothing_else(opts: dict[str, Any]) -> None:
    text = show({"web-1": EVERYTHING}, {**opts, "color": True})
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == EVERYTHING_TEXT
    assert "\x1b[0;1;31mCVE-2026-1002\x1b[0;0m" in text


def test_one_row_and_3000_rows(opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "  CVE         CVE-2026-1000, high" in show({"m": answer(OPENSSL)}, opts)
    rows = [
        {**OPENSSL, "cve": f"CVE-2026-{number}", "package": f"package{number % 100}", "reason": f"rule {number % 3}"}
        for number in range(10000, 13000)
    ]
    began = time.monotonic()
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = show({"m": answer(*rows)}, opts).splitlines()
        assert lines[1] == "  CVEs        3000 open, 3000 with a fix on offer" and len(lines) < 1000
        assert "  Fix available, by package (300)" in lines and max(map(len, lines)) <= width
    assert time.monotonic() - began < 5


def report(**more: Any) -> dict[str, Any]:
    return {"compliance": "COMPLIANT", "summary": {}, "patches": [], "warnings": [], **more}


COUNTS = {
    "open": 12, "exploited": 1, "fixable": 9, "unknown": 2, "unimportant": 3,
    "critical": 0, "high": 4, "medium": 8, "low": 0, "other": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("cves", "expected"),
    [
        (
            {"data": "DEBIAN-12", "time": "2026-11-29T10:00:00Z", "problem": "", "counts": COUNTS},
            [
                "  CVEs        12 open, 1 exploited, 9 with a fix on offer, 2 unknown; 4 high, 8 medium",
                "              by DEBIAN-12, 2026-11-29T10:00:00Z",
            ],
        ),
        (
            {"data": "updateinfo", "time": "", "problem": "", "counts": dict.fromkeys(COUNTS, 0)},
            ["  CVEs        none open", "              by updateinfo"],
        ),
        (
            {"data": "", "time": "", "problem": "DEBIAN-12.jsonl.gz: too old", "counts": {}},
            ["  CVEs        not known: DEBIAN-12.jsonl.gz: too old"],
        ),
        (None, []),
    ],
)
def test_the_lines_of_a_report(cves: Any, expected: list[str], opts: dict[str, Any]) -> None:
    told = report() if cves is None else report(cves={**cves, "open": [], "left_out": 0})
    lines = show({"m": told}, opts).splitlines()
    assert [line for line in lines if line.startswith(("  CVEs", "            "))] == expected


def test_other_shapes_are_printed_as_salt_prints_them(opts: dict[str, Any]) -> None:
    for cves in ("x", None, ["CVE-2026-1"], {"a": 1}):
        odd = {"m": answer(**{"cves": cves})}
        assert show(odd, opts) == show(odd, opts, out="nested")


HOSTILE = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\r\n\u2028z"
CLEAN = "a?]0;title??[2J?31m?gnp.exe z"


def hostile(value: Any) -> Any:
    """The same shape with every text replaced."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("name", ALL)
def test_values_cannot_steer_the_terminal(name: str, opts: dict[str, Any]) -> None:
    text = show({"m": hostile(ALL[name][0])}, opts)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text) and CLEAN in text


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_return_makes_it_fail(data: st.DataObject) -> None:
    row = st.dictionaries(st.sampled_from(sorted(OPENSSL)), ANY)
    made = data.draw(st.fixed_dictionaries(dict.fromkeys(answer(), ANY)))
    made["cves"] = data.draw(st.lists(row, max_size=5))
    cves = data.draw(st.dictionaries(st.sampled_from(["data", "time", "problem", "open"]), ANY))
    cves["counts"] = data.draw(st.dictionaries(st.sampled_from(sorted(COUNTS)), ANY) | ANY)
    text = _outputter()({"m": made, "n": report(cves=cves)})
    assert text.startswith("m:\n  CVEs ") and "\nn:\n  Compliance  COMPLIANT" in text


@functools.cache
def _outputter() -> Any:
    return salt.loader.outputters(options(Path(__file__).parents[2]))["ssmpatch"]
