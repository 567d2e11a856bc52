# SPDX-License-Identifier: Apache-2.0
"""In which order targets are installed: the package management itself first, what carries this run last."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Target
from .isolate import Answer, Solve

#: The package management itself is updated first, so that the rest is installed by what is corrected in it.
UPDATE_STACK = frozenset(
    {"libsolv1", "libsolv-tools", "libsolv-tools-base", "libzypp", "rpm", "zypper", "zypper-log"}
    | {"zypper-needs-restarting", "python3-solv", "libzypp-plugin-appdata"}
)
#: Packages that carry this run: they are updated last, in a batch of their own.
SALT_PACKAGES = frozenset(
    {"salt", "salt-minion", "salt-master", "salt-api", "salt-syndic", "venv-salt-minion"}
    | {"python3-salt", "python311-salt"}
)


def make_batches(targets: Sequence[Target], found: Answer, solve: Solve) -> tuple[tuple[Target, ...], ...]:
    """Return the update stack first and Salt last, where zypper would do to them alone what it does to all together.

    Rule: zypper(8), patch: what affects the package management itself comes first, then zypper is run again.
    """
    salt = [target for target in targets if target.name in SALT_PACKAGES]
    first = _stack(targets, found, solve)
    rest = [target for target in targets if target not in first and target not in salt]
    return tuple(tuple(batch) for batch in (first, rest, [t for t in salt if t not in first]) if batch)


def _stack(targets: Sequence[Target], found: Answer, solve: Solve) -> list[Target]:
    """The targets of the update stack with those that they need; empty when it cannot go first."""
    stack = [target for target in targets if target.name in UPDATE_STACK]
    agreed = {(change.id, change.new) for change in found.changes}
    for _run in range(3):
        if not stack or len(stack) == len(targets):
            return []
        alone = solve(stack)
        changed = {change.id for change in alone.changes}
        needed = [target for target in targets if target.id in changed and target not in stack]
        if not needed:
            same = alone.possible and {(change.id, change.new) for change in alone.changes} <= agreed
            return stack if same else []
        stack = [target for target in targets if target in stack or target in needed]
    return []
