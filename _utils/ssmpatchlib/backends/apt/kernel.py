# SPDX-License-Identifier: Apache-2.0
"""Finds out whether a newer Linux kernel is installed than the running one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...versions.deb import sort_key

#: The beginning of the names of kernel images.
PREFIX = "linux-image-"
_IMAGE = re.compile(rf"^{PREFIX}(?:unsigned-)?(\d[^.]*\..*?)(?:-unsigned)?\.[a-z0-9]+$")
#: What follows the version in a release and is no flavour: the ABI's number (``25``, ``0.deb11.25``, ``060800rc1``,
#: ``rpi7``). A version that names its distribution (``6.12.90+deb13.1``) has none.
_ABI = re.compile(r"(?:rc|rpi)?\d+(?:rc\d+)?(?:\.[a-z]*\d*)*")


def newer_kernel(installed: Mapping[str, str], *, running: str) -> tuple[str, ...]:
    """Return a hint when an installed kernel image of the running flavour is newer than the running kernel.

    Args:
        installed: ``{name.arch: version}``.
        running: the release of the running kernel.
    """
    releases = [match.group(1) for name in installed if (match := _IMAGE.match(name))]
    if running not in releases:
        return ()
    flavour = _flavour(running)
    newest = max((r for r in releases if _flavour(r) == flavour), key=sort_key)
    if sort_key(newest) > sort_key(running):
        return (f"kernel {newest} is installed, {running} is running",)
    return ()


def _flavour(release: str) -> str:
    """Return what follows version and ABI in a kernel's release (``cloud-amd64``)."""
    version, *parts = release.split("-")
    if parts and "+" not in version and _ABI.fullmatch(parts[0]):
        parts = parts[1:]
    return "-".join(parts)
