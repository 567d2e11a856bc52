# SPDX-License-Identifier: Apache-2.0
"""Reboot reasons of a dnf system, by the rules of ``dnf needs-restarting`` but without running it."""

from __future__ import annotations

from pathlib import Path

from .. import Context
from ..rpm.installed import Database
from ..rpm.reboot import changed_since_boot, newer_kernel

#: Directories by generation of dnf; of files with one name the last directory's counts.
_ADDED = {
    4: ("etc/dnf/plugins/needs-restarting.d",),
    5: ("usr/share/dnf5/suggest-reboot.d", "etc/dnf/suggest-reboot.d"),
}


def hints(context: Context, database: Database, *, generation: int) -> tuple[str, ...]:
    """Return why the system wants a reboot; a root other than ``/`` is not running and has no reasons.

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
    """Return the packages that the administrator (with dnf 5 also a package) added to those that need a reboot."""
    files = {path.name: path for name in _ADDED[generation] for path in sorted((root / name).glob("*.conf"))}
    names: set[str] = set()
    for path in files.values():
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        names.update(line.strip() for line in lines if not line.lstrip().startswith("#"))
    return frozenset(names - {""})
