# SPDX-License-Identifier: Apache-2.0
"""What operations return: reports, plans, changes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from .. import report
from ..evaluate import Judged
from ..input_errors import near_word
from ..masking import masked_plain
from ..model import Change, Inventory, Transaction, Verdict
from ..patterns import override_matcher
from ..reboot import NONE, RebootDecision
from ..report import BaselinePart, RebootPart, Report, RestartsPart, RunPart, Summary
from ..report_form import part_form
from ..times import aws_time
from ..versions import sort_key
from ..wording import amount, some_of
from . import open_cves
from .keep import Known
from .refresh import Freshness
from .session import Session

#: How many packages a warning names.
SHOWN_IDS = 10

Snapshot = Mapping[str, tuple[str, str]]


def snapshot(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """Return ``{name.arch: (version, build)}`` of the installed packages, those left unconfigured included."""
    return {p.id: (p.installed.version, p.installed.build) for p in inventory.packages if p.installed}


def changed_ids(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the ``name.arch`` that are new, or in another version or build."""
    return sorted(name for name, have in after.items() if before.get(name) != have)


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return Salt's ``changes`` between two ``{name.arch: version}`` maps."""
    names = {name for name in {*before, *after} if before.get(name, "") != after.get(name, "")}
    return _keyed({name: {"old": before.get(name, ""), "new": after.get(name, "")} for name in names})


def planned_changes(changes: Iterable[Change]) -> dict[str, dict[str, str]]:
    """Return Salt's ``changes`` of a transaction in advance: what ``changes_between`` returns after it."""
    rows = {c.id: {"old": c.old or "", "new": c.new or ""} for c in changes if (c.old or "") != (c.new or "")}
    return _keyed(rows)


def _keyed(rows: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return rows by name, or by ``name.arch`` where several architectures of one name change."""
    names = [name.rpartition(".")[0] for name in rows]
    return {
        (full if names.count(full.rpartition(".")[0]) > 1 else full.rpartition(".")[0]): rows[full]
        for full in sorted(rows)
    }


def make_report(
    session: Session,
    *,
    operation: str,
    started: float,
    ended: float,
    judged: Judged,
    verdicts: Sequence[Verdict],
    freshness: Freshness,
    known: Known,
    reboot: RebootPart,
    last_no_reboot: float,
    warnings: Iterable[str],
    changes: Mapping[str, Mapping[str, str]] | None = None,
    restarts: RestartsPart | None = None,
) -> Report:
    """Return the full report, with a warning for everything that could make a reader distrust it."""
    rows = report.make_rows(verdicts, saved_times=known.saved_times)
    held_back = tuple(v.package.id for v in verdicts if v.held_back)
    unread = freshness.with_inventory(judged.inventory)
    verdict = partial(report.overall, unread=unread, stale=freshness.stale, decidable=judged.decidable)
    let_in = report.without_held_back(rows, held_back)
    said = (
        held_back_warning(session, held_back),
        *warnings_of(session, freshness, judged),
        *known.warnings,
        *warnings,
        *map(report.source_warning, unread),
    )
    return Report(
        compliance=verdict(rows),
        summary=Summary(
            baseline_id=session.baseline.id,
            patch_group=session.patch_group,
            snapshot_id=session.snapshot_id,
            execution_id=session.run_id,
            counts=report.count_rows(rows, not_applicable=judged.evaluation.not_applicable),
            operation_type=operation,
            operation_start_time=aws_time(started),
            operation_end_time=aws_time(ended),
            reboot_option=session.settings.reboot.option,
            install_override_list=session.override_list.location if session.override_list else "",
            last_no_reboot_install_operation_time=aws_time(last_no_reboot) if last_no_reboot else "",
            non_compliant_severity=report.highest_level(rows),
        ),
        patches=rows,
        baseline=describe_baseline(session),
        reboot=reboot,
        warnings=tuple(dict.fromkeys(filter(None, said))),
        run=RunPart(session.run_id, round(max(0.0, ended - started), 3)),
        held_back=held_back,
        frozen_compliance=verdict(let_in) if session.frozen else "",
        changes=changes,
        restarts=restarts,
        cves=open_cves.describe(judged, wanted=session.settings.advisories is not None),
    )


def warnings_of(session: Session, freshness: Freshness, judged: Judged) -> tuple[str, ...]:
    """Return the warnings of settings, package index and packages, in the order in which they were read."""
    said = (
        overruled_warning(judged),
        _unmatched_warning(session, judged),
        *judged.warnings,
        *judged.inventory.warnings,
    )
    return (*session.warnings, *freshness.warnings, *filter(None, said))


def _unmatched_warning(session: Session, judged: Judged) -> str:
    """Return the warning about entries of the install override list that name nothing which is installed here."""
    override, packages = session.override_list, [p for p in judged.inventory.packages if p.installed]
    if override is None:
        return ""
    ids = [package.id for package in packages]
    unmatched: list[str] = []
    for entry in override.entries:
        matches = override_matcher(entry, family=judged.inventory.family)
        if not any(matches(p, version) for p in packages for version in (p.installed, *p.versions) if version):
            unknown = entry.id not in ids and len(unmatched) < SHOWN_IDS
            near = near_word(entry.id, ids) if unknown else ""
            unmatched.append(f"{entry.id} {entry.title or ''}".strip() + (f" ({near})" if near else ""))
    if override.entries and not unmatched:
        return ""
    more = [f"{len(unmatched) - SHOWN_IDS} more"] if len(unmatched) > SHOWN_IDS else []
    what = f"InstallOverrideList ({override.location}): "
    if not override.entries:
        return f"{what}it has no entries; nothing is installed"
    return (
        f"{what}{len(unmatched)} of {amount(len(override.entries), 'entry')} without effect, for nothing that is "
        f"installed here matches: {', '.join([*unmatched[:SHOWN_IDS], *more])}"
    )


def overruled_warning(judged: Judged) -> str:
    """Return the warning about security updates that are approved and not missing, since the administrator's
    priorities keep them out; what rules approve without an advisory is named by rows alone.
    """
    order = sort_key(judged.inventory.family.version_order)
    found: dict[str, str] = {}
    for verdict in judged.evaluation.verdicts:
        for version in verdict.package.outranked:
            newer = version.overruled and order(version.version) > order(verdict.version.version)
            if newer and any(a.metadata for a in judged.judge.answer(verdict.package, version).approvals):
                found[verdict.package.id] = version.blocked
    if not found:
        return ""
    shown = sorted((words, id_) for id_, words in found.items())[:SHOWN_IDS]
    groups = (f"{', '.join(id_ for _, id_ in some)} {words}" for words, some in groupby(shown, key=itemgetter(0)))
    more = [f"{len(found) - SHOWN_IDS} more"] if len(found) > SHOWN_IDS else []
    return (
        f"{amount(len(found), 'approved security update', 'do')} not count as missing, since this host's "
        f"configuration keeps what is newer out: "
        f"{'; '.join([*groups, *more])}; change that, or reject the updates in the baseline"
    )


def held_back_warning(session: Session, ids: Sequence[str]) -> str:
    """Return the warning about updates that are missing because the frozen set does not let them in."""
    if not ids or session.frozen is None:
        return ""
    what = f"{amount(len(ids), 'approved update', 'are')} held back by the frozen set ({session.frozen.origin})"
    return f"{what}: {some_of(ids, SHOWN_IDS)}"


def describe_baseline(session: Session) -> BaselinePart:
    """Return the report's ``baseline``."""
    return BaselinePart(
        id=session.baseline.id,
        name=session.baseline.name,
        operating_system=session.os_info.operating_system,
        product=session.os_info.product,
        origin=session.baseline.origin,
        frozen=session.frozen.origin if session.frozen else "",
        releasever=session.os_info.releasever,
    )


def describe_reboot(
    option: str, *, pending: Collection[str], hints: Sequence[str], decision: RebootDecision | None
) -> RebootPart:
    """Return the report's ``reboot``."""
    return RebootPart(
        option=option,
        pending=tuple(sorted(pending)),
        required_hints=tuple(hints),
        action=decision.action if decision else NONE,
        reason=decision.reason if decision else "",
        due=aws_time(decision.due) if decision and decision.due is not None else None,
    )


def describe_plan(
    session: Session, judged: Judged, transaction: Transaction, warnings: Iterable[str]
) -> dict[str, Any]:
    """Return a transaction as the plain data of ``plan`` and ``install dry_run=True``."""
    held_back = [v.package.id for v in judged.evaluation.verdicts if v.held_back]
    plan: dict[str, Any] = {
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
        "held_back": held_back,
        "batches": [[target.id for target in batch] for batch in transaction.batches],
        "download_size": transaction.download_size,
        "disk_size": transaction.disk_size,
        "baseline": part_form(describe_baseline(session)),
        "warnings": list(
            dict.fromkeys(filter(None, (held_back_warning(session, held_back), *warnings, *transaction.warnings)))
        ),
    }
    whole: dict[str, Any] = masked_plain(plan)
    return whole
