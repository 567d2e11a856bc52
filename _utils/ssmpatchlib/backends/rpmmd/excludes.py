# SPDX-License-Identifier: Apache-2.0
"""The packages that the administrator keeps dnf from taking: excludes, includes and version locks."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..rpm.installed import InstalledPackage
from .repofiles import DnfConfig, Repository

EXCLUDED = "excluded by the administrator (excludepkgs)"
NOT_INCLUDED = "excluded by the administrator (not in includepkgs)"
LOCKED = "locked by the administrator (versionlock)"

#: Returns why dnf must not take ``name``, ``arch``, ``evr`` from a repository, ``""`` when it may.
Blocker = Callable[[Repository, str, str, str], str]
#: Returns which of a list of patterns names ``name``, ``arch``, ``evr``, ``""`` for none.
Matcher = Callable[[str, str, str], str]


#: Returns a matcher of some patterns of a repository, or of the main section (``""``); None without patterns.
Compiler = Callable[[Sequence[str], str], Matcher | None]


@dataclass(frozen=True, slots=True)
class Locks:
    """Version locks: ``refuses`` returns why ``name``, ``arch``, ``evr`` is kept out, ``holds`` why a name stays."""

    refuses: Callable[[str, str, str], str]
    holds: Callable[[str], str] = field(default=lambda name: "")
    warnings: tuple[str, ...] = ()


def make_blocker(by_config: Blocker | None, locks: Locks) -> Blocker | None:
    """Return a function that says why a package must not be taken; None where all may be."""
    if by_config is None and locks is NO_LOCKS:
        return None

    def blocked(repository: Repository, name: str, arch: str, evr: str) -> str:
        reason = by_config(repository, name, arch, evr) if by_config else ""
        return reason or locks.refuses(name, arch, evr)

    return blocked


def installed_blocker(config: DnfConfig, compiler: Compiler) -> Callable[[InstalledPackage], str]:
    """Return a function that says why the main section keeps dnf from seeing, and so changing, an installed package."""
    off = config.disabled_excludes & {"all", "main"}
    excludes = compiler(() if off else config.excludes, "")
    includes = compiler(() if off else config.includes, "")

    def blocked(package: InstalledPackage) -> str:
        entry = excludes(package.name, package.arch, package.evr) if excludes else ""
        if entry:
            return with_entry(EXCLUDED, entry)
        return NOT_INCLUDED if includes and not includes(package.name, package.arch, package.evr) else ""

    return blocked


def with_entry(words: str, entry: str) -> str:
    """Return what an entry of the administrator's does, with the entry itself; ``""`` without one."""
    return f"{words}: {entry}" if entry else ""


def config_blocker(config: DnfConfig, compiler: Compiler) -> Blocker | None:
    """Return a function that says why the configuration keeps a package out; None where it keeps out none.

    Rule: dnf.conf(5), ``excludepkgs``, ``includepkgs``, ``disable_excludes``. A repository's own lists hold for it
    alone; includes of the main section and of repositories add up.
    """
    if "all" in config.disabled_excludes:
        return None
    main = "main" not in config.disabled_excludes
    excludes = compiler(config.excludes if main else (), "")
    includes = compiler(config.includes if main else (), "")
    by_repository = {
        repository.id: (compiler(repository.excludes, repository.id), compiler(repository.includes, repository.id))
        for repository in config.repositories
        if (repository.excludes or repository.includes) and repository.id not in config.disabled_excludes
    }
    if not excludes and not includes and not by_repository:
        return None

    def blocked(repository: Repository, name: str, arch: str, evr: str) -> str:
        own_excludes, own_includes = by_repository.get(repository.id, (None, None))
        entries = (matcher(name, arch, evr) for matcher in (excludes, own_excludes) if matcher)
        if entry := next(filter(None, entries), ""):
            return with_entry(EXCLUDED, entry)
        if (includes or own_includes) and not any(
            matcher and matcher(name, arch, evr) for matcher in (includes, own_includes)
        ):
            return NOT_INCLUDED
        return ""

    return blocked


def compile_matcher(patterns: Sequence[str], repository: str = "") -> Matcher | None:
    """Return a matcher of yum's package patterns: globs over every NEVRA form, with case; None without patterns."""
    if not patterns:
        return None
    exact = frozenset(pattern for pattern in patterns if not any(char in pattern for char in "*?["))
    globs = [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in patterns if pattern not in exact]

    def matches(name: str, arch: str, evr: str) -> str:
        forms = nevra_forms(name, arch, evr)
        if not exact.isdisjoint(forms):
            return next(form for form in forms if form in exact)
        return next((pattern for pattern, glob in globs if any(map(glob.match, forms))), "")

    return matches


def nevra_forms(name: str, arch: str, evr: str) -> tuple[str, ...]:
    """Return the ways yum lets people write a package: ``name``, ``name.arch``, ``name-[epoch:]version[-release]…``."""
    epoch, _, version_release = evr.partition(":")
    version = version_release.rpartition("-")[0]
    return (
        name,
        f"{name}.{arch}",
        f"{name}-{version_release}.{arch}",
        f"{name}-{evr}.{arch}",
        f"{epoch}:{name}-{version_release}.{arch}",
        f"{name}-{version_release}",
        f"{name}-{evr}",
        f"{name}-{version}",
        f"{name}-{epoch}:{version}",
    )


NO_LOCKS = Locks(lambda name, arch, evr: "")
