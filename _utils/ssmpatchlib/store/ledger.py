# SPDX-License-Identifier: Apache-2.0
"""The ledger of when each version was first seen on offer, for approval delays where repositories give no dates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import files
from ..fields import check_fields, is_time
from ..paths import Place

VERSION = 1
MAX_IDS = 500_000


def first_seen(ids: Iterable[str], place: Place) -> tuple[dict[str, float], tuple[str, ...]]:
    """Record the versions on offer now; return when each was first seen (epoch seconds), and warnings.

    New ids are first seen at ``place.now``, ids that are not on offer are forgotten, and a recorded time after
    ``place.now`` (the clock was set back) becomes ``place.now``. A damaged ledger is set aside and begun anew. One that
    cannot be written is a warning, since the next run may see the new ids for the first time again.

    Args:
        ids: ``name.arch:version``; of more than 500,000 the last ones in order are not recorded.
    """
    path, now = place.file("first-seen"), place.now
    document, warnings = files.read_json(path, shape=_problem, now=now)
    known: dict[str, float] = document["seen"] if document else {}
    seen = {name: min(known.get(name, now), now) for name in sorted(set(ids))}
    kept = dict(list(seen.items())[:MAX_IDS])
    if kept != known:
        try:
            files.write_json(path, {"version": VERSION, "seen": kept})
        except files.Unwritable as exc:
            warnings = (*warnings, f"approval delays may take longer: {exc}")
    return seen, warnings


def _problem(document: Any) -> str:
    return check_fields(document, VERSION, {"seen": _is_times})


def _is_times(value: object) -> bool:
    return isinstance(value, dict) and all(is_time(item) for item in value.values())
