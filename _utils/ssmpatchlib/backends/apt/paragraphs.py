# SPDX-License-Identifier: Apache-2.0
"""Fields of control paragraphs, spelled in every way that apt reads (deb822(5)): see ``reader``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

_END = re.compile(r"\n\r*\n[\r\n]*")
_LEADING = re.compile(r"(?:[^\S\n]|\n(?= ))*", re.ASCII)
_COMMENT = re.compile(r"(?:^|(?<=\n))#.*\n?")
_BLANKS = " \t\r\n\v\f"


def split(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text, each beginning and ending with a newline; a line of blanks ends none."""
    for paragraph in _END.split(text.strip("\r\n")):
        if paragraph:
            yield f"\n{paragraph}\n"


def without_comments(text: str) -> str:
    """Return the text without its lines that begin with ``#``, which only configuration files may have."""
    return _COMMENT.sub("", text)


def reader(*names: str) -> Callable[[str], Mapping[str, str]]:
    """Return a function that reads some fields of a paragraph that begins and ends with a newline.

    It returns the values by the field's name as given here. Names match in every case, blanks around the colon and
    around the value do not count, a value may be folded, and of a repeated field the last one counts, as apt has it.
    """
    known = {name.lower(): name for name in names}

    def read(paragraph: str) -> Mapping[str, str]:
        return {known[name.lower()]: _value(value) for name, value in _expression(names).findall(paragraph)}

    return read


@lru_cache(maxsize=16)
def _expression(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return an expression that finds fields; it is made when it is needed, since many a scan needs few of them."""
    spelled = "|".join(
        "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in n) for n in names
    )
    return re.compile(rf"\n\r*({spelled})[ \t\r\v\f]*:(.*(?:\n\r*[ \t\v\f].*)*)")


def _value(raw: str) -> str:
    leading = _LEADING.match(raw)
    return raw[leading.end() if leading else 0 :].rstrip(_BLANKS)
