# SPDX-License-Identifier: Apache-2.0
"""Reports to upload: small ones with known values, and ones of any size."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ssmpatchlib.report import Report
from ssmpatchlib.report_form import from_plain

START = dt.datetime(2026, 3, 1, 4, 15, 51, tzinfo=dt.timezone.utc)


def utc(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def row(name: str, state: str = "Installed", **given: str) -> dict[str, Any]:
    """One row as ``scan`` returns it."""
    bad = state in ("Missing", "Failed", "InstalledRejected", "InstalledPendingReboot")
    found: dict[str, Any] = {
        "Id": f"{name}.x86_64",
        "Title": f"{name}.x86_64:0:1.0-1",
        "PatchState": state,
        "Status": "NON_COMPLIANT" if bad else "COMPLIANT",
        "Severity": given.get("Severity", "UNSPECIFIED"),
        "Classification": given.get("Classification", "Security" if state != "InstalledOther" else ""),
        "PatchSeverity": given.get("PatchSeverity", "Important"),
        "InstalledTime": "2026-01-01T00:00:00Z" if state.startswith("Installed") else "",
    }
    if "CVEIds" in given:
        found["CVEIds"] = given["CVEIds"]
    return {**found, "installed_version": "0:0.9-1", "available_version": "", "reason": "because"}


def make_report(*rows: dict[str, Any], minutes: int = 0, **summary: str) -> Report:
    """A full report of a scan that began ``minutes`` after START and took 20 seconds."""
    began = START + dt.timedelta(minutes=minutes)
    count = {
        state: str(sum(each["PatchState"] == state for each in rows))
        for state in ("Installed", "InstalledOther", "InstalledRejected", "InstalledPendingReboot", "Missing", "Failed")
    }
    bad = [each for each in rows if each["Status"] == "NON_COMPLIANT"]
    content = {
        "BaselineId": "pb-0c7e89f711c3095f4",
        "PatchGroup": "",
        "SnapshotId": "12345678-1234-1234-1234-1234567890ab",
        "ExecutionId": "e8d3c9b4-0000-4000-8000-000000000000",
        "InstalledCount": count["Installed"],
        "InstalledOtherCount": count["InstalledOther"],
        "InstalledRejectedCount": count["InstalledRejected"],
        "InstalledPendingRebootCount": count["InstalledPendingReboot"],
        "NotApplicableCount": "10254",
        "MissingCount": count["Missing"],
        "FailedCount": count["Failed"],
        "CriticalNonCompliantCount": "0",
        "SecurityNonCompliantCount": str(len(bad)),
        "OtherNonCompliantCount": "0",
        "OperationType": "Scan",
        "OperationStartTime": utc(began),
        "OperationEndTime": utc(began + dt.timedelta(seconds=20)),
        "RebootOption": "RebootIfNeeded",
        **summary,
    }
    if bad:
        content["NonCompliantSeverity"] = "INFORMATIONAL"
    form = {
        "compliance": "NON_COMPLIANT" if bad else "COMPLIANT",
        "summary": content,
        "patches": list(rows),
        "baseline": {"id": content["BaselineId"], "name": "rhel-security"},
        "warnings": [],
        "reboot": {},
        "run": {"id": content["ExecutionId"], "duration": 20},
    }
    return from_plain(form)
