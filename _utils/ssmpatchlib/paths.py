# SPDX-License-Identifier: Apache-2.0
"""Where the files in the state directory are; each belongs to one root."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Place:
    """The state directory of one root, at the moment ``now`` (epoch seconds), which names what is set aside."""

    state_dir: Path
    root: Path
    now: float

    def file(self, kind: str, suffix: str = ".json") -> Path:
        """``<state_dir>/<kind>-<root key><suffix>``."""
        return state_file(self.state_dir, kind, self.root, suffix)
