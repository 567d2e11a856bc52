# SPDX-License-Identifier: Apache-2.0
"""Reboot reasons of an rpm system: a newer kernel, or core packages that changed since the boot."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...versions.rpm import sort_key
from .installed import InstalledPackage
from .kernels import images, release_of, running_image

#: Packages that need a reboot to restart. Rule: dnf needs-restarting(8), https://access.redhat.com/solutions/27943.
CORE_PACKAGES = frozenset(
    {
        "kernel",
        "kernel-core",
        "kernel-rt",
        "kernel-rt-core",
        "kernel-uek",
        "kernel-uek-core",
        "kernel-default",
        "glibc",
        "linux-firmware",
        "microcode_ctl",
        "ucode-intel",
        "systemd",
        "dbus",
        "dbus-1",
        "dbus-broker",
        "dbus-daemon",
    }
)


def newer_kernel(installed: Sequence[InstalledPackage], *, running: str) -> tuple[str, ...]:
    """Return a hint when a newer kernel of the running flavour is installed than the running one, else ``()``.

    Args:
        installed: every installed package, with one entry for each version of a kernel.
        running: the release of the running kernel.
    """
    found = running_image(installed, running=running)
    if found is None:
        return ()
    flavour, own = found
    newest = max(
        (p for f, p in images(installed) if f == flavour and p.arch == own.arch), key=lambda p: sort_key(p.evr)
    )
    if sort_key(newest.evr) > sort_key(own.evr):
        return (f"{newest.name} {release_of(newest)} is installed, {running} is running",)
    return ()


def changed_since_boot(
    installed: Sequence[InstalledPackage], *, boot_time: float | None, also: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a hint for each core package that was installed or updated after the boot.

    Args:
        boot_time: epoch seconds; there are no hints when it is None.
        also: further package names that count as core packages.
    """
    if boot_time is None:
        return ()
    names = sorted(
        {p.name for p in installed if (p.name in CORE_PACKAGES or p.name in also) and p.installed_time > boot_time}
    )
    return tuple(f"{name} was updated since the last boot" for name in names)
