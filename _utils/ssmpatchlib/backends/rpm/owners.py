# SPDX-License-Identifier: Apache-2.0
"""Asks rpm to which packages files belong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import SsmpatchError
from ...host import CommandResult, Host
from ..file_owners import ask_in_portions, askable
from .installed import require_database, rpm_argv

_FORMAT = r"=%{NAME}.%{ARCH}\n"
_OWNER = re.compile(r"=([A-Za-z0-9_][A-Za-z0-9._+-]*\.[A-Za-z0-9_]+)")
#: A path that belongs to no package, on standard output, and one that is not there besides, on standard error.
_NOBODYS = re.compile(r"file (/.*) is not owned by any package")
_MISSING = re.compile(r"error: file (/.*): [^:]+")


def find_owners(host: Host, root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return ``{path: name.arch}`` of the installed packages to which files belong; rpm resolves symbolic links.

    rpm answers in the order of the paths without naming them. Where one of them belongs to several packages it says
    more than was asked, and is asked again for each half.

    Raises:
        SsmpatchError: there is no rpm database, it cannot be read, or rpm takes too long.
    """
    require_database(root)
    found: dict[str, str] = {}

    def ask(portion: list[str], left: float) -> list[list[str]]:
        result = host.run(rpm_argv(root, "-qf", "--queryformat", _FORMAT, "--", *portion), timeout=left)
        owned, owners = _answer(result, portion)
        if len(owners) > len(owned) > 1:
            half = len(owned) // 2
            return [owned[:half], owned[half:]]
        if len(owned) == 1:
            owners = [_preferred(owners, host.machine())]
        found.update(zip(owned, owners, strict=False))
        return []

    ask_in_portions(askable(paths), ask)
    return found


def _answer(result: CommandResult, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the paths that belong to packages, and these in their order."""
    said = result.stdout.splitlines()
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    strange = [line for line in errors if not _MISSING.fullmatch(line)]
    nobodys = {match[1] for line in said if (match := _NOBODYS.fullmatch(line))}
    nobodys |= {match[1] for line in errors if (match := _MISSING.fullmatch(line))}
    owners = [match[1] for line in said if (match := _OWNER.fullmatch(line))]
    owned = [path for path in paths if path not in nobodys]
    if strange or len(owners) < len(owned):
        raise SsmpatchError(f"rpm -qf: {'; '.join(strange)[:2000] or result.words}; rpm --rebuilddb repairs a database")
    return owned, owners


def _preferred(owners: Sequence[str], machine: str) -> str:
    """Return one of the packages to which a file belongs: of the machine's own architecture, if there is one."""
    return next((owner for owner in owners if owner.rpartition(".")[2] == machine), owners[0])
