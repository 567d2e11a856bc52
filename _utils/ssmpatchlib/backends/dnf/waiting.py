# SPDX-License-Identifier: Apache-2.0
"""One run of dnf that plans and installs: it waits with its own question until what it proposes has been judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ...files import ensure_directory
from ...host import CommandResult, CommandTimeout, Running
from ...model import Target
from .. import Context
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


class Asker:
    """Asks a dnf that waits; where it must be asked again that one is let go, and the others do not wait."""

    def __init__(self, context: Context, command: DnfCommand) -> None:
        self._context = context
        self._command = command
        self._asked = False
        self._waiting: Running | None = None
        self.targets: tuple[Target, ...] = ()

    def __call__(self, targets: Sequence[Target], hidden: Iterable[str]) -> Reply:
        """Return what dnf would do with some targets, without what is hidden.

        Raises:
            SsmpatchError: it cannot say.
        """
        self.let_go()
        reply = None if self._asked else self._start(targets, hidden)
        self._asked = True
        return reply or ask_dnf(self._command, targets, hidden)

    @property
    def is_waiting(self) -> bool:
        """Whether a dnf waits."""
        return self._waiting is not None

    def take(self) -> Running | None:
        """Return the dnf that waits, whose end the caller sees to; None where none does."""
        waiting, self._waiting = self._waiting, None
        return waiting

    def let_go(self) -> None:
        """Let the dnf that waits end without having changed anything."""
        waiting = self.take()
        if waiting is not None:
            waiting.finish(timeout=_PLAN_LIMIT)

    def _start(self, targets: Sequence[Target], hidden: Iterable[str]) -> Reply | None:
        """Start a dnf and return what it proposes; None where no question comes and it does not say why."""
        self._command.wait_for_system()
        log = self._context.work_dir / LOG
        ensure_directory(self._context.work_dir)
        log.unlink(missing_ok=True)
        arguments = install_arguments(self._command.generation, targets, hidden)
        argv = [*scope(self._context), *self._command.argv(*_ASK, *arguments)]
        running = self._context.host.start(argv, output=log)
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
        self._waiting, self.targets = running, tuple(targets)
        return reply


def go_on(waiting: Running, watch: Callable[[], None]) -> CommandResult:
    """Let a dnf that waits do what it has proposed."""
    return waiting.finish(_YES, timeout=RUN_LIMIT, watch=watch)
