# SPDX-License-Identifier: Apache-2.0
"""Whether what rpm installed asks for a reboot: a newer kernel, or core packages changed since the boot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ...versions.rpm import sort_key
from .installed import InstalledPackage

#: What cannot be restarted without a reboot. Rule: dnf needs-restarting(8), https://access.redhat.com/solutions/27943.
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


def newer_kernel(installed: Iterable[InstalledPackage], *, running: str) -> tuple[str, ...]:
    """Return a hint when a newer kernel is installed than the one that runs, of the package that this one is from.

    Args:
        installed: every installed package, each version of a kernel by itself.
        running: the release of the running kernel.
    """
    kernels = [package for package in installed if package.name.startswith("kernel")]
    present = [package for package in kernels if _release(package) == running]
    for own in present:
        newest = max((p for p in kernels if p.id == own.id), key=lambda package: sort_key(package.evr))
        if sort_key(newest.evr) > sort_key(own.evr):
            return (f"{newest.name} {_release(newest)} is installed, {running} is running",)
    return ()


def _release(package: InstalledPackage) -> str:
    """The kernel release of a kernel package: ``version-release.arch``."""
    return f"{package.evr.partition(':')[2]}.{package.arch}"


def changed_since_boot(
    installed: Sequence[InstalledPackage], *, boot_time: float | None, also: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a hint for each core package that was installed or updated after the boot.

    Args:
        boot_time: epoch seconds; nothing is said when it is not known.
        also: further package names, the administrator's.
    """
    if boot_time is None:
        return ()
    names = sorted(
        {p.name for p in installed if (p.name in CORE_PACKAGES or p.name in also) and p.installed_time > boot_time}
    )
    return tuple(f"{name} was updated since the last boot" for name in names)
