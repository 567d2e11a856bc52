# SPDX-License-Identifier: Apache-2.0
"""How the engine words what is wrong with an input, and refuses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from .errors import InvalidInput

LONGEST_VALUE_SHOWN = 60
#: The most problems that one message tells, and the longest line about one.
MOST_PROBLEMS = 20
LONGEST_PROBLEM = 1000
_MOST_DIGITS = 4000


def show(value: Any, most: int = LONGEST_VALUE_SHOWN) -> str:
    """A value for an error message: its Python spelling on one line, at most ``most`` characters of it."""
    text = _spelt(value, most + 1).replace("\n", " ")
    return text if len(text) <= most else text[: most - 1] + "…"


def named_key(key: Any) -> str:
    """A key of a mapping as the path of a problem has it: as it is, or like any value where it would break the line."""
    plain = isinstance(key, str) and len(key) <= LONGEST_VALUE_SHOWN and key.isprintable()
    return key if plain else show(key)


def _spelt(value: Any, room: int) -> str:
    """The spelling of a value, cut after more than ``room`` characters: a value may hold itself, or millions."""
    if isinstance(value, (str, bytes)):
        return repr(value[: room + 1])
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 3 * _MOST_DIGITS:
        return "a number of thousands of digits"
    if type(value) in (dict, list, tuple) and value and room <= 0:
        return "…"
    if type(value) is dict:
        return "{" + _joined((f"{_spelt(k, room)}: {_spelt(v, room // 2)}" for k, v in value.items()), room) + "}"
    if type(value) in (list, tuple):
        opening, closing = "[]" if type(value) is list else "()"
        one = "," if type(value) is tuple and len(value) == 1 else ""
        return opening + _joined((_spelt(item, room // 2) for item in value), room) + one + closing
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def _joined(parts: Iterable[str], room: int) -> str:
    taken: list[str] = []
    for part in parts:
        taken.append(part)
        room -= len(part) + 2
        if room < 0:
            break
    return ", ".join(taken)


def kind(value: Any) -> str:
    """What people call the type of a YAML or JSON value: ``text``, ``a list``, ``a mapping``, …"""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a truth value"
    names: tuple[tuple[Any, str], ...] = (
        (str, "text"),
        (int, "a number"),
        (float, "a fraction"),
        (Mapping, "a mapping"),
        ((list, tuple), "a list"),
    )
    for types, name in names:
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


def either(allowed: Iterable[str]) -> str:
    """``A, B or C`` in the order given."""
    words = list(allowed)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def near_word(word: Any, known: Iterable[str]) -> str:
    """Return ``did you mean …?`` with the known word that is nearest to one that is unknown; ``""`` without any."""
    import difflib

    if not isinstance(word, str) or not word:
        return ""
    folded, given = {each.casefold(): each for each in known}, word[:64].casefold()
    begun = [each for each in folded if each.startswith(given)]
    near = difflib.get_close_matches(given, begun or folded, n=1, cutoff=0.0 if begun else 0.6)
    return f"did you mean {named_key(folded[near[0]])}?" if near else ""


def one_of(allowed: Iterable[str], given: Any) -> str:
    """Return ``A, B or C``, and which of them may have been meant."""
    words = list(allowed)
    near = near_word(given, words)
    return either(words) + (f" ({near})" if near else "")


def refuse(subject: str, problems: Sequence[str], *, code: int | None = None) -> NoReturn:
    """Raise InvalidInput about ``subject`` with its problems in the message.

    Of very many problems the first are told, and how many more there are.

    Raises:
        InvalidInput: always; ``problems`` are ``path: what`` lines and ``code`` is the return code.
    """
    told = [problem[:LONGEST_PROBLEM] + "…" * (len(problem) > LONGEST_PROBLEM) for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        told.append(f"and {len(problems) - MOST_PROBLEMS} more")
    if len(problems) == 1:
        message = f"{subject}: {told[0]}"
    else:
        message = f"{subject}: {len(problems)} problems:\n" + "\n".join(f"  {problem}" for problem in told)
    raise InvalidInput(message, problems=told, code=code)
