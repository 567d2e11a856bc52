# SPDX-License-Identifier: Apache-2.0
"""What of a minion runs code that an update replaced, read from its report. Pure; nothing that it says is trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..wording import some_of

#: The most names of one kind that are read of one host; its own report has no more.
MOST = 101
#: The longest name.
LONGEST = 200
#: How many names of one kind are shown.
_SHOWN = 10


class OldCode(NamedTuple):
    """What runs code that an update replaced, by name, as in the report's ``restarts``."""

    units: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    reboot: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        """Whether the host itself runs any; what is in its containers is not its own."""
        return bool(self.units or self.sessions or self.processes or self.reboot)

    @property
    def words(self) -> str:
        """All of it in words; ``""`` for none."""
        return "; ".join(f"{_WORDS[kind]}: {some_of(names, _SHOWN)}" for kind, names in self._asdict().items() if names)


_WORDS = {
    "units": "services",
    "sessions": "sessions of",
    "processes": "programs",
    "containers": "containers",
    "reboot": "until a reboot",
}


def read_old_code(said: Any, *, text: Callable[[Any, int], str]) -> OldCode | None:
    """Return what a report says of old code; None where it says nothing, or nothing that can be read.

    Args:
        text: makes a text of any value that can be shown, of at most so many characters.
    """
    if not isinstance(said, Mapping):
        return None
    lists = {kind: said.get(kind) for kind in OldCode._fields}
    return OldCode(
        **{
            kind: tuple(filter(None, (text(name, LONGEST) for name in names[:MOST])))
            for kind, names in lists.items()
            if isinstance(names, (list, tuple))
        }
    )
