# SPDX-License-Identifier: Apache-2.0
"""Which operating system, product (as AWS spells them) and package manager a root has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .baseline import schema
from .errors import InvalidInput
from .input_errors import either
from .package_managers import PACKAGE_MANAGERS

UNSUPPORTED = schema.UNSUPPORTED
APT, DNF, ZYPPER, YUM = "apt", "dnf", "zypper", "yum"


# For systems that AWS does not know.
_FAMILIES = {APT: schema.APT, DNF: schema.RPM, YUM: schema.RPM, ZYPPER: schema.SUSE}


@dataclass(frozen=True, slots=True)
class OsInfo:
    """What a root runs.

    ``operating_system`` is AWS's enumeration or ``UNSUPPORTED``; ``products`` are the words that a PRODUCT filter may
    call it by, ``product`` first, then less exact forms (``RedhatEnterpriseLinux8`` for 8.6). ``name`` and ``version``
    are os-release's. ``package_manager`` is empty when none is recognised. ``releasever`` is the release whose
    repositories are read, empty where the package manager itself decides; ``latest`` is always the newest.
    """

    operating_system: str
    product: str
    products: tuple[str, ...]
    name: str
    version: str
    package_manager: str
    releasever: str = ""

    @property
    def family(self) -> str:
        """The family of ``schema`` that its packages belong to, ``""`` where that is not known."""
        return schema.FAMILIES.get(self.operating_system) or _FAMILIES.get(self.package_manager, "")

    def require_supported(self) -> None:
        """Refuse an operating system that AWS's patch baselines do not know.

        Raises:
            InvalidInput: code 146.
        """
        if self.operating_system == UNSUPPORTED:
            what = (
                " ".join(part for part in (self.name, self.version) if part) or "an unknown system without os-release"
            )
            raise InvalidInput(
                f"this host runs {what}, which AWS patch baselines do not know; set ssmpatch:operating_system to the "
                f"one it should be treated as: {either(schema.OPERATING_SYSTEMS)}",
                code=146,
            )


# os-release ID -> operating system; Amazon's is told by its version.
_IDS: Mapping[str, str] = MappingProxyType(
    {
        "debian": "DEBIAN",
        "ubuntu": "UBUNTU",
        "raspbian": "RASPBIAN",
        "rhel": "REDHAT_ENTERPRISE_LINUX",
        "centos": "CENTOS",
        "rocky": "ROCKY_LINUX",
        "almalinux": "ALMA_LINUX",
        "ol": "ORACLE_LINUX",
        "sles": "SUSE",
        "sles_sap": "SUSE",
        "opensuse": "SUSE",
        "opensuse-leap": "SUSE",
    }
)
_AMAZON: Mapping[str, str] = MappingProxyType(
    {"2": "AMAZON_LINUX_2", "2022": "AMAZON_LINUX_2022", "2023": "AMAZON_LINUX_2023"}
)

#: What AWS's product literals begin with, before the version.
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "AMAZON_LINUX": "AmazonLinux",
        "AMAZON_LINUX_2": "AmazonLinux",
        "AMAZON_LINUX_2022": "AmazonLinux",
        "AMAZON_LINUX_2023": "AmazonLinux",
        "CENTOS": "CentOS",
        "REDHAT_ENTERPRISE_LINUX": "RedhatEnterpriseLinux",
        "ROCKY_LINUX": "RockyLinux",
        "ALMA_LINUX": "AlmaLinux",
        "ORACLE_LINUX": "OracleLinux",
        "SUSE": "Suse",
        "UBUNTU": "Ubuntu",
        "DEBIAN": "Debian",
        "RASPBIAN": "Raspbian",
    }
)
#: Systems whose repositories are those of one release, that of the package system-release.
_LOCKED = ("AMAZON_LINUX_2022", "AMAZON_LINUX_2023")
LATEST = "latest"
_RELEASEVER = "etc/dnf/vars/releasever"
# Where 20.04 or 2018.03 is a release of its own, its first half names nothing.
_WITHOUT_MINOR = ("AMAZON_LINUX", "UBUNTU", "DEBIAN", "RASPBIAN")
_YUM_SYSTEMS = ("AMAZON_LINUX", "AMAZON_LINUX_2")
_YUM_UP_TO_7 = ("CENTOS", "REDHAT_ENTERPRISE_LINUX", "ORACLE_LINUX")


def detect(
    *,
    root: Path,
    operating_system: str | None = None,
    product: str | None = None,
    package_manager: str | None = None,
    releasever: str = "",
) -> OsInfo:
    """What the files below ``root`` say; what is given beats what is found.

    Args:
        root: an absolute path.
        operating_system: AWS's enumeration.
        product: AWS's literal, for PRODUCT filters.
        package_manager: a name of ``PACKAGE_MANAGERS``.
        releasever: a release that the repositories have, or ``latest``.

    Returns:
        An OsInfo, with ``UNSUPPORTED`` for a system that AWS's enumeration lacks.

    Raises:
        InvalidInput: there is no such root.
    """
    if not root.is_dir():
        raise InvalidInput(f"root: {root} is no directory; name one that holds a system, or leave it out for this one")
    release = _os_release(root)
    system = operating_system or _operating_system(release)
    version = _version(system, release)
    literal = product or _literal(f"{PREFIXES.get(system, release['name'])}{version}")
    manager = package_manager or _package_manager(root, system, version)
    return OsInfo(
        operating_system=system,
        product=literal,
        products=_products(system, literal),
        name=release["name"],
        version=release["version_id"] or version,
        package_manager=manager,
        releasever=(releasever or _releasever(root, system)) if manager == DNF else "",
    )


def _releasever(root: Path, system: str) -> str:
    """Return the release that the administrator set, else the newest; ``""`` where no release is locked.

    Rule: docs/rules.md, Baselines: Amazon Linux 2023.
    """
    if system not in _LOCKED:
        return ""
    try:
        return (root / _RELEASEVER).read_text(errors="replace").partition("\n")[0].strip() or LATEST
    except OSError:
        return LATEST


def _os_release(root: Path) -> Mapping[str, str]:
    """``id``, ``name``, ``version_id`` and ``release_version`` (of /etc/*-release), empty where not known."""
    from distro import LinuxDistribution

    empty = {"id": "", "name": "", "version_id": "", "release_version": ""}
    try:
        found: Any = LinuxDistribution(root_dir=str(root), include_lsb=False, include_uname=False)
        return {
            "id": found.os_release_attr("id") or found.id(),
            "name": found.name(),
            "version_id": found.os_release_attr("version_id"),
            "release_version": found.distro_release_attr("version_id"),
        }
    except (OSError, ValueError):
        return empty


def _operating_system(release: Mapping[str, str]) -> str:
    if release["id"] == "amzn":
        first = release["version_id"].startswith("201")  # 2011.09 to 2018.03
        return "AMAZON_LINUX" if first else _AMAZON.get(release["version_id"].partition(".")[0], UNSUPPORTED)
    return _IDS.get(release["id"], UNSUPPORTED)


def _version(system: str, release: Mapping[str, str]) -> str:
    """The version as AWS's product literals have it (facts on PRODUCT: ``CentOS7.9`` but ``CentOS8``, ``Suse15.0``)."""
    version = release["version_id"]
    if system == "CENTOS":
        exact = release["release_version"] or version
        return ".".join(exact.split(".")[:2]) if _major(exact) <= 7 else exact.split(".")[0]
    if system == "SUSE" and version:
        return ".".join([*version.split("."), "0"][:2])
    return version


def _major(version: str) -> int:
    match = re.match(r"[0-9]{1,6}", version)
    return int(match[0]) if match else 0


def _literal(text: str) -> str:
    """The text with no other characters than those of AWS's product literals; frozen sets are filed under it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "", text)[:100] or "Linux"


def _products(system: str, product: str) -> tuple[str, ...]:
    if system == "AMAZON_LINUX_2" and product in ("AmazonLinux2", "AmazonLinux2.0"):
        return (product, "AmazonLinux2.0" if product == "AmazonLinux2" else "AmazonLinux2")
    if system in _WITHOUT_MINOR:
        return (product,)
    major = re.fullmatch(r"(.*[0-9])\.[0-9]+", product)
    return (product, major[1]) if major else (product,)


def _package_manager(root: Path, system: str, version: str) -> str:
    family = schema.FAMILIES.get(system)
    if family == schema.APT:
        return APT
    if family == schema.SUSE:
        return ZYPPER
    present = [name for name, entry in PACKAGE_MANAGERS.items() if _has_any(root, entry.programs)]
    present += [name for name, entry in PACKAGE_MANAGERS.items() if any((root / p).exists() for p in entry.traces)]
    if family != schema.RPM:
        return present[0] if present else ""
    old = system in _YUM_SYSTEMS or (system in _YUM_UP_TO_7 and 0 < _major(version) <= 7)
    usual, other = (YUM, DNF) if old else (DNF, YUM)
    return other if other in present and usual not in present else usual


def _has_any(root: Path, programs: tuple[str, ...]) -> bool:
    return any((root / directory / program).exists() for directory in ("usr/bin", "bin") for program in programs)
