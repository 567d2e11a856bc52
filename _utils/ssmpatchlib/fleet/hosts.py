# SPDX-License-Identifier: Apache-2.0
"""What minions returned, read into small values. Nothing a minion says is trusted: any shape, any text, any size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..model import COMPLIANT, LEVELS, NON_COMPLIANT, NON_COMPLIANT_STATES, UNKNOWN
from ..times import epoch_of

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

MAX_TEXT = 2000
MAX_ROWS = 20000
_NOT_SHOWN = "\N{REPLACEMENT CHARACTER}"


class Row(NamedTuple):
    """One non-compliant patch of a host, as text. ``installed_time`` is AWS's UTC text."""

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


class Counts(NamedTuple):
    """The counters of a report's summary."""

    missing: int = 0
    failed: int = 0
    rejected: int = 0
    pending: int = 0
    installed: int = 0
    other: int = 0
    not_applicable: int = 0

    @property
    def non_compliant(self) -> int:
        """How many patches make the host non-compliant."""
        return self.missing + self.failed + self.rejected + self.pending


class HostReport(NamedTuple):
    """What is known of one minion. ``ended`` is when its report was made, epoch seconds, None without one.

    ``severity`` is the highest compliance level among the non-compliant rows, ``""`` without any. ``problem`` says why
    there is no report, ``running`` which operation runs now. ``group`` is the value of the grain that was asked for.
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

    def stale(self, now: float, stale_after: float) -> bool:
        """Whether there is a report and it is older than ``stale_after`` seconds."""
        return self.ended is not None and now - self.ended > stale_after


class Pool:
    """Keeps one copy of equal texts and rows: ten thousand hosts mostly lack the same patches."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._rows: dict[Row, Row] = {}

    def text(self, value: Any) -> str:
        """``clean(value)``, shared."""
        text = clean(value)
        return self._texts.setdefault(text, text)

    def row(self, row: Row) -> Row:
        """The row, shared."""
        return self._rows.setdefault(row, row)


def clean(value: Any, limit: int = MAX_TEXT) -> str:
    """Text that can be shown: one line without control or direction characters, at most ``limit`` long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else ""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " if char.isspace() else _NOT_SHOWN for char in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_host(minion: str, returned: Any, *, pool: Pool, group_by: str = "") -> HostReport:
    """Read what ``minion`` returned for ``ssmpatch.report`` (or scan), ``ssmpatch.status`` and ``grains.item``.

    Args:
        returned: a mapping of function to return; anything else is a problem of the host.
        group_by: the grain that ``group`` is taken from.
    """
    answers = returned if isinstance(returned, Mapping) else {}
    report = answers.get(REPORT, answers.get(SCAN))
    host = _with_facts(HostReport(id=clean(minion), verdict=NO_REPORT), answers, pool, group_by)
    if not isinstance(report, Mapping) or not isinstance(report.get("summary"), Mapping):
        return host._replace(problem=error_text(report if answers else returned) or "no report")
    return _with_report(host, report, pool)


def error_text(value: Any) -> str:
    """What went wrong, out of an error return: the last line of a traceback without the exception's name."""
    if not isinstance(value, str):
        return ""
    lines = [line.strip() for line in value[-20000:].splitlines() if line.strip()]
    if not lines:
        return ""
    if not value.lstrip().startswith("Traceback"):
        return clean(value)
    name, colon, words = lines[-1].partition(": ")
    return clean(words if colon and " " not in name else lines[-1])


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


def _with_report(host: HostReport, report: Mapping[Any, Any], pool: Pool) -> HostReport:
    summary = _mapping(report.get("summary"))
    baseline = _mapping(report.get("baseline"))
    rows = tuple(_rows(report.get("patches"), pool))
    counts = Counts(
        missing=_count(summary.get("MissingCount")),
        failed=_count(summary.get("FailedCount")),
        rejected=_count(summary.get("InstalledRejectedCount")),
        pending=_count(summary.get("InstalledPendingRebootCount")),
        installed=_count(summary.get("InstalledCount")),
        other=_count(summary.get("InstalledOtherCount")),
        not_applicable=_count(summary.get("NotApplicableCount")),
    )
    verdict = report.get("compliance")
    if verdict not in (COMPLIANT, NON_COMPLIANT):
        verdict = UNKNOWN
    if verdict == COMPLIANT and (rows or counts.non_compliant):
        verdict = NON_COMPLIANT
    return host._replace(
        verdict=verdict,
        ended=epoch_of(summary.get("OperationEndTime")),
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
        warnings=tuple(pool.text(warning) for warning in _texts(report.get("warnings"))[:50]),
        reboot_pending=host.reboot_pending or counts.pending > 0,
    )


def level_rank(level: str) -> int:
    """The place of a compliance level, higher is worse; 0 for words that are none."""
    return LEVELS.index(level) if level in LEVELS else 0


def _rows(patches: Any, pool: Pool) -> Iterator[Row]:
    if not isinstance(patches, (list, tuple)):
        return
    for patch in patches[:MAX_ROWS]:
        if not isinstance(patch, Mapping) or patch.get("PatchState") not in NON_COMPLIANT_STATES:
            continue
        level = patch.get("Severity")
        yield pool.row(
            Row(
                id=pool.text(patch.get("Id")),
                title=pool.text(patch.get("Title")),
                state=pool.text(patch.get("PatchState")),
                level=level if level in LEVELS else LEVELS[0],
                classification=pool.text(patch.get("Classification")),
                severity=pool.text(patch.get("PatchSeverity")),
                cves=pool.text(patch.get("CVEIds")),
                installed=pool.text(patch.get("installed_version")),
                available=pool.text(patch.get("available_version")),
                reason=pool.text(patch.get("reason")),
                installed_time=pool.text(patch.get("InstalledTime")),
            )
        )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [clean(value)]
    return [clean(item) for item in value[:1000]] if isinstance(value, (list, tuple)) else []


def _count(value: Any) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(number) if math.isfinite(number) and 0 <= number < 10**9 else 0
