# SPDX-License-Identifier: Apache-2.0
"""Reads the packages that a baseline judges from the rpm database and yum's cache."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

from ...model import Family, Inventory, Published, UnreadSource
from .. import NO_REPOSITORY, Context
from ..rpm.installed import Database, newest
from ..rpmmd import freshness, published
from ..rpmmd.cache import forget_others
from ..rpmmd.candidates import find_packages
from ..rpmmd.excludes import compile_matcher, config_blocker, make_blocker
from ..rpmmd.metadata import Metadata
from ..rpmmd.offers import Offering, Rules
from ..rpmmd.reader import read_metadata
from ..rpmmd.repofiles import DnfConfig, Repository, keep_obsolete
from ..rpmmd.repository import read_repository
from .config import read_locks
from .primary_db import TYPES, read_packages

FAMILY = Family(name="yum", version_order="rpm", name_forms="rpm")


def read_inventory(context: Context, database: Database, config: DnfConfig, *, non_security: bool) -> Inventory:
    """Return every package with the versions that yum would take, and what could not be read.

    yum itself is not run: rpm is asked once, and the rest is read from yum's configuration and its metadata cache.

    Raises:
        SsmpatchError: the rpm database cannot be read.
    """
    installed = newest(database.read())
    unread = list(config.unread)
    if not config.repositories and not unread:
        unread.append(UnreadSource("yum", NO_REPOSITORY))
    problems: list[str] = []
    locks = read_locks(context.root, config)
    blocker = make_blocker(config_blocker(config, compile_matcher), locks)
    offerings = []
    read: list[tuple[Repository, Metadata]] = []
    for repository in sorted(config.repositories, key=lambda repository: (repository.priority, repository.cost)):
        metadata = _read_repository(context, repository, unread)
        if metadata is not None:
            read.append((repository, metadata))
            blocks = partial(blocker, repository) if blocker else None
            offerings.append(Offering(repository.id, metadata, repository.priority, blocks=blocks))
            problems.extend(f"{repository.id}: {problem}" for problem in metadata.problems)
    forget_others(_cache(context), [repository.id for repository in config.repositories])
    packages, not_installed, retracted = find_packages(
        installed=installed,
        offerings=offerings,
        rules=Rules(native=config.variables["arch"], keep_obsolete=keep_obsolete(context, config.main)),
        non_security=non_security,
    )
    return Inventory(
        FAMILY,
        packages,
        tuple(unread),
        (*locks.warnings, *problems),
        not_installed,
        advised=not read or any(published.tells_security(metadata) for _, metadata in read),
        lost=published.lost_advisories(context, "yum", ((r.id, metadata) for r, metadata in read)),
        retracted=retracted,
    )


def read_published(context: Context, config: DnfConfig, ids: Collection[str]) -> tuple[Published, ...]:
    """Return what the advisories in yum's cache say that have one of the ids or name it."""
    from ..rpmmd.fixes import find_published

    read = (_read_repository(context, repository, []) for repository in config.repositories)
    return find_published(ids, ((metadata, None) for metadata in read if metadata is not None))


def _read_repository(context: Context, repository: Repository, unread: list[UnreadSource]) -> Metadata | None:
    return read_repository(
        repository.cache / "repomd.xml",
        name=repository.id,
        stored_as=repository.id,
        cache=_cache(context),
        age=repository_age(context, repository),
        absent="yum has no metadata of it: it could not be reached or never was",
        unread=unread,
        types=TYPES,
        read=partial(read_metadata, package_types=TYPES, package_reader=read_packages),
    )


def repository_age(context: Context, repository: Repository) -> float | None:
    """Return the seconds since yum last found a repository's metadata current; None when it never did."""
    return freshness.age(context, "yum", repository.id, stamp_of(repository))


def stamp_of(repository: Repository) -> Path:
    """Return the file that yum touches each time it has compared its copy with the repository."""
    cookie = repository.cache / "cachecookie"
    return cookie if cookie.exists() else repository.cache / "repomd.xml"


def _cache(context: Context) -> Path:
    return context.work_dir / "yum-metadata"
