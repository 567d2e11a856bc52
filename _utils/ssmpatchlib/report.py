# SPDX-License-Identifier: Apache-2.0
"""Verdicts become AWS:PatchSummary, AWS:ComplianceItem and the report that users read. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .errors import InvalidInput
from .model import (
    COMPLIANT,
    FAILED,
    INSTALLED,
    INSTALLED_OTHER,
    INSTALLED_PENDING_REBOOT,
    INSTALLED_REJECTED,
    INSTALLED_STATES,
    LEVELS,
    MISSING,
    NON_COMPLIANT,
    NON_COMPLIANT_STATES,
    NOT_APPLICABLE,
    UNKNOWN,
    Baseline,
    UnreadSource,
    Verdict,
)
from .times import aws_time, duration

#: The order of the rows in AWS:ComplianceItem.
STATE_ORDER = (INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED, INSTALLED_PENDING_REBOOT, MISSING, FAILED)
STATES = (*STATE_ORDER, NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Run:
    """What a report says about the operation it comes from. Times are epoch seconds.

    ``last_no_reboot_install`` is 0 when there never was one. ``install_override_list`` is its location, ``""`` without.
    """

    id: str
    operation: str
    started: float
    ended: float
    reboot_option: str
    patch_group: str = ""
    snapshot_id: str = ""
    install_override_list: str = ""
    last_no_reboot_install: float = 0


def mark_pending(verdicts: Iterable[Verdict], pending: Collection[str]) -> tuple[Verdict, ...]:
    """Return the verdicts with everything installed whose Title is in ``pending`` as InstalledPendingReboot."""
    marked = []
    for verdict in verdicts:
        if verdict.title in pending and verdict.state in (INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED):
            reason = f"installed since the last boot and waits for a reboot; {verdict.reason}"
            verdict = replace(verdict, state=INSTALLED_PENDING_REBOOT, reason=reason)
        marked.append(verdict)
    return tuple(marked)


def make_rows(verdicts: Iterable[Verdict], *, saved_times: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the report's rows in AWS's order.

    Args:
        saved_times: install times by Title that earlier runs saw, where the package manager has none.
    """
    ordered = sorted(verdicts, key=lambda v: (STATE_ORDER.index(v.state), v.package.name, v.package.arch))
    return [_row(verdict, saved_times) for verdict in ordered]


def _row(verdict: Verdict, saved_times: Mapping[str, float]) -> dict[str, Any]:
    package = verdict.package
    installed = verdict.state in INSTALLED_STATES
    when = package.installed_time if package.installed_time is not None else saved_times.get(verdict.title)
    row: dict[str, Any] = {
        "Id": package.id,
        "Title": verdict.title,
        "PatchState": verdict.state,
        "Status": NON_COMPLIANT if verdict.state in NON_COMPLIANT_STATES else COMPLIANT,
        "Severity": verdict.level,
        "Classification": verdict.classification,
        "PatchSeverity": verdict.severity,
        "InstalledTime": aws_time(when) if installed and when is not None else "",
    }
    if verdict.cves and verdict.state in (MISSING, FAILED):
        row["CVEIds"] = ",".join(verdict.cves)
    row["installed_version"] = package.installed.version if package.installed else ""
    row["available_version"] = verdict.target.version if verdict.target else ""
    row["reason"] = verdict.reason
    return row


def make_summary(
    rows: Sequence[Mapping[str, Any]], *, baseline: Baseline, run: Run, not_applicable: int
) -> dict[str, str]:
    """Return AWS:PatchSummary's content: its keys, its order, its strings. Rule: docs/rules.md, States and counters."""
    counts = {state: sum(row["PatchState"] == state for row in rows) for state in STATE_ORDER}
    bad = [row for row in rows if row["Status"] == NON_COMPLIANT]
    critical = sum(row["Severity"] == "CRITICAL" for row in bad)
    security = sum(_is_security(row) for row in bad)
    other = sum(row["Severity"] != "CRITICAL" and not _is_security(row) for row in bad)
    summary = {
        "BaselineId": baseline.id,
        "PatchGroup": run.patch_group,
        "SnapshotId": run.snapshot_id,
        "ExecutionId": run.id,
        "InstalledCount": str(counts[INSTALLED]),
        "InstalledOtherCount": str(counts[INSTALLED_OTHER]),
        "InstalledRejectedCount": str(counts[INSTALLED_REJECTED]),
        "InstalledPendingRebootCount": str(counts[INSTALLED_PENDING_REBOOT]),
        "NotApplicableCount": str(not_applicable),
        "MissingCount": str(counts[MISSING]),
        "FailedCount": str(counts[FAILED]),
        "CriticalNonCompliantCount": str(critical),
        "SecurityNonCompliantCount": str(security),
        "OtherNonCompliantCount": str(other),
        "OperationType": run.operation,
        "OperationStartTime": aws_time(run.started),
        "OperationEndTime": aws_time(run.ended),
        "RebootOption": run.reboot_option,
    }
    if run.install_override_list:
        summary["InstallOverrideList"] = run.install_override_list
    if run.last_no_reboot_install:
        summary["LastNoRebootInstallOperationTime"] = aws_time(run.last_no_reboot_install)
    if bad:
        summary["NonCompliantSeverity"] = max(
            ("INFORMATIONAL", *(row["Severity"] for row in bad)), key=lambda level: LEVELS.index(level)
        )
    return summary


def overall(rows: Iterable[Mapping[str, Any]], *, unread: Collection[UnreadSource], stale: bool) -> str:
    """Return the verdict: never COMPLIANT from data that could not be read or is too old. Rule: docs/rules.md."""
    if any(row["Status"] == NON_COMPLIANT for row in rows):
        return NON_COMPLIANT
    return UNKNOWN if unread or stale else COMPLIANT


def compliance_items(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return AWS:ComplianceItem's content of a full report: all strings, in AWS's order. Rule: docs/rules.md."""
    summary = report["summary"]
    items = []
    for row in report["patches"]:
        item = {
            "Id": row["Id"],
            "Title": row["Title"],
            "Severity": row["Severity"],
            "Status": row["Status"],
            "PatchBaselineId": summary["BaselineId"],
            "PatchGroup": summary["PatchGroup"],
            "PatchState": row["PatchState"],
            "DocumentName": "",
            "DocumentVersion": "",
            "InstalledTime": row["InstalledTime"],
            "Classification": row["Classification"],
            "PatchSeverity": row["PatchSeverity"],
        }
        if "CVEIds" in row:
            item["CVEIds"] = row["CVEIds"]
        if "InstallOverrideList" in summary:
            item["InstallOverrideList"] = summary["InstallOverrideList"]
        items.append(item)
    return items


def brief(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report with its non-compliant rows only."""
    return {**report, "patches": [row for row in report["patches"] if row["Status"] == NON_COMPLIANT]}


def select(
    report: Mapping[str, Any],
    *,
    states: Sequence[str] | str | None,
    severity: Sequence[str] | str | None,
    name: Sequence[str] | str | None,
    details: bool,
) -> dict[str, Any]:
    """Return a stored report with the rows asked for; all non-compliant ones, or with ``details`` all, without filters.

    Args:
        states: patch states, case-insensitive.
        severity: compliance levels (``Severity``) or vendor severities (``PatchSeverity``), case-insensitive.
        name: globs over the package name or ``name.arch``.

    Raises:
        InvalidInput: a state that does not exist.
    """
    unknown = [item for item in _list(states) if item.lower() not in {state.lower() for state in STATES}]
    if unknown:
        raise InvalidInput(f"states: {', '.join(unknown)!r} is no patch state; use {', '.join(STATES)}")
    wanted_states = {item.lower() for item in _list(states)}
    wanted_severities = {item.lower() for item in _list(severity)}
    names = [item.lower() for item in _list(name)]
    rows = []
    for row in report["patches"]:
        if wanted_states and row["PatchState"].lower() not in wanted_states:
            continue
        if wanted_severities and not wanted_severities & {row["Severity"].lower(), row["PatchSeverity"].lower()}:
            continue
        if names and not _named(row["Id"], names):
            continue
        if details or wanted_states or names or row["Status"] == NON_COMPLIANT:
            rows.append(row)
    return {**report, "patches": rows}


def counts_of(summary: Mapping[str, str]) -> dict[str, int]:
    """Return the summary's counters as numbers, for events and history."""
    return {key: int(value) for key, value in summary.items() if key.endswith("Count")}


def source_warning(source: UnreadSource) -> str:
    """Say which repository could not be read, why, and how old the copy is that was used."""
    if source.age is None:
        return f"{source.name}: could not be read: {source.problem}"
    return f"{source.name}: could not be read: {source.problem}; a copy from {duration(source.age)} ago was used"


def _is_security(row: Mapping[str, Any]) -> bool:
    return str(row["Classification"]).lower() == "security"


def _list(value: Sequence[str] | str | None) -> list[str]:
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    return [str(part).strip() for part in parts if str(part).strip()]


def _named(package_id: str, patterns: Sequence[str]) -> bool:
    lowered = package_id.lower()
    names = (lowered, lowered.rpartition(".")[0])
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
