# SPDX-License-Identifier: Apache-2.0
"""Repairing an rpm database that cannot be read."""

from __future__ import annotations

from ...errors import SsmpatchError
from .. import Context
from .installed import read_installed, rpm_argv

_LIMIT = 1800


def repair_database(context: Context) -> tuple[str, ...]:
    """Rebuild the rpm database when it cannot be read; return what was done, in words.

    A database that can be read is left alone: rpm completes interrupted writes itself when it opens it.

    Raises:
        SsmpatchError: there is no database at all.
    """
    try:
        read_installed(context.host, context.root)
        return ()
    except SsmpatchError as exc:
        problem = str(exc)
    result = context.host.run(rpm_argv(context.root, "--rebuilddb"), timeout=_LIMIT)
    try:
        read_installed(context.host, context.root)
    except SsmpatchError as exc:
        raise SsmpatchError(f"{problem}; it was tried and did not help: {result.words}", code=2) from exc
    return (f"{problem.partition(';')[0]}; rpm --rebuilddb repaired it",)
