# SPDX-License-Identifier: Apache-2.0
"""From the rpm database and libzypp's cache to the packages that a baseline judges."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...host import Host
from ...model import Family, Inventory, Package, UnreadSource
from ..rpm import candidates, notices, store
from ..rpm.installed import InstalledPackage, newest, read_installed
from ..rpm.metadata import Metadata
from ..rpm.repository import read_repository
from .config import Repository, ZyppConfig
from .locks import Locks, read_locks

FAMILY = Family(
    name="suse",
    version_order="rpm",
    non_security_switch=False,
    cves_of="skipped",
    describe_unapproved=True,
    operators=True,
)


def read_inventory(host: Host, root: Path, config: ZyppConfig, *, cache: Path) -> Inventory:
    """Return every package with the versions that zypper would take, and what could not be read.

    zypper itself is not run: rpm is asked once, the rest comes from libzypp's configuration and its cache of metadata.
    ``cache`` is where parsed metadata are kept.

    Raises:
        SsmpatchError: the rpm database cannot be read.
    """
    installed = newest(read_installed(host, root))
    locks = read_locks(config.locks)
    unread = list(config.unread)
    problems: list[str] = []
    offerings = []
    for repository in config.repositories:
        metadata = _read_repository(repository, cache, host.now(), unread)
        if metadata is not None:
            offerings.append(_offering(repository, _for_installed(metadata, installed.values()), locks))
            problems.extend(f"{repository.alias}: {problem}" for problem in metadata.problems)
    store.forget_others(cache, [repository.file_name for repository in config.repositories])
    packages = candidates.find_packages(
        installed=installed,
        offerings=sorted(offerings, key=lambda offering: offering.priority),
        rules=candidates.Rules(
            notice=partial(notices.from_advisory, capitalize=False),
            native=os.uname().machine,
            acceptable=None if config.vendor_change else partial(_same_vendor, config),
        ),
        non_security=True,
    )
    return Inventory(FAMILY, tuple(_with_locks(packages, locks)), tuple(unread), (*locks.warnings, *problems))


def _offering(repository: Repository, metadata: Metadata, locks: Locks) -> candidates.Offering:
    return candidates.Offering(
        name=repository.alias,
        metadata=metadata,
        priority=repository.priority,
        blocks=(lambda name, arch, evr: locks.on_offer(repository.alias, name, evr)) if locks.entries else None,
    )


def _for_installed(metadata: Metadata, installed: Collection[InstalledPackage]) -> Metadata:
    """Leave out what patches say of packages that are not installed and replace none that is.

    Rule: decisions.md, "Details that the decided vectors settle": on SUSE these are judged without their patches.
    """
    names = {package.name for package in installed}
    ids = {package.id for package in installed}
    ids.update(f"{name}.{arch}" for name in names for arch in ("noarch", os.uname().machine))
    ids.update(id_ for id_, _evr, replaced, _operator, _wanted in metadata.replacements if replaced in names)
    return replace(
        metadata,
        advised={id_: found for id_, found in metadata.advised.items() if id_ in ids},
        mentions={id_: found for id_, found in metadata.mentions.items() if id_ in ids},
    )


def _same_vendor(config: ZyppConfig, installed: InstalledPackage, vendor: str) -> bool:
    """Whether an offer may follow an installed package. Rule: zypp.conf, solver.allowVendorChange and vendordir."""
    return config.vendor_class(installed.vendor) == config.vendor_class(vendor)


def _with_locks(packages: Iterable[Package], locks: Locks) -> Iterable[Package]:
    for package in packages:
        installed = package.installed
        locked = locks.on_installed(package.name, installed.version) if installed and locks.entries else ""
        yield replace(package, locked=locked) if locked else package


def _read_repository(repository: Repository, cache: Path, now: float, unread: list[UnreadSource]) -> Metadata | None:
    """The metadata of one repository; what cannot be read of it is named in ``unread``."""
    if repository.kind:
        words = f"a repository of type {repository.kind} cannot be judged; only rpm-md repositories can"
        unread.append(UnreadSource(repository.alias, words))
        return None
    return read_repository(
        repository.cache / "repodata" / "repomd.xml",
        name=repository.alias,
        stored_as=repository.file_name,
        cache=cache,
        age=repository_age(repository, now),
        absent="zypper has no metadata of it: it could not be reached or never was refreshed",
        unread=unread,
    )


def repository_age(repository: Repository, now: float) -> float | None:
    """Seconds since libzypp last found a repository's metadata current (it touches repomd.xml then); None for none."""
    try:
        return max(0.0, now - (repository.cache / "repodata" / "repomd.xml").stat().st_mtime)
    except OSError:
        return None
