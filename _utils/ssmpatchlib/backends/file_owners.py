# SPDX-License-Identifier: Apache-2.0
"""Which paths a package manager is asked about, and how many at once."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from itertools import islice

#: Seconds for one run of the program that is asked.
LIMIT = 120.0
#: No more paths are asked about, in all and in one run, and none that is longer: a command line has its limits.
_MOST, _AT_ONCE, _LONGEST = 20_000, 200, 1000


def askable(paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths that packages can have, each once: absolute, without detours, on one line."""
    for path in islice(dict.fromkeys(paths), _MOST):
        absolute = path[:1] == "/" and path[1:2] not in ("", "/")
        if absolute and len(path) <= _LONGEST and path.isprintable() and posixpath.normpath(path) == path:
            yield path


def portions(paths: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paths in portions for one run each."""
    left = iter(paths)
    while portion := list(islice(left, _AT_ONCE)):
        yield portion
