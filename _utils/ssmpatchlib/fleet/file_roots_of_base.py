# SPDX-License-Identifier: Apache-2.0
"""Where the runner writes what minions read: in a file root of the environment ``base``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InvalidInput


def directory_in(file_roots: Sequence[str], configured: Path | None, *, default: str, what: str, remedy: str) -> Path:
    """Return the configured directory, or ``default`` in the first file root.

    Args:
        what: what is written there, for messages.
        remedy: what to set.

    Raises:
        InvalidInput: there is no file root, or the directory is in none of them.
    """
    if not file_roots:
        raise InvalidInput(f"{what}: the environment base has no file root; {remedy}")
    directory = configured or Path(file_roots[0]) / default
    if not any(directory.is_relative_to(root) for root in file_roots):
        raise InvalidInput(f"{what}: {directory} is in no file root of the environment base; {remedy}")
    return directory


def location_of(path: Path, file_roots: Sequence[str]) -> str:
    """Return the ``salt://`` address of a file below one of the file roots.

    Raises:
        InvalidInput: it is in none of them.
    """
    for root in file_roots:
        if path.is_relative_to(root):
            return f"salt://{path.relative_to(root)}"
    raise InvalidInput(f"{path} is in no file root")
