# SPDX-License-Identifier: Apache-2.0
"""The files that package managers print into: with a pipe they would die with the process that started them."""

from __future__ import annotations

import stat
from pathlib import Path

from ..files import Unwritable, ensure_directory, set_aside

_LARGE = 4 << 20


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
