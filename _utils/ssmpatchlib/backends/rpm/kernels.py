# SPDX-License-Identifier: Apache-2.0
"""Recognises the packages of kernels of Red Hat's family: they are installed in several versions at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...model import Kernels
from ...versions.rpm import sort_key
from .. import Context
from .installed import InstalledPackage

#: A kernel's stream (Amazon Linux 2023 has ``kernel`` and ``kernel6.12``) and its flavour.
_FLAVOUR = r"(?:16k|64k|automotive|debug|lpae|lt|ml|plus|rt(?:-64k)?|uek\w*|zfcpdump)(?:-debug)?"
_KERNEL = rf"kernel(?:\d+(?:\.\d+)*)?(?:-(?P<flavour>{_FLAVOUR}))?"
_IMAGE = re.compile(rf"{_KERNEL}(?:-core|-uki-virt)?")
_PACKAGE = re.compile(rf"{_KERNEL}(?:-(?:container|core|devel|kvm|modules|uki-virt)(?:-[a-z]+)*)?")


def running_release(context: Context) -> str:
    """Return the release of the running kernel; ``""`` below another root than the running system's."""
    return context.host.kernel_release() if context.root == Path("/") else ""


def images(installed: Iterable[InstalledPackage]) -> Iterator[tuple[str, InstalledPackage]]:
    """Yield the images of kernels, each with its flavour."""
    for package in installed:
        if match := _IMAGE.fullmatch(package.name):
            yield match["flavour"] or "", package


def running_image(installed: Iterable[InstalledPackage], *, running: str) -> tuple[str, InstalledPackage] | None:
    """Return the image of the running kernel, with its flavour; None where no package has it.

    Args:
        installed: every installed package, with one entry for each version of a kernel.
        running: the release of the running kernel.
    """
    release, _, suffix = running.partition("+")
    present = [(f, p) for f, p in images(installed) if release_of(p) == release and suffix in ("", f)]
    # A release without a suffix is the plain kernel's where several flavours have it.
    return min(present, key=lambda pair: pair[0], default=None)


def release_of(package: InstalledPackage) -> str:
    """Return the kernel release of a kernel package: ``version-release.arch``."""
    return f"{package.evr.partition(':')[2]}.{package.arch}"


def find_kernels(installed: Sequence[InstalledPackage], *, running: str) -> Kernels:
    """Return the packages of the running kernel and of the others; the arguments are those of ``running_image``."""
    parts = [(match["flavour"] or "", p) for p in installed if (match := _PACKAGE.fullmatch(p.name))]
    everything = frozenset((p.id, p.evr) for _, p in parts)
    found = running_image(installed, running=running)
    if found:
        flavour, own = found
        same = frozenset((p.id, p.evr) for f, p in parts if f == flavour and (p.evr, p.arch) == (own.evr, own.arch))
        return Kernels(same, everything - same)
    candidates = [p.evr for _, p in images(installed)] or [p.evr for _, p in parts]
    newest = max(candidates, key=sort_key, default="")
    return Kernels(others=frozenset(each for each in everything if each[1] != newest))
