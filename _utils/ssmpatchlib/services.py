# SPDX-License-Identifier: Apache-2.0
"""systemd, and the transient services in which package managers work, whoever started them."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import SsmpatchError
from .host import Host
from .paths import root_key

#: Where the control groups of running services are: cgroup v2, then v1 and both together.
_CGROUPS = ("sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice", "sys/fs/cgroup/unified/system.slice")


def name_prefix(root: Path) -> str:
    """Return how the names of all services for a root begin."""
    return f"ssmpatch-{root_key(root)}-"


def systemd_version(host: Host) -> int:
    """Return the number of the systemd release; 0 where it cannot be told or no bus answers."""
    try:
        result = host.run(["systemctl", "--version"])
    except SsmpatchError:
        return 0
    match = re.match(r"systemd (\d+)", result.stdout)
    return int(match[1]) if match and host.has_system_bus() else 0


def running(host: Host, root: Path) -> tuple[str, ...]:
    """Return the services in which a package manager works on a root now, whoever started them."""
    if not host.has_systemd():
        return ()
    found = {path.name for place in _CGROUPS for path in Path("/", place).glob(f"{name_prefix(root)}*.service")}
    return tuple(unit for unit in sorted(found) if is_active(host, unit))


def is_active(host: Host, unit: str) -> bool:
    """Return whether a service has not ended; one that systemd says nothing of counts as running.

    What a package's script has started may keep the control group of a service that has ended.
    """
    if not any(Path("/", place, unit).exists() for place in _CGROUPS):
        return False
    try:
        said = host.run(["systemctl", "is-active", "--", unit])
    except SsmpatchError:
        return True
    return said.stdout.strip() not in ("inactive", "failed", "unknown")
