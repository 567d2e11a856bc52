# SPDX-License-Identifier: Apache-2.0
"""Which release an OSV ecosystem is about. Pure.

The words are those of the ecosystems of the OSV schema (ossf.github.io/osv-schema, "Defined ecosystems").
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ..names import DEB_NAME, DEB_VERSION, RPM_NAME

DEB, RPM = "deb", "rpm"
#: The systems of which records are read, by the word that a release's name begins with, with their version order.
SYSTEMS = MappingProxyType(
    {"DEBIAN": DEB, "UBUNTU": DEB, "ALMA_LINUX": RPM, "ROCKY_LINUX": RPM, "REDHAT_ENTERPRISE_LINUX": RPM, "SUSE": RPM}
)
#: ``DEBIAN-12``, ``UBUNTU-22.04``: the name of a release, and of its file.
RELEASE = rf"(?:{'|'.join(SYSTEMS)})-[0-9]{{1,3}}(?:\.[0-9]{{1,2}})?"

#: Of Ubuntu's builds for FIPS 140: archives of several states of certification have them, with versions of their own.
FIPS = "a FIPS build, whose versions do not compare with those of the vendor's records"

# OSV does not say which it means: rpm's epoch may be left out.
_RPM_VERSION = r"(?:[0-9]{1,10}:)?[A-Za-z0-9._+~^]{1,150}(?:-[A-Za-z0-9._+~^]{1,150})?"
_NAMES = MappingProxyType({DEB: re.compile(DEB_NAME), RPM: re.compile(RPM_NAME)})
_VERSIONS = MappingProxyType({DEB: re.compile(DEB_VERSION), RPM: re.compile(_RPM_VERSION)})

_DEBIAN = re.compile(r"Debian:([0-9]{1,3})")
_UBUNTU = re.compile(r"Ubuntu(:Pro)?:([0-9]{2}\.[0-9]{2})(?::LTS)?")
# Ubuntu's editions, whose kernels have names of their own; what else they have is built anew under the release's names.
_EDITIONS = (
    re.compile(r"Ubuntu(:Pro):Realtime:([0-9]{2}\.[0-9]{2})(?::LTS)?"),
    re.compile(r"Ubuntu(:Pro):([0-9]{2}\.[0-9]{2})(?::LTS)?:Realtime:Kernel"),
    re.compile(r"Ubuntu():Nvidia-BlueField:([0-9]{2}\.[0-9]{2})(?::LTS)?"),
    re.compile(r"Ubuntu():([0-9]{2}\.[0-9]{2})(?::LTS)?:for:NVIDIA:BlueField"),
)
_FIPS = re.compile(r"Ubuntu:Pro:FIPS(?:-[a-z]+)?:([0-9]{2}\.[0-9]{2})(?::LTS)?")
_MAJOR = (
    (re.compile(r"AlmaLinux:([0-9]{1,3})"), "ALMA_LINUX"),
    (re.compile(r"Rocky Linux:([0-9]{1,3})"), "ROCKY_LINUX"),
    (
        re.compile(r"Red Hat:enterprise_linux:([0-9]{1,3})(?:\.[0-9]{1,3})?(?:::[a-z_]{1,30})?"),
        "REDHAT_ENTERPRISE_LINUX",
    ),
)
_SUSE = re.compile(r"SUSE:Linux Enterprise [A-Za-z ]{4,80} ([0-9]{2})(?: SP([0-9]{1,2}))?(-LTSS)?")


class Product(NamedTuple):
    """The release that an ecosystem is about, and whether its fixes need a subscription.

    ``kernels_only``: only its kernels have names of their own. ``problem``: why versions do not compare.
    """

    release: str
    subscription: bool = False
    kernels_only: bool = False
    problem: str = ""


@lru_cache(maxsize=4096)
def product_of(ecosystem: str) -> Product | None:
    """Return what an ecosystem is about: ``Ubuntu:Pro:20.04:LTS`` is ``UBUNTU-20.04`` with a subscription.

    None for all others: Debian unstable, systems that are not read, and products with packages of their own.
    """
    if len(ecosystem) > 200:
        return None
    if match := _DEBIAN.fullmatch(ecosystem):
        return Product(f"DEBIAN-{match[1]}")
    if match := _UBUNTU.fullmatch(ecosystem):
        return Product(f"UBUNTU-{match[2]}", subscription=bool(match[1]))
    for pattern in _EDITIONS:
        if match := pattern.fullmatch(ecosystem):
            return Product(f"UBUNTU-{match[2]}", subscription=bool(match[1]), kernels_only=True)
    if match := _FIPS.fullmatch(ecosystem):
        return Product(f"UBUNTU-{match[1]}", subscription=True, kernels_only=True, problem=FIPS)
    for pattern, system in _MAJOR:
        if match := pattern.fullmatch(ecosystem):
            return Product(f"{system}-{match[1]}")
    if match := _SUSE.fullmatch(ecosystem):
        return Product(f"SUSE-{match[1]}" + (f".{match[2]}" if match[2] else ""), subscription=bool(match[3]))
    return None


def is_fips(version: str, order: str) -> bool:
    """Return whether a version is that of a package that Ubuntu has built for FIPS 140."""
    return order == DEB and "fips" in version.lower()


def order_of(release: str) -> str:
    """Return the version order of a release's packages, ``deb`` or ``rpm``.

    Raises:
        KeyError: a release of no known system.
    """
    return SYSTEMS[release.rpartition("-")[0]]


def is_name(name: object, order: str) -> bool:
    """Return whether it could be the name of a source or binary package."""
    return isinstance(name, str) and _NAMES[order].fullmatch(name) is not None


def is_version(version: object, order: str) -> bool:
    """Return whether it could be a version of a package."""
    return isinstance(version, str) and _VERSIONS[order].fullmatch(version) is not None
