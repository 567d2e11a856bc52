# SPDX-License-Identifier: Apache-2.0
"""Plans and installs with one run of dnf, which waits at its question until its proposal has been checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ...host import CommandResult, CommandTimeout
from ...model import Offer, Target
from .. import detached
from ..detached import Waiting
from ..output import open_log
from . import answer
from .answer import Reply
from .command import DnfCommand
from .solver import ask_dnf, install_arguments

#: The file with dnf's output, one run after the other, below the work directory.
LOG = "dnf-output.log"
RUN_LIMIT = 6 * 3600
_PLAN_LIMIT = 900
#: Options that make dnf ask before it acts, whatever the system's configuration says.
_ASK = ("--setopt=assumeyes=0", "--setopt=assumeno=0", "--setopt=defaultyes=0", "--setopt=*.metadata_expire=-1")
_QUESTION = "[y/N]: "
#: Answers for the transaction and for each repository key that it needs; ``-y`` would agree to these too.
_YES = "y\n" * 100

_Request = tuple[tuple[Target, ...], tuple[Offer, ...]]


class Asker:
    """Asks dnf and leaves the first one waiting; for a second question it is ended, and no other one waits."""

    def __init__(self, command: DnfCommand) -> None:
        self._command = command
        self._asked = False
        self._waiting: Waiting | None = None
        self._request: _Request = ((), ())

    def ask(self, targets: Sequence[Target], hidden: Iterable[Offer]) -> Reply:
        """Return what dnf would do with some targets, with ``hidden`` excluded.

        Raises:
            SsmpatchError: dnf cannot be asked.
        """
        self.let_go()
        reply = None if self._asked else self._start((tuple(targets), tuple(hidden)))
        self._asked = True
        return reply or ask_dnf(self._command, targets, hidden)

    def holds(self, targets: Sequence[Target], hidden: Iterable[Offer]) -> bool:
        """Return whether a dnf waits with just this; let go one that has another transaction."""
        if self._request != (tuple(targets), tuple(hidden)):
            self.let_go()
        return self._waiting is not None

    def take(self) -> Waiting | None:
        """Return the dnf that waits; the caller sees to its end."""
        waiting, self._waiting = self._waiting, None
        return waiting

    def let_go(self) -> None:
        """End the dnf that waits; it changes nothing."""
        waiting = self.take()
        if waiting is not None:
            waiting.finish(timeout=_PLAN_LIMIT)

    def _start(self, request: _Request) -> Reply | None:
        """Start a dnf and return its proposal; None where it neither asks nor says why not."""
        self._command.wait_for_system()
        context = self._command.context
        log = context.work_dir / LOG
        open_log(log, now=context.host.now())
        log.unlink(missing_ok=True)
        arguments = install_arguments(self._command.generation, *request)
        running = detached.start(context, self._command.argv(*_ASK, *arguments), output=log)
        try:
            text = running.wait_for(_QUESTION, timeout=_PLAN_LIMIT)
        except CommandTimeout:
            return None
        reply = answer.read_reply(running.finish().stdout if text is None else text, "")
        if text is None:
            return reply if reply.problems or reply.unmatched else None
        if not reply.rows:
            # dnf asked another question, such as whether to trust a repository's key.
            running.finish()
            return None
        self._waiting, self._request = running, request
        return reply


def go_on(waiting: Waiting, watch: Callable[[], None]) -> CommandResult:
    """Let a waiting dnf do what it has proposed; return its result."""
    return waiting.finish(_YES, timeout=RUN_LIMIT, watch=watch)
