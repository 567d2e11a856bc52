# SPDX-License-Identifier: Apache-2.0
"""Which planned reboots and installs have been announced, so that each is announced once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import files
from ..fields import check_fields, is_mapping, is_time
from ..paths import Place

VERSION = 1


def load_notices(place: Place) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """Return the epoch seconds that were announced, by what is to happen then, and warnings; damage is set aside."""
    document, warnings = files.read_json(place.file("notices"), shape=_problem, now=place.now)
    return (document["announced"] if document else {}), warnings


def save_notices(announced: Mapping[str, float], place: Place) -> None:
    """Replace what was announced.

    Raises:
        Unwritable: the file cannot be written.
    """
    files.write_json(place.file("notices"), {"version": VERSION, "announced": dict(announced)})


def _problem(document: Any) -> str:
    problem = check_fields(document, VERSION, {"announced": is_mapping})
    if problem or all(map(is_time, document["announced"].values())):
        return problem
    return "announced: what is no time is among it"
