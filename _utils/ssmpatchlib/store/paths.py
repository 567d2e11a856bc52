# SPDX-License-Identifier: Apache-2.0
"""The names of the files in the state directory; each belongs to one root."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path


def root_key(root: Path) -> str:
    """A file name part that is the same for all spellings of one root: ``system`` for ``/``, else name and digest."""
    resolved = root.resolve()
    if resolved == Path("/"):
        return "system"
    name = re.sub(r"[^A-Za-z0-9_-]", "_", resolved.name)[:40]
    return f"{name}-{hashlib.sha256(bytes(resolved)).hexdigest()[:12]}"


def state_file(state_dir: Path, kind: str, root: Path, suffix: str = ".json") -> Path:
    """``<state_dir>/<kind>-<root key><suffix>``."""
    return state_dir / f"{kind}-{root_key(root)}{suffix}"


def journal_file(state_dir: Path, root: Path) -> Path:
    """The journal of the operation on a root, there while it is open."""
    return state_file(state_dir, "journal", root)


def has_journal(state_dir: Path, root: Path) -> bool:
    """Whether an operation on a root is open, without a look at how far it got."""
    return os.path.lexists(journal_file(state_dir, root))
