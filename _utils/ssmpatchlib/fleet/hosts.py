# SPDX-License-Identifier: Apache-2.0
"""What minions returned, read into small values. Nothing a minion says is trusted: any shape, any text, any size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..model import (
    COMPLIANT,
    INSTALLED_STATES,
    LEVELS,
    MISSING,
    NON_COMPLIANT,
    NON_COMPLIANT_STATES,
    NOT_APPLICABLE,
    UNKNOWN,
)
from ..times import aws_time, epoch_of
from .cves import HostCves, read_cves
from .old_code import OldCode, read_old_code
from .untrusted import Pool, clean, error_text, shown

#: Verdicts of hosts that gave no report; never counted as compliant.
NO_REPORT = "NO_REPORT"
UNREACHABLE = "UNREACHABLE"
VERDICTS = (COMPLIANT, NON_COMPLIANT, UNKNOWN, NO_REPORT, UNREACHABLE)

REPORT = "ssmpatch.report"
SCAN = "ssmpatch.scan"
STATUS = "ssmpatch.status"
GRAINS = "grains.item"
#: The grains that a fleet report shows.
GRAIN_NAMES = ("host", "os", "osrelease", "fqdn_ip4", "ipv4", "saltversion")

#: The ids of CVEs and advisories of one row; a kernel may have hundreds.
MAX_IDS = 20000
MAX_ROWS = 20000
MAX_UNREADABLE = 5
#: Clocks of minions and master may differ by so much (seconds).
CLOCK_SECONDS = 300
#: No maintenance window stays closed for longer (seconds).
LONGEST_CLOSED = 400 * 86400
_STATES = INSTALLED_STATES | NON_COMPLIANT_STATES | {NOT_APPLICABLE}


class Row(NamedTuple):
    """One non-compliant patch of a host, as text. ``installed_time`` is AWS's UTC text.

    ``held_back`` says that it is missing because the host's frozen set does not let it in.
    """

    id: str
    title: str
    state: str
    level: str
    classification: str
    severity: str
    cves: str
    installed: str
    available: str
    reason: str
    installed_time: str
    held_back: bool = False
    advisories: str = ""


class Counts(NamedTuple):
    """The counters of a report's summary, and how many of the missing patches the frozen set holds back."""

    missing: int = 0
    failed: int = 0
    rejected: int = 0
    pending: int = 0
    installed: int = 0
    other: int = 0
    not_applicable: int = 0
    held_back: int = 0

    @property
    def non_compliant(self) -> int:
        """How many patches make the host non-compliant."""
        return self.missing + self.failed + self.rejected + self.pending


#: Where the summary has each counter.
_COUNTERS = {
    "missing": "MissingCount",
    "failed": "FailedCount",
    "rejected": "InstalledRejectedCount",
    "pending": "InstalledPendingRebootCount",
    "installed": "InstalledCount",
    "other": "InstalledOtherCount",
    "not_applicable": "NotApplicableCount",
}


class HostReport(NamedTuple):
    """What is known of one minion. ``ended`` is when its report was made, epoch seconds, None without one.

    ``severity`` is the highest compliance level among the non-compliant rows, ``""`` without any. ``problem`` says why
    there is no report, ``running`` which operation runs now. ``group`` is the value of the grain that was asked for,
    ``ring`` the ring of a rollout that the host belongs to.
    ``frozen_verdict`` is the verdict without what the frozen set holds back: ``verdict`` where it holds back nothing.
    ``unreadable`` names what of its answer cannot be read: such a host is never compliant. ``undated`` says why the
    time of its report is not believed, ``""`` when it is; ``ended`` is at most the master's own time.
    ``old_code`` and ``cves`` are None where nobody looked.
    """

    id: str
    verdict: str
    ended: float | None = None
    operation: str = ""
    counts: Counts = Counts()
    severity: str = ""
    baseline_id: str = ""
    baseline: str = ""
    patch_group: str = ""
    operating_system: str = ""
    product: str = ""
    frozen: bool = False
    rows: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = ()
    reboot_pending: bool = False
    running: str = ""
    name: str = ""
    address: str = ""
    platform: str = ""
    platform_version: str = ""
    agent: str = ""
    group: str = ""
    problem: str = ""
    frozen_verdict: str = ""
    unreadable: tuple[str, ...] = ()
    undated: str = ""
    ring: str = ""
    old_code: OldCode | None = None
    cves: HostCves | None = None

    @property
    def system(self) -> str:
        """The operating system with its version, ``unknown`` where nothing says it."""
        return " ".join(filter(None, (self.platform, self.platform_version))) or self.product or "unknown"

    @property
    def let_in(self) -> tuple[Row, ...]:
        """The non-compliant patches without those that the frozen set holds back."""
        return tuple(row for row in self.rows if not row.held_back)

    def stale(self, now: float, stale_after: float) -> bool:
        """Whether there is a report and it is older than ``stale_after`` seconds, or of no time that can be."""
        return bool(self.undated) or (self.ended is not None and now - self.ended > stale_after)


def read_host(minion: str, returned: Any, *, pool: Pool, group_by: str = "", now: float = math.inf) -> HostReport:
    """Read what ``minion`` returned for ``ssmpatch.report`` (or scan), ``ssmpatch.status`` and ``grains.item``.

    Args:
        returned: a mapping of function to return; anything else is a problem of the host.
        group_by: the grain that ``group`` is taken from.
        now: epoch seconds; what is dated later is not believed.
    """
    host = HostReport(id=clean(minion), verdict=NO_REPORT)
    try:
        return _read_host(host, returned, pool, group_by, now)
    except Exception as exc:  # Whatever one minion says, the others are read.
        return _unreadable(host, f"its answer ({type(exc).__name__})")


def read_report(report: Any, *, now: float = math.inf) -> HostReport:
    """Read what one minion returned for a scan, an install or a report; its verdict is ``NO_REPORT`` for an error."""
    return read_host("", {REPORT: report}, pool=Pool(), now=now)


def _read_host(host: HostReport, returned: Any, pool: Pool, group_by: str, now: float) -> HostReport:
    answers = returned if isinstance(returned, Mapping) else {}
    report = answers.get(REPORT, answers.get(SCAN)) if answers else returned
    host = _with_facts(host, answers, pool, group_by)
    if isinstance(report, Mapping) and ("summary" in report or "compliance" in report):
        return _with_report(host, report, pool, now)
    if report and not isinstance(report, str):
        return _unreadable(host, f"the report: {shown(report)}")
    return host._replace(problem=error_text(report) or "no report")


def _unreadable(host: HostReport, what: str) -> HostReport:
    return host._replace(verdict=UNKNOWN, problem=f"cannot be read: {what}", unreadable=(clean(what),))


def _with_facts(host: HostReport, answers: Mapping[Any, Any], pool: Pool, group_by: str) -> HostReport:
    grains = _mapping(answers.get(GRAINS))
    status = _mapping(answers.get(STATUS))
    addresses = _texts(grains.get("fqdn_ip4")) + _texts(grains.get("ipv4"))
    routable = [address for address in addresses if not address.startswith("127.")]
    group = grains.get(group_by) if group_by else None
    return host._replace(
        name=pool.text(grains.get("host")),
        platform=pool.text(grains.get("os")),
        platform_version=pool.text(grains.get("osrelease")),
        agent=pool.text(grains.get("saltversion")),
        address=(routable or addresses or [""])[0],
        group=pool.text(", ".join(_texts(group)) if isinstance(group, (list, tuple)) else group),
        running=pool.text(_mapping(status.get("running")).get("operation")),
        reboot_pending=bool(status.get("reboot_pending")),
    )


def _with_report(host: HostReport, report: Mapping[Any, Any], pool: Pool, now: float) -> HostReport:
    summary = report.get("summary")
    unreadable = [] if isinstance(summary, Mapping) else [f"summary: {shown(summary)}"]
    summary = _mapping(summary)
    baseline = _mapping(report.get("baseline"))
    held_back = frozenset(_texts(report.get("held_back"), MAX_ROWS))
    rows = tuple(_rows(report.get("patches"), held_back, pool, unreadable))
    counted = {field: _count(summary, key, unreadable) for field, key in _COUNTERS.items()}
    counts = Counts(**counted, held_back=sum(row.held_back for row in rows))
    ended, undated = _dated(summary.get("OperationEndTime"), now)
    verdict = _verdict(report.get("compliance"), rows, counts, unreadable)
    frozen_verdict = _frozen_verdict(report.get("frozen_compliance"), verdict, rows, counts, unreadable)
    if len(unreadable) > MAX_UNREADABLE:
        unreadable[MAX_UNREADABLE:] = [f"and {len(unreadable) - MAX_UNREADABLE} more"]
    doubts = [f"cannot be read: {what}" for what in unreadable] + [undated] * bool(undated)
    return host._replace(
        verdict=verdict,
        ended=ended,
        operation=pool.text(summary.get("OperationType")),
        counts=counts,
        severity=max((row.level for row in rows), key=level_rank, default=""),
        baseline_id=pool.text(summary.get("BaselineId")),
        baseline=pool.text(baseline.get("name") or summary.get("BaselineId")),
        patch_group=pool.text(summary.get("PatchGroup")),
        operating_system=pool.text(baseline.get("operating_system")),
        product=pool.text(baseline.get("product")),
        frozen=bool(baseline.get("frozen")),
        rows=rows,
        warnings=tuple(pool.text(text) for text in (*_texts(report.get("warnings"))[:50], *doubts)),
        reboot_pending=host.reboot_pending or counts.pending > 0,
        frozen_verdict=frozen_verdict,
        unreadable=tuple(unreadable),
        undated=undated,
        old_code=read_old_code(report.get("restarts"), text=pool.text),
        cves=read_cves(report.get("cves"), pool=pool),
    )


def _verdict(said: Any, rows: tuple[Row, ...], counts: Counts, unreadable: list[str]) -> str:
    """What a report comes to: nobody is compliant against his own rows, or with rows that cannot be read."""
    if not isinstance(said, str) or said not in (COMPLIANT, NON_COMPLIANT, UNKNOWN):
        unreadable.append(f"compliance: {shown(said)}")
    if rows:
        return NON_COMPLIANT
    if unreadable:
        return UNKNOWN
    return NON_COMPLIANT if said == COMPLIANT and counts.non_compliant else said


def _frozen_verdict(said: Any, verdict: str, rows: tuple[Row, ...], counts: Counts, unreadable: list[str]) -> str:
    """What a report comes to without what the frozen set holds back; nobody is compliant against other rows of his."""
    if not counts.held_back:
        return verdict
    if counts.non_compliant > counts.held_back or not all(row.held_back for row in rows):
        return NON_COMPLIANT
    return UNKNOWN if unreadable or said == UNKNOWN else COMPLIANT


def _dated(said: Any, now: float) -> tuple[float | None, str]:
    """When a report was made, at most ``now``, and why that is not believed."""
    ended = epoch_of(said)
    if ended is None or ended < 0:
        return None, f"the time of its report cannot be read: {shown(said)}"
    if ended > now + CLOCK_SECONDS:
        return now, f"its report is dated {aws_time(ended)}, later than the master's clock; set the clocks right"
    return min(ended, now), ""


def opening_of(said: Any, now: float) -> float | None:
    """When the window of a minion opens by its ``next_open``, epoch seconds, None when it is open.

    A window that never opens, or later than any can, counts as one that opens in the longest time.
    """
    opens = now + LONGEST_CLOSED if said == "never" else epoch_of(said)
    return min(opens, now + LONGEST_CLOSED) if opens is not None and opens > now else None


def level_rank(level: str) -> int:
    """The place of a compliance level, higher is worse; 0 for words that are none."""
    return LEVELS.index(level) if level in LEVELS else 0


def _rows(patches: Any, held_back: frozenset[str], pool: Pool, unreadable: list[str]) -> Iterator[Row]:
    if not isinstance(patches, (list, tuple)):
        unreadable.append(f"patches: {shown(patches)}")
        return
    if len(patches) > MAX_ROWS:
        unreadable.append(f"patches: more than {MAX_ROWS} rows")
    for number, patch in enumerate(patches[:MAX_ROWS]):
        state = patch.get("PatchState") if isinstance(patch, Mapping) else None
        if not isinstance(state, str) or state not in _STATES:
            unreadable.append(f"patches[{number}]: {shown(patch)}")
        elif state in NON_COMPLIANT_STATES:
            yield pool.share(_row(patch, state, held_back, pool))


def _row(patch: Mapping[Any, Any], state: str, held_back: frozenset[str], pool: Pool) -> Row:
    level, id_ = patch.get("Severity"), pool.text(patch.get("Id"))
    return Row(
        id=id_,
        title=pool.text(patch.get("Title")),
        state=state,
        level=level if isinstance(level, str) and level in LEVELS else LEVELS[0],
        classification=pool.text(patch.get("Classification")),
        severity=pool.text(patch.get("PatchSeverity")),
        cves=pool.text(patch.get("CVEIds"), MAX_IDS),
        installed=pool.text(patch.get("installed_version")),
        available=pool.text(patch.get("available_version")),
        reason=pool.text(patch.get("reason")),
        installed_time=pool.text(patch.get("InstalledTime")),
        held_back=state == MISSING and id_ in held_back,
        advisories=pool.text(patch.get("advisories"), MAX_IDS),
    )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any, most: int = 1000) -> list[str]:
    if isinstance(value, str):
        return [clean(value)]
    return [clean(item) for item in value[:most]] if isinstance(value, (list, tuple)) else []


def _count(summary: Mapping[Any, Any], key: str, unreadable: list[str]) -> int:
    """A counter of a summary; AWS has them as text, and one that is not there counts nothing."""
    value = summary.get(key, 0)
    text = str(value) if type(value) is int and 0 <= value < 10**9 else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    unreadable.append(f"summary.{key}: {shown(value)}")
    return 0
