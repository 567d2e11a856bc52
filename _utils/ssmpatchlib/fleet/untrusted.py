# SPDX-License-Identifier: Apache-2.0
"""Values of any shape that minions sent, as texts that can be shown and are kept once."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from ..input_errors import LONGEST_VALUE_SHOWN
from ..masking import masked

MAX_TEXT = 2000
#: How many characters of texts as minions sent them are kept, to know them again.
_KNOWN = 1 << 25
_NOT_SHOWN = "\N{REPLACEMENT CHARACTER}"
#: An id of a CVE or of a vendor's advisory.
ID = r"[A-Za-z][A-Za-z0-9]{1,15}-[A-Za-z0-9][A-Za-z0-9:._-]{0,60}"
_ID = re.compile(ID)
_Value = TypeVar("_Value")


class Ids(NamedTuple):
    """The ids that stand in a text, each once, and a word of it that is none, ``""`` when all are."""

    names: tuple[str, ...]
    strange: str


class Pool:
    """Keeps one copy of equal texts and values: ten thousand hosts mostly lack the same patches."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._values: dict[tuple[type, Any], Any] = {}
        self._made: dict[Hashable, Any] = {}
        self._room = _KNOWN

    def text(self, value: Any, limit: int = MAX_TEXT) -> str:
        """``clean(value, limit)``, shared."""
        known = self._texts.get(value) if isinstance(value, str) else None
        if known is not None and len(known) <= limit:
            return known
        text = clean(value, limit)
        text = self._texts.setdefault(text, text)
        if isinstance(value, str) and len(value) <= min(limit, MAX_TEXT):
            self._texts[value] = text
        return text

    def share(self, value: _Value) -> _Value:
        """The value, or the one equal to it that was there before."""
        shared: _Value = self._values.setdefault((type(value), value), value)
        return shared

    def known(self, key: Any) -> Any:
        """What was made for a key, None where nothing was."""
        try:
            return self._made.get(key)
        except (TypeError, RecursionError):
            return None

    def once(self, key: Hashable, size: int, make: Callable[[], _Value]) -> _Value:
        """What ``make()`` returns, made once for each key; ``size`` is how many characters the key has."""
        found: _Value | None = self._made.get(key)
        if found is None:
            found = make()
            self._room -= size
            if self._room > 0:
                self._made[key] = found
        return found

    def ids(self, text: Any) -> Ids:
        """The ids of CVEs and advisories between the commas of a text, shared."""
        if not isinstance(text, str):
            return Ids((), shown(text) if text else "")
        return self.once(("ids", text), len(text), lambda: self._ids(text))

    def _ids(self, text: str) -> Ids:
        words = [word for word in map(str.strip, text.split(",")) if word]
        good = (self._texts.setdefault(word, word) for word in words if _ID.fullmatch(word))
        strange = next((word for word in words if not _ID.fullmatch(word)), "")
        return Ids(self.share(tuple(dict.fromkeys(good))), shown(strange) if strange else "")


def clean(value: Any, limit: int = MAX_TEXT) -> str:
    """Text that can be shown: one line without control or direction characters or secrets, at most ``limit`` long."""
    text = value if isinstance(value, str) else shown(value) if isinstance(value, (int, float)) else ""
    text = masked(text[: 2 * limit])
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " if char.isspace() else _NOT_SHOWN for char in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown(value: Any) -> str:
    """Any value in a few words that can be shown."""
    try:
        return clean(repr(value), LONGEST_VALUE_SHOWN)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def error_text(value: Any) -> str:
    """What went wrong, out of an error return: the last line of a traceback without the exception's name."""
    if not isinstance(value, str):
        return ""
    lines = [line.strip() for line in value[-20000:].splitlines() if line.strip()]
    if not lines:
        return ""
    if not value.lstrip().startswith("Traceback"):
        return clean(value)
    name, colon, words = lines[-1].partition(": ")
    return clean(words if colon and " " not in name else lines[-1])
