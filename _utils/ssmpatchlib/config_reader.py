# SPDX-License-Identifier: Apache-2.0
"""Reads one mapping of user input key by key, collecting what is wrong instead of stopping at it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import windows
from .errors import InvalidInput
from .input_errors import kind, named_key, near_word, one_of, show

_DIGITS = re.compile(r"[0-9]{1,12}")
#: How many unknown keys are compared with the known ones.
_MOST_UNKNOWN = 20


class Section:
    """A mapping at ``path``. Every reader returns the value, or ``default`` when it is absent, null or wrong.

    ``joint`` stands between the path and a key: ``:`` in configuration, ``.`` inside a document. Problems go to the
    ``problems`` list that the caller gave. ``finish`` reports the keys that no reader asked for.
    """

    def __init__(self, data: Any, path: str, problems: list[str], *, joint: str = ":") -> None:
        self.path = path
        self._joint = joint
        self.problems = problems
        self._asked: dict[str, None] = {}
        self._data: Mapping[Any, Any] = {}
        if isinstance(data, Mapping):
            self._data = data
        elif data is not None:
            self.problems.append(f"{path or 'document'}: {show(data)} is {kind(data)}; use a mapping")

    def at(self, key: Any) -> str:
        """The path of ``key``, on one line whatever the key is."""
        name = named_key(key)
        return f"{self.path}{self._joint}{name}" if self.path else name

    def problem(self, key: str, value: Any, allowed: str) -> None:
        """Record that ``value`` of ``key`` is not allowed, and what is."""
        self.problems.append(f"{self.at(key)}: {show(value)} is not allowed; use {allowed}")

    def lacks(self, key: str, allowed: str) -> None:
        """Record that ``key`` must be there."""
        self.problems.append(f"{self.at(key)}: missing; use {allowed}")

    def raw(self, key: str) -> Any:
        """The value as it is, None when absent."""
        self._asked[key] = None
        return self._data.get(key)

    def section(self, key: str) -> Section:
        """The mapping below ``key``; empty when absent."""
        return Section(self.raw(key), self.at(key), self.problems, joint=self._joint)

    def ignore(self, *keys: str) -> None:
        """Accept these keys, whatever their values."""
        self._asked.update(dict.fromkeys(keys))

    def text(self, key: str, default: str = "", *, pattern: str = "", allowed: str = "text") -> str:
        """Text that ``pattern`` matches in full; ``allowed`` tells users what that is."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and (not pattern or re.fullmatch(pattern, value)):
            return value
        self.problem(key, value, allowed if isinstance(value, str) else f"{allowed}, in quotes")
        return default

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """One of the words ``allowed``."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and value in allowed:
            return value
        self.problem(key, value, one_of(allowed, value))
        return default

    def required_text(self, key: str, pattern: str, allowed: str) -> str:
        """Text as ``text`` reads it, which must be there."""
        if self.raw(key) is None:
            self.lacks(key, allowed)
        return self.text(key, pattern=pattern, allowed=allowed)

    def integer_or_none(self, key: str, *, low: int, high: int) -> int | None:
        """A whole number as ``integer`` reads it, None when absent or wrong."""
        return None if self.raw(key) is None else self.integer(key, low, low=low, high=high)

    def integer(self, key: str, default: int, *, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(key, value, f"{low} to {high}")
        return default

    def seconds(self, key: str, default: int, *, high: int, low: int = 0) -> int:
        """A number of seconds from ``low`` to ``high``, or a duration such as ``90``, ``30m``, ``4h`` or ``7d``."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            try:
                whole = isinstance(value, int) or _DIGITS.fullmatch(value)
                found = int(value) if whole else windows.parse_duration(value)
            except (InvalidInput, ValueError):
                found = -1
            if low <= found <= high:
                return found
        self.problem(key, value, f"seconds from {low} to {high}, or a duration such as 90s, 30m or 4h")
        return default

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        self.problem(key, value, "true or false")
        return default

    def directory(self, key: str, default: Path) -> Path:
        """An absolute path."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, (str, Path)) and str(value).startswith("/") and "\0" not in str(value):
            return Path(value)
        self.problem(key, value, "an absolute path")
        return default

    def either_type(self, key: str, types: tuple[type, ...], allowed: str) -> Any:
        """A value of one of ``types``, None when absent."""
        value = self.raw(key)
        if value is None or (isinstance(value, types) and value != ""):
            return value
        self.problem(key, value, allowed)
        return None

    def items(self, key: str, allowed: str) -> list[tuple[str, Any]]:
        """The items of a list, each with its path. Of a mapping that stands in its place, what is wrong is told too."""
        value = self.either_type(key, (list, tuple, Mapping), allowed)
        if isinstance(value, Mapping):
            self.problem(key, value, allowed)
            return [(self.at(key), value)]
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(value or ())]

    def names(self) -> list[str]:
        """The keys of the mapping, as text."""
        return [key if isinstance(key, str) else show(key) for key in self._data]

    def unknown(self) -> list[str]:
        """The paths of the keys that no reader asked for."""
        return [self.at(key) for key in self._unasked()]

    def _unasked(self) -> list[Any]:
        return [key for key in self._data if not (isinstance(key, str) and key in self._asked)]

    def finish(self) -> None:
        """Report every key that was not asked for, the first ones with the nearest that is known."""
        unknown = self._unasked()
        for key in unknown[_MOST_UNKNOWN:]:
            self.problems.append(f"{self.path or 'document'}: unknown key {show(key)}")
        for key in unknown[:_MOST_UNKNOWN]:
            hint = near_word(key, self._asked) or f"known keys are {', '.join(map(named_key, sorted(self._asked)))}"
            self.problems.append(f"{self.path or 'document'}: unknown key {show(key)}; {hint}")
