# SPDX-License-Identifier: Apache-2.0
"""Debian's version order (deb-version(7)), epochs and ``~`` included."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")


def sort_key(version: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return a value that orders versions as ``dpkg --compare-versions`` does; equal versions give equal keys."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return (_number(epoch) if epoch.isdecimal() else 0, _part_key(upstream), _part_key(revision))


def _part_key(part: str) -> tuple[int, ...]:
    """Flatten one part: character weights, 0 as their end, then the number; the closing 0 sorts above ``~``."""
    key: list[int] = []
    for letters, digits in _PARTS.findall(part) or [("", "")]:
        if letters or digits or not key:
            key.extend(_weight(char) for char in letters)
            key.append(0)
            key.append(_number(digits))
    key.append(0)
    return tuple(key)


def _number(digits: str) -> int:
    """Return the number, or another in the same place of the order where it has more digits than Python converts."""
    if len(digits) < 1000:
        return int(digits or 0)
    significant = digits.lstrip("0")
    return int(significant or 0) if len(significant) < 1000 else int.from_bytes(significant.encode(), "big")


def _weight(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 0x110000
