# SPDX-License-Identifier: Apache-2.0
"""Asks rpm to which packages files belong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import SsmpatchError
from ...host import CommandResult, Host
from ..file_owners import LIMIT, askable, portions
from .installed import require_database, rpm_argv

_FORMAT = r"=%{NAME}.%{ARCH}\n"
_OWNER = re.compile(r"=([A-Za-z0-9_][A-Za-z0-9._+-]*\.[A-Za-z0-9_]+)")
#: A path that belongs to no package, on standard output, or that is not there besides, on standard error.
_NOBODYS = re.compile(r"(?:error: )?file (/.*?)(?: is not owned by any package|: [A-Z][A-Za-z ]+)")
#: The most runs of rpm; what is not known after them has no owner.
_RUNS = 300


def find_owners(host: Host, root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return ``{path: name.arch}`` of the installed packages to which files belong; rpm resolves symbolic links.

    rpm answers in the order of the paths without naming them. Where one of them belongs to several packages it says
    more than was asked, and is asked again for each half.

    Raises:
        SsmpatchError: there is no rpm database, or it cannot be read.
    """
    require_database(root)
    found: dict[str, str] = {}
    waiting = list(portions(askable(paths)))
    for _ in range(_RUNS):
        if not waiting:
            break
        portion = waiting.pop()
        result = host.run(rpm_argv(root, "-qf", "--queryformat", _FORMAT, "--", *portion), timeout=LIMIT)
        owned, owners = _answer(result, portion)
        if len(owners) == len(owned):
            found.update(zip(owned, owners, strict=True))
        elif len(owned) == 1:
            found[owned[0]] = _preferred(owners, host.machine())
        else:
            half = len(owned) // 2
            waiting += [owned[:half], owned[half:]]
    return found


def _answer(result: CommandResult, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the paths that belong to packages, and these in their order."""
    said = result.stdout.splitlines()
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    nobodys = {match[1] for line in (*said, *errors) if (match := _NOBODYS.fullmatch(line))}
    owners = [match[1] for line in said if (match := _OWNER.fullmatch(line))]
    owned = [path for path in paths if path not in nobodys]
    strange = [line for line in errors if not _NOBODYS.fullmatch(line)]
    if strange or len(owners) < len(owned):
        raise SsmpatchError(f"rpm -qf: {'; '.join(strange)[:2000] or result.words}; rpm --rebuilddb repairs a database")
    return owned, owners


def _preferred(owners: Sequence[str], machine: str) -> str:
    """Return one of the packages to which a file belongs: of the machine's own architecture, if there is one."""
    return next((owner for owner in owners if owner.rpartition(".")[2] == machine), owners[0])
