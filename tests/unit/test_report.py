# SPDX-License-Identifier: Apache-2.0
"""The report: AWS's shapes, the selection of rows, the overall verdict."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ssmpatchlib import report, report_form
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.model import Advisory, Package, UnreadSource, Verdict, Version

NOTICE = Advisory(metadata=True)


def verdict(name, state, *, level="UNSPECIFIED", classification="", severity="optional", cves=(), time=None):
    version = Version(name, "amd64", "1.0-1", (NOTICE,))
    package = Package(name, "amd64", installed=version, installed_time=time)
    return Verdict(package, state, version, f"because {name}", level, version, classification, severity, cves)


VERDICTS = [
    verdict("zsh", "Missing", level="CRITICAL", classification="Security", cves=("CVE-1", "CVE-2")),
    verdict("bash", "Installed", time=1635241302),
    verdict("acl", "Failed", level="LOW"),
    verdict("tar", "InstalledOther", cves=("CVE-3",)),
    verdict("dash", "Missing", classification="Security"),
]
ROWS = report.make_rows(VERDICTS, saved_times={})


def summary_of(rows, *, not_applicable=0):
    return report.Summary(
        baseline_id="pb-00000000000000001",
        patch_group="web",
        snapshot_id="snap-1",
        execution_id="run-1",
        counts=report.count_rows(rows, not_applicable=not_applicable),
        operation_type="Scan",
        operation_start_time="2021-11-02T04:15:51Z",
        operation_end_time="2021-11-02T04:16:00Z",
        reboot_option="RebootIfNeeded",
        non_compliant_severity=report.highest_level(rows),
    )


def report_of(rows):
    return report.Report(
        compliance="NON_COMPLIANT",
        summary=summary_of(rows),
        patches=rows,
        baseline=report.BaselinePart("pb-00000000000000001", "test", "DEBIAN"),
        reboot=report.RebootPart("NoReboot", ("bash.amd64:1.0-1",)),
        warnings=("careful",),
        run=report.RunPart("run-1", 9.0),
        held_back=("dash.amd64",),
        frozen_compliance="NON_COMPLIANT",
        changes={"bash": {"old": "", "new": "1.0-1"}},
        restarts=report.RestartsPart(units=("cron.service",), reboot=("init",)),
    )


def test_rows_are_in_awss_order():
    assert [(row.patch_state, row.id) for row in ROWS] == [
        ("Installed", "bash.amd64"),
        ("InstalledOther", "tar.amd64"),
        ("Missing", "dash.amd64"),
        ("Missing", "zsh.amd64"),
        ("Failed", "acl.amd64"),
    ]


def test_cves_are_for_missing_and_failed_and_times_for_installed():
    by_id = {row.id: row for row in ROWS}
    assert by_id["zsh.amd64"].cves == "CVE-1,CVE-2"
    assert by_id["tar.amd64"].cves == ""
    assert by_id["bash.amd64"].installed_time == "2021-10-26T09:41:42Z"
    assert by_id["zsh.amd64"].installed_time == ""


def test_what_is_missing_names_its_advisories():
    advised = tuple(Advisory(metadata=True, id=each) for each in ("RHSA-2026:2", "", "RHSA-2026:1", "RHSA-2026:2"))
    version = Version("zsh", "x86_64", "0:2-1", advised)
    package = Package("zsh", "x86_64", installed=version)
    rows = report.make_rows(
        [Verdict(package, state, version, "", target=version) for state in ("Missing", "Installed")], saved_times={}
    )
    assert {row.patch_state: row.advisories for row in rows} == {
        "Installed": "",
        "Missing": "RHSA-2026:1,RHSA-2026:2",
    }
    whole = report_form.to_plain(report_of(rows))
    assert [row.get("advisories") for row in whole["patches"]] == [None, "RHSA-2026:1,RHSA-2026:2"]
    assert report_form.from_plain(whole).patches == rows


def test_a_saved_time_stands_in():
    rows = report.make_rows([verdict("bash", "Installed")], saved_times={"bash.amd64:1.0-1": 1635241302.7})
    assert rows[0].installed_time == "2021-10-26T09:41:42Z"


def test_the_summary_has_awss_keys_order_and_strings():
    assert list(report_form.summary_content(summary_of(ROWS, not_applicable=7)).items()) == [
        ("BaselineId", "pb-00000000000000001"),
        ("PatchGroup", "web"),
        ("SnapshotId", "snap-1"),
        ("ExecutionId", "run-1"),
        ("InstalledCount", "1"),
        ("InstalledOtherCount", "1"),
        ("InstalledRejectedCount", "0"),
        ("InstalledPendingRebootCount", "0"),
        ("NotApplicableCount", "7"),
        ("MissingCount", "2"),
        ("FailedCount", "1"),
        ("CriticalNonCompliantCount", "1"),
        ("SecurityNonCompliantCount", "2"),
        ("OtherNonCompliantCount", "1"),
        ("OperationType", "Scan"),
        ("OperationStartTime", "2021-11-02T04:15:51Z"),
        ("OperationEndTime", "2021-11-02T04:16:00Z"),
        ("RebootOption", "RebootIfNeeded"),
        ("NonCompliantSeverity", "CRITICAL"),
    ]


@pytest.mark.parametrize(
    ("rows", "severity"),
    [([], ""), ([verdict("a", "Missing")], "INFORMATIONAL"), ([verdict("a", "Missing", level="HIGH")], "HIGH")],
)
def test_the_severity_of_non_compliance(rows, severity):
    assert report.highest_level(report.make_rows(rows, saved_times={})) == severity


def test_compliance_items_have_awss_keys_in_order_and_only_strings():
    items = report_form.compliance_content(report_of(ROWS))
    assert list(items[0]) == [
        *("Id", "Title", "Severity", "Status", "PatchBaselineId", "PatchState", "PatchGroup", "DocumentName"),
        *("DocumentVersion", "InstalledTime", "Classification", "PatchSeverity"),
    ]
    assert list(items[3])[-1] == "CVEIds"
    assert all(isinstance(value, str) for item in items for value in item.values())


@pytest.mark.parametrize(
    ("rows", "unread", "stale", "verdict_"),
    [
        ([], (), False, "COMPLIANT"),
        ([], (UnreadSource("x", "gone"),), False, "UNKNOWN"),
        ([], (), True, "UNKNOWN"),
        (ROWS, (UnreadSource("x", "gone"),), True, "NON_COMPLIANT"),
    ],
)
def test_the_overall_verdict(rows, unread, stale, verdict_):
    assert report.overall(rows, unread=unread, stale=stale) == verdict_


def test_pending_reboot_covers_what_is_installed_and_not_what_is_missing():
    titles = {v.title for v in VERDICTS}
    marked = report.mark_pending(VERDICTS, titles)
    assert [v.state for v in marked] == [
        "Missing",
        "InstalledPendingReboot",
        "Failed",
        "InstalledPendingReboot",
        "Missing",
    ]


def ids(**chosen):
    arguments = {"states": None, "severity": None, "name": None, "details": False, **chosen}
    return [row.id.partition(".")[0] for row in report.select(report_of(ROWS), **arguments).patches]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, ["dash", "zsh", "acl"]),
        ({"details": True}, ["bash", "tar", "dash", "zsh", "acl"]),
        ({"states": "missing,Failed"}, ["dash", "zsh", "acl"]),
        ({"states": ["InstalledOther"]}, ["tar"]),
        ({"severity": "critical"}, ["zsh"]),
        ({"severity": "optional", "details": True}, ["bash", "tar", "dash", "zsh", "acl"]),
        ({"name": "*sh"}, ["bash", "dash", "zsh"]),
        ({"name": ["DASH.amd64", "tar"]}, ["tar", "dash"]),
        ({"name": "dash:amd64,tar:*"}, ["tar", "dash"]),
        ({"name": "*sh", "states": "Missing"}, ["dash", "zsh"]),
    ],
)
def test_rows_are_chosen(chosen, found):
    assert ids(**chosen) == found


def test_a_severity_that_nobody_uses_is_refused():
    with pytest.raises(InvalidInput, match=r"severity: 'Critcal' is not allowed; use CRITICAL, Important"):
        ids(severity="Critcal, low")


def test_a_report_comes_back_from_its_plain_form():
    full = report_of(ROWS)
    form = report_form.to_plain(full)
    assert report_form.is_report(json.loads(json.dumps(form)))
    assert report_form.from_plain(json.loads(json.dumps(form))) == full


def test_what_another_version_stored_besides_is_handed_on():
    form = report_form.to_plain(report_of(ROWS))
    form["patches"][0]["colour"] = "red"
    for part in (form, *(form[key] for key in ("summary", "baseline", "reboot", "run", "restarts"))):
        part["more"] = "text"
    assert report_form.to_plain(report_form.from_plain(form)) == form


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("compliance", None),
        ("summary", {"MissingCount": 1}),
        ("summary", {"MissingCount": "some"}),
        ("summary", {"MissingCount": "9" * 5000}),
        ("baseline", []),
        ("reboot", None),
        ("warnings", [1]),
        ("run", "run-1"),
        ("held_back", "dash.amd64"),
        ("frozen_compliance", None),
        ("restarts", None),
        ("restarts", ["cron.service"]),
        ("restarts", {"units": "cron.service"}),
        ("restarts", {"reboot": [1]}),
        ("patches", {}),
        ("patches", [{"Id": "bash.amd64"}]),
    ],
)
def test_what_lacks_what_readers_rely_on_is_no_report(part, value):
    assert not report_form.is_report({**report_form.to_plain(report_of(ROWS)), part: value})


def test_a_report_says_what_runs_old_code_only_where_somebody_looked():
    looked = report_of(ROWS)
    form = report_form.to_plain(looked)
    assert form["restarts"]["units"] == ["cron.service"]
    assert form["restarts"]["sessions"] == []
    assert report_form.event_data(looked)["restarts"] == form["restarts"]
    unknown = dataclasses.replace(looked, restarts=None)
    assert "restarts" not in report_form.to_plain(unknown)
    assert "restarts" not in report_form.event_data(unknown)
    assert report_form.from_plain(report_form.to_plain(unknown)) == unknown
