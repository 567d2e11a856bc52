# SPDX-License-Identifier: Apache-2.0
"""From the rpm database and dnf's cache to the packages that a baseline judges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...host import Host
from ...model import Family, Inventory, UnreadSource
from ..rpm import candidates, notices, store
from ..rpm.installed import newest, read_installed
from ..rpm.metadata import Metadata
from ..rpm.repository import read_repository
from . import excludes, modules
from .config import DnfConfig, Repository

FAMILY = Family(name="dnf", version_order="rpm")


def read_inventory(
    host: Host, root: Path, config: DnfConfig, *, generation: int, cache: Path, non_security: bool
) -> Inventory:
    """Return every package with the versions that dnf would take, and what could not be read.

    dnf itself is not run: rpm is asked once, the rest comes from dnf's configuration and its cache of metadata.
    ``cache`` is where parsed metadata are kept.

    Raises:
        SsmpatchError: the rpm database cannot be read.
    """
    installed = newest(read_installed(host, root))
    unread = list(config.unread)
    problems: list[str] = []
    read: list[tuple[Repository, Metadata]] = []
    for repository in config.repositories:
        metadata = _read_repository(repository, cache, host.now(), unread)
        if metadata is not None:
            read.append((repository, metadata))
            problems.extend(f"{repository.id}: {problem}" for problem in metadata.problems)
    store.forget_others(cache, [repository.id for repository in config.repositories])
    locks = excludes.read_locks(root, generation=generation)
    state = modules.read_state(root, generation=generation, platform=config.main.get("module_platform_id", ""))
    module_filter = modules.make_filter(state, [metadata for _, metadata in read])
    packages = candidates.find_packages(
        installed=installed,
        offerings=_offerings(read, excludes.make_blocker(config, locks), module_filter),
        rules=candidates.Rules(
            notice=partial(notices.from_advisory, capitalize=True),
            native=config.variables["arch"],
            keeps=excludes.make_keeper(config, locks),
            warn=problems.append,
        ),
        non_security=non_security,
    )
    return Inventory(FAMILY, packages, tuple(unread), (*locks.warnings, *problems))


def _read_repository(repository: Repository, cache: Path, now: float, unread: list[UnreadSource]) -> Metadata | None:
    """The metadata of one repository; what cannot be read of it is named in ``unread``."""
    return read_repository(
        repository.cache / "repodata" / "repomd.xml",
        name=repository.id,
        stored_as=repository.id,
        cache=cache,
        age=repository_age(repository, now),
        absent="dnf has no metadata of it: it could not be reached or never was",
        unread=unread,
    )


def repository_age(repository: Repository, now: float) -> float | None:
    """Seconds since dnf last found a repository's metadata current; None when it has none.

    dnf touches the primary metadata each time it finds them current.
    """
    directory = repository.cache / "repodata"
    times = []
    for path in (directory / "repomd.xml", *directory.glob("*-primary.xml*")):
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(0.0, now - max(times)) if times else None


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
                blocks=partial(blocker, repository) if blocker else None,
            )
        )
    return offerings
