# SPDX-License-Identifier: Apache-2.0
"""Why the administrator keeps a package, or one version of it, as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..model import Blocked, Package, Target


def divide(targets: Iterable[Target], *, why_not: Callable[[Target], str]) -> tuple[list[Target], list[Blocked]]:
    """Return the targets that may be installed, and the others with the reason that ``why_not`` gives."""
    free, blocked = [], []
    for target in targets:
        words = why_not(target)
        if words:
            blocked.append(Blocked(target, words))
        else:
            free.append(target)
    return free, blocked


def target_kept_out(packages: Mapping[str, Package], target: Target) -> str:
    """Why a target must not be installed, ``""`` when nothing stands against it.

    Args:
        packages: by ``name.arch``, the package that the target replaces among them.
    """
    package = packages.get(target.replaces or target.id)
    if package is None:
        return ""
    wanted = (target.version, target.name, target.arch)
    found = (v for v in package.versions if (v.version, v.name or package.name, v.arch or package.arch) == wanted)
    return package.locked or next((version.blocked for version in found), "")


def version_kept_out(package: Package | None, evr: str) -> str:
    """Why a version of a package must not come in, ``""`` when nothing stands against it or nothing is known of it."""
    if package is None:
        return ""
    return package.locked or next((version.blocked for version in package.versions if version.version == evr), "")
