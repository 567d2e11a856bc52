# SPDX-License-Identifier: Apache-2.0
"""What package managers print: the files, for with a pipe they would die with who started them, and the end of it."""

from __future__ import annotations

import stat
from pathlib import Path

from ..files import Unwritable, ensure_directory, set_aside

_LARGE = 4 << 20
#: The lines at the end of an output that count where none is called an error.
_END = 3


def last_lines(text: str) -> list[str]:
    """Return the lines at the end of what a program printed, empty ones left out."""
    return [stripped for line in text.splitlines() if (stripped := line.strip())][-_END:]


def open_log(log: Path, *, now: float) -> None:
    """Make room for a log that is appended to: move away what is no regular file or has grown large.

    Raises:
        Unwritable: the log's directory cannot be written.
    """
    ensure_directory(log.parent)
    try:
        status = log.lstat()
        if not stat.S_ISREG(status.st_mode):
            set_aside(log, "not a regular file", now=now)
        elif status.st_size > _LARGE:
            log.replace(log.with_suffix(".log.old"))
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise Unwritable(log, exc) from exc
