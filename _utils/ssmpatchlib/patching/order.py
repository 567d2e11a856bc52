# SPDX-License-Identifier: Apache-2.0
"""The order in which targets are installed: the package management first, Salt (which runs this) last."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..model import Target
from .isolate import Answer, Solve

#: Salt's packages: they are updated last, in a batch of their own, because Salt runs this process.
SALT_PACKAGES = frozenset(
    {"salt", "salt-api", "salt-cloud", "salt-common", "salt-master", "salt-minion", "salt-ssh", "salt-syndic"}
    | {"venv-salt-minion"}
)
_SALT_LIBRARY = re.compile(r"python3\d*-salt")


def is_salt(name: str) -> bool:
    """Return whether a package is one of Salt's, under any distribution's name for it."""
    return name in SALT_PACKAGES or _SALT_LIBRARY.fullmatch(name) is not None


def make_batches(
    targets: Sequence[Target], found: Answer, *, first: Collection[str], solve: Solve
) -> tuple[tuple[Target, ...], ...]:
    """Return up to three batches: the targets named ``first`` with what they need, then the others, then Salt.

    There is a first batch only where the solver, asked for it alone, makes no change that is not in ``found``.
    """
    head = _head(targets, found, first, solve)
    rest = [target for target in targets if target not in head and not is_salt(target.name)]
    salt = [target for target in targets if target not in head and is_salt(target.name)]
    return tuple(tuple(batch) for batch in (head, rest, salt) if batch)


def _head(targets: Sequence[Target], found: Answer, first: Collection[str], solve: Solve) -> list[Target]:
    """Return the targets named ``first`` with the targets that they need; empty when they cannot go first."""
    head = [target for target in targets if target.name in first]
    agreed = {(change.id, change.new) for change in found.changes}
    for _run in range(3):
        if not head or len(head) == len(targets):
            return []
        alone = solve(head)
        changed = {change.id for change in alone.changes}
        needed = [target for target in targets if target.id in changed and target not in head]
        if not needed:
            same = alone.possible and {(change.id, change.new) for change in alone.changes} <= agreed
            return head if same else []
        head = [target for target in targets if target in head or target in needed]
    return []
