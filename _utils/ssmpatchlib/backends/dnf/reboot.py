# SPDX-License-Identifier: Apache-2.0
"""What a dnf system says about a needed reboot, by the rules of ``dnf needs-restarting`` but without running it."""

from __future__ import annotations

from pathlib import Path

from .. import Context
from ..rpm.installed import Database
from ..rpm.reboot import changed_since_boot, newer_kernel

_ADDED = "etc/dnf/plugins/needs-restarting.d"


def hints(context: Context, database: Database) -> tuple[str, ...]:
    """Return why the system wants a reboot. Only the running system (``/``) has booted, other roots have no hints.

    Rule: dnf-needs-restarting(8): core packages, and those that the administrator added, changed since the boot.
    """
    if context.root != Path("/"):
        return ()
    installed = database.read()
    kernel = newer_kernel(installed, root=context.root)
    core = changed_since_boot(installed, boot_time=context.host.boot_time(), also=added_packages(context.root))
    return (*kernel, *core)


def added_packages(root: Path) -> frozenset[str]:
    """The packages that the administrator added to those which need a reboot."""
    names: set[str] = set()
    try:
        for path in sorted((root / _ADDED).glob("*.conf")):
            names.update(line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip())
    except OSError:
        pass
    return frozenset(names)
