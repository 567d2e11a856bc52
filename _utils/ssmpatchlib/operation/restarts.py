# SPDX-License-Identifier: Apache-2.0
"""What of the running system still runs code that an update replaced, and the restarts of services that do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import InvalidInput
from ..host import Host
from ..masking import masked_plain
from ..processes.old_code import OldCode, is_last, unit_of
from ..processes.proc import own_group
from ..processes.restart import restart, restart_later
from ..processes.systemd import find_old_code
from ..report import RestartsPart
from ..store import reports
from ..wording import amount
from .caller import Caller
from .session import Session, open_session, system_reasons

#: The value of the setting ``restart`` by which an install restarts services.
SERVICES = "services"
#: The most names of one kind in a report, and the most that ask for a reboot.
MOST = 100
MOST_HINTS = 30


@dataclass(frozen=True, slots=True)
class Restarts:
    """What runs old code, and what was done about it; ``found`` is None where nobody looked.

    ``restarted`` are services that run new code now, ``later`` those that are restarted when this process has ended.
    """

    found: OldCode | None
    restarted: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def restarts(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return what runs code that was replaced, with the files, and why the system itself asks for a reboot.

    Raises:
        InvalidInput: the root is not the running system, or this user may not look at other users' processes.
    """
    host = host or Host()
    if settings.root.resolve() != Path("/"):
        raise InvalidInput(f"restarts: nothing runs in {settings.root}; it looks at the running system, root /")
    if not host.is_root():
        raise InvalidInput("restarts: only root sees what all programs run; run the minion or salt-call as root")
    session = open_session(settings, host=host, caller=caller, read_frozen=False, needs_baseline=False)
    found = find_old_code(host)
    kinds = ("units", "sessions", "processes", "containers", "reboot")
    lists = {kind: list(_some(getattr(found, kind))) for kind in kinds}
    named = {name for names in lists.values() for name in names}
    form: dict[str, Any] = masked_plain(
        {
            **lists,
            "files": {name: list(files) for name, files in found.files.items() if name in named},
            "required_hints": list(system_reasons(session)),
        }
    )
    return form


def look(session: Session) -> OldCode | None:
    """Return what runs code that was replaced; None where the root is not the running system, or without root."""
    if session.settings.root.resolve() != Path("/") or not session.host.is_root():
        return None
    return find_old_code(session.host)


def describe(done: Restarts) -> RestartsPart | None:
    """Return the report's ``restarts``."""
    found = done.found
    if found is None:
        return None
    return RestartsPart(
        units=_some([unit for unit in found.units if unit not in done.later]),
        sessions=_some(found.sessions),
        processes=_some(found.processes),
        containers=_some(found.containers),
        reboot=_some(found.reboot),
        restarted=_some(done.restarted),
        later=_some(done.later),
    )


def services_wait(session: Session) -> bool:
    """Return whether services wait for a restart that an install would do."""
    found = look(session) if session.settings.restart == SERVICES else None
    if found is None or not found.units:
        return False
    own = unit_of(own_group())
    return bool(_to_restart(session, found, own)) or any(is_last(unit, own) for unit in found.units)


def restart_services(session: Session, phase: Callable[[str], None], *, changed: bool) -> Restarts:
    """Restart the services that run old code, except those on which this run depends; return what is left then.

    Args:
        phase: is told of each restart before it begins.
        changed: this run installed something; otherwise those that a restart has not cured are left alone, so that no
            service that always runs deleted files is restarted by every install.
    """
    found = look(session)
    if found is None or session.settings.restart != SERVICES or not found.units:
        return Restarts(found)
    now = _to_restart(session, found, unit_of(own_group()), changed=changed)
    restarted, warnings = restart(session.host, now, tell=lambda unit: phase(f"restarting {unit}"))
    return Restarts(find_old_code(session.host), restarted, warnings=warnings)


def waiting(session: Session) -> Restarts:
    """Return what runs old code where the window lets no restart begin, with a warning about the services."""
    found = look(session)
    if found is None or session.settings.restart != SERVICES or not found.units:
        return Restarts(found)
    said = f"{amount(len(found.units), 'service')} with old code not restarted: the maintenance window has closed"
    return Restarts(found, warnings=(f"{said}; the next install does it",))


def _to_restart(session: Session, found: OldCode, own: str, *, changed: bool = False) -> list[str]:
    """Return the services that are restarted now; ``own`` is the one in which this run works."""
    uncured = () if changed else _last_hints(session)
    return [unit for unit in found.units if not is_last(unit, own) and _reason(unit) not in uncured]


def _last_hints(session: Session) -> Sequence[str]:
    """Return why the system asked for a reboot at the last report: with what restarts had not cured."""
    last, _ = reports.load_report(session.settings.place(session.host.now()))
    return last.reboot.required_hints if last else ()


def _reason(name: str) -> str:
    return f"{name} still runs code that an update replaced"


def restart_the_last(session: Session, done: Restarts) -> Restarts:
    """Let the services on which this run depends be restarted when it has ended; return what was done in all."""
    if done.found is None or session.settings.restart != SERVICES:
        return done
    own = unit_of(own_group())
    units = tuple(unit for unit in done.found.units if is_last(unit, own))
    if not units:
        return done
    problem = restart_later(session.host, units, name=f"ssmpatch-restart-{session.run_id}")
    if problem:
        words = f"{', '.join(units)} could not be restarted after this run: {problem}"
        return Restarts(done.found, done.restarted, warnings=(*done.warnings, words))
    return Restarts(done.found, done.restarted, units, done.warnings)


def reasons(session: Session, found: OldCode | None) -> tuple[str, ...]:
    """Return why what runs old code asks for a reboot, after the services were restarted that can be.

    Salt's own are restarted when the run has ended, and a reboot changes nothing in containers. The words are the same
    from run to run, by which a reason that a reboot does not clear is known.
    """
    if found is None or session.settings.restart != SERVICES:
        return ()
    own = unit_of(own_group())
    units = [unit for unit in found.units if not is_last(unit, own)]
    sessions = [f"a session of {user}" for user in found.sessions]
    names = [*found.reboot, *units, *found.processes, *sessions]
    return tuple(map(_reason, names[:MOST_HINTS]))


def standing_reasons(session: Session, found: OldCode | None) -> tuple[str, ...]:
    """Return those of the ``reasons`` that ask for a reboot where no service is restarted first.

    These are what only a reboot cures, and what the last report says a restart has not cured.
    """
    all_reasons = reasons(session, found)
    if found is None or not all_reasons:
        return ()
    known = _last_hints(session)
    return tuple(r for number, r in enumerate(all_reasons) if number < len(found.reboot) or r in known)


def _some(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - MOST
    return (*names[:MOST], *((f"and {more} more",) if more > 0 else ()))
