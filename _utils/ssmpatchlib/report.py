# SPDX-License-Identifier: Apache-2.0
"""A report and how it is made of verdicts. Pure; ``report_form`` turns it into plain data."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from .errors import InvalidInput
from .input_errors import near_word, one_of, show
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
    UnreadSource,
    Verdict,
    Version,
)
from .times import aws_time, duration

#: The order of the rows in AWS:ComplianceItem.
STATE_ORDER = (INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED, INSTALLED_PENDING_REBOOT, MISSING, FAILED)
STATES = (*STATE_ORDER, NOT_APPLICABLE)
#: What repositories call the severity of an advisory, and Debian the priority of a package.
VENDOR_SEVERITIES = (
    "Critical", "Important", "Moderate", "Medium", "Low", "High", "Urgent", "None", "Unspecified",
    "Required", "Standard", "Optional", "Extra",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a report; ``unknown`` are items of a stored report that this version does not know."""

    unknown: tuple[tuple[str, Any], ...] = ()


class PatchRow(NamedTuple):
    """One patch of a report, with AWS's names; a missing value is ``""``.

    ``cves`` and ``advisories`` (the ids of those that describe the available version) are separated by commas.

    It is a tuple because a report has thousands, and a frozen dataclass takes three times as long to make.
    """

    id: str
    title: str
    patch_state: str
    status: str
    severity: str
    classification: str
    patch_severity: str
    installed_time: str
    cves: str = ""
    installed_version: str = ""
    available_version: str = ""
    reason: str = ""
    advisories: str = ""
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether the version that is there has to be installed again, or configured."""
        lacking = self.patch_state in (MISSING, FAILED)
        return lacking and bool(self.installed_version) and self.installed_version == self.available_version


@dataclass(frozen=True, slots=True)
class Summary(Part):
    """AWS:PatchSummary, with AWS's names in AWS's order; a missing value is ``""``."""

    baseline_id: str
    patch_group: str
    snapshot_id: str
    execution_id: str
    counts: Mapping[str, int]
    operation_type: str
    operation_start_time: str
    operation_end_time: str
    reboot_option: str
    install_override_list: str = ""
    last_no_reboot_install_operation_time: str = ""
    non_compliant_severity: str = ""


@dataclass(frozen=True, slots=True)
class BaselinePart(Part):
    """What a report says about the baseline that the host was judged by.

    ``releasever`` is the release whose repositories were read, where that was not the package manager's own choice.
    """

    id: str = ""
    name: str = ""
    operating_system: str = ""
    product: str = ""
    origin: str = ""
    frozen: str = ""
    releasever: str = ""


@dataclass(frozen=True, slots=True)
class RebootPart(Part):
    """What a report says about the reboot; ``pending`` are the Titles that wait for it, ``due`` is in AWS's format."""

    option: str = ""
    pending: tuple[str, ...] = ()
    required_hints: tuple[str, ...] = ()
    action: str = "none"
    reason: str = ""
    due: str | None = None


@dataclass(frozen=True, slots=True)
class RestartsPart(Part):
    """What a report says about code that an update replaced and that still runs, by name: ``processes.OldCode``.

    ``restarted`` are the services that the operation restarted, ``later`` those that are restarted when it has ended.
    """

    units: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    reboot: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


class CveGroup(NamedTuple):
    """Open CVEs of a report that are alike in all but their ids, as text; lists have commas between their items.

    ``package`` and ``installed`` are the source package, where one is known, and its version, ``packages`` some of what
    is installed of it. ``available`` is the ``name.arch:version`` with the fix, ``approved`` and
    ``subscription`` are ``yes`` or empty, ``restart`` says what still runs the code without an installed fix.
    ``exploited_since`` has a date for each of ``exploited``, ``published`` is the earliest date.
    """

    package: str
    installed: str
    state: str
    fixed: str
    severity: str
    advisories: str
    exploited: str
    exploited_since: str
    cves: str
    published: str
    packages: str
    available: str
    approved: str
    subscription: str
    restart: str
    reason: str


@dataclass(frozen=True, slots=True)
class CvesPart(Part):
    """What a report says of CVEs: ``model.CveData``, with the open ones and how many they are.

    ``counts`` are numbers of CVEs by kind and severity; ``left_out`` of the open ones are not listed.
    """

    data: str = ""
    time: str = ""
    problem: str = ""
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    open: tuple[CveGroup, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class RunPart(Part):
    """The id of the operation that a report is of, and how many seconds it took."""

    id: str = ""
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Report(Part):
    """What an operation found, with all rows in AWS's order. ``changes`` has Salt's form and is None for a scan.

    ``held_back`` are the ids of updates that are missing because the frozen set does not let them in, and
    ``frozen_compliance`` is the verdict without these; ``""`` where no frozen set is in force. ``restarts`` is None
    where nobody looked: below another root than the running system's, or not as root; ``cves`` where nothing says
    anything of CVEs.
    """

    compliance: str
    summary: Summary
    patches: tuple[PatchRow, ...]
    baseline: BaselinePart
    reboot: RebootPart
    warnings: tuple[str, ...]
    run: RunPart
    held_back: tuple[str, ...] = ()
    frozen_compliance: str = ""
    changes: Mapping[str, Mapping[str, str]] | None = None
    restarts: RestartsPart | None = None
    cves: CvesPart | None = None


def add_warnings(report: Report, texts: Iterable[str]) -> Report:
    """Return the report with further warnings; empty texts are left out."""
    return replace(report, warnings=(*report.warnings, *filter(None, texts)))


def mark_pending(verdicts: Iterable[Verdict], pending: Collection[str]) -> tuple[Verdict, ...]:
    """Return the verdicts, the installed ones whose Title is in ``pending`` turned into InstalledPendingReboot."""
    marked = []
    for verdict in verdicts:
        if verdict.title in pending and verdict.state in (INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED):
            reason = f"installed since the last boot and waits for a reboot; {verdict.reason}"
            verdict = replace(verdict, state=INSTALLED_PENDING_REBOOT, reason=reason)
        marked.append(verdict)
    return tuple(marked)


def make_rows(verdicts: Iterable[Verdict], *, saved_times: Mapping[str, float]) -> tuple[PatchRow, ...]:
    """Return the report's rows in AWS's order.

    Args:
        saved_times: install times by Title from earlier runs, for packages of which the package manager has none.
    """
    ordered = sorted(verdicts, key=lambda v: (STATE_ORDER.index(v.state), v.package.name, v.package.arch))
    return tuple(_row(verdict, saved_times) for verdict in ordered)


def _row(verdict: Verdict, saved_times: Mapping[str, float]) -> PatchRow:
    package, title = verdict.package, verdict.title
    when = package.installed_time if package.installed_time is not None else saved_times.get(title)
    lacking = verdict.state in (MISSING, FAILED)
    return PatchRow(
        id=package.id,
        title=title,
        patch_state=verdict.state,
        status=NON_COMPLIANT if verdict.state in NON_COMPLIANT_STATES else COMPLIANT,
        severity=verdict.level,
        classification=verdict.classification,
        patch_severity=verdict.severity,
        installed_time=aws_time(when) if verdict.state in INSTALLED_STATES and when is not None else "",
        cves=",".join(verdict.cves) if lacking else "",
        installed_version=package.installed.version if package.installed else "",
        available_version=verdict.target.version if verdict.target else "",
        reason=verdict.reason,
        advisories=_advisory_ids(verdict.target) if lacking and verdict.target else "",
    )


def _advisory_ids(version: Version) -> str:
    return ",".join(sorted({advisory.id for advisory in version.advisories if advisory.id}))


def count_rows(rows: Sequence[PatchRow], *, not_applicable: int) -> dict[str, int]:
    """Return AWS:PatchSummary's counters in AWS's order. Rule: docs/rules.md, States and counters."""
    states = Counter(row.patch_state for row in rows)
    bad = [row for row in rows if row.status == NON_COMPLIANT]
    security = [row.classification.lower() == "security" for row in bad]
    critical = [row.severity == "CRITICAL" for row in bad]
    return {
        "InstalledCount": states[INSTALLED],
        "InstalledOtherCount": states[INSTALLED_OTHER],
        "InstalledRejectedCount": states[INSTALLED_REJECTED],
        "InstalledPendingRebootCount": states[INSTALLED_PENDING_REBOOT],
        "NotApplicableCount": not_applicable,
        "MissingCount": states[MISSING],
        "FailedCount": states[FAILED],
        "CriticalNonCompliantCount": sum(critical),
        "SecurityNonCompliantCount": sum(security),
        "OtherNonCompliantCount": sum(not (c or s) for c, s in zip(critical, security, strict=True)),
    }


def highest_level(rows: Iterable[PatchRow]) -> str:
    """Return the highest level of the non-compliant rows, at least INFORMATIONAL; ``""`` where all are compliant."""
    levels = [row.severity for row in rows if row.status == NON_COMPLIANT]
    return max(("INFORMATIONAL", *levels), key=LEVELS.index) if levels else ""


def without_held_back(rows: Iterable[PatchRow], held_back: Collection[str]) -> tuple[PatchRow, ...]:
    """Return the rows without those that are missing because the frozen set does not let the update in."""
    return tuple(row for row in rows if row.patch_state != MISSING or row.id not in held_back)


def overall(rows: Iterable[PatchRow], *, unread: Collection[UnreadSource], stale: bool, decidable: bool = True) -> str:
    """Return the verdict: never COMPLIANT from data that could not be read or is too old. Rule: docs/rules.md, Trust.

    Args:
        decidable: whether the baseline can approve anything on this host.
    """
    if any(row.status == NON_COMPLIANT for row in rows):
        return NON_COMPLIANT
    return UNKNOWN if unread or stale or not decidable else COMPLIANT


def select(
    report: Report,
    *,
    states: Sequence[str] | str | None,
    severity: Sequence[str] | str | None,
    name: Sequence[str] | str | None,
    details: bool,
) -> Report:
    """Return a report with the rows that match; compliant ones only with ``details``, ``states`` or ``name``.

    Args:
        states: patch states, case-insensitive.
        severity: compliance levels (``Severity``) or vendor severities (``PatchSeverity``), case-insensitive.
        name: globs over the package name, ``name.arch`` or ``name:arch``.

    Raises:
        InvalidInput: a severity that neither AWS nor a vendor uses, nor a row of the report.
    """
    _refuse_unknown(report, listed(severity))
    wanted_states = {item.lower() for item in listed(states)}
    wanted_severities = {item.lower() for item in listed(severity)}
    names = [item.lower() for item in listed(name)]
    rows = []
    for row in report.patches:
        if wanted_states and row.patch_state.lower() not in wanted_states:
            continue
        if wanted_severities and not wanted_severities & {row.severity.lower(), row.patch_severity.lower()}:
            continue
        if names and not _named(row.id, names):
            continue
        if details or wanted_states or names or row.status == NON_COMPLIANT:
            rows.append(row)
    return replace(report, patches=tuple(rows))


def _refuse_unknown(report: Report, severities: Sequence[str]) -> None:
    used = (row.patch_severity for row in report.patches if row.patch_severity)
    known = {word.lower(): word for word in (*VENDOR_SEVERITIES, *used, *reversed(LEVELS))}
    unknown = [item for item in severities if item.lower() not in known]
    if unknown:
        raise InvalidInput(f"severity: {', '.join(unknown)!r} is not allowed; use {one_of(known.values(), unknown[0])}")


def unmatched_names(report: Report, name: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return a warning for each of the names that matches no row of the report."""
    ids = [row.id for row in report.patches]
    unmatched = [item for item in listed(name) if not any(_named(id_, (item.lower(),)) for id_ in ids)]
    known = [word for id_ in ids for word in (id_.rpartition(".")[0], id_)]
    hints = (near_word(item, known) or "ssmpatch.explain knows what is on offer" for item in unmatched)
    return tuple(
        f"name: no package of the report matches {show(item)}; {hint}"
        for item, hint in zip(unmatched, hints, strict=True)
    )


def source_warning(source: UnreadSource) -> str:
    """Return a sentence about a repository that could not be read: which, why, and how old the copy in use is."""
    if source.age is None:
        return f"{source.name}: could not be read: {source.problem}"
    return f"{source.name}: could not be read: {source.problem}; a copy from {duration(source.age)} ago was used"


def listed(value: Sequence[str] | str | None) -> list[str]:
    """Return the words of a list, or of text with commas between them."""
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    return [str(part).strip() for part in parts if str(part).strip()]


def _named(package_id: str, patterns: Sequence[str]) -> bool:
    lowered = package_id.lower()
    bare, _, arch = lowered.rpartition(".")
    names = (lowered, bare, f"{bare}:{arch}")
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
