# SPDX-License-Identifier: Apache-2.0
"""How an rpm case is run and compared with its decided result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from support import vectors

_FIELDS = {
    "id": "Id",
    "state": "PatchState",
    "severity": "Severity",
    "classification": "Classification",
    "patch_severity": "PatchSeverity",
    "compliance": "Status",
}

Rows = dict[str, dict[str, Any]]


class CaseHost(vectors.CaseHost):
    """The host of a case: it is the case's time, and it was booted when the case says."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__({"boot_time": case.get("last_reboot_time", 1700000000)})
        self._now = dt.datetime.strptime(case["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc).timestamp()

    def now(self) -> float:
        return self._now


def override_list(case: dict[str, Any]) -> dict[str, Any] | None:
    """The case's override list in the form that install takes."""
    given = case["install_override_list"]
    return None if given is None else {"patches": given}


def differences(decided: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """Return all that a scan's report has otherwise than decided, with both values; what is unsure is left out."""
    unsure = {text.partition(":")[0] for text in decided["unsure"]}
    fields = decided["unsure_fields"]
    have, want = _reported(report, unsure, fields), _wanted(decided, unsure, fields)
    found: dict[str, Any] = {
        title: (have.get(title), want.get(title)) for title in {*have, *want} if have.get(title) != want.get(title)
    }
    unread = {text.partition(":")[0] for text in report["warnings"] if ": could not be read" in text}
    for key, pair in {
        "compliance": (report["compliance"], decided["compliance"]),
        "unread": (sorted(unread), sorted(decided["unread_sources"])),
    }.items():
        if pair[0] != pair[1]:
            found[key] = pair
    if not unsure - {"not_applicable_count"}:
        found.update(_summary_differences(report, decided, {*fields.get("summary", ()), *unsure}))
    return found


def _reported(report: dict[str, Any], unsure: Collection[str], fields: Mapping[str, Collection[str]]) -> Rows:
    found = {}
    for row in report["patches"]:
        if row["Id"] not in unsure:
            values = {key: row[name] for key, name in _FIELDS.items()}
            values["cve_ids"] = row["CVEIds"].split(",") if row.get("CVEIds") else []
            found[row["Title"]] = _without(values, fields.get(row["Id"], ()))
    return found


def _wanted(decided: dict[str, Any], unsure: Collection[str], fields: Mapping[str, Collection[str]]) -> Rows:
    return {
        title: _without(row, fields.get(row["id"], ()))
        for title, row in decided["states"].items()
        if row["id"] not in unsure
    }


def _without(values: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _summary_differences(
    report: dict[str, Any], decided: dict[str, Any], left_out: Collection[str]
) -> dict[str, tuple[Any, Any]]:
    names = {"not_applicable_count": "NotApplicableCount"}
    skipped = {"OperationType", *(names.get(key, key) for key in left_out)}
    found = {}
    for key, value in decided["summary"].items():
        have = report["summary"].get(key)
        if key not in skipped and have != (None if value is None else str(value)):
            found[key] = (have, value)
    return found
