# SPDX-License-Identifier: Apache-2.0
"""Reads compressed files of repository metadata in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ... import compression
from .metadata import DamagedMetadata


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield the decompressed content of a file in bounded pieces.

    Raises:
        DamagedMetadata: the file cannot be opened, is cut short, damaged or too large, or cannot be decompressed here.
    """
    try:
        yield from compression.read_pieces(path)
    except compression.Damaged as exc:
        raise DamagedMetadata(str(exc)) from exc
