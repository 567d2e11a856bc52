# SPDX-License-Identifier: Apache-2.0
"""Refreshes repositories one after the other, where one of them kept the package manager from the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from ..host import CommandResult, CommandTimeout
from . import Context

#: Seconds for one repository.
_SINGLE_LIMIT = 120.0


def one_by_one(
    context: Context, names: Sequence[str], refresh: Callable[[str, float], CommandResult]
) -> Iterator[tuple[str, CommandResult | None, str]]:
    """Yield of each repository its name, the result of ``refresh(name, timeout)``, and words where there is none.

    All of them together take at most ``refresh_timeout`` seconds, each at most its share of what the others left.
    """
    deadline = time.monotonic() + context.refresh_timeout
    for number, name in enumerate(names):
        share = (deadline - time.monotonic()) / (len(names) - number)
        if share <= 0:
            yield name, None, f"no time left after {context.refresh_timeout} s"
            continue
        try:
            yield name, refresh(name, min(_SINGLE_LIMIT, share)), ""
        except CommandTimeout as exc:
            yield name, None, exc.late
