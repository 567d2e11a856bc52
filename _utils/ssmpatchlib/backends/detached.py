# SPDX-License-Identifier: Apache-2.0
"""Package managers at work in transient systemd services, which go on when the minion that started them ends.

Salt's minion, when it is stopped, ends all its descendants; systemd ends all that is in the minion's own cgroup. A
service is neither: PID 1 starts it. Where systemd does not run, a package manager is a child as usual.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..files import write_text
from ..host import CommandResult, CommandTimeout, Running
from ..services import is_active, name_prefix, running, systemd_version
from . import Context
from .locking import wait_idle

#: The first systemd whose systemd-run waits for a service and hands its own input and output to it.
_SYSTEMD = 235
#: What PID 1 reads the service's environment from; on the command line it could be read by every user.
_ENVIRONMENT = "package-manager.env"
#: What a stop by systemd means for the service: nothing for so many seconds, since half an installation is worse than a
#: late shutdown. Programs that a package's script started are not ended together with the package manager.
_PROPERTIES = ("KillMode=process", "KillSignal=SIGCONT", "TimeoutStopSec=900")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POLL = 0.5
_numbers = itertools.count(1)


def run(
    context: Context,
    argv: Sequence[str],
    *,
    output: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    watch: Callable[[], None] | None = None,
) -> CommandResult:
    """Run a program that changes the system to its end, both streams appended to ``output``, as ``Host.run`` does.

    Raises:
        CommandMissing: the program is not installed.
        CommandTimeout: the program ran longer than ``timeout`` seconds; it was stopped.
    """
    command, unit = _as_service(context, argv, env)
    try:
        result = context.host.run(command, env=env, timeout=timeout, output=output, watch=watch)
    except CommandTimeout:
        _stop(context, unit)
        raise
    _wait_for_end(context, unit, timeout)
    return result


class Waiting:
    """A program in a service of its own that asks a question and waits for the answer, as ``host.Running`` does."""

    def __init__(self, context: Context, running: Running, unit: str) -> None:
        self._context, self._running, self._unit = context, running, unit

    def wait_for(self, prompt: str, *, timeout: float) -> str | None:
        """Return all that was printed up to the question that ends with ``prompt``, None if the program ended.

        Raises:
            CommandTimeout: neither happened within ``timeout`` seconds; the program was stopped.
        """
        try:
            return self._running.wait_for(prompt, timeout=timeout)
        except CommandTimeout:
            _stop(self._context, self._unit)
            raise

    def finish(
        self, answers: str = "", *, timeout: float = 300, watch: Callable[[], None] | None = None
    ) -> CommandResult:
        """Send the answers, wait for the end and return the result; ``""`` closes the program's input unanswered.

        Raises:
            CommandTimeout: the program ran longer than ``timeout`` seconds; it was stopped.
        """
        try:
            result = self._running.finish(answers, timeout=timeout, watch=watch)
        except CommandTimeout:
            _stop(self._context, self._unit)
            raise
        _wait_for_end(self._context, self._unit, timeout)
        return result


def start(context: Context, argv: Sequence[str], *, output: Path) -> Waiting:
    """Start a program that asks a question before it changes the system, as ``Host.start`` does.

    Raises:
        CommandMissing: the program is not installed.
    """
    command, unit = _as_service(context, argv, None)
    return Waiting(context, context.host.start(command, output=output), unit)


def wait_for_others(context: Context) -> None:
    """Wait for the package manager of an earlier run, which goes on although that run has ended.

    Raises:
        Busy: it still worked after ``lock_timeout`` seconds.
    """

    def others() -> str:
        found = running(context.host, context.root)
        return f"the package manager of an earlier run works, see systemctl status {found[0]}" if found else ""

    wait_idle(context, others)


def _as_service(context: Context, argv: Sequence[str], env: Mapping[str, str] | None) -> tuple[list[str], str]:
    """Return the command that runs ``argv`` as a service, and the service's name; ``argv`` and ``""`` without one."""
    host = context.host
    if not (context.run_id and host.is_root() and host.has_systemd()):
        return list(argv), ""
    if systemd_version(host) < _SYSTEMD:
        return ["systemd-run", "--scope", "--quiet", "--collect", "--", *argv], ""
    unit = f"{name_prefix(context.root)}{context.run_id}-{next(_numbers)}.service"
    variables = context.work_dir / _ENVIRONMENT
    write_text(variables, environment_file(host.environment(env)))
    # Without a description the system's log has the whole command in every line.
    options = [f"--unit={unit}", f"--description=ssmpatch run {context.run_id}: {Path(argv[0]).name}"]
    options += [f"--property={text}" for text in (f"EnvironmentFile={variables}", *_PROPERTIES)]
    return ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", *options, "--", *argv], unit


def environment_file(variables: Mapping[str, str]) -> str:
    """Return variables as systemd's EnvironmentFile has them; what it cannot hold is left out."""
    lines = []
    for name, value in sorted(variables.items()):
        if _NAME.fullmatch(name) and value.isprintable():
            escaped = re.sub(r'(["\\$`])', r"\\\1", value)
            lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def _wait_for_end(context: Context, unit: str, timeout: float) -> None:
    """Wait for a service whose follower has ended, perhaps before it: when the bus or systemd itself was updated."""
    waited = 0.0
    while unit and is_active(context.host, unit) and waited < timeout:
        context.host.sleep(_POLL)
        waited += _POLL


def _stop(context: Context, unit: str) -> None:
    """Send the service's programs SIGTERM, and SIGKILL after ten seconds."""
    for signal in ("SIGTERM", "SIGKILL"):
        if unit and is_active(context.host, unit):
            context.host.run(["systemctl", "kill", f"--signal={signal}", "--", unit])
            _wait_for_end(context, unit, 10)
