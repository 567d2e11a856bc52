# SPDX-License-Identifier: Apache-2.0
"""Reads the packages that a baseline judges from the rpm database and dnf's cache."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from ...model import Family, Inventory, Published, UnreadSource
from .. import NO_REPOSITORY, Context
from ..rpm.installed import Database, newest
from ..rpmmd import candidates, excludes, freshness, published
from ..rpmmd.cache import forget_others
from ..rpmmd.metadata import Metadata
from ..rpmmd.repofiles import DnfConfig, Repository, keep_obsolete
from ..rpmmd.repository import read_repository
from . import keeping, modules

FAMILY = Family(name="dnf", version_order="rpm", name_forms="rpm")


def read_inventory(
    context: Context, database: Database, config: DnfConfig, *, generation: int, non_security: bool
) -> Inventory:
    """Return every package with the versions that dnf would take, and what could not be read.

    dnf itself is not run: rpm is asked once, and the rest is read from dnf's configuration and its metadata cache.

    Raises:
        SsmpatchError: the rpm database cannot be read.
    """
    root = context.root
    present = database.read()
    installed = newest(present)
    unread = list(config.unread)
    if not config.repositories and not unread:
        unread.append(UnreadSource("dnf", NO_REPOSITORY))
    problems: list[str] = []
    read = _read_repositories(context, config, unread)
    problems.extend(f"{repository.id}: {problem}" for repository, metadata in read for problem in metadata.problems)
    forget_others(_cache(context), [repository.id for repository in config.repositories])
    module_filter = _module_filter(root, config, read, generation=generation, warn=problems.append)
    choice = keeping.read_choice(root, config, present, read, generation=generation, filtering=module_filter)
    if module_filter and module_filter.problem:
        unread.append(UnreadSource("modules", module_filter.problem))
    packages, not_installed, retracted = candidates.find_packages(
        installed=installed,
        offerings=_offerings(read, choice.blocker, module_filter),
        rules=candidates.Rules(
            native=config.variables["arch"],
            keep_obsolete=keep_obsolete(context, config.main),
            obsoletes_any=True,
            locks=choice.locks,
            keeps=choice.keeps,
            warn=problems.append,
        ),
        non_security=non_security,
    )
    problems.extend(choice.warnings)
    return Inventory(
        FAMILY,
        packages,
        tuple(unread),
        tuple(problems),
        not_installed,
        advised=not read or any(published.tells_security(metadata) for _, metadata in read),
        lost=published.lost_advisories(context, "dnf", ((r.id, metadata) for r, metadata in read)),
        retracted=retracted,
    )


def read_published(
    context: Context, config: DnfConfig, ids: Collection[str], *, generation: int
) -> tuple[Published, ...]:
    """Return what the advisories in dnf's cache say that have one of the ids or name it, for active modules."""
    from ..rpmmd.fixes import find_published

    read = _read_repositories(context, config, [])
    found = _module_filter(context.root, config, read, generation=generation, warn=lambda words: None)
    return find_published(
        ids, ((metadata, found.applies if found and not repository.hotfixes else None) for repository, metadata in read)
    )


def _module_filter(
    root: Path,
    config: DnfConfig,
    read: Sequence[tuple[Repository, Metadata]],
    *,
    generation: int,
    warn: Callable[[str], None],
) -> modules.ModuleFilter | None:
    state = modules.read_state(
        root,
        generation=generation,
        machine=config.variables["arch"],
        platform=config.main.get("module_platform_id", ""),
    )
    # dnf 4 decides about modules in this order, dnf 5 in that of its configuration.
    ordered = read if generation == 5 else sorted(read, key=lambda pair: (pair[0].priority, pair[0].cost))
    repositories = [metadata for _, metadata in ordered]
    directory = root / config.main.get("persistdir", "/var/lib/dnf").lstrip("/")
    kept = modules.read_fail_safe(directory, state, repositories, warn=warn)
    return modules.make_filter(state, repositories, kept)


def _read_repositories(
    context: Context, config: DnfConfig, unread: list[UnreadSource]
) -> list[tuple[Repository, Metadata]]:
    """Return the enabled repositories with their metadata; what cannot be read is named in ``unread``."""
    read = ((repository, _read_repository(context, repository, unread)) for repository in config.repositories)
    return [(repository, metadata) for repository, metadata in read if metadata is not None]


def _read_repository(context: Context, repository: Repository, unread: list[UnreadSource]) -> Metadata | None:
    return read_repository(
        repository.cache / "repodata" / "repomd.xml",
        name=repository.id,
        stored_as=repository.id,
        cache=_cache(context),
        age=repository_age(context, repository),
        absent="dnf has no metadata of it: it could not be reached or never was",
        unread=unread,
    )


def _cache(context: Context) -> Path:
    return context.work_dir / "dnf-metadata"


def repository_age(context: Context, repository: Repository) -> float | None:
    """Return the seconds since dnf last found a repository's metadata current; None when nothing tells."""
    return freshness.age(context, "dnf", repository.id, metadata_copy(repository))


def metadata_copy(repository: Repository) -> Path:
    """Return the file that dnf touches each time it finds a repository's metadata current."""
    directory = repository.cache / "repodata"
    return next(iter(sorted(directory.glob("*-primary.xml*"))), directory / "repomd.xml")


def _offerings(
    read: Sequence[tuple[Repository, Metadata]],
    blocker: excludes.Blocker | None,
    module_filter: modules.ModuleFilter | None,
) -> list[candidates.Offering]:
    offerings = []
    for repository, metadata in sorted(read, key=lambda pair: (pair[0].priority, pair[0].cost)):
        filtering = None if repository.hotfixes else module_filter
        offerings.append(
            candidates.Offering(
                name=repository.id,
                metadata=metadata,
                priority=repository.priority,
                hides=filtering.hides if filtering else None,
                applies=filtering.applies if filtering else None,
                touches=filtering.touches if filtering else None,
                blocks=partial(blocker, repository) if blocker else None,
            )
        )
    return offerings
