# SPDX-License-Identifier: Apache-2.0
"""Under which source package and version the vendor's records have a package. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..model import Package, Version

# The vendors' records are about the kernel's source. Its signed images are built from a source of their own, on Debian
# one for each architecture, and have the kernel's version as their own.
_SIGNED = re.compile(r"linux-signed((?:-[a-z0-9.+]+)*?)(?:-(?:amd64|arm64|armhf|i386|loong64|ppc64el|riscv64|s390x))?")
# Ubuntu's packages that depend on the newest image: ``5.15.0.119.119`` or ``5.15.0-119.129`` on one of ABI ``119``.
_META = re.compile(r"linux-meta(-[a-z0-9.+-]+)?")
_META_VERSION = re.compile(r"([0-9]+(?:\.[0-9]+){2})[.-]([0-9]+)\.[0-9.]+(?:~[0-9.]+)?")
#: Above every upload of one ABI: which of them it is, such a package does not say.
_LAST_UPLOAD = "999999"
# Debian's, which have the version of the image: linux-image-cloud-amd64, linux-headers-6.1-arm64.
_DEBIANS_META = re.compile(r"linux-(?:image|headers)-(?:[0-9]+\.[0-9]+-)?[a-z][a-z0-9-]*")
_RELEASE = re.compile(r"linux-(?:[^.]*-)?[0-9]+\.[0-9]+[.~]")


class Source(NamedTuple):
    """A source package and its version."""

    name: str
    version: str


def source_of(version: Version) -> Source:
    """Return the source package by which the records know a version: where nothing names one, the package itself."""
    name = version.source or version.name
    if not name.startswith("linux-"):
        return Source(name, version.source_version or version.version)
    if match := _SIGNED.fullmatch(name):
        return Source(f"linux{match[1]}", version.version)
    if match := _META.fullmatch(name):
        own = version.source_version or version.version
        meta = _META_VERSION.fullmatch(own)
        return Source(f"linux{match[1] or ''}", f"{meta[1]}-{meta[2]}.{_LAST_UPLOAD}" if meta else own)
    return Source(name, version.source_version or version.version)


def has_code(version: Version) -> bool:
    """Return whether a package is more than the wish for the newest kernel."""
    if not version.name.startswith("linux-"):
        return True
    return not (_META.fullmatch(version.source) or _DEBIANS_META.fullmatch(version.name))


def is_of_kernel(name: str) -> bool:
    """Return whether a Debian package is a part of one kernel, whose release its name has; others take its place."""
    return _RELEASE.match(name) is not None


def under_both_names(packages: Iterable[Package]) -> Iterator[Package]:
    """Yield rpm packages by their own name, and by that of their source where it has another one.

    AlmaLinux's and Red Hat's records name packages, SUSE's and Rocky's their sources. The source of an offer is not
    known: it is taken for that of the installed version.
    """
    for package in packages:
        installed = package.installed
        if installed is None or installed.source in ("", package.name):
            yield package
            continue
        yield replace(package, installed=replace(installed, source="", source_version=""))
        versions, outranked = (
            tuple(replace(each, source=installed.source, source_version=each.version) for each in offers)
            for offers in (package.versions, package.outranked)
        )
        yield replace(package, versions=versions, outranked=outranked)


def as_running(packages: Iterable[Package], running: Mapping[str, str]) -> Iterator[Package]:
    """Yield Debian packages, and the image of the running kernel again where another version has replaced it on disk.

    Args:
        running: the packages of the running kernel, ``{name.arch: version}``.
    """
    for package in packages:
        yield package
        installed, version = package.installed, running.get(package.id, "")
        if installed is not None and version not in ("", installed.version):
            yield replace(package, installed=replace(installed, version=version, source_version=version))
