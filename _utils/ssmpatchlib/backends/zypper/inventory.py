# SPDX-License-Identifier: Apache-2.0
"""Reads the packages that a baseline judges from the rpm database and libzypp's cache."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from ...model import Family, Inventory, Package, Published, UnreadSource, Version
from .. import NO_REPOSITORY, Context
from ..rpm.installed import Database, InstalledPackage, newest
from ..rpmmd import freshness, published, repomd
from ..rpmmd.cache import forget_others
from ..rpmmd.candidates import find_installed
from ..rpmmd.metadata import DamagedMetadata, Metadata
from ..rpmmd.offers import Offering, Rules, Search
from ..rpmmd.repofiles import keep_obsolete
from ..rpmmd.repository import read_repository
from .config import Repository, ZyppConfig
from .locks import Locks, read_locks
from .not_installed import find_not_installed

FAMILY = Family(
    name="suse",
    version_order="rpm",
    name_forms="rpm",
    non_security_switch=False,
    cves_of="skipped",
    describe_unapproved=True,
    operators=True,
    # Rule: zypper(8), patch: updates of the package management come first, then zypper is run again.
    update_stack=frozenset(
        {"libsolv1", "libsolv-tools", "libsolv-tools-base", "libzypp", "rpm", "zypper", "zypper-log"}
        | {"zypper-needs-restarting", "python3-solv", "libzypp-plugin-appdata"}
    ),
)


def read_inventory(context: Context, database: Database, config: ZyppConfig) -> Inventory:
    """Return every package with the versions that zypper would take, and what could not be read.

    zypper itself is not run: rpm is asked once, and the rest is read from libzypp's configuration and metadata cache.

    Raises:
        SsmpatchError: the rpm database cannot be read.
    """
    installed = newest(database.read())
    locks = read_locks(config.locks)
    unread = list(config.unread)
    if not config.repositories and not unread:
        unread.append(UnreadSource("zypper", NO_REPOSITORY))
    problems: list[str] = []
    offerings = []
    read: list[tuple[Repository, Metadata]] = []
    for repository in config.repositories:
        metadata = _read_repository(context, repository, unread)
        if metadata is not None:
            read.append((repository, metadata))
            offerings.append(_offering(repository, metadata, locks))
            problems.extend(f"{repository.alias}: {problem}" for problem in metadata.problems)
    forget_others(metadata_cache(context), [repository.file_name for repository in config.repositories])
    offerings.sort(key=lambda offering: offering.priority)
    rules = Rules(
        native=context.host.machine(),
        capitalize=False,
        keep_obsolete=keep_obsolete(context, {}),
        acceptable=None if config.vendor_change else partial(_same_vendor, config),
        locks=partial(_lock_on, locks) if locks.entries else None,
        keeps=partial(_lock_on, locks) if locks.entries else None,
        warn=problems.append,
        older_hide=False,
    )
    search = Search(offerings, rules)
    present, _used = find_installed(search, installed)
    packages = _without_locked_patches(present, offerings, locks) if locks.patches else present
    taken = {v.id for p in packages for v in p.versions}
    not_installed = find_not_installed(offerings, without=taken | installed.keys(), rules=rules)
    return Inventory(
        FAMILY,
        packages,
        tuple(unread),
        (*locks.warnings, *problems),
        not_installed,
        advised=not read or any(published.tells_security(metadata) for _, metadata in read),
        lost=published.lost_advisories(context, "zypper", ((r.alias, metadata) for r, metadata in read)),
        retracted=cache(search.retracted),
    )


def read_published(context: Context, config: ZyppConfig, ids: Collection[str]) -> tuple[Published, ...]:
    """Return what the patches in libzypp's cache say that have one of the ids or name it."""
    from ..rpmmd.fixes import find_published

    read = (_read_repository(context, repository, []) for repository in config.repositories)
    return find_published(ids, ((metadata, None) for metadata in read if metadata is not None), capitalize=False)


def _offering(repository: Repository, metadata: Metadata, locks: Locks) -> Offering:
    return Offering(
        name=repository.alias,
        metadata=metadata,
        priority=repository.priority,
        blocks=partial(locks.on_offer, repository.alias) if locks.entries else None,
    )


def _same_vendor(config: ZyppConfig, installed: InstalledPackage, vendor: str) -> bool:
    """Return whether an offer may follow an installed package. Rule: zypp.conf, solver.allowVendorChange, vendordir."""
    return config.vendor_class(installed.vendor) == config.vendor_class(vendor)


def _lock_on(locks: Locks, package: InstalledPackage) -> str:
    return locks.on_installed(package.name, package.arch, package.evr)


def _without_locked_patches(
    packages: Iterable[Package], offerings: Iterable[Offering], locks: Locks
) -> tuple[Package, ...]:
    """Return packages of which no version may be taken that only locked patches name: zypper leaves such patches.

    Of a patch that a repository has in several editions all must be locked.
    """
    editions: dict[tuple[str, str], list[str]] = {}
    for offering in offerings:
        for patch in offering.metadata.advisories:
            editions.setdefault((offering.name, patch.id), []).append(patch.version and f"0:{patch.version}")

    @cache
    def locked(alias: str, id_: str) -> str:
        found = [locks.on_patch(alias, id_, edition) for edition in editions.get((alias, id_), ())]
        return found[0] if found and all(found) else ""

    def kept(version: Version) -> Version:
        why = [locked(version.origin, each.id) if each.id else "" for each in version.advisories]
        return replace(version, blocked=version.blocked or why[0]) if all(why) else version

    return tuple(replace(package, versions=tuple(map(kept, package.versions))) for package in packages)


def _read_repository(context: Context, repository: Repository, unread: list[UnreadSource]) -> Metadata | None:
    """Return the metadata of one repository; what cannot be read of it is named in ``unread``."""
    if repository.kind:
        words = f"a repository of type {repository.kind} cannot be judged; only rpm-md repositories can"
        unread.append(UnreadSource(repository.alias, words))
        return None
    return read_repository(
        repository.index,
        name=repository.alias,
        stored_as=repository.file_name,
        cache=metadata_cache(context),
        age=repository_age(context, repository),
        absent="zypper has no metadata of it: it could not be reached or never was refreshed",
        unread=unread,
    )


def find_origins(
    context: Context, config: ZyppConfig, offers: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], frozenset[str]]:
    """Return the names of the repositories that have each of some packages, by ``(name.arch, version)``."""
    found: dict[tuple[str, str], set[str]] = {offer: set() for offer in offers}
    for repository in config.repositories:
        metadata = _read_repository(context, repository, [])
        for id_, evr in found if metadata else ():
            if metadata and any(row[0] == evr for row in metadata.offers.get(id_, ())):
                found[(id_, evr)].add(repository.alias)
    return {offer: frozenset(aliases) for offer, aliases in found.items()}


def metadata_cache(context: Context) -> Path:
    """Return the directory of parsed metadata."""
    return context.work_dir / "zypper-metadata"


def find_impossible(context: Context, config: ZyppConfig) -> dict[tuple[str, str], str]:
    """Return ``(name.arch, version)`` of the offers that can never be installed, with the reason.

    Repositories that cannot be read are left out, and what only they provide counts as missing, as it does for zypper.
    """
    from . import impossible

    dependencies = impossible.Dependencies()
    dependencies.add_installed(context.host, context.root)
    for repository in config.repositories:
        try:
            listed = repomd.read_repomd(repository.index).find(*repomd.PRIMARY)
            if listed:
                dependencies.add_offers(listed.path)
        except DamagedMetadata:
            continue
    return impossible.find_impossible(dependencies)


def repository_age(context: Context, repository: Repository) -> float | None:
    """Return the seconds since libzypp last found a repository's metadata current; None when it never did."""
    return freshness.age(context, "zypper", repository.alias, repository.index)
