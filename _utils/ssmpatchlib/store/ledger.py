# SPDX-License-Identifier: Apache-2.0
"""The ledger of when each version was first seen on offer, for approval delays where repositories give no dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .. import files
from ..fields import check_fields, is_time
from ..paths import Place
from ..times import aws_time

VERSION = 1
MAX_IDS = 500_000
#: 2025-01-01: no version was seen before there was this program, so that a clock that says so is wrong.
EARLIEST = 1_735_689_600.0
#: By so much a clock may be set back and is believed at once, and for so long one that was set back by more is not.
DOUBT_SECONDS = 86400.0


class _Ledger(NamedTuple):
    """``latest`` is the latest clock that has written here, ``behind`` since when clocks far behind it are met (or 0);
    a day makes no difference to ``latest``.
    """

    seen: Mapping[str, float]
    latest: float = 0.0
    behind: float = 0.0


def first_seen(ids: Iterable[str], place: Place) -> tuple[dict[str, float], tuple[str, ...]]:
    """Record the versions on offer now; return when each was first seen (epoch seconds), and warnings.

    New ids are first seen at ``place.now``, ids that are not on offer are forgotten, and a recorded time after
    ``place.now`` (the clock was set back) becomes ``place.now``. A clock that is more than a day behind what an earlier
    run saw is not believed for a day of its own: it may be that of a machine without a battery, and what it dated
    would look old once it is right. Then nothing is recorded. Nor is a time before there was this program believed. A
    damaged ledger is set aside and begun anew. One that cannot be written is a warning, since the next run may see the
    new ids for the first time again.

    Args:
        ids: ``name.arch:version``; of more than 500,000 the last ones in order are not recorded.
    """
    path, now = place.file("first-seen"), place.now
    document, warnings = files.read_json(path, shape=_problem, now=now)
    known = _read(document) if document else _Ledger({})
    past = {name: time for name, time in known.seen.items() if time >= EARLIEST}
    seen = {name: min(past.get(name, now), now) for name in sorted(set(ids))}
    kept = _kept(known, seen, now)
    if kept.seen is known.seen:
        warnings = (*warnings, _doubt(now, known.latest))
    if kept != known:
        try:
            files.write_json(path, {"version": VERSION, **kept._asdict()})
        except files.Unwritable as exc:
            warnings = (*warnings, f"approval delays may take longer: {exc}")
    return seen, warnings


def _kept(known: _Ledger, seen: Mapping[str, float], now: float) -> _Ledger:
    """Return what is to be kept; the same times where the clock is not believed."""
    behind = now < known.latest - DOUBT_SECONDS
    since = min(known.behind or now, now) if behind else 0.0
    if now < EARLIEST or (behind and now - since < DOUBT_SECONDS):
        return known._replace(behind=since)
    same = 0 <= now - known.latest < DOUBT_SECONDS
    return _Ledger(dict(list(seen.items())[:MAX_IDS]), known.latest if same else now)


def _doubt(now: float, latest: float) -> str:
    if now < EARLIEST:
        why, remedy = "which is long ago", "set the clock"
    else:
        why, remedy = f"an earlier run saw {aws_time(latest)}", "set the clock, or wait a day if it is right"
    return f"approval delays do not count from what is seen now: the clock says {aws_time(now)}, {why}; {remedy}"


def _read(document: Mapping[str, Any]) -> _Ledger:
    return _Ledger(document["seen"], document["latest"], document["behind"])


def _problem(document: Any) -> str:
    return check_fields(document, VERSION, {"seen": _is_times, "latest": is_time, "behind": is_time})


def _is_times(value: object) -> bool:
    return isinstance(value, dict) and all(is_time(item) for item in value.values())
