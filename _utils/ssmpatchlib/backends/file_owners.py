# SPDX-License-Identifier: Apache-2.0
"""Asks about paths in portions and within bounds, for package managers that are asked who owns files."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..errors import SsmpatchError

#: Seconds for all that is asked at once.
_LIMIT = 120.0
#: No more paths are asked about, in all and in one run, and none that is longer: a command line has its limits.
_MOST, _AT_ONCE, _LONGEST = 10_000, 200, 1000
#: Where packages have their files. Elsewhere users have theirs, any number of them.
_OF_PACKAGES = ("/usr/", "/lib", "/bin/", "/sbin/", "/opt/", "/etc/")


def askable(paths: Iterable[str]) -> list[str]:
    """Return the paths that packages can have, each once: absolute, without detours, on one line.

    They are at most 10,000; those where packages have their files come first.
    """
    found = sorted(filter(_is_fine, dict.fromkeys(paths)), key=lambda path: not path.startswith(_OF_PACKAGES))
    return found[:_MOST]


def _is_fine(path: str) -> bool:
    absolute = path[:1] == "/" and path[1:2] not in ("", "/")
    return absolute and len(path) <= _LONGEST and path.isprintable() and posixpath.normpath(path) == path


def ask_in_portions(paths: Iterable[str], ask: Callable[[list[str], float], Iterable[list[str]]]) -> None:
    """Call ``ask(portion, seconds left)`` until all has been asked; it returns portions that are to be asked again.

    Raises:
        SsmpatchError: not all was answered in time.
    """
    deadline = time.monotonic() + _LIMIT
    waiting = list(_portions(list(paths)))
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            count = sum(map(len, waiting))
            raise SsmpatchError(f"it was not found out in {_LIMIT:g} s which packages own {count} files")
        waiting[:1] = ask(waiting[0], left)


def _portions(paths: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield list(paths[start : start + _AT_ONCE])
