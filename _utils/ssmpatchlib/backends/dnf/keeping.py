# SPDX-License-Identifier: Apache-2.0
"""What the administrator keeps dnf from taking or replacing: excludes, includes, version locks and protected names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..rpm.installed import InstalledPackage
from ..rpmmd.excludes import Blocker
from ..rpmmd.metadata import Metadata
from ..rpmmd.repofiles import DnfConfig, Repository, plugin_directories
from .modules import ModuleFilter

PROTECTED = "protected (protected_packages)"
_PROTECTED = "dnf glob:/etc/yum/protected.d/*.conf glob:/etc/dnf/protected.d/*.conf"
_LOCKS = ("etc/dnf/versionlock.toml", "etc/dnf/plugins/versionlock.list")


class Choice(NamedTuple):
    """What the administrator has chosen, in words, ``""`` where nothing is.

    ``blocker`` says why an offer must not be taken, ``locks`` why an installed package stays as it is, ``keeps`` why it
    must not be replaced by one of another name.
    """

    blocker: Blocker | None
    locks: Callable[[InstalledPackage], str]
    keeps: Callable[[InstalledPackage], str]
    warnings: tuple[str, ...] = ()


def read_choice(
    root: Path,
    config: DnfConfig,
    installed: Sequence[InstalledPackage],
    read: Sequence[tuple[Repository, Metadata]],
    *,
    generation: int,
    filtering: ModuleFilter | None,
) -> Choice:
    """Read what the administrator has chosen, for the installed packages and those of the repositories."""
    protects = _protection(root, config.main)
    if not _has_entries(root, config):
        return Choice(None, lambda package: "", lambda package: protects(package.name))
    from .entries import read_entries

    entries = read_entries(root, config, installed, read, generation=generation, filtering=filtering)
    return Choice(
        entries.blocker,
        entries.excluded,
        lambda package: entries.excluded(package) or entries.locks.holds(package.name) or protects(package.name),
        entries.locks.warnings,
    )


def _has_entries(root: Path, config: DnfConfig) -> bool:
    """Return whether there may be an exclude, an include or a version lock."""
    lists = (config.excludes, config.includes, *((each.excludes, each.includes) for each in config.repositories))
    plugin = (directory / "versionlock.conf" for directory in plugin_directories(root, config.main))
    return any(map(any, lists)) or any(path.exists() for path in (*(root / name for name in _LOCKS), *plugin))


def _protection(root: Path, main: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that says why a name is protected. Rule: dnf.conf(5), ``protected_packages``."""
    listed = main.get("protected_packages", _PROTECTED)
    names: set[str] = set()
    for word in re.split(r"[\s,]+", listed):
        if word.startswith("glob:"):
            for path in root.glob(word.removeprefix("glob:").lstrip("/")):
                names.update(_lines(path))
        elif word:
            names.add(word)
    return lambda name: PROTECTED if name in names else ""


def _lines(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    yield from (line.strip() for line in lines if line.strip() and not line.startswith("#"))
