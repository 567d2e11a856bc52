# SPDX-License-Identifier: Apache-2.0
"""The form of the documents that the store reads back: a version and a fixed set of fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

#: The end of the year 9999: later times cannot be shown as a date.
_MAX_TIME = 253_402_300_799.0
_MAX_LEVELS = 50

Check = Callable[[Any], bool]


def check_fields(document: object, version: int | None, fields: Mapping[str, Check]) -> str:
    """What is wrong with a document that must have this version and exactly these fields; empty when nothing is.

    ``version`` is None for a part of a document, which has none of its own.
    """
    if not isinstance(document, dict):
        return "not a JSON object"
    if document.get("version") != version:
        return f"version {str(document.get('version'))[:20]}, this program reads version {version}"
    for name, check in fields.items():
        if name not in document:
            return f"no field {name!r}"
        if not check(document[name]):
            return f"field {name!r} has a wrong value"
    unknown = sorted(set(document) - set(fields) - {"version"})
    return f"unknown field {unknown[0][:40]!r}" if unknown else ""


def is_text(value: object) -> bool:
    """Whether it is a string."""
    return isinstance(value, str)


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_time(value: object) -> bool:
    """Whether it is a time that a date can be made of, in epoch seconds from 0 on."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME


def is_text_mapping(value: object) -> bool:
    """Whether it maps strings to strings."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def is_text_list(value: object) -> bool:
    """Whether it is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_mapping(value: object) -> bool:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def can_be_sent(value: object) -> bool:
    """Whether plain data can be sent and stored again: its numbers are finite, and nothing is nested deeply."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    level = [value]
    for _ in range(_MAX_LEVELS):
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [item for items in inside for item in items if isinstance(item, (dict, list))]
    return not level


def is_requests(value: object) -> bool:
    """Whether it is a stored ``reboot.RebootRequests``."""
    fields = {
        "attempts": is_count,
        "requested_at": is_time,
        "boot_id": is_text,
        "hints": is_text_list,
        "problem": is_text,
    }
    # What was written before there was a problem to be told has none.
    return isinstance(value, dict) and not check_fields({"problem": "", **value}, None, fields)
