# SPDX-License-Identifier: Apache-2.0
"""Reboot reasons of an rpm system: a newer kernel, or core packages that changed since the boot."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from ...versions.rpm import sort_key
from .installed import InstalledPackage

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


#: The image of a kernel: its stream (Amazon Linux 2023 has ``kernel`` and ``kernel6.12``) and its flavour.
_FLAVOUR = r"(?:16k|64k|debug|lpae|lt|ml|plus|rt|uek\w*|zfcpdump)(?:-debug)?"
_IMAGE = re.compile(rf"kernel(?:\d+(?:\.\d+)*)?(?:-(?P<flavour>{_FLAVOUR}))?(?:-core)?")


def newer_kernel(installed: Iterable[InstalledPackage], *, running: str) -> tuple[str, ...]:
    """Return a hint when a newer kernel of the running flavour is installed than the running one, else ``()``.

    Args:
        installed: every installed package, with one entry for each version of a kernel.
        running: the release of the running kernel.
    """
    images = [(match["flavour"] or "", p) for p in installed if (match := _IMAGE.fullmatch(p.name))]
    release, _, suffix = running.partition("+")
    present = [(flavour, p) for flavour, p in images if _release(p) == release and suffix in ("", flavour)]
    if not present:
        return ()
    # A release without a suffix is the plain kernel's where several flavours have it.
    flavour, own = min(present, key=lambda pair: pair[0])
    newest = max((p for f, p in images if f == flavour and p.arch == own.arch), key=lambda p: sort_key(p.evr))
    if sort_key(newest.evr) > sort_key(own.evr):
        return (f"{newest.name} {_release(newest)} is installed, {running} is running",)
    return ()


def _release(package: InstalledPackage) -> str:
    """Return the kernel release of a kernel package: ``version-release.arch``."""
    return f"{package.evr.partition(':')[2]}.{package.arch}"


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
