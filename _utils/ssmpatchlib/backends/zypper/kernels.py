# SPDX-License-Identifier: Apache-2.0
"""Recognises the packages of SUSE's kernels: they are installed in several versions at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...model import Kernels
from ...versions.rpm import sort_key
from ..rpm.installed import InstalledPackage

_FLAVOUR = (
    r"64kb|azure|coco(?:_debug)?|debug|default|kvmsmall|longterm|lpae|pae|preempt|rt(?:_debug)?|vanilla|xen|zfcpdump"
)
_PACKAGE = re.compile(
    rf"kernel-(?:(?P<flavour>{_FLAVOUR})(?:-(?P<part>base|devel|extra|livepatch(?:-devel)?|optional|vdso))?"
    rf"|(?:devel|source|syms)(?:-(?P<of>{_FLAVOUR}))?)"
)


def running_image(installed: Iterable[InstalledPackage], *, running: str) -> InstalledPackage | None:
    """Return the image of the running kernel, whose release ``running`` is; None where no package has it.

    SUSE's kernel release is the package's version, its release without the last part, and the flavour.
    """
    release, _, flavour = running.rpartition("-")
    kernels = (package for package in installed if package.name in image_names(flavour))
    return next((package for package in kernels if release and _has(package, release)), None)


def image_names(flavour: str) -> tuple[str, str]:
    """Return the names that the image of a flavour can have."""
    return f"kernel-{flavour}", f"kernel-{flavour}-base"


def version_of(package: InstalledPackage) -> str:
    """Return ``version-release`` of a package."""
    return package.evr.partition(":")[2]


def _has(package: InstalledPackage, release: str) -> bool:
    return f"{version_of(package)}.".startswith(f"{release}.")


def find_kernels(installed: Sequence[InstalledPackage], *, running: str) -> Kernels:
    """Return the packages of the running kernel and of the others.

    Args:
        installed: every installed package, with one entry for each version of a kernel.
        running: the release of the running kernel, ``""`` where none of the packages can be its.
    """
    parts = [(package, match) for package in installed if (match := _PACKAGE.fullmatch(package.name))]
    everything = frozenset((package.id, package.evr) for package, _ in parts)
    if running_image(installed, running=running):
        release, _, flavour = running.rpartition("-")
        own = frozenset(
            (package.id, package.evr)
            for package, match in parts
            if (match["flavour"] or match["of"] or flavour) == flavour and _has(package, release)
        )
        return Kernels(own, everything - own)
    images = [package for package, match in parts if match["flavour"] and match["part"] in (None, "base")]
    newest = max(images or [package for package, _ in parts], key=lambda package: sort_key(package.evr), default=None)
    same = frozenset((package.id, package.evr) for package, _ in parts if newest and _of_one(package, newest))
    return Kernels(others=everything - same)


def _of_one(one: InstalledPackage, other: InstalledPackage) -> bool:
    """Return whether packages are of one kernel: their releases differ only in what follows the kernel's own."""
    return _has(one, _release(other)) or _has(other, _release(one))


def _release(package: InstalledPackage) -> str:
    """Return the version and the release without its last part."""
    version, _, release = version_of(package).rpartition("-")
    return f"{version}-{release.rpartition('.')[0] or release}"
