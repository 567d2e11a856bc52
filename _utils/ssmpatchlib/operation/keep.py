# SPDX-License-Identifier: Apache-2.0
"""What operations remember: read before a judgement, kept after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import report
from ..files import Unwritable
from ..model import INSTALLED_STATES, Verdict
from ..reboot import RebootRequests
from ..store import pending, reports, states
from ..times import aws_time, epoch_of
from .result import event_data
from .session import Session
from .upload import send


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier operations left; ``pending`` are the Titles that still wait for a reboot."""

    states: states.PatchStates
    record: pending.PendingReboot | None
    pending: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def saved_times(self) -> dict[str, float]:
        """Install times by Title, where an earlier run knew one."""
        found = self.states.patches.items()
        return {title: patch.installed_time for title, patch in found if patch.installed_time is not None}

    @property
    def last_no_reboot_install(self) -> float:
        """When an Install with NoReboot last ended, epoch seconds; 0 if never."""
        return self.states.last_no_reboot

    @property
    def requests(self) -> RebootRequests:
        """The reboots requested so far."""
        return self.record.requests if self.record else RebootRequests()


def load_known(session: Session, verdicts: Sequence[Verdict]) -> Known:
    """Read what earlier operations left, for the packages that are installed now."""
    settings, host = session.settings, session.host
    place = settings.place(host.now())
    saved, warnings = states.read_states(settings.aws_dir, now=place.now)
    record, more = pending.load_pending(place)
    installed = [v.title for v in verdicts if v.state in INSTALLED_STATES]
    waiting = pending.still_pending(record, saved, installed=installed, boot=host.this_boot())
    return Known(saved, record, waiting, (*warnings, *more))


def keep_pending(session: Session, known: Known, titles: Collection[str], warnings: list[str]) -> bool:
    """Record that ``titles`` wait for a reboot of this boot; none of them ends the record.

    Return whether that could be written; if not, a warning is added.
    """
    host = session.host
    place = session.settings.place(host.now())
    record = pending.add_pending(known.record, titles, now=place.now, boot=host.this_boot()) if titles else None
    try:
        pending.save_pending(record, place)
    except Unwritable as exc:
        warnings.append(f"what waits for a reboot could not be recorded: {exc}")
        return False
    return True


def keep(
    session: Session,
    result: Mapping[str, Any],
    *,
    upload: bool | None,
    last_no_reboot: float | None = None,
    changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Store a report and everything that goes with it, and send it to AWS if wanted.

    Returns:
        The report with what that has to say, and whether report and history are stored. What cannot be stored is a
        warning and keeps nothing else from being stored.
    """
    warnings = list(result["warnings"])
    result = {**result, "warnings": warnings}
    warnings += send(session, result, upload)
    stored = True
    for ours, write in _writers(session, result, last_no_reboot, changes or {}, warnings):
        try:
            write()
        except Unwritable as exc:
            stored = stored and not ours
            warnings.append(f"this report could not be stored completely: {exc}")
    return result, stored


def _writers(
    session: Session,
    result: Mapping[str, Any],
    last_no_reboot: float | None,
    changes: Mapping[str, Any],
    warnings: list[str],
) -> tuple[tuple[bool, Callable[[], None]], ...]:
    """Return what writes each file, and whether that is one of ours (the others are shared with the AWS agent)."""
    settings = session.settings
    place = settings.place(session.host.now())
    saved, _ = states.read_states(settings.aws_dir, now=place.now)
    last = saved.last_no_reboot if last_no_reboot is None else last_no_reboot
    return (
        (False, lambda: states.write_states(settings.aws_dir, states.PatchStates(_patches(result, saved), last))),
        (False, lambda: states.write_summary(settings.aws_dir, summary_item(result))),
        (True, lambda: warnings.extend(reports.append_history(_outline(result, changes, place.now), place))),
        (True, lambda: reports.save_report(result, place)),
    )


def _patches(result: Mapping[str, Any], saved: states.PatchStates) -> dict[str, states.SavedPatch]:
    found = {}
    for row in result["patches"]:
        if row["PatchState"] in states.SAVED_STATES:
            title = row["Title"]
            when = epoch_of(row["InstalledTime"])
            if when is None and title in saved.patches:
                when = saved.patches[title].installed_time
            found[title] = states.SavedPatch(row["Id"], row["PatchState"], when)
    return found


def summary_item(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the AWS:PatchSummary inventory item of a report. Rule: docs/rules.md, What AWS stores."""
    import hashlib
    import json

    content = [dict(result["summary"])]
    return {
        "TypeName": "AWS:PatchSummary",
        "SchemaVersion": "1.0",
        "ContentHash": hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        "CaptureTime": result["summary"]["OperationEndTime"],
        "Content": content,
    }


def _outline(result: Mapping[str, Any], changes: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the line of the history."""
    return {
        "id": result["run"]["id"],
        "operation": result["summary"]["OperationType"],
        "time": aws_time(now),
        "baseline": result["baseline"]["name"],
        "counts": report.counts_of(result["summary"]),
        "outcome": result["compliance"],
        "duration": result["run"]["duration"],
        "reboot": event_data(result)["reboot"].get("action", "none"),
        "changes": dict(changes),
    }
