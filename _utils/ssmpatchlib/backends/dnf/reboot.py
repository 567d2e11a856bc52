# SPDX-License-Identifier: Apache-2.0
"""What a dnf system says about a needed reboot, by the rules of ``dnf needs-restarting`` but without running it."""

from __future__ import annotations

from pathlib import Path

from .. import Context
from ..rpm.installed import Database
from ..rpm.reboot import changed_since_boot, newer_kernel

#: Of files with one name the last directory's holds.
_ADDED = {
    4: ("etc/dnf/plugins/needs-restarting.d",),
    5: ("usr/share/dnf5/suggest-reboot.d", "etc/dnf/suggest-reboot.d"),
}


def hints(context: Context, database: Database, *, generation: int) -> tuple[str, ...]:
    """Return why the system wants a reboot. Only the running system (``/``) has booted, other roots have no hints.

    Rule: dnf-needs-restarting(8): core packages, and those that the administrator added, changed since the boot.
    """
    if context.root != Path("/"):
        return ()
    installed = database.read()
    kernel = newer_kernel(installed, running=context.host.kernel_release())
    also = added_packages(context.root, generation=generation)
    core = changed_since_boot(installed, boot_time=context.host.boot_time(), also=also)
    return (*kernel, *core)


def added_packages(root: Path, *, generation: int) -> frozenset[str]:
    """The packages that the administrator, or with dnf 5 a package, added to those which need a reboot."""
    files = {path.name: path for name in _ADDED[generation] for path in sorted((root / name).glob("*.conf"))}
    names: set[str] = set()
    for path in files.values():
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        names.update(line.strip() for line in lines if not line.lstrip().startswith("#"))
    return frozenset(names - {""})
