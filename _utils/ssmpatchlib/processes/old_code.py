# SPDX-License-Identifier: Apache-2.0
"""What processes with old code belong to, and what of that can be restarted. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType

from .proc import Process

UNIT, SESSION, PROGRAM, CONTAINER, INIT = "unit", "session", "program", "container", "init"

#: The alphabet of systemd's names. Rule: systemd.unit(5).
_UNIT = re.compile(r"[A-Za-z0-9:_][A-Za-z0-9:_.\\@-]{0,240}\.service")
_USER = re.compile(r"user-([0-9]{1,10})\.slice")
#: How container engines name their control groups.
_ENGINE = re.compile(r"(?:^|/)(?:docker|libpod|lxc|crio|cri-containerd|nerdctl|kubepods|machine)\b")
#: Salt's own services, also those of the bundle that SUSE's managers bring.
_SALT = re.compile(r"(?:venv-)?salt-(?:api|master|minion|proxy|syndic)(?:@.*)?\.service")
#: Services whose restart ends sessions, the network or containers, or that cannot be restarted on a running system.
_NEVER = re.compile(
    r"(?:auditd|dbus(?:-broker|-daemon|-org\..*)?|messagebus|elogind|emergency|rescue|systemd-logind|user@.*|user-runtime-dir@.*"
    r"|(?:console-|container-|serial-)?getty(?:@.*)?"
    r"|display-manager|gdm\d?|greetd|kdm|lightdm|lxdm|ly(?:@.*)?|nodm|sddm|slim|wdm|xdm|x2goserver|xrdp(?:-sesman)?"
    r"|teleport|(?:tiger|x)?vnc(?:server)?(?:@.*)?"
    r"|bird6?|bluetooth|connman|dhcpcd(?:@.*)?|frr|ipsec|iwd|ModemManager|network|networking|NetworkManager|openvpn(?:-.*|@.*)?"
    r"|openvswitch|ovs-vswitchd|ovsdb-server|quagga|(?:strong|libre|open|free)swan(?:-.*)?|systemd-networkd"
    r"|tinc(?:@.*)?|wickedd?(?:-.*)?|wpa_supplicant(?:@.*)?"
    r"|containerd|crio|docker|libvirtd|lxc@.*|lxcfs|pve-container@.*|systemd-nspawn@.*|virt[a-z]+d|xendomains"
    r"|corosync|pacemaker(?:_remote)?|zfs-fuse"
    r")\.service"
)
#: Services that do not come back, or do again what is done once in a boot: those of one connection, which a socket unit
#: starts, and the administrator's script. Rules: systemd.socket(5), Accept=; systemd-rc-local-generator(8).
_ONCE = re.compile(
    r"(?:[^@]+@[0-9]+-(?:.*:[0-9]+-.*:[0-9]+|[0-9]+-[0-9]+(?:-[0-9]+)?)|(?:rc|after)[.-]local|ssmpatch-.*)\.service"
)


@dataclass(frozen=True, slots=True)
class OldCode:
    """What still runs code that an update replaced, by name, each list in order.

    ``units`` are services that may be restarted, ``sessions`` the users whose programs do, ``processes`` the programs
    that belong to no such service, ``reboot`` what is not restarted while the system runs: init, and services on which
    the others or their users' sessions depend. ``files`` are the deleted files by all these names.
    """

    units: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    reboot: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Facts:
    """What systemd says of a service: its type, whether it came without a file, and whether it can be restarted.

    One that a timer starts (``timed``) is a job, whatever its type: a restart would begin a backup anew.
    """

    type: str = ""
    transient: bool = False
    loaded: bool = True
    refuses: bool = False
    timed: bool = False


def owner(process: Process) -> tuple[str, str]:
    """Return what a process belongs to, and its name: a service, a user's session, a container, itself."""
    if process.pid == 1:
        return INIT, "init"
    parts = [part for part in process.cgroup.split("/") if part]
    slices = list(takewhile(lambda part: part.endswith(".slice"), parts))
    rest = parts[len(slices) :]
    users = [user[1] for user in map(_USER.fullmatch, slices) if user]
    contained = process.other_root and (process.other_pids or _ENGINE.search(process.cgroup))
    # With user ids of its own a user's program can mount anything anywhere, so that the names of files say nothing.
    if contained or (users and process.other_users):
        return CONTAINER, rest[0] if rest and "." in rest[0] else "/".join(rest) or process.program
    if users:
        return SESSION, users[0]
    # systemd escapes names that the kernel's own files could have.
    unit = rest[0].removeprefix("_") if rest else ""
    return (UNIT, unit) if _UNIT.fullmatch(unit) else (PROGRAM, process.program)


def units_of(processes: Iterable[Process]) -> tuple[str, ...]:
    """Return the services that processes belong to, in order."""
    return tuple(sorted({name for kind, name in map(owner, processes) if kind == UNIT}))


def unit_of(cgroup: str) -> str:
    """Return the service of a control group, ``""`` where it is none's."""
    kind, name = owner(Process(0, "", cgroup, ()))
    return name if kind == UNIT else ""


def is_last(unit: str, own: str) -> bool:
    """Return whether a service is restarted after this run only: one of Salt's, or ``own``, in which this run works."""
    return unit == own or _SALT.fullmatch(unit) is not None


def in_order(units: Iterable[str]) -> tuple[str, ...]:
    """Return services in the order of their restarts: systemd's own first, since the others rely on them."""
    return tuple(sorted(units, key=lambda unit: (not unit.startswith("systemd-"), unit)))


def old_code(
    processes: Iterable[Process], *, facts: Mapping[str, Facts], user: Callable[[str], str], shown: Callable[[str], str]
) -> OldCode:
    """Return what processes with old code belong to.

    Args:
        facts: what systemd says, by service; one that it says nothing of is not restarted.
        user: the name of a user id.
        shown: a name as people may read it.
    """
    found: dict[str, dict[str, set[str]]] = {kind: {} for kind in (UNIT, SESSION, PROGRAM, CONTAINER, INIT)}
    for process in processes:
        kind, name = owner(process)
        if kind == UNIT:
            kind = _curable(name, facts.get(name))
            name = process.program if kind == PROGRAM else name
        elif kind == SESSION:
            name = user(name)
        found[kind].setdefault(shown(name), set()).update(process.files)
    whole = {name: tuple(sorted(files)) for named in found.values() for name, files in sorted(named.items())}
    units, sessions, programs, containers, inits = (tuple(sorted(named)) for named in found.values())
    return OldCode(in_order(units), sessions, programs, containers, inits, MappingProxyType(whole))


def _curable(unit: str, facts: Facts | None) -> str:
    """Return whether a service may be restarted, needs a reboot, or is no service that goes on, as far as is known."""
    if facts is None or facts.transient or not facts.loaded:
        return PROGRAM
    if facts.type == "oneshot" or facts.timed or _ONCE.fullmatch(unit):
        return PROGRAM
    return INIT if facts.refuses or _NEVER.fullmatch(unit) else UNIT
