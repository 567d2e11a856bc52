# SPDX-License-Identifier: Apache-2.0
"""A report as plain data for Salt, files, AWS and events, and a report from stored plain data. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import compress
from typing import Any, TypeVar

from .fields import can_be_sent, is_mapping, is_text_list, is_text_mapping
from .masking import Masked, masked_plain
from .model import FAILED, INSTALLED_PENDING_REBOOT, NON_COMPLIANT
from .report import BaselinePart, CveGroup, CvesPart, Part, PatchRow, RebootPart, Report, RestartsPart, RunPart, Summary
from .times import aws_time

AnyPart = TypeVar("AnyPart", bound=Part)


def _names(kind: type[Part]) -> list[str]:
    return [item.name for item in fields(kind) if item.name != "unknown"]


def _aws_name(name: str) -> str:
    return "".join(map(str.capitalize, name.split("_")))


#: The irregular keys of a row by field; then the fields of a row and of a summary by key, in order.
_OURS = ("installed_version", "available_version", "reason", "advisories")
_OTHERWISE = {"cves": "CVEIds", **{name: name for name in _OURS}}
_ROW = {_OTHERWISE.get(name) or _aws_name(name): name for name in PatchRow._fields if name != "unknown"}
_REQUIRED = frozenset(_ROW) - set(_OTHERWISE.values())
#: The texts of a row that a repository or a package manager chose; the others have an alphabet.
_FREE = ("Classification", "PatchSeverity", "CVEIds", "reason", "advisories")
#: The keys of a row that are left out when they are empty.
_OPTIONAL = ("CVEIds", "advisories")
#: The keys of parts that few hosts have.
_RARE = frozenset({"releasever"})
_SUMMARY = {_aws_name(name): name for name in _names(Summary)}
_ALWAYS = ("BaselineId", "PatchGroup", "SnapshotId", "ExecutionId")
#: The keys of an item of AWS:ComplianceItem, in order.
_COMPLIANCE = (
    *("Id", "Title", "Severity", "Status", "PatchBaselineId", "PatchState", "PatchGroup", "DocumentName"),
    *("DocumentVersion", "InstalledTime", "Classification", "PatchSeverity", "CVEIds", "InstallOverrideList"),
)


def to_plain(report: Report) -> dict[str, Any]:
    """Return the whole report as plain data, in the form that Salt returns and that is stored; secrets are masked."""
    form = {
        "compliance": report.compliance,
        "summary": summary_content(report.summary),
        "patches": (),
        "baseline": part_form(report.baseline),
        "reboot": part_form(report.reboot),
        "warnings": list(report.warnings),
        "run": part_form(report.run),
    }
    form.update(_of_frozen_set(report))
    form.update(_of_restarts(report))
    if report.changes is not None:
        form["changes"] = report.changes
    whole: dict[str, Any] = masked_plain({**form, **dict(report.unknown)})
    whole["patches"] = _row_forms(report.patches)
    if report.cves is not None:
        whole["cves"] = _cves_form(report.cves)
    return whole


def _of_frozen_set(report: Report) -> dict[str, Any]:
    """Return what a report says of the frozen set; the verdict by it only where one is in force."""
    by_it = {"frozen_compliance": report.frozen_compliance} if report.frozen_compliance else {}
    return {"held_back": list(report.held_back), **by_it}


def _of_restarts(report: Report) -> dict[str, Any]:
    """Return what a report says of code that still runs though it was replaced; nothing where nobody looked."""
    return {} if report.restarts is None else {"restarts": part_form(report.restarts)}


def _outline_of_cves(report: Report) -> dict[str, Any]:
    """Return how many CVEs are open, and why that is not known; nothing where nothing says anything of CVEs."""
    part = report.cves
    return {"cves": {"counts": dict(part.counts), "problem": part.problem}} if part else {}


def _cves_form(part: CvesPart) -> dict[str, Any]:
    """Return what a report says of CVEs as plain data; a group's empty texts are left out."""
    shown = Masked()
    groups = [_group_form(group, shown) for group in part.open]
    whole = {"data": part.data, "time": part.time, "problem": shown[part.problem], "counts": dict(part.counts)}
    return {**whole, "open": groups, "left_out": part.left_out, **masked_plain(dict(part.unknown))}


def _group_form(group: CveGroup, shown: Mapping[str, str]) -> dict[str, str]:
    """Return a group as plain data; all but its reason is of an alphabet, since it was checked when it was read."""
    form = dict(compress(zip(CveGroup._fields, group, strict=True), group))
    if group.reason:
        form["reason"] = shown[group.reason]
    return form


def _row_forms(rows: Iterable[PatchRow]) -> list[dict[str, str]]:
    """Return rows as plain data; secrets are masked in the texts that are of no alphabet."""
    shown = Masked()
    return [_row_form(row, shown) for row in rows]


def _row_form(row: PatchRow, shown: Mapping[str, str]) -> dict[str, str]:
    form = dict(zip(_ROW, row[:-1], strict=True))
    for key in _FREE:
        form[key] = shown[form[key]]
    for key in _OPTIONAL:
        if not form[key]:
            del form[key]
    if row.unknown:
        form.update(masked_plain(dict(row.unknown)))
    return form


def part_form(part: BaselinePart | RebootPart | RestartsPart | RunPart) -> dict[str, Any]:
    """Return a part of a report as plain data whose keys are the names of its fields; a rare one only with a value."""
    values = ((name, getattr(part, name)) for name in _names(type(part)) if name not in _RARE or getattr(part, name))
    return {**{name: list(v) if isinstance(v, tuple) else v for name, v in values}, **dict(part.unknown)}


def is_report(value: object) -> bool:
    """Return whether a stored value has what ``from_plain`` and the readers of a report rely on."""
    if not isinstance(value, dict) or not isinstance(value.get("compliance"), str):
        return False
    rows, summary = value.get("patches"), value.get("summary")
    parts = all(is_mapping(value.get(key)) for key in ("summary", "baseline", "reboot", "run"))
    if not (parts and isinstance(summary, dict) and is_text_mapping(summary) and is_text_list(value.get("warnings"))):
        return False
    if not is_text_list(value.get("held_back", [])) or not isinstance(value.get("frozen_compliance", ""), str):
        return False
    restarts = value.get("restarts", {})
    if not is_mapping(restarts) or not all(is_text_list(restarts.get(name, [])) for name in _names(RestartsPart)):
        return False
    if not _is_cves(value.get("cves", {})):
        return False
    counts = [text for name, text in summary.items() if name.endswith("Count")]
    counted = all(text.isdecimal() and len(text) < 20 for text in counts)
    whole = isinstance(rows, list) and all(is_text_mapping(row) and set(row) >= _REQUIRED for row in rows)
    return counted and whole and can_be_sent({**value, "patches": []})


def _is_cves(value: object) -> bool:
    """Return whether a stored value is what ``_cves_form`` returns, or empty."""
    if not isinstance(value, dict):
        return False
    groups, counts = value.get("open", []), value.get("counts", {})
    texts = all(isinstance(value.get(name, ""), str) for name in ("data", "time", "problem"))
    counted = isinstance(counts, dict) and all(type(number) is int for number in (*counts.values(), _left_out(value)))
    return texts and counted and isinstance(groups, list) and all(map(is_text_mapping, groups))


def _left_out(form: Mapping[str, Any]) -> Any:
    return form.get("left_out", 0)


def _read_cves(form: Mapping[str, Any]) -> CvesPart:
    groups = tuple(CveGroup(*(group.get(name, "") for name in CveGroup._fields)) for group in form.get("open", ()))
    return _read(CvesPart, {**form, "open": groups})


def from_plain(form: Mapping[str, Any]) -> Report:
    """Return the report of a stored plain form for which ``is_report`` is true."""
    counts = {key: int(value) for key, value in form["summary"].items() if key.endswith("Count")}
    rest = {key: value for key, value in form["summary"].items() if key not in counts}
    parts = {
        "summary": _read(Summary, {**dict.fromkeys(_SUMMARY, ""), **rest, "Counts": counts}, _SUMMARY),
        "patches": tuple(map(_read_row, form["patches"])),
        "baseline": _read(BaselinePart, form["baseline"]),
        "reboot": _read(RebootPart, form["reboot"]),
        "run": _read(RunPart, form["run"]),
        "restarts": _read(RestartsPart, form["restarts"]) if "restarts" in form else None,
        "cves": _read_cves(form["cves"]) if "cves" in form else None,
    }
    return _read(Report, {**form, **parts})


def _read_row(form: Mapping[str, str]) -> PatchRow:
    unknown = tuple(item for item in form.items() if item[0] not in _ROW)
    return PatchRow._make([*(form.get(key, "") for key in _ROW), unknown])


def _read(kind: type[AnyPart], form: Mapping[str, Any], keys: Mapping[str, str] | None = None) -> AnyPart:
    """Return a part with a form's values; ``keys`` maps the form's keys to fields, None where they are the same."""
    names = keys or {name: name for name in _names(kind)}
    known = {names[key]: tuple(v) if isinstance(v, list) else v for key, v in form.items() if key in names}
    return kind(**known, unknown=tuple(item for item in form.items() if item[0] not in names))


def brief(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report's plain form with its non-compliant rows only."""
    return {**form, "patches": [row for row in form["patches"] if row["Status"] == NON_COMPLIANT]}


def return_code(form: Mapping[str, Any]) -> int:
    """Return the return code for a report's plain form. Rule: docs/rules.md, Files and return codes."""
    if any(row["PatchState"] == FAILED for row in form["patches"]):
        return 1
    return 3 if form["reboot"].get("action") == "exhausted" else 0


def event_data(report: Report) -> dict[str, Any]:
    """Return the data of a ``complete`` event."""
    return {
        "run_id": report.run.id,
        "compliance": report.compliance,
        "counts": dict(report.summary.counts),
        "non_compliant": [row.id for row in report.patches if row.status == NON_COMPLIANT],
        "reboot": part_form(report.reboot),
        **_of_frozen_set(report),
        **_of_restarts(report),
        **_outline_of_cves(report),
    }


def history_line(report: Report, *, now: float) -> dict[str, Any]:
    """Return a report's line in the history."""
    return {
        "id": report.run.id,
        "operation": report.summary.operation_type,
        "time": aws_time(now),
        "baseline": report.baseline.name,
        "counts": dict(report.summary.counts),
        "outcome": report.compliance,
        "duration": report.run.duration,
        "reboot": report.reboot.action,
        "changes": dict(report.changes or {}),
    }


def outline(report: Report) -> dict[str, Any]:
    """Return the part of the last report that monitoring reads."""
    return {
        "run_id": report.run.id,
        "operation": report.summary.operation_type,
        "compliance": report.compliance,
        "counts": {name: str(number) for name, number in report.summary.counts.items()},
        "noncompliant": sorted({row.id for row in report.patches if row.status == NON_COMPLIANT}),
        "reboot_pending": sorted({row.id for row in report.patches if row.patch_state == INSTALLED_PENDING_REBOOT}),
        **_of_frozen_set(report),
    }


def summary_content(summary: Summary) -> dict[str, str]:
    """Return AWS:PatchSummary's content: its keys, its order, its strings. Rule: docs/rules.md, What AWS stores."""
    content: dict[str, str] = {}
    for key, name in _SUMMARY.items():
        if name == "counts":
            content.update((counter, str(number)) for counter, number in summary.counts.items())
        elif (value := getattr(summary, name)) or key in _ALWAYS:
            content[key] = value
    return {**content, **dict(summary.unknown)}


def compliance_content(report: Report) -> list[dict[str, str]]:
    """Return AWS:ComplianceItem's content: all strings, in AWS's order. Rule: docs/rules.md, What AWS stores."""
    summary = report.summary
    same = {"PatchBaselineId": summary.baseline_id, "PatchGroup": summary.patch_group}
    same |= {"DocumentName": "", "DocumentVersion": ""}
    if summary.install_override_list:
        same["InstallOverrideList"] = summary.install_override_list
    rows = ({**form, **same} for form in _row_forms(report.patches))
    return [{key: row[key] for key in _COMPLIANCE if key in row} for row in rows]


def summary_item(content: Mapping[str, str]) -> dict[str, Any]:
    """Return the AWS:PatchSummary inventory item of a summary's content. Rule: docs/rules.md, What AWS stores."""
    return {
        "TypeName": "AWS:PatchSummary",
        "SchemaVersion": "1.0",
        "ContentHash": content_hash([content]),
        "CaptureTime": content["OperationEndTime"],
        "Content": [dict(content)],
    }


def content_hash(content: Sequence[Mapping[str, str]]) -> str:
    """Return AWS's ContentHash, by which an unchanged content is recognised. Rule: docs/rules.md, What AWS stores."""
    return hashlib.sha256(json.dumps(list(content)).encode()).hexdigest()
