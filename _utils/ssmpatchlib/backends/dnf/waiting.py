# SPDX-License-Identifier: Apache-2.0
"""One run of dnf that plans and installs: it waits with its own question until what it proposes has been judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ...files import ensure_directory
from ...host import CommandResult, CommandTimeout, Running
from ...model import Offer, Target
from ..systemd_scope import scope
from . import answer
from .answer import Reply
from .command import DnfCommand
from .solver import ask_dnf, install_arguments

#: What dnf printed, one run after the other; below the work directory.
LOG = "dnf-output.log"
RUN_LIMIT = 6 * 3600
_PLAN_LIMIT = 900
#: Nothing is done without our answer, whatever the system's configuration says.
_ASK = ("--setopt=assumeyes=0", "--setopt=assumeno=0", "--setopt=defaultyes=0", "--setopt=*.metadata_expire=-1")
_QUESTION = "[y/N]: "
#: The transaction, and every key of a repository that it needs: what dnf asks with, ``-y`` agrees to as well.
_YES = "y\n" * 100

_Request = tuple[tuple[Target, ...], tuple[Offer, ...]]


class Asker:
    """Asks a dnf that waits; where it must be asked again that one is let go, and the others do not wait."""

    def __init__(self, command: DnfCommand) -> None:
        self._command = command
        self._asked = False
        self._waiting: Running | None = None
        self._request: _Request = ((), ())

    def ask(self, targets: Sequence[Target], hidden: Iterable[Offer]) -> Reply:
        """Return what dnf would do with some targets, without what is hidden.

        Raises:
            SsmpatchError: it cannot say.
        """
        self.let_go()
        reply = None if self._asked else self._start((tuple(targets), tuple(hidden)))
        self._asked = True
        return reply or ask_dnf(self._command, targets, hidden)

    def take(self, targets: Sequence[Target], hidden: Iterable[Offer]) -> Running | None:
        """Return the dnf that waits with just this, whose end the caller sees to; one that has another is let go."""
        if self._request != (tuple(targets), tuple(hidden)):
            self.let_go()
        waiting, self._waiting = self._waiting, None
        return waiting

    def let_go(self) -> None:
        """Let the dnf that waits end without having changed anything."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.finish(timeout=_PLAN_LIMIT)

    def _start(self, request: _Request) -> Reply | None:
        """Start a dnf and return what it proposes; None where no question comes and it does not say why."""
        self._command.wait_for_system()
        context = self._command.context
        log = context.work_dir / LOG
        ensure_directory(context.work_dir)
        log.unlink(missing_ok=True)
        arguments = install_arguments(self._command.generation, *request)
        running = context.host.start([*scope(context), *self._command.argv(*_ASK, *arguments)], output=log)
        try:
            text = running.wait_for(_QUESTION, timeout=_PLAN_LIMIT)
        except CommandTimeout:
            return None
        reply = answer.read_reply(running.finish().stdout if text is None else text, "")
        if text is None:
            return reply if reply.problems or reply.unmatched else None
        if not reply.rows:
            # Something else is asked, such as whether a repository's key is to be trusted.
            running.finish()
            return None
        self._waiting, self._request = running, request
        return reply


def go_on(waiting: Running, watch: Callable[[], None]) -> CommandResult:
    """Let a dnf that waits do what it has proposed."""
    return waiting.finish(_YES, timeout=RUN_LIMIT, watch=watch)
