# SPDX-License-Identifier: Apache-2.0
"""Reads what apt-get would do from the lists that it shows before it acts, or from its simulation. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Name, architecture, version before (None: not installed) and after (None: removed).
Change = tuple[str, str, str | None, str | None]

_INST = re.compile(
    r"^Inst (?P<name>[^\s:]+)(?::(?P<arch>\S+))? (?:\[(?P<old>[^\]]+)\] )?\((?P<new>[^\s()]+)(?P<rest>(?:\s[^)]*)?)\)"
)
_REMV = re.compile(r"^(?:Remv|Purg) (?P<name>[^\s:]+)(?::(?P<arch>\S+))? \[(?P<old>[^\]]+)\]")
_ARCH = re.compile(r"\[([a-z0-9-]+)\]\s*$")

#: The heads of apt-get's lists (``-V``) of changes, and the versions that the lines below them have.
_LISTS = {
    "The following NEW packages will be installed:": "new",
    "The following packages will be upgraded:": "change",
    "The following packages will be DOWNGRADED:": "change",
    "The following packages will be REMOVED:": "removed",
}
_LINE = re.compile(
    r"^   (?P<name>[^\s:*]+)(?::(?P<arch>[a-z0-9-]+))?\*? \((?P<first>[^\s()]+)(?: => (?P<second>[^\s()]+))?\)$"
)
_COUNTS = re.compile(
    r"^(?P<upgraded>[0-9]{1,9}) upgraded, (?P<new>[0-9]{1,9}) newly installed, (?:(?P<again>[0-9]{1,9}) reinstalled, )?"
    r"(?:(?P<down>[0-9]{1,9}) downgraded, )?(?P<removed>[0-9]{1,9}) to remove and [0-9]{1,9} not upgraded\.$",
    re.M,
)


def listed_steps(text: str, native: str) -> tuple[Change, ...] | None:
    """Return the changes in the lists of ``apt-get install -V``; None where their number is not the one apt gives.

    The lists are read instead of a simulation for speed (benchmarks/apt.py, "install").
    """
    steps = tuple(_listed(text, native))
    counts = _COUNTS.search(text)
    if counts is None or counts["again"]:
        return None
    announced = sum(int(counts[key] or 0) for key in ("upgraded", "new", "down", "removed"))
    removed = sum(new is None for _name, _arch, _old, new in steps)
    added = sum(old is None for _name, _arch, old, _new in steps)
    same = (len(steps), removed, added) == (announced, int(counts["removed"]), int(counts["new"]))
    return steps if same else None


def _listed(text: str, native: str) -> Iterator[Change]:
    kind = ""
    for line in text.splitlines():
        if not line.startswith("   "):
            kind = _LISTS.get(line, "")
        elif kind and (match := _LINE.match(line)):
            arch = match["arch"] or native
            if kind == "change" and match["second"]:
                yield match["name"], arch, match["first"], match["second"]
            elif kind == "new":
                yield match["name"], arch, None, match["first"]
            elif kind == "removed":
                yield match["name"], arch, match["first"], None


def simulated_steps(text: str, native: str) -> tuple[Change, ...]:
    """Return the steps of ``apt-get -s``."""
    steps: list[Change] = []
    for line in text.splitlines():
        if match := _INST.match(line):
            arch = match["arch"] or _declared_arch(match["rest"], native)
            steps.append((match["name"], arch, match["old"], match["new"]))
        elif match := _REMV.match(line):
            steps.append((match["name"], match["arch"] or native, match["old"], None))
    return tuple(steps)


def _declared_arch(rest: str, native: str) -> str:
    match = _ARCH.search(rest)
    return native if not match or match.group(1) == "all" else match.group(1)
