# SPDX-License-Identifier: Apache-2.0
"""Which repositories publish advisories, and which of them published some earlier and publish none any more."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path

from ... import files
from ...model import UnreadSource
from ...times import aws_time
from .. import Context
from .metadata import Metadata

#: Seconds after which it is written again that a repository publishes advisories.
_DAY = 86400.0


def tells_security(metadata: Metadata) -> bool:
    """Return whether a repository publishes advisories that tell security fixes; one without a type tells nothing."""
    return any(outline.type for outline in metadata.outlines)


def lost_advisories(
    context: Context, manager: str, repositories: Iterable[tuple[str, Metadata]]
) -> tuple[UnreadSource, ...]:
    """Return the repositories that published advisories at an earlier scan and publish none now; record the others.

    Args:
        manager: the package manager, for the file's name.
        repositories: the id of each one, by which it is known wherever it lies, and what was read of it.
    """
    # A baseline's Sources may have the ids of the system's repositories.
    path = context.work_dir / f"{manager}{'-sources' if context.sources else ''}-advisories.json"
    known, now = _read(path), context.host.now()
    seen: dict[str, float] = {}
    lost = []
    for id_, metadata in repositories:
        if tells_security(metadata):
            seen[id_] = now
        elif id_ in known and not metadata.damage:
            lost.append(UnreadSource(id_, _words(known[id_], path)))
    if any(now - known.get(key, -math.inf) > _DAY for key in seen):
        with contextlib.suppress(files.Unwritable):
            files.write_json(path, {**known, **seen})
    return tuple(lost)


def _words(last: float, path: Path) -> str:
    return (
        f"its advisories, last seen on {aws_time(last)}, are gone: security fixes cannot be told from other updates; "
        f"if it is to publish none, remove {path}"
    )


def _read(path: Path) -> dict[str, float]:
    """Return the valid entries of the record."""
    times = files.recall(path, lambda data: {key: float(time) for key, time in data.items()}) or {}
    return {key: time for key, time in times.items() if math.isfinite(time)}
