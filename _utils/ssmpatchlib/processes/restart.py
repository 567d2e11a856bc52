# SPDX-License-Identifier: Apache-2.0
"""Restarts services that run old code: most of them now, those on which this run depends when it has ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ..errors import SsmpatchError
from ..host import Host
from ..services import systemd_version
from .old_code import units_of
from .proc import Process, read_processes

#: Seconds for one service to stop and to start again: systemd's own limits are 90 for each.
SECONDS = 200
#: Seconds for all of them; what is left then is named.
ALL_SECONDS = 1800
#: How long a process may take after its start until it runs its own program instead of systemd's.
_SETTLE_SECONDS = 5.0
_POLL = 0.25
#: Seconds after which Salt's services are restarted though this process goes on: a minion without processes for jobs.
_PATIENCE = 3600
#: The first systemd in which a transient service can wait for something before it begins.
_WAITING_SYSTEMD = 239
#: Seconds that Salt is left to send a result where nothing can wait for it.
_BLIND_SECONDS = 120

Reader = Callable[[], Sequence[Process]]


def restart(
    host: Host, units: Sequence[str], *, tell: Callable[[str], None], read: Reader = read_processes
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Restart services one after the other; return those that run new code now, and warnings.

    One that another's restart has restarted is not restarted again. One that fails does not keep the others back.

    Args:
        units: services that run old code, in order.
        tell: is told of each restart before it begins.
        read: reads the processes with old code.
    """
    begun, warnings, failed = host.now(), [], set()
    for unit in units:
        if unit not in units_of(read()):
            continue
        if not 0 <= host.now() - begun < ALL_SECONDS:
            failed.add(unit)
            warnings.append(f"{unit} was not restarted: the restarts before it took {ALL_SECONDS} s; restart it")
            continue
        tell(unit)
        if problem := _restart(host, unit):
            failed.add(unit)
            warnings.append(f"{unit} could not be restarted: {problem}")
    renewed = [unit for unit in units if unit not in failed]
    waited = 0.0
    while set(renewed) & set(units_of(read())) and waited < _SETTLE_SECONDS:
        host.sleep(_POLL)
        waited += _POLL
    old = units_of(read())
    return tuple(unit for unit in renewed if unit not in old), tuple(warnings)


def _restart(host: Host, unit: str) -> str:
    """Restart a service; return why that failed, ``""`` where it did not."""
    try:
        result = host.run(["systemctl", "restart", "--", unit], timeout=SECONDS, slow=True)
    except SsmpatchError as exc:
        return str(exc)
    return f"{result.words}; see systemctl status {unit}" if result.code else ""


def restart_later(host: Host, units: Sequence[str], *, name: str) -> str:
    """Let systemd restart services when this process has ended; return why it does not, ``""`` where it does.

    Args:
        name: what the service that does it is called.
    """
    restarting = ["systemctl", "restart", "--", *units]
    begin = ["systemd-run", "--quiet", f"--unit={name}"]
    if systemd_version(host) < _WAITING_SYSTEMD:
        command = [*begin, f"--on-active={_BLIND_SECONDS}", "--", *restarting]
    else:
        wait = f"-{host.find_program('timeout')} {_PATIENCE} tail --pid={os.getpid()} -f /dev/null"
        properties = (f"ExecStartPre={wait}", "TimeoutStartSec=infinity", f"RuntimeMaxSec={SECONDS * len(units)}")
        options = ["--collect", "--no-block", *(f"--property={text}" for text in properties)]
        command = [*begin, *options, "--", *restarting]
    try:
        result = host.run(command, timeout=60)
    except SsmpatchError as exc:
        return str(exc)
    return result.words if result.code else ""
