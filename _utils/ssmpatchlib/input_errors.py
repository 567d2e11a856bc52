# SPDX-License-Identifier: Apache-2.0
"""How the engine words what is wrong with an input, and refuses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from .errors import InvalidInput

LONGEST_VALUE_SHOWN = 60


def show(value: Any) -> str:
    """A value for an error message: its Python spelling on one line, at most 60 characters of it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    text = text.replace("\n", " ")
    return text if len(text) <= LONGEST_VALUE_SHOWN else text[: LONGEST_VALUE_SHOWN - 1] + "…"


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


def refuse(subject: str, problems: Sequence[str], *, code: int | None = None) -> NoReturn:
    """Raise InvalidInput about ``subject`` with every problem in its message.

    Raises:
        InvalidInput: always; ``problems`` are ``path: what`` lines and ``code`` is the return code.
    """
    if len(problems) == 1:
        message = f"{subject}: {problems[0]}"
    else:
        message = f"{subject}: {len(problems)} problems:\n" + "\n".join(f"  {problem}" for problem in problems)
    raise InvalidInput(message, problems=problems, code=code)
