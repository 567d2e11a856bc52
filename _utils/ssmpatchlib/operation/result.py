# SPDX-License-Identifier: Apache-2.0
"""The plain data that operations return: reports, plans, changes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .. import report
from ..evaluate import Judged
from ..model import FAILED, NON_COMPLIANT, Change, Inventory, Transaction, UnreadSource, Verdict
from ..reboot import RebootDecision
from ..times import aws_time
from .session import Session

Snapshot = Mapping[str, tuple[str, str]]


def snapshot(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """Return ``{name.arch: (version, build)}`` of what is there, with what could not be configured."""
    return {p.id: (p.installed.version, p.installed.build) for p in inventory.packages if p.installed}


def changed_ids(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the ``name.arch`` that are there anew, in another version or in another build."""
    return sorted(name for name, have in after.items() if before.get(name) != have)


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return Salt's ``changes`` between two ``{name.arch: version}`` maps."""
    names = {name for name in {*before, *after} if before.get(name, "") != after.get(name, "")}
    return _keyed({name: {"old": before.get(name, ""), "new": after.get(name, "")} for name in names})


def planned_changes(changes: Iterable[Change]) -> dict[str, dict[str, str]]:
    """Return Salt's ``changes`` of a transaction: the same as ``changes_between`` will give after it."""
    rows = {c.id: {"old": c.old or "", "new": c.new or ""} for c in changes if (c.old or "") != (c.new or "")}
    return _keyed(rows)


def _keyed(rows: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Key by name, or by ``name.arch`` where several architectures of one name change."""
    names = [name.rpartition(".")[0] for name in rows]
    return {
        (full if names.count(full.rpartition(".")[0]) > 1 else full.rpartition(".")[0]): rows[full]
        for full in sorted(rows)
    }


def make_report(
    session: Session,
    *,
    run: report.Run,
    verdicts: Sequence[Verdict],
    judged: Judged,
    unread: Collection[UnreadSource],
    stale: bool,
    warnings: Iterable[str],
    saved_times: Mapping[str, float],
    duration: float,
    reboot: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the full report: every row, and everything that could make a reader distrust it as a warning."""
    rows = report.make_rows(verdicts, saved_times=saved_times)
    not_applicable = judged.evaluation.not_applicable
    said = [*warnings, *map(report.source_warning, unread)]
    return {
        "compliance": report.overall(rows, unread=unread, stale=stale),
        "summary": report.make_summary(rows, baseline=session.baseline, run=run, not_applicable=not_applicable),
        "patches": rows,
        "baseline": describe_baseline(session),
        "reboot": dict(reboot),
        "warnings": list(dict.fromkeys(said)),
        "run": {"id": run.id, "duration": round(duration, 3)},
    }


def describe_baseline(session: Session) -> dict[str, Any]:
    """Return the report's ``baseline``."""
    return {
        "id": session.baseline.id,
        "name": session.baseline.name,
        "operating_system": session.os_info.operating_system,
        "product": session.os_info.product,
        "origin": session.baseline.origin,
        "frozen": session.frozen.origin if session.frozen else "",
    }


def describe_reboot(
    option: str, *, pending: Collection[str], hints: Sequence[str], decision: RebootDecision | None
) -> dict[str, Any]:
    """Return the report's ``reboot``."""
    return {
        "option": option,
        "pending": sorted(pending),
        "required_hints": list(hints),
        "action": decision.action if decision else "none",
        "reason": decision.reason if decision else "",
        "due": aws_time(decision.due) if decision and decision.due is not None else None,
    }


def describe_plan(session: Session, transaction: Transaction, warnings: Iterable[str]) -> dict[str, Any]:
    """Return what ``plan`` and ``install dry_run=True`` return."""
    return {
        "changes": planned_changes(transaction.changes),
        "packages": [
            {
                "id": c.id,
                "name": c.name,
                "arch": c.arch,
                "old": c.old or "",
                "new": c.new or "",
                "target": c.target,
                "reason": c.reason,
            }
            for c in sorted(transaction.changes, key=lambda c: (not c.target, c.id))
        ],
        "blocked": [{"id": b.target.id, "version": b.target.version, "reason": b.reason} for b in transaction.blocked],
        "removals": [c.id for c in transaction.changes if c.new is None and not c.replaced_by],
        "batches": [[target.id for target in batch] for batch in transaction.batches],
        "download_size": transaction.download_size,
        "disk_size": transaction.disk_size,
        "baseline": describe_baseline(session),
        "warnings": list(dict.fromkeys([*warnings, *transaction.warnings])),
    }


def return_code(result: Mapping[str, Any]) -> int:
    """Return the process's return code for a report: 1 when something Failed. Rule: docs/rules.md."""
    if any(row["PatchState"] == FAILED for row in result["patches"]):
        return 1
    return 3 if result["reboot"].get("action") == "exhausted" else 0


def event_data(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ``complete`` event carries."""
    return {
        "run_id": result["run"]["id"],
        "compliance": result["compliance"],
        "counts": report.counts_of(result["summary"]),
        "non_compliant": [row["Id"] for row in result["patches"] if row["Status"] == NON_COMPLIANT],
        "reboot": result["reboot"],
    }
