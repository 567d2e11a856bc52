# SPDX-License-Identifier: Apache-2.0
"""Follows the operations of minions until they have ended: by their events, and by asking those that are silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..wording import amount
from . import minion_states
from .salt_client import CHUNK, Call, Salt
from .watch_text import frame, line
from .watched import RUNNING, SILENT, Watched, after_event, after_status, read_event

#: A minion whose operation has said nothing for so long is asked for its status (seconds).
SILENT_SECONDS = 60.0
#: How often a terminal is written anew, and the job cache read (seconds).
TICK = 1.0
#: The job cache is read at least every so many ticks while answers are missing.
MOST_TICKS = 5
#: Waits for the next event, at most so many seconds, and returns its tag and data; None without one.
Events = Callable[[float], "tuple[Any, Any] | None"]
_STATUS = Call((minion_states.STATUS,), ((),))


class View(Protocol):
    """Shows people how operations stand."""

    def show(self, changed: Sequence[Watched], running: Sequence[Watched], *, now: float) -> None:
        """Show the operations that have ``changed`` since the last call, of all that are ``running``."""

    def say(self, words: str) -> None:
        """Show a sentence."""


@dataclass(slots=True)
class LineView:
    """A line for each change."""

    tell: Callable[[str], None]

    def show(self, changed: Sequence[Watched], running: Sequence[Watched], *, now: float) -> None:
        """As the protocol says."""
        for each in changed:
            self.tell(line(each, now=now))

    def say(self, words: str) -> None:
        """As the protocol says."""
        self.tell(words)


@dataclass(slots=True)
class TerminalView:
    """A line for each running operation, written anew; a line that stays for each that has ended."""

    write: Callable[[str], Any]
    size: Callable[[], tuple[int, int]]
    lines: int = 0

    def show(self, changed: Sequence[Watched], running: Sequence[Watched], *, now: float) -> None:
        """As the protocol says."""
        ended = [each for each in changed if each.state != RUNNING]
        if ended or running or self.lines:
            text, self.lines = frame(ended, running, now=now, size=self.size(), above=self.lines)
            self.write(text)

    def say(self, words: str) -> None:
        """As the protocol says."""
        self.write(f"{words}\n")


@dataclass(slots=True)
class _Question:
    """A question for the status of some minions; ``open`` have not answered yet, ``read`` is when they are looked for.

    The longer it takes the more rarely the job cache is read, for it may have the answers of thousands.
    """

    jobs: tuple[str, ...]
    open: set[str]
    asked: float
    read: float


class _Watcher:
    """One watch: what is known of each minion, and which question is open."""

    def __init__(self, salt: Salt, *, reach: float) -> None:
        self.salt = salt
        self.reach = reach
        self.known: dict[str, Watched] = {}
        self.question: _Question | None = None

    def ask(self, minions: Sequence[str]) -> None:
        """Ask minions for their status, in jobs of 500."""
        jobs = []
        for start in range(0, len(minions), CHUNK):
            jobs.append(self.salt.new_job())
            self.salt.publish(jobs[-1], minions[start : start + CHUNK], _STATUS)
        now = self.salt.now()
        self.question = _Question(tuple(jobs), set(minions), asked=now, read=now)

    def read_answers(self) -> None:
        """Take in the answers that are there; who does not answer in time is silent."""
        question, now = self.question, self.salt.now()
        if question is None or now < question.read:
            return
        question.read = now + min(MOST_TICKS * TICK, (now - question.asked) / 4)
        for job in question.jobs:
            for name, answer in self.salt.returns(job).items():
                if name in question.open:
                    question.open.discard(name)
                    self._take(name, after_status(self.known.get(name), name, answer, asked=question.asked, now=now))
        if question.open and now - question.asked < self.reach:
            return
        for name in question.open & self.known.keys():
            known = self.known[name]
            if known.state == RUNNING and known.heard <= question.asked:
                self.known[name] = replace(known, state=SILENT)
        self.question = None

    def hear(self, tag: Any, event: Any, minions: Iterable[str]) -> None:
        """Take in an event, if it is one of these minions'."""
        heard = read_event(tag, event)
        if heard is not None and heard.minion in minions:
            self._take(heard.minion, after_event(self.known.get(heard.minion), heard, now=self.salt.now()))

    def _take(self, name: str, watched: Watched | None) -> None:
        if watched is not None:
            self.known[name] = watched

    def running(self) -> dict[str, Watched]:
        """The operations that run."""
        return {name: each for name, each in self.known.items() if each.state == RUNNING}

    def ask_the_silent(self) -> None:
        """Ask those whose operation has said nothing for long; one question at a time."""
        silent = [name for name, each in self.running().items() if self.salt.now() - each.heard >= SILENT_SECONDS]
        if silent and self.question is None:
            self.ask(sorted(silent))


def follow(
    salt: Salt,
    minions: Sequence[str],
    *,
    events: Events,
    view: View,
    timeout: float,
    reach: float,
) -> dict[str, list[str]]:
    """Follow what runs on these minions until it has ended; return the minions by how it ended.

    Args:
        timeout: seconds after which what still runs is left alone.
        reach: how long a minion may take to answer (seconds).
    """
    watcher, wanted, deadline = _Watcher(salt, reach=reach), frozenset(minions), salt.now() + timeout
    view.say(f"asking {amount(len(minions), 'minion')} what runs")
    watcher.ask(minions)
    shown: dict[str, Watched] = {}
    while (now := salt.now()) < deadline:
        _listen(watcher, events, wanted, until=min(now + TICK, deadline))
        watcher.read_answers()
        watcher.ask_the_silent()
        changed = [each for name, each in watcher.known.items() if shown.get(name) != each]
        shown = dict(watcher.known)
        running = watcher.running()
        view.show(changed, list(running.values()), now=salt.now())
        if not running and watcher.question is None:
            break
    if not watcher.known:
        view.say(f"nothing runs on {amount(len(minions), 'minion')}")
    outcomes: dict[str, list[str]] = {}
    for name, each in sorted(watcher.known.items()):
        outcomes.setdefault(each.state, []).append(name)
    return outcomes


def _listen(watcher: _Watcher, events: Events, wanted: frozenset[str], *, until: float) -> None:
    """Take in every event until this time."""
    while (left := until - watcher.salt.now()) > 0:
        found = events(left)
        if found is not None:
            tag, event = found
            watcher.hear(tag, event, wanted)
