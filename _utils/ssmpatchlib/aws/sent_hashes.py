# SPDX-License-Identifier: Apache-2.0
"""Which compliance content AWS has of this node: one empty directory named by its hash, shared with the AWS agent."""

from __future__ import annotations

import os
import re
from pathlib import Path

DIRECTORY = "pb-hashes"
_HASH = re.compile(r"[0-9a-f]{64}")


def knows(aws_dir: Path, content_hash: str) -> bool:
    """Whether the content of this hash is the last one that was sent. Rule: docs/rules.md, What AWS stores."""
    return (_directory(aws_dir) / content_hash).is_dir()


def remember(aws_dir: Path, content_hash: str) -> str:
    """Make this hash the only one; return why that failed, empty when it did not."""
    directory = _directory(aws_dir)
    try:
        (directory / content_hash).mkdir(parents=True, exist_ok=True)
        _remove_all(directory, but=content_hash)
    except OSError as exc:
        return f"{directory}: what was sent could not be noted, so it will be sent in full again: {exc.strerror}"
    return ""


def forget(aws_dir: Path) -> None:
    """AWS does not have what the hash says: the next upload is a full one."""
    try:
        _remove_all(_directory(aws_dir), but="")
    except OSError:
        return


def _directory(aws_dir: Path) -> Path:
    return aws_dir.parent / DIRECTORY


def _remove_all(directory: Path, *, but: str) -> None:
    """Delete the hashes in a directory: only what is named as one and empty, whatever else lies there."""
    for name in os.listdir(directory):
        if name != but and _HASH.fullmatch(name) and (directory / name).is_dir():
            (directory / name).rmdir()
