# SPDX-License-Identifier: Apache-2.0
"""Reads in zypper's output which repositories it skipped, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from . import answer
from .config import ZyppConfig

_SKIPPED = re.compile(r"^Skipping repository '(?P<name>.+)' because of the above error")
_ALIAS = re.compile(r"^\[(?P<alias>[^|\]]+)[|\]]", re.M)


def repository_failures(text: str, config: ZyppConfig) -> Iterable[tuple[str, str]]:
    """Yield the repositories that zypper skipped, with its words about each; they come before it says so."""
    aliases = {repository.alias for repository in config.repositories}
    said: list[str] = []
    for words in answer.errors(text):
        skipped = _SKIPPED.match(words)
        if not skipped:
            said.append(words)
            continue
        named = [alias for block in said for alias in _ALIAS.findall(block) if alias in aliases]
        yield (named[-1] if named else skipped["name"]), shortened(said) or words
        said = []


def shortened(blocks: list[str]) -> str:
    """What went wrong, without the advice that zypper adds."""
    lines = [line.strip().removeprefix("- ") for block in blocks for line in block.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("Please ", "History:"))]
    return "; ".join(dict.fromkeys(kept))
