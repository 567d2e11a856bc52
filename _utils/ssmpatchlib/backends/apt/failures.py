# SPDX-License-Identifier: Apache-2.0
"""Reads from apt's and dpkg's output which packages failed, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ...model import Target

_FETCH = re.compile(r"^E: Failed to fetch (?P<uri>\S+)\s+(?P<words>.*)$", re.M)
_DPKG = re.compile(
    r"^dpkg: error processing (?:package|archive) (?P<name>\S+) \([^)]*\):\n(?P<words>(?: .*\n?)+)", re.M
)
_UNMET = re.compile(r"^dpkg: dependency problems prevent configuration of (?P<name>\S+):\n(?P<words>(?: .*\n?)+)", re.M)
#: The number with which a name begins in a directory of links that apt may hand to dpkg.
_NUMBERED = re.compile(r"^\d+-")


def failure_words(text: str, left: Sequence[Target], broken: Mapping[str, str]) -> dict[str, str]:
    """Return the failed targets by ``name.arch``, with the words that apt or dpkg has for each of them.

    Args:
        text: what apt-get and dpkg have printed.
        left: the targets that are not installed.
        broken: dpkg's state by ``name.arch`` of the packages that are not completely installed.
    """
    found: dict[str, str] = {}
    for match in _FETCH.finditer(text):
        for target in left:
            if PurePosixPath(match["uri"]).name.startswith(f"{target.name}_"):
                found[target.id] = f"Failed to fetch {match['uri']}  {match['words']}".strip()
    # The specific words about a package come first, the general ones after them.
    for match in (*_DPKG.finditer(text), *_UNMET.finditer(text)):
        names = _names(match["name"])
        words = " ".join(match["words"].split())
        for target in left:
            if names & {target.name, f"{target.name}:{target.arch}"}:
                found[target.id] = f"dpkg: {words}"
    for target in left:
        if target.id in broken and target.id not in found:
            found[target.id] = f"dpkg left it {broken[target.id]}"
    return found


def _names(text: str) -> set[str]:
    """Return the packages that dpkg may mean by a package's name or an archive's path."""
    if "/" not in text:
        return {text}
    name = PurePosixPath(text).name.partition("_")[0]
    return {name, _NUMBERED.sub("", name)}


def last_words(text: str, code: int) -> str:
    """Return apt-get's last words, for a failure in which it named no target."""
    errors = [line for line in text.splitlines() if line.startswith("E: ")]
    return "; ".join(dict.fromkeys(errors)) or f"apt-get ended with exit code {code}"
