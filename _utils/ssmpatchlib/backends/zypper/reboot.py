# SPDX-License-Identifier: Apache-2.0
"""Reboot reasons of a SUSE system: a newer kernel, and changed packages that /etc/zypp/needreboot names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...versions.rpm import sort_key
from .. import Context
from ..rpm.installed import Database, InstalledPackage, rpm_argv
from ..rpm.reboot import changed_since_boot
from .config import ZyppConfig
from .kernels import running_image, version_of

_KERNEL = "kernel"


def hints(context: Context, database: Database, config: ZyppConfig) -> tuple[str, ...]:
    """Return why the system wants a reboot; a root other than ``/`` is not running and has no reasons."""
    if context.root != Path("/"):
        return ()
    installed = database.read()
    names = frozenset(_needreboot(context, config.reboot_files))
    core = changed_since_boot(installed, boot_time=context.host.boot_time(), also=names)
    return (*newer_kernel(installed, running=context.host.kernel_release()), *core)


def newer_kernel(installed: Sequence[InstalledPackage], *, running: str) -> tuple[str, ...]:
    """Return a hint when a newer kernel of the running flavour is installed than ``running``, the release by uname."""
    own = running_image(installed, running=running)
    if own is None:
        return ()
    release, _, _flavour = running.rpartition("-")
    newest = max((p for p in installed if p.name == own.name), key=lambda package: sort_key(package.evr))
    if not version_of(newest).startswith(f"{release}.") and sort_key(newest.evr) > sort_key(own.evr):
        return (f"{newest.name} {version_of(newest)} is installed, {running} is running",)
    return ()


def _needreboot(context: Context, files: Iterable[Path]) -> Iterable[str]:
    """Return the packages that need a reboot once they are updated. Rule: the text of /etc/zypp/needreboot."""
    for path in files:
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        for line in filter(None, map(str.strip, lines)):
            if line.startswith("#"):
                continue
            provided = line.removeprefix("provides:")
            if provided == line:
                yield line
            elif provided != _KERNEL:
                argv = rpm_argv(context.root, "-q", "--qf", "%{NAME}\\n", "--whatprovides", "--", provided)
                result = context.host.run(argv)
                yield from (name for name in result.stdout.split("\n") if name and " " not in name)
