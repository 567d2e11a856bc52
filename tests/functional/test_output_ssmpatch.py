# SPDX-License-Identifier: Apache-2.0
"""The outputter, through Salt's own loader: exact text, colours, widths, shapes it does not know, hostile values."""

from __future__ import annotations

import copy
import functools
import operator
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.output
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.fleet import columns
from support.outputs import opts, show
from support.screens import lines_of

__all__ = ["opts"]

REPORT: dict[str, Any] = {
    "compliance": "NON_COMPLIANT",
    "summary": {
        "BaselineId": "pb-0123456789abcdef0",
        "PatchGroup": "",
        "InstalledCount": "210",
        "InstalledOtherCount": "12",
        "InstalledRejectedCount": "0",
        "InstalledPendingRebootCount": "0",
        "NotApplicableCount": "9",
        "MissingCount": "2",
        "FailedCount": "1",
        "CriticalNonCompliantCount": "1",
        "SecurityNonCompliantCount": "2",
        "OtherNonCompliantCount": "0",
        "OperationType": "Install",
        "OperationStartTime": "2026-11-23T21:46:01Z",
        "OperationEndTime": "2026-11-23T21:46:05Z",
        "RebootOption": "RebootIfNeeded",
    },
    "patches": [
        {
            "Id": "openssl.amd64",
            "Title": "openssl.amd64:3.0.15-1",
            "PatchState": "Missing",
            "Severity": "CRITICAL",
            "PatchSeverity": "Important",
            "CVEIds": "CVE-2026-1,CVE-2026-2,CVE-2026-3,CVE-2026-4",
            "installed_version": "3.0.11-1",
            "available_version": "3.0.15-1",
            "reason": "rule 1 approves it",
            "advisories": "DSA-5931-1",
        },
        {
            "Id": "bash.amd64",
            "PatchState": "Missing",
            "Severity": "UNSPECIFIED",
            "PatchSeverity": "",
            "installed_version": "5.2-2",
            "available_version": "5.2-3",
            "reason": "held",
        },
        {
            "Id": "curl.amd64",
            "PatchState": "Failed",
            "Severity": "UNSPECIFIED",
            "PatchSeverity": "",
            "installed_version": "7.1",
            "available_version": "7.2",
            "reason": "dpkg: error processing archive",
        },
    ],
    "baseline": {
        "id": "pb-0123456789abcdef0",
        "name": "linux-web",
        "operating_system": "AMAZON_LINUX_2023",
        "product": "AmazonLinux2023",
        "origin": "pillar ssmpatch:baselines:web",
        "frozen": False,
    },
    "reboot": {
        "option": "RebootIfNeeded",
        "pending": ["linux-image-amd64.amd64"],
        "required_hints": ["/run/reboot-required"],
        "action": "scheduled",
        "due": "2026-11-23T21:47:05Z",
        "reason": "something was installed",
    },
    "restarts": {
        "units": ["nginx.service"],
        "sessions": ["root", "alice"],
        "processes": ["/opt/app/server"],
        "containers": [],
        "reboot": ["dbus.service", "init"],
        "restarted": ["cron.service"],
        "later": ["salt-minion.service"],
    },
    "changes": {"libssl3": {"old": "3.0.11-1", "new": "3.0.15-1"}, "liba.amd64": {"old": "", "new": "1"}},
    "warnings": ["the index of http://deb.example/debian is 3 days old; a fix that came out since is not listed here"],
    "run": {"id": "r1", "duration": 4.12},
}

REPORT_TEXT = """\
web-1:
  Compliance  NON_COMPLIANT
  Baseline    linux-web (pb-0123456789abcdef0), AMAZON_LINUX_2023 AmazonLinux2023
  Origin      pillar ssmpatch:baselines:web
  Operation   Install, 2026-11-23T21:46:05Z, in 4.1 s, run r1
  Patches     2 missing, 1 failed, 210 installed, 12 other, 9 not applicable
  Of these    non-compliant: 1 critical, 2 security
  Reboot      scheduled, due 2026-11-23T21:47:05Z, something was installed
              pending: linux-image-amd64.amd64
              asked for by: /run/reboot-required
  Old code    restarted: cron.service
              restarted after this run: salt-minion.service
              services to restart: nginx.service
              users to log in again: root, alice
              programs: /opt/app/server
              until a reboot: dbus.service, init

  Failed (1)
    dpkg: error processing archive
      curl.amd64  7.1 → 7.2

  Missing (2)
    rule 1 approves it
      openssl.amd64  3.0.11-1 → 3.0.15-1  CRITICAL (Important)
          fixes CVE-2026-1, CVE-2026-2, CVE-2026-3 and 1 more; DSA-5931-1
    held
      bash.amd64     5.2-2 → 5.2-3

  Changed (2)
    liba.amd64  (new) → 1
    libssl3     3.0.11-1 → 3.0.15-1

  Warnings
    - the index of http://deb.example/debian is 3 days old; a fix that came out since is not listed
      here
"""

PLAN: dict[str, Any] = {
    "changes": {"openssl": {"old": "3.0.11-1", "new": "3.0.15-1"}, "libnew": {"old": "", "new": "1.0"}},
    "packages": [
        {
            "name": "openssl",
            "arch": "amd64",
            "id": "openssl.amd64",
            "old": "3.0.11-1",
            "new": "3.0.15-1",
            "target": True,
            "reason": "rule 1 approves it",
        },
        {
            "name": "libnew",
            "arch": "amd64",
            "id": "libnew.amd64",
            "old": None,
            "new": "1.0",
            "target": False,
            "reason": "openssl needs it",
        },
    ],
    "blocked": [{"id": "curl.amd64", "version": "7.2", "reason": "curl : Depends: libgone but it is not installable"}],
    "removals": [],
    "download_size": 12345678,
    "disk_size": -400,
    "warnings": ["held: bash"],
    "baseline": REPORT["baseline"],
    "batches": [["openssl.amd64"]],
}

PLAN_TEXT = """\
web-1:
  Plan        1 update, 1 new package, 1 blocked, in 1 batch
  Baseline    linux-web (pb-0123456789abcdef0), AMAZON_LINUX_2023 AmazonLinux2023
  Origin      pillar ssmpatch:baselines:web
  Size        11.8 MiB to download, 400 bytes freed on disk

  Updates (1)
    rule 1 approves it
      openssl.amd64  3.0.11-1 → 3.0.15-1

  Needed by them (1)
    openssl needs it
      libnew.amd64  (new) → 1.0

  Blocked (1)
    curl : Depends: libgone but it is not installable
      curl.amd64  7.2

  Warnings
    - held: bash
"""

EXPLANATION: list[dict[str, Any]] = [
    {
        "id": "openssl.amd64",
        "installed": "3.0.11-1",
        "state": "Missing",
        "reason": "3.0.15-1 is approved and newer than what is installed",
        "versions": [
            {
                "version": "3.0.11-1",
                "origin": "Debian oldstable",
                "approved": False,
                "rejected": False,
                "level": "UNSPECIFIED",
                "reason": "no security origin, and EnableNonSecurity is off",
                "released": None,
                "advisory": "",
            },
            {
                "version": "3.0.15-1",
                "origin": "Debian-Security",
                "approved": True,
                "rejected": False,
                "level": "CRITICAL",
                "reason": "rule 1",
                "released": "2026-11-01",
                "advisory": "DSA-1",
            },
        ],
    },
    {"id": "openssl-doc.all", "installed": None, "state": "NotApplicable", "reason": "not installed", "versions": []},
]

EXPLANATION_TEXT = """\
web-1:

  Package     openssl.amd64, installed 3.0.11-1
  State       Missing
  Because     3.0.15-1 is approved and newer than what is installed

  Versions (2)
    3.0.11-1  not approved  no security origin, and EnableNonSecurity is off; from Debian oldstable
    3.0.15-1  approved      CRITICAL
        rule 1; from Debian-Security; released 2026-11-01; advisory DSA-1

  Package     openssl-doc.all, not installed
  State       NotApplicable
  Because     not installed
"""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [(REPORT, REPORT_TEXT), (PLAN, PLAN_TEXT), (EXPLANATION, EXPLANATION_TEXT)],
    ids=["report", "plan", "explanation"],
)
def test_exact_text(returned: Any, expected: str, opts: dict[str, Any]) -> None:
    before = copy.deepcopy(returned)
    assert show({"web-1": returned}, opts) == expected.rstrip()
    assert returned == before


def test_what_is_kept_out_is_shown(opts: dict[str, Any]) -> None:
    held = {"held_back": ["openssl.amd64"], "frozen_compliance": "COMPLIANT"}
    text = show({"web-1": {**REPORT, **held}}, opts)
    assert "  Held back   1 of the missing by the frozen set; COMPLIANT without them" in text
    assert "  Held back   openssl.amd64" in show({"web-1": {**PLAN, "held_back": ["openssl.amd64"]}}, opts)
    explanation = copy.deepcopy(EXPLANATION)
    explanation[0]["versions"][1]["kept_out"] = "held back by the frozen set (not in it)"
    text = show({"web-1": explanation}, opts)
    assert "approved, kept out" in text and "rule 1; held back by the frozen set (not in it);" in " ".join(text.split())


def test_colours_follow_the_state_and_change_nothing_else(opts: dict[str, Any]) -> None:
    opts["color"] = True
    text = show({"web-1": REPORT}, opts)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == REPORT_TEXT.rstrip()
    red, end = "\x1b[0;1;31m", "\x1b[0;0m"
    assert f"{red}NON_COMPLIANT{end}" in text
    assert f"{red}openssl.amd64{end}" in text
    compliant = {**REPORT, "compliance": "COMPLIANT", "patches": []}
    assert f"\x1b[0;32mCOMPLIANT{end}" in show({"web-1": compliant}, opts)
    unknown = {**REPORT, "compliance": "UNKNOWN"}
    assert f"\x1b[0;1;33mUNKNOWN{end}" in show({"web-1": unknown}, opts)


@pytest.mark.parametrize("width", [60, 80, 100, 132])
@pytest.mark.parametrize("returned", [REPORT, PLAN, EXPLANATION], ids=["report", "plan", "explanation"])
def test_no_line_is_wider_than_the_terminal(
    width: int, returned: Any, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, show({"web-1": returned}, opts).splitlines())) <= width


def test_every_row_is_printed_in_full_however_narrow(opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = [line.strip() for line in show({"web-1": REPORT}, opts).splitlines()]
    start = lines.index("openssl.amd64  3.0.11-1 → 3.0.15-1")
    assert lines[start + 1] == "CRITICAL (Important)"


def test_what_is_said_of_one_row_stands_behind_it_where_there_is_room(
    opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "fixes CVE-2026-1, CVE-2026-2, CVE-2026-3 and 1 more; DSA-5931-1"
    monkeypatch.setenv("COLUMNS", "132")
    assert f"CRITICAL (Important)  {words}" in show({"web-1": REPORT}, opts)
    monkeypatch.setenv("COLUMNS", "80")
    assert f"CRITICAL (Important)\n          {words}\n" in show({"web-1": REPORT}, opts)


@pytest.mark.parametrize("width", [80, 120])
def test_rows_stand_below_the_reason_that_they_share(
    width: int, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    report = copy.deepcopy(REPORT)
    reasons = ("held", "rule 0 approves it")
    report["patches"] = [{**report["patches"][1], "Id": f"p{n}.amd64", "reason": reasons[n % 2]} for n in range(5)]
    assert (
        "  Missing (5)\n"
        "    held\n"
        "      p0.amd64  5.2-2 → 5.2-3\n      p2.amd64  5.2-2 → 5.2-3\n      p4.amd64  5.2-2 → 5.2-3\n"
        "    rule 0 approves it\n"
        "      p1.amd64  5.2-2 → 5.2-3\n      p3.amd64  5.2-2 → 5.2-3\n"
    ) in show({"web-1": report}, opts)


def rows_of(names: list[str], **fields: Any) -> dict[str, Any]:
    row = {**REPORT["patches"][1], "reason": "approved by rule 0 (PRIORITY=optional)", **fields}
    return {**REPORT, "patches": [{**row, "Id": name} for name in names]}


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_of_80_rows_takes_as_many_lines(
    width: int, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = [f"libpackage{number}-{'x' * (number % 12)}.amd64" for number in range(79)]
    report = rows_of([*names, f"{'long' * 15}.amd64"], available_version="7.88.1-10+deb12u14")
    lines = show({"web-1": report}, opts).splitlines()
    start = lines.index("  Missing (80)")
    table = lines[start : lines.index("", start)]
    assert len(table) <= 2 + 80 + 1 and sum("approved by rule 0" in line for line in table) == 1
    assert {line.index("5.2-2 →") for line in table[2:81]} == {6 + 30 + 2}, "the long name widens no other row"


@pytest.mark.parametrize("width", [40, 61, 80, 120])
def test_wide_characters_take_two_columns(width: int, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = ["パッケージ.noarch", "p.noarch", "대한민국.noarch"]
    report = rows_of(names, reason="規則0により承認されました" * 8, CVEIds="CVE-2026-1")
    report["warnings"] = ["東京の本番サーバー" * 10]
    text = show({"web-1": report}, opts)
    lines = text.splitlines()
    # A line that is too wide would be broken by the terminal.
    assert len(lines_of(text, columns=width)) == len(lines)
    flat = "".join(text.split())
    assert "規則0により承認されました" * 8 in flat and "東京の本番サーバー" * 10 in flat
    rows = [next(line for line in lines if line.strip().startswith(name)) for name in names]
    before = [row.partition("5.2-2")[0] for row in rows]
    assert {len(each) + sum(char > "\u1100" for char in each) for each in before} == {6 + 17 + 2}


def test_3000_rows_with_reasons_of_their_own_take_no_time(opts: dict[str, Any]) -> None:
    report = rows_of([f"p{number}.amd64" for number in range(3000)])
    for number, patch in enumerate(report["patches"]):
        patch["reason"] = f"not installable: reason {number}"
    began = time.process_time()
    assert len(show({"web-1": report}, opts).splitlines()) > 6000
    assert time.process_time() - began < 5


def test_one_word_wider_than_the_screen_is_printed_in_full(
    opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "".join(chr(97 + number % 26) for number in range(300))
    text = show({"web-1": rows_of([name])}, opts)
    assert max(map(len, text.splitlines())) <= 80 and name in re.sub(r"\s", "", text)


@pytest.mark.parametrize("operating_system", ["DEBIAN", "UBUNTU", "RASPBIAN"])
def test_priorities_of_packages_are_not_shown_as_severities(operating_system: str, opts: dict[str, Any]) -> None:
    report = copy.deepcopy(REPORT)
    report["baseline"]["operating_system"] = operating_system
    assert "CRITICAL (Important)" not in show({"web-1": report}, opts)
    assert "CRITICAL" in show({"web-1": report}, opts)


def test_more_than_one_minion(opts: dict[str, Any]) -> None:
    text = show({"web-1": REPORT, "web-2": "Minion did not return. [No response]", "web-3": PLAN}, opts)
    nested = show({"web-2": "Minion did not return. [No response]"}, opts, out="nested")
    assert text == "\n\n".join([REPORT_TEXT.rstrip(), nested, PLAN_TEXT.replace("web-1", "web-3").rstrip()])


def test_what_validate_found(opts: dict[str, Any]) -> None:
    assert show({"web-1": []}, opts) == "web-1:\n  Valid       configuration and baseline; no problem was found"
    assert show({"web-1": ["a: b"]}, opts) == "web-1:\n\n  1 problem\n    - a: b"


@pytest.mark.parametrize(
    "returned",
    [
        "ERROR: busy: install since 10:00, pid 7",
        None,
        True,
        3,
        {},
        {"summary": {}},
        {"summary": [], "patches": []},
        {"summary": {}, "patches": ["a"]},
        {"packages": {}, "blocked": []},
        [{"id": "a"}],
    ],
)
def test_other_shapes_are_printed_as_salt_prints_them(returned: Any, opts: dict[str, Any]) -> None:
    assert show({"web-1": returned}, opts) == show({"web-1": returned}, opts, out="nested")
    opts["output"] = "ssmpatch"
    assert "Maximum recursion" not in show({"web-1": returned}, opts)


@pytest.mark.parametrize("steers", ["\x1b]0;x\x07", "\x9b2J", "\u202e", "\u2066", "\r", "\x00", "\u2028"])
@pytest.mark.parametrize(
    "shape",
    [
        lambda text: f"ERROR: {text}\nsecond line",
        lambda text: {"compliance": text},
        lambda text: {text: text, "rings": [{text: 1}]},
        lambda text: {"packages": {}, "cves": {text: [text]}, "problem": text},
        lambda text: [text, {"id": [[{text: text}]]}],
        lambda text: {"title": text, "parts": [["field", text]]},
    ],
)
def test_what_steers_a_terminal_is_printed_in_no_shape(steers: str, shape: Any, opts: dict[str, Any]) -> None:
    for data in ({"web-1": shape(steers)}, {f"web{steers}": shape(steers)}, shape(steers)):
        printed = show(data, {**opts, "color": False})
        assert "?" in printed and all(char.isprintable() or char == "\n" for char in printed), repr(printed)
    assert show({"web-1": "a\nb"}, opts) == show({"web-1": "a\nb"}, opts, out="nested")


def test_a_progress_event_of_a_runner_is_one_line(opts: dict[str, Any]) -> None:
    event = {"message": "06:30:05 ring canary: \x1b[2Jgate open", "outputter": "ssmpatch"}
    printed = show({"suffix": "progress", "event": event}, opts)
    assert printed.strip("\n").count("\n") == 0 and "\x1b" not in printed and "ring canary" in printed
    assert "suffix" in show({"suffix": "progress", "event": {}, "more": 1}, opts)


def test_what_is_no_mapping_of_minions_is_printed_as_salt_prints_it(opts: dict[str, Any]) -> None:
    assert show("No minions matched the target.", opts) == show("No minions matched the target.", opts, out="nested")


def test_a_report_without_its_optional_parts(opts: dict[str, Any]) -> None:
    assert show({"m": {"compliance": "COMPLIANT", "summary": {"MissingCount": "0"}, "patches": []}}, opts) == (
        "m:\n  Compliance  COMPLIANT\n  Patches     0 missing, 0 failed"
    )


def test_values_cannot_steer_the_terminal(opts: dict[str, Any]) -> None:
    report = copy.deepcopy(REPORT)
    hostile = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\r\n\u2028z"
    report["patches"][0].update(Id=hostile, reason=hostile, installed_version=hostile, PatchState=hostile)
    report["baseline"]["name"] = report["warnings"][0] = hostile
    report["summary"]["MissingCount"] = hostile
    text = show({hostile: report}, opts)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    assert "a?]0;title??[2J?31m?gnp.exe z" in text


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in plain data."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


def with_value(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    *way, last = path
    functools.reduce(operator.getitem, way, changed)[last] = value
    return changed


@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize(
    "value",
    ["inf", "nan", float("nan"), 1e308, -(2**63), 10**400, "x" * 300, "漢" * 300, [], {}],
    ids=lambda value: f"{value!r:.6}",
)
@pytest.mark.parametrize("returned", [REPORT, PLAN, EXPLANATION], ids=["report", "plan", "explanation"])
def test_no_value_of_one_minion_takes_the_others_from_the_screen(
    returned: Any, value: Any, width: int, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Salt ends where an outputter fails with anything but three kinds of errors, and prints nothing of anybody."""
    monkeypatch.setenv("COLUMNS", str(width))
    for path in places(returned):
        text = _outputter()({"m": with_value(returned, path, value), "n": REPORT})
        assert "\n\nn:\n  Compliance  " in text, path
        told = text.partition("\n\nn:\n")[0]
        if "----------" not in told:  # Salt's own outputter, for what is of no shape that is known.
            assert max(columns.width(line) for line in told.splitlines()) <= width, path


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(data=st.data())
def test_no_return_makes_it_fail(data: st.DataObject) -> None:
    known = {key: ANY for key in REPORT if key not in ("summary", "patches")}
    report = data.draw(st.fixed_dictionaries({}, optional=known))
    report["summary"] = data.draw(st.dictionaries(st.sampled_from(sorted(REPORT["summary"])), ANY))
    patch = st.dictionaries(st.sampled_from(sorted(REPORT["patches"][0])), ANY)
    report["patches"] = data.draw(st.lists(patch, max_size=3))
    plan = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(PLAN, ANY)))
    plan["packages"] = data.draw(
        st.lists(st.dictionaries(st.sampled_from(sorted(PLAN["packages"][0])), ANY), max_size=3)
    )
    plan["blocked"] = data.draw(st.lists(st.dictionaries(st.sampled_from(["id", "version", "reason"]), ANY)))
    entry = st.dictionaries(st.sampled_from(sorted(EXPLANATION[0])), ANY)
    explanation = [{**each, "versions": data.draw(st.lists(entry, max_size=2))} for each in data.draw(st.lists(entry))]
    text = _outputter()({"m": report, "n": plan, "o": explanation, "p": data.draw(ANY)})
    assert text.startswith("m:\n  ")


@functools.cache
def _outputter() -> Any:
    options = salt.config.minion_config(None)
    options.update(outputter_dirs=[str(Path(__file__).parents[2] / "_output")], color=False)
    return salt.loader.outputters(options)["ssmpatch"]
