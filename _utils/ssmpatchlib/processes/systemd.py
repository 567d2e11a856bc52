# SPDX-License-Identifier: Apache-2.0
"""What systemd says of services, and the restarts that it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import SsmpatchError
from ..host import Host
from ..names import number, one_line
from .old_code import Facts, OldCode, old_code, units_of
from .proc import PROC, read_processes

_PROPERTIES = ("Id", "Type", "Transient", "LoadState", "RefuseManualStart", "RefuseManualStop", "TriggeredBy")
_USERS = Path("/etc/passwd")
_MOST_BYTES = 1 << 20


def find_old_code(host: Host, *, proc: Path = PROC) -> OldCode:
    """Return what of the running system still runs code that an update replaced; only root sees all of it."""
    processes = read_processes(proc)
    return old_code(processes, facts=read_facts(host, units_of(processes)), user=_users(), shown=one_line)


def read_facts(host: Host, units: Sequence[str]) -> Mapping[str, Facts]:
    """Return what systemd says, by service; nothing where it does not answer."""
    if not units or not host.has_systemd():
        return {}
    try:
        said = host.run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--", *units], timeout=60)
    except SsmpatchError:
        return {}
    blocks = (dict(line.split("=", 1) for line in b.split("\n") if "=" in line) for b in said.stdout.split("\n\n"))
    return {block["Id"]: _fact(block) for block in blocks if "Id" in block}


def _fact(block: Mapping[str, str]) -> Facts:
    return Facts(
        type=block.get("Type", ""),
        transient=block.get("Transient") == "yes",
        loaded=block.get("LoadState") in ("loaded", None),
        timed=any(unit.endswith(".timer") for unit in block.get("TriggeredBy", "").split()),
        refuses="yes" in (block.get("RefuseManualStart"), block.get("RefuseManualStop")),
    )


def _users() -> Callable[[str], str]:
    """Return a function from a user id to a name. A directory of users on the network is not asked: it may hang."""
    try:
        with open(_USERS, encoding="utf-8", errors="replace") as file:
            rows = [line.split(":") for line in file.read(_MOST_BYTES).split("\n")]
    except OSError:
        rows = []
    names = {number(row[2]): row[0] for row in reversed(rows) if len(row) > 2}
    return lambda uid: names.get(number(uid), f"uid {uid}")
