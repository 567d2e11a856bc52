# SPDX-License-Identifier: Apache-2.0
"""The ages of repositories' copies: since they were found current, by our record or by the copy's own time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ... import files
from .. import Context

#: Seconds that one clock may be behind another before it counts as wrong.
_TOLERANCE = 300


def record_refresh(
    context: Context, name: str, copies: Iterable[tuple[str, Path]], *, ages: Mapping[str, float] | None = None
) -> None:
    """Record that repositories were found current now; record nothing where this user may not write.

    Args:
        name: the package manager, for the file's name.
        copies: names of repositories and the package manager's copies of their indexes.
        ages: for the repositories that were not found current now, how many seconds ago they were.
    """
    path = _path(context, name)
    now = context.host.now()
    stamps = {key: stamp for key, copy in copies if (stamp := _stamp(copy)) is not None}
    found = {**_read(path), **{key: (now - (ages or {}).get(key, 0.0), stamp) for key, stamp in stamps.items()}}
    with contextlib.suppress(files.Unwritable):
        files.write_json(path, found)


def age(context: Context, name: str, key: str, copy: Path) -> float | None:
    """Return how many seconds ago a repository was found current.

    It is None when there is no copy of its index, or when the recorded time lies in the future: a clock was wrong.
    """
    stamp = _stamp(copy)
    if stamp is None:
        return None
    recorded, of_copy = _read(_path(context, name)).get(key, (stamp, stamp))
    since = recorded if of_copy == stamp else stamp
    now = context.host.now()
    return None if since > now + _TOLERANCE else max(0.0, now - since)


def _stamp(copy: Path) -> float | None:
    try:
        return copy.stat().st_mtime
    except OSError:
        return None


def _path(context: Context, name: str) -> Path:
    return context.work_dir / f"{name}-refresh.json"


def _read(path: Path) -> dict[str, tuple[float, float]]:
    """Return the valid entries of the record."""
    pairs = files.recall(path, lambda data: {key: (float(row[0]), float(row[1])) for key, row in data.items()}) or {}
    return {key: pair for key, pair in pairs.items() if all(map(math.isfinite, pair))}
