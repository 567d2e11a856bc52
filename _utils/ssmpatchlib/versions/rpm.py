# SPDX-License-Identifier: Apache-2.0
"""rpm's version order (rpm-version(7)): epochs, ``~`` before the end, ``^`` after it but before any other part."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

#: What a version or release counts as: runs of digits, runs of ASCII letters, ``~`` and ``^``; the rest separates.
_PARTS = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")

#: More digits of an epoch do not count: rpm's have 32 bits, and Python converts no more than 4,300 digits.
_MOST_DIGITS = 20

_TILDE, _END, _CARET, _LETTERS, _DIGITS = range(5)
_CLOSING = (_END,)

Key = tuple[int, tuple[Any, ...], tuple[Any, ...]]


def split_evr(evr: str) -> tuple[int, str, str]:
    """Split ``[epoch:]version[-release]``; no epoch is 0, no release is ``""``."""
    epoch, colon, rest = evr.partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", rest if colon else evr
    version, _, release = rest.partition("-")
    return int(epoch[:_MOST_DIGITS]), version, release


@lru_cache(maxsize=1024)
def sort_key(evr: str) -> Key:
    """Return a value that orders ``[epoch:]version-release`` as rpm does; equal versions give equal keys."""
    epoch, version, release = split_evr(evr)
    return epoch, part_key(version), part_key(release)


def part_key(part: str) -> tuple[Any, ...]:
    """The key of a version or a release alone."""
    key: list[Any] = []
    for digits, letters, sign in _PARTS.findall(part):
        if digits:
            significant = digits.lstrip("0")
            key.append((_DIGITS, len(significant), significant))
        elif letters:
            key.append((_LETTERS, letters))
        else:
            key.append((_TILDE,) if sign == "~" else (_CARET,))
    key.append(_CLOSING)
    return tuple(key)


def compare_evr(one: str, other: str) -> int:
    """Return -1, 0 or 1 as rpm orders the two versions."""
    if one == other:
        return 0
    left, right = sort_key(one), sort_key(other)
    return (left > right) - (left < right)


def satisfies(evr: str, operator: str, wanted: str) -> bool:
    """Whether ``evr`` is in the range that a dependency gives (``LT LE EQ GE GT``, ``""`` for any).

    A release that the range leaves out is not compared, as rpm does it.
    """
    if not operator:
        return True
    epoch, version, release = split_evr(evr)
    wanted_epoch, wanted_version, wanted_release = split_evr(wanted)
    left: tuple[Any, ...] = (epoch, part_key(version))
    right: tuple[Any, ...] = (wanted_epoch, part_key(wanted_version))
    if release and wanted_release:
        left += (part_key(release),)
        right += (part_key(wanted_release),)
    return {
        "LT": left < right,
        "LE": left <= right,
        "EQ": left == right,
        "GE": left >= right,
        "GT": left > right,
    }[operator]
