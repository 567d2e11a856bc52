# SPDX-License-Identifier: Apache-2.0
"""Finds the packages of Linux kernels, and whether a newer one is installed than the running one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ...model import Kernels
from ...names import DEB_VERSION
from ...versions.deb import sort_key

#: The beginning of the names of all packages of a kernel.
ANY_PREFIX = "linux-"
#: The beginning of the names of kernel images.
PREFIX = "linux-image-"
_IMAGE = re.compile(rf"^{PREFIX}(?:unsigned-)?(\d[^.]*\..*?)(?:-unsigned)?\.[a-z0-9]+$")
#: What follows the version in a release and is no flavour: the ABI's number (``25``, ``0.deb11.25``, ``060800rc1``,
#: ``rpi7``). A version that names its distribution (``6.12.90+deb13.1``) has none.
_ABI = re.compile(r"(?:rc|rpi)?\d+(?:rc\d+)?(?:\.[a-z]*\d*)*")
#: The words by which the packages of one kernel are told apart. Before them may stand what the kernel is built for
#: (``linux-aws-5.15-headers-…``), behind them what a part of its modules is for (``linux-modules-nvidia-535-…``).
_KINDS = frozenset(
    {"base", "binary", "buildinfo", "headers", "image", "kbuild", "modules", "objects", "rust"}
    | {"signatures", "support", "tools"}
)
#: The beginning of a release. Behind other words only three numbers are one: ``hwe-22.04`` is a distribution's.
_TWO_NUMBERS, _THREE_NUMBERS = re.compile(r"\d+\.\d"), re.compile(r"\d+\.\d+\.\d")
#: What follows the release in the name of a package, and is no part of it.
_FORM = re.compile(r"-(?:unsigned|dbg|dbgsym)$")
_COMMON = re.compile(r"-common(?:-.*)?$")


#: The version of the package in what a kernel of Debian says of its build: ``#1 SMP … Debian 6.1.106-3 (2024-08-26)``.
_BUILT = re.compile(rf" Debian ({DEB_VERSION}) \(")


class _Part(NamedTuple):
    """What the name of a kernel's package says: whether it is the image, what kind it is, and of which release."""

    image: bool
    kind: str
    release: str


def find_kernels(installed: Mapping[str, str], *, running: str) -> Kernels:
    """Return the packages of the running kernel and of the others.

    Args:
        installed: ``{name.arch: version}``.
        running: the release of the running kernel, ``""`` where none of the packages can be its.
    """
    parts = {(id_, version): part for id_, version in installed.items() if (part := _part(id_.rpartition(".")[0]))}
    images = [part.release for part in parts.values() if part.image]
    if running in images:
        own = frozenset(each for each, part in parts.items() if _is_of(part, running))
        return Kernels(own, frozenset(parts) - own)
    newest = max(map(_build, images or [part.release for part in parts.values()]), key=sort_key, default="")
    return Kernels(others=frozenset(each for each, part in parts.items() if _build(part.release) != newest))


def as_booted(kernels: Kernels, build: str) -> Kernels:
    """Return the packages of kernels where an update has taken the place of the running image on disk.

    Debian does so while the ABI stays. What runs is then of the version that its build names, and what is on disk is of
    another kernel.

    Args:
        build: what the running kernel says of its build, as ``uname -v`` does.
    """
    match = _BUILT.search(build)
    booted = match[1] if match else ""
    replaced = frozenset(
        (id_, version)
        for id_, version in kernels.running
        if booted and _is_image(id_) and sort_key(version) != sort_key(booted)
    )
    return Kernels(
        kernels.running - replaced | {(id_, booted) for id_, _version in replaced}, kernels.others | replaced
    )


def _is_image(id_: str) -> bool:
    part = _part(id_.rpartition(".")[0])
    return part is not None and part.image


def _part(name: str) -> _Part | None:
    """Return what the name of a kernel's package says; None for another package, also for one that requires kernels."""
    first, *words = name.split("-")
    place = next((number for number, word in enumerate(words) if word in _KINDS), None)
    if f"{first}-" != ANY_PREFIX or place is None:
        return None
    kind, rest = words[place], words[place + 1 :]
    if kind == "image" and rest[:1] == ["unsigned"]:
        rest = rest[1:]
    behind = next((number for number, word in enumerate(rest) if _THREE_NUMBERS.match(word)), None)
    # A version of two numbers alone is that of a series: linux-kbuild-6.1.
    if len(rest) > 1 and _TWO_NUMBERS.match(rest[0]):
        behind = 0
    if behind is None:
        return None
    written = "-".join(rest[behind:])
    release = _FORM.sub("", written)
    return _Part(kind == "image" and behind == 0 and not written.endswith(("-dbg", "-dbgsym")), kind, release)


def _is_of(part: _Part, running: str) -> bool:
    """Return whether a package belongs to a kernel; some are for all flavours of it."""
    if part.release == running:
        return True
    return part.kind not in ("image", "modules") and running.startswith(f"{_COMMON.sub('', part.release)}-")


def _build(release: str) -> str:
    """Return a release without its flavour."""
    flavour = _flavour(release)
    return release.removesuffix(f"-{flavour}") if flavour else release


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
