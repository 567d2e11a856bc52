# SPDX-License-Identifier: Apache-2.0
"""What operations remember: records that are read before a judgement and written after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from ..files import Unwritable
from ..model import INSTALLED_STATES, Verdict
from ..reboot import RebootRequests, remembered
from ..report import Report, add_warnings
from ..report_form import history_line, summary_content, summary_item
from ..store import pending, reports, states
from ..times import epoch_of
from .session import Session
from .upload import send


@dataclass(frozen=True, slots=True)
class Known:
    """The records of earlier operations; ``pending`` are the Titles that still wait for a reboot."""

    states: states.PatchStates
    record: pending.PendingReboot | None
    pending: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def saved_times(self) -> dict[str, float]:
        """Install times by Title that earlier runs recorded."""
        found = self.states.patches.items()
        return {title: patch.installed_time for title, patch in found if patch.installed_time is not None}

    @property
    def requests(self) -> RebootRequests:
        """The reboots requested so far."""
        return self.record.requests if self.record else RebootRequests()


def load_known(session: Session, installed: Iterable[str]) -> Known:
    """Return the records of earlier operations, for the Titles that are installed now."""
    settings, host = session.settings, session.host
    place = settings.place(host.now())
    saved, warnings = states.read_states(settings.aws_dir, now=place.now)
    record, more = pending.load_pending(place)
    waiting = pending.still_pending(record, saved, installed=tuple(installed), boot=host.this_boot())
    return Known(saved, record, waiting, (*warnings, *more))


def installed_titles(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the Titles of what is installed, by its verdicts."""
    return tuple(v.title for v in verdicts if v.state in INSTALLED_STATES)


def keep_pending(
    session: Session, known: Known, titles: Collection[str], hints: Collection[str], *, problem: str | None = None
) -> str:
    """Record that ``titles`` wait for a reboot, and which ``hints`` a reboot has not cleared; return why that failed.

    Without any of them the record is deleted. ``problem`` says why the reboot is not requested; None keeps what is
    known.
    """
    host = session.host
    place, boot = session.settings.place(host.now()), host.this_boot()
    requests = remembered(known.requests, hints, boot=boot)
    requests = requests if problem is None else replace(requests, problem=problem)
    record = replace(pending.add_pending(known.record, titles, now=place.now, boot=boot), requests=requests)
    try:
        pending.save_pending(record if titles or requests.hints or requests.problem else None, place)
    except Unwritable as exc:
        return f"what waits for a reboot could not be recorded: {exc}"
    return ""


def keep(
    session: Session, report: Report, *, upload: str | None, last_no_reboot: float | None = None
) -> tuple[Report, bool]:
    """Store a report and everything that goes with it, and send it to AWS if wanted.

    Returns:
        The report with further warnings, and whether report and history are stored. A file that cannot be written is a
        warning; the others are written all the same.
    """
    report = add_warnings(report, send(session, report, upload))
    stored = True
    for ours, write in _writers(session, last_no_reboot):
        try:
            report = add_warnings(report, write(report) or ())
        except Unwritable as exc:
            stored = stored and not ours
            report = add_warnings(report, (f"this report could not be stored completely: {exc}",))
    return report, stored


def _writers(
    session: Session, last_no_reboot: float | None
) -> tuple[tuple[bool, Callable[[Report], tuple[str, ...] | None]], ...]:
    """Return for each file whether it is ours (else shared with the AWS agent), and the function that writes it."""
    aws_dir, place = session.settings.aws_dir, session.settings.place(session.host.now())
    saved, _ = states.read_states(aws_dir, now=place.now)
    last = saved.last_no_reboot if last_no_reboot is None else last_no_reboot
    return (
        (False, lambda report: states.write_states(aws_dir, states.PatchStates(_patches(report, saved), last))),
        (False, lambda report: states.write_summary(aws_dir, summary_item(summary_content(report.summary)))),
        (True, lambda report: reports.append_history(history_line(report, now=place.now), place)),
        (True, lambda report: reports.save_report(report, place)),
    )


def _patches(report: Report, saved: states.PatchStates) -> dict[str, states.SavedPatch]:
    found = {}
    for row in report.patches:
        if row.patch_state in states.SAVED_STATES:
            when = epoch_of(row.installed_time)
            if when is None and row.title in saved.patches:
                when = saved.patches[row.title].installed_time
            found[row.title] = states.SavedPatch(row.id, row.patch_state, when)
    return found
