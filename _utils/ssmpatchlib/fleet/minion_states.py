# SPDX-License-Identifier: Apache-2.0
"""What one minion goes through in a rollout: which call comes next, and what an answer or silence means. Pure.

waiting → checking → (window →) ready → installing → (rebooting →) to_verify → verifying → (to_test → testing →) an end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import NOT_STARTED, OutsideWindow
from ..model import COMPLIANT, INSTALLED_PENDING_REBOOT
from ..model import FAILED as PATCH_FAILED
from ..times import aws_time, epoch_of
from ..wording import amount
from .formatting import span
from .hosts import NO_REPORT, HostReport, opening_of, read_report
from .settings import Limits, Ring
from .untrusted import clean, error_text, shown

WAITING = "waiting"
CHECKING = "checking"
BUSY = "busy"
WINDOW = "window"
READY = "ready"
INSTALLING = "installing"
REBOOTING = "rebooting"
TO_VERIFY = "to_verify"
VERIFYING = "verifying"
TO_TEST = "to_test"
TESTING = "testing"

DONE = "compliant"
DONE_PENDING = "pending_reboot"
NON_COMPLIANT = "noncompliant"
FAILED = "failed"
UNREACHABLE = "unreachable"
POSTPONED = "postponed"

PASSED = frozenset({DONE, DONE_PENDING})
FAILURES = frozenset({NON_COMPLIANT, FAILED})
#: Neither passed nor failed: they are asked again later.
LEFT = frozenset({UNREACHABLE, POSTPONED})
ENDED = PASSED | FAILURES | LEFT
#: The phases of the gate's checks.
TESTED = frozenset({TO_TEST, TESTING})
PHASES = ENDED | TESTED | {WAITING, CHECKING, BUSY, WINDOW, READY, INSTALLING, REBOOTING, TO_VERIFY, VERIFYING}

CHECK = "check"
INSTALL = "install"
SCAN = "scan"
TEST = "test"
PROBE = "probe"

STATUS = "ssmpatch.status"
VERSION = "ssmpatch.version"
DISK = "disk.usage"

MAX_ATTEMPTS = 3
# An operation may be between its end and its return when it is asked for: only two silent answers mean it is gone.
IDLE_ANSWERS = 2
# A window that has opened since it was the reason of a refusal.
AGAIN_SECONDS = 300
SHOWN_PATCHES = 20
SHOWN_WARNINGS = 5
_WATCHED_PLACES = ("/", "/usr", "/var")


@dataclass(frozen=True, slots=True)
class Minion:
    """Where a minion stands. Times are epoch seconds.

    ``since`` is when the phase began, ``job`` the job whose return is awaited and ``asked`` when it was published;
    ``probe`` and ``probed`` are the same of the last question for its status. ``began`` is when it was first found
    busy, ``closed`` when first outside of its own window, which opens at ``opens``. ``system`` names the frozen set
    it needs, ``tested`` counts the gate's checks that it has passed, ``held_back`` the patches that it lacks because
    its frozen set does not let them in.
    """

    phase: str = WAITING
    since: float = 0
    job: str = ""
    asked: float = 0
    probe: str = ""
    probed: float = 0
    idle: int = 0
    attempts: int = 0
    began: float = 0
    closed: float = 0
    opens: float = 0
    tested: int = 0
    boot_id: str = ""
    system: str = ""
    reason: str = ""
    patches: tuple[str, ...] = ()
    changed: int = 0
    held_back: int = 0
    warnings: tuple[str, ...] = ()


def enter(minion: Minion, phase: str, now: float, **fields: Any) -> Minion:
    """The minion in a new phase, waiting for nothing."""
    return replace(minion, phase=phase, since=now, job="", asked=0, probe="", probed=now, idle=0, **fields)


def is_late(minion: Minion, now: float) -> bool:
    """Whether a minion that was left behind is to be asked again."""
    return minion.phase == UNREACHABLE or (minion.phase == POSTPONED and minion.opens <= now)


def wanted(minion: Minion, *, now: float, limits: Limits) -> str:
    """The call to make next: one of the call names, ``""`` when there is nothing to ask."""
    if minion.phase == WAITING:
        return CHECK
    if minion.phase == BUSY:
        return CHECK if now - minion.since >= limits.probe else ""
    if minion.phase == WINDOW:
        return CHECK if now >= minion.opens else ""
    if minion.phase == READY:
        return INSTALL
    if minion.phase == TO_VERIFY:
        return SCAN
    if minion.phase == TO_TEST:
        return TEST
    if minion.phase in (INSTALLING, VERIFYING, TESTING, REBOOTING) and now - minion.probed >= limits.probe:
        return PROBE
    return ""


_CALLED = {CHECK: CHECKING, INSTALL: INSTALLING, SCAN: VERIFYING, TEST: TESTING}


def called(minion: Minion, call: str, *, job: str, now: float) -> Minion:
    """The minion with the call published as ``job``."""
    if call == PROBE:
        return replace(minion, probe=job, probed=now)
    more = {"attempts": minion.attempts + 1} if call == INSTALL else {}
    return replace(enter(minion, _CALLED[call], now, **more), job=job, asked=now)


def answered(minion: Minion, answer: Any, *, ring: Ring, now: float, limits: Limits) -> Minion:
    """The minion after the return of its job. An answer that cannot be read is the minion's own failure."""
    try:
        return _answered(minion, answer, ring, now, limits)
    except Exception as exc:  # Whatever one minion says, the others go on.
        return enter(minion, FAILED, now, reason=f"its answer cannot be read ({type(exc).__name__})")


def _answered(minion: Minion, answer: Any, ring: Ring, now: float, limits: Limits) -> Minion:
    if minion.phase == CHECKING:
        return _checked(minion, answer, now, limits)
    if minion.phase == INSTALLING:
        return _installed(minion, answer, now, limits)
    if minion.phase == VERIFYING:
        return _verified(minion, answer, ring, now)
    if minion.phase == TESTING:
        return _tested(minion, answer, ring, now)
    return minion


def probed(minion: Minion, answer: Any, *, now: float) -> Minion:
    """The minion after it told its status, its job's return still being awaited."""
    minion = replace(minion, probe="", probed=now)
    if not isinstance(answer, Mapping):
        return minion
    if minion.phase == REBOOTING:
        boot_id = clean(answer.get("boot_id"))
        return enter(minion, TO_VERIFY, now) if boot_id and boot_id != minion.boot_id else minion
    if answer.get("running"):
        return replace(minion, idle=0)
    minion = replace(minion, idle=minion.idle + 1)
    if minion.idle < IDLE_ANSWERS:
        return minion
    again = {INSTALLING: READY, VERIFYING: TO_VERIFY, TESTING: TO_TEST}.get(minion.phase)
    if again is None:
        return minion
    if minion.attempts >= MAX_ATTEMPTS:
        return enter(minion, FAILED, now, reason=f"{minion.phase} was interrupted {MAX_ATTEMPTS} times")
    more = {} if again == READY else {"attempts": minion.attempts + 1}
    return enter(minion, again, now, reason="", **more)


def waited(minion: Minion, *, now: float, limits: Limits) -> Minion:
    """The minion after some time without an answer."""
    if minion.phase == CHECKING and now - minion.asked > limits.reach:
        return enter(minion, UNREACHABLE, now, reason=f"no answer within {span(limits.reach)}")
    longest = {INSTALLING: limits.install, VERIFYING: limits.scan, TESTING: limits.scan, REBOOTING: limits.reboot}
    if minion.phase in longest and now - minion.since > longest[minion.phase]:
        what = "has not booted" if minion.phase == REBOOTING else f"{minion.phase} has not returned"
        return enter(minion, FAILED, now, reason=f"{what} within {span(longest[minion.phase])}")
    return minion


def _checked(minion: Minion, answer: Any, now: float, limits: Limits) -> Minion:
    answers = answer if isinstance(answer, Mapping) else {}
    status, version = answers.get(STATUS), answers.get(VERSION)
    if not isinstance(status, Mapping) or not isinstance(version, Mapping):
        bad = version if isinstance(status, Mapping) else status
        words = error_text(bad if answers else answer) or "no status"
        return enter(minion, FAILED, now, reason=f"ssmpatch does not work there: {words}")
    running = status.get("running")
    if isinstance(running, Mapping):
        began = minion.began or now
        what = clean(running.get("operation")) or "an operation"
        if now - began > limits.busy:
            return enter(minion, FAILED, now, reason=f"busy: {what} runs for more than {span(limits.busy)}")
        return enter(minion, BUSY, now, began=began, reason=f"busy: {what} runs")
    short = _short_of_room(answers.get(DISK), limits.min_free)
    if short:
        return enter(minion, FAILED, now, reason=short)
    opens = opening_of(status.get("next_open"), now)
    if opens is not None:
        return _outside(minion, opens, now, limits)
    system = "-".join(filter(None, (clean(version.get("operating_system")), clean(version.get("product")))))
    return enter(minion, READY, now, boot_id=clean(status.get("boot_id")), system=system, reason="", began=0)


def _outside(minion: Minion, opens: float, now: float, limits: Limits) -> Minion:
    """The minion while its own maintenance window is closed: that is no failure, and it is waited for in bounds."""
    closed = minion.closed or now
    reason = f"outside of its own maintenance window, which opens {aws_time(opens)}"
    phase = POSTPONED if opens - closed > limits.window else WINDOW
    return enter(minion, phase, now, closed=closed, opens=opens, reason=reason)


def _short_of_room(usage: Any, min_free: int) -> str:
    """Which file system has too little room, in words; unknown shapes say nothing."""
    if not isinstance(usage, Mapping):
        return ""
    for place in _WATCHED_PLACES:
        mount = usage.get(place)
        try:
            free = int(mount["available"]) // 1024 if isinstance(mount, Mapping) else None
        except (KeyError, TypeError, ValueError, OverflowError):
            free = None
        if free is not None and free < min_free:
            return f"{place}: {free} MiB free, {min_free} MiB are needed; make room or lower limits:min_free"
    return ""


def _installed(minion: Minion, answer: Any, now: float, limits: Limits) -> Minion:
    refused = OutsideWindow.next_open_in(answer) if isinstance(answer, str) else ""
    if refused:
        return _outside(minion, opening_of(refused, now) or now + AGAIN_SECONDS, now, limits)
    report = read_report(answer, now=now)
    if report.verdict == NO_REPORT or not isinstance(answer, Mapping):
        # What came of it only a scan can tell.
        return enter(minion, TO_VERIFY, now, reason=report.problem)
    reboot = answer.get("reboot")
    reboot = reboot if isinstance(reboot, Mapping) else {}
    changes = answer.get("changes")
    minion = replace(
        minion,
        changed=minion.changed + (len(changes) if isinstance(changes, Mapping) else 0),
        warnings=_warnings(report.warnings),
        reason=_failures(report),
    )
    action, due = reboot.get("action"), epoch_of(reboot.get("due"))
    if action == "exhausted":
        return enter(minion, FAILED, now, reason=clean(reboot.get("reason")) or "reboot attempts exhausted")
    if action in ("reboot", "deferred") and due is not None and due - now <= limits.reboot:
        return enter(minion, REBOOTING, now)
    opens = opening_of(answer.get("next_open"), now)
    if opens is not None and any(row.state == PATCH_FAILED and NOT_STARTED in row.reason for row in report.rows):
        return _outside(minion, opens, now, limits)
    return enter(minion, TO_VERIFY, now)


def _warnings(texts: Sequence[str]) -> tuple[str, ...]:
    """The first few warnings of a report; what it says of the frozen set comes first."""
    return tuple(clean(text, 300) for text in sorted(texts, key=lambda text: "frozen" not in text)[:SHOWN_WARNINGS])


def _failures(report: HostReport) -> str:
    failed = [row for row in report.rows if row.state == PATCH_FAILED]
    if not failed:
        return ""
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return clean(f"{failed[0].id}{more} could not be installed: {clean(failed[0].reason, 300)}")


def _verified(minion: Minion, answer: Any, ring: Ring, now: float) -> Minion:
    report = read_report(answer, now=now)
    if report.verdict == NO_REPORT:
        return enter(minion, FAILED, now, reason=f"the scan failed: {report.problem}")
    rows = report.let_in
    ids = tuple(clean(row.id, 200) for row in rows[:SHOWN_PATCHES])
    minion = replace(minion, held_back=report.counts.held_back)
    if report.frozen_verdict == COMPLIANT:
        return _end_or_test(replace(minion, patches=(), reason=""), DONE, ring, now)
    if rows and not report.unreadable and all(row.state == INSTALLED_PENDING_REBOOT for row in rows):
        waiting = replace(minion, patches=ids, reason=f"{amount(len(rows), 'installed patch', 'wait')} for a reboot")
        return _end_or_test(waiting, DONE_PENDING, ring, now)
    if not rows:
        words = "; ".join(_warnings((*report.unreadable, *report.warnings))) or report.frozen_verdict
        return enter(minion, NON_COMPLIANT, now, patches=(), reason=f"the scan could not read every source: {words}")
    reason = minion.reason or f"{amount(len(rows), 'patch', 'are')} still not there"
    return enter(minion, NON_COMPLIANT, now, patches=ids, reason=reason)


def _end_or_test(minion: Minion, end: str, ring: Ring, now: float) -> Minion:
    return enter(minion, TO_TEST if ring.gate.checks else end, now, tested=0)


def _tested(minion: Minion, answer: Any, ring: Ring, now: float) -> Minion:
    check = ring.gate.checks[minion.tested]
    if answer != check.expected:
        words = error_text(answer) or shown(answer)
        return enter(minion, FAILED, now, reason=f"check {check.function}: {words} instead of {check.expected!r}")
    minion = replace(minion, tested=minion.tested + 1)
    if minion.tested < len(ring.gate.checks):
        return enter(minion, TO_TEST, now)
    return enter(minion, DONE_PENDING if minion.patches else DONE, now)
