# SPDX-License-Identifier: Apache-2.0
"""Announces planned reboots and installs, once each, by an event and by a message to those who are logged in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .. import reboot
from ..errors import SsmpatchError
from ..files import Unwritable
from ..host import CommandMissing, CommandTimeout
from ..store import notices
from ..times import aws_time, duration
from .due import decide_now, reboot_hints
from .events import tell
from .session import Session
from .window import may_begin

#: A planned time that moves by no more than this, in seconds, is still the same one.
_TOLERANCE = 60
_WALL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to happen at ``at`` (epoch seconds): ``what`` is ``reboot`` or ``install``, by the schedule's ``job``."""

    what: str
    at: float
    reason: str
    job: str = ""

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return f"{self.what} {self.job}".strip()


def announce(session: Session) -> tuple[str, ...]:
    """Announce what is planned within the time that the setting ``notice`` says; return warnings."""
    settings, now = session.settings, session.host.now()
    if not settings.notice:
        return ()
    place = settings.place(now)
    announced, warnings = notices.load_notices(place)
    try:
        planned = (*_planned_reboot(session), *_planned_installs(session, now))
    except SsmpatchError as exc:
        return (*warnings, f"what is planned could not be announced: {exc}")
    new = due_notices(planned, announced, now=now, notice=settings.notice)
    for each in new:
        _announce(session, each, now)
    # What is not planned now may be again: a schedule that does not answer is no change of it.
    known = {key: at for key, at in announced.items() if at > now}
    known |= {each.key: each.at for each in new}
    try:
        if known != announced:
            notices.save_notices(known, place)
    except Unwritable as exc:
        return (*warnings, f"{exc}; what was announced will be announced again")
    return warnings


def due_notices(
    planned: Iterable[Planned], announced: Mapping[str, float], *, now: float, notice: float
) -> tuple[Planned, ...]:
    """Return what is to happen within ``notice`` seconds and has not been announced for that time. Pure."""
    return tuple(
        each
        for each in planned
        if each.at - notice <= now < each.at and abs(announced.get(each.key, 0) - each.at) > _TOLERANCE
    )


def _planned_reboot(session: Session) -> Iterator[Planned]:
    """Yield the reboot that waits for its window."""
    if not session.settings.reboot.windows or session.settings.reboot.option == reboot.NO_REBOOT:
        return
    decision = decide_now(session, reboot_hints(session))
    if decision.action == reboot.DEFERRED and decision.due is not None and not decision.requested:
        yield Planned("reboot", decision.due, decision.reason)


def _planned_installs(session: Session, now: float) -> Iterator[Planned]:
    """Yield the installs of Salt's schedule that the maintenance window lets begin."""
    due = session.caller.next_installs
    for job, at in (due() if due else {}).items():
        if at > now and may_begin(session.settings, at):
            yield Planned("install", at, f"by the schedule: {job}", job)


def _does(planned: Planned, session: Session) -> str:
    """Return what the host does, up to the time: a reboot begins with whatever requests it in its window."""
    if planned.what == "reboot":
        return "may reboot from this time on:"
    may_reboot = session.settings.reboot.option != reboot.NO_REBOOT
    return f"installs updates{', and may reboot after it,' if may_reboot else ''} at"


def _announce(session: Session, planned: Planned, now: float) -> None:
    when, left = aws_time(planned.at), planned.at - now
    data = {"what": planned.what, "at": when, "seconds": round(left), "reason": planned.reason}
    tell(session, "notice", data)
    text = f"ssmpatch: this host {_does(planned, session)} {when} (UTC), in {duration(left)}; {planned.reason}"
    session.caller.log.info("%s", text)
    try:
        result = session.host.run(("wall", "--", text), timeout=_WALL_SECONDS)
    except CommandMissing:
        # A host on which nobody can be told has nobody who is logged in.
        return
    except CommandTimeout as exc:
        session.caller.log.warning("ssmpatch: wall: %s", exc)
        return
    if result.code:
        session.caller.log.warning("ssmpatch: wall: %s", result.words)
