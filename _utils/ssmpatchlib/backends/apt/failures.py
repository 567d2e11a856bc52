# SPDX-License-Identifier: Apache-2.0
"""Reads from apt's and dpkg's output which packages failed, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...model import Target
from ...names import one_line

_FETCH = re.compile(r"^E: Failed to fetch (?P<uri>\S+)\s+(?P<words>.*)$", re.M)
_DPKG = re.compile(
    r"^dpkg: error processing (?:package|archive) (?P<name>\S+) \([^)]*\):\n(?P<words>(?: .*\n?)+)", re.M
)
_UNMET = re.compile(r"^dpkg: dependency problems prevent configuration of (?P<name>\S+):\n(?P<words>(?: .*\n?)+)", re.M)
#: What dpkg and apt print between the outputs of packages' scripts.
_PROGRESS = re.compile(
    r"(?:Setting up|Preparing to unpack|Unpacking|Selecting previously|Processing triggers|Removing|\(Reading database"
    r"|dpkg: |dpkg-\w+: |Errors were encountered|Get:|Fetched|Reading |Building )| "
)
#: How much of what a script printed is repeated: lines, and characters.
_MOST_LINES, _MOST_PRINTED = 3, 300
#: The number with which a name begins in a directory of links that apt may hand to dpkg.
_NUMBERED = re.compile(r"^\d+-")


#: What dpkg says of no package: of its options, its database or its lock.
_DPKG_ERROR = re.compile(r"dpkg: (?:unrecoverable fatal )?error: ")


@dataclass(frozen=True, slots=True)
class Failures:
    """The words about failed ``packages`` by ``name.arch``, and about ``others``, which are no targets."""

    packages: Mapping[str, str]
    others: Sequence[str]


def read_failures(text: str, left: Sequence[Target], broken: Mapping[str, str]) -> Failures:
    """Return what failed: targets, and packages that they need; with the words that apt or dpkg has for each.

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
    said = _dpkg_words(text)
    ids = {id_: id_.rpartition(".") for id_ in (*broken, *(target.id for target in left))}
    for id_, (name, _, arch) in ids.items():
        words = next((words for names, words in said if names & {name, f"{name}:{arch}"}), "")
        if words:
            found[id_] = f"dpkg: {words}"
        elif id_ in broken and id_ not in found and any(target.id == id_ for target in left):
            found[id_] = f"dpkg left it {broken[id_]}"
    own = {name for target in left for name in (target.name, f"{target.name}:{target.arch}")}
    others = {min(names, key=len): words for names, words in said if not names & {"", *own}}
    for target in left:
        needed = [
            f"{name}: dpkg: {words}" for name, words in others.items() if _mentions(found.get(target.id, ""), name)
        ]
        if needed:
            found[target.id] = "; ".join((found[target.id], *needed))
    return Failures(found, [f"{name}: dpkg: {words}" for name, words in others.items()])


def _dpkg_words(text: str) -> list[tuple[set[str], str]]:
    """Return the names by which dpkg may mean a package that failed, with its words; the most specific come first."""
    found = [({match["name"]}, " ".join(match["words"].split())) for match in _UNMET.finditer(text)]
    for match in _DPKG.finditer(text):
        words = " ".join(match["words"].split())
        printed = " ".join(_printed_before(text[: match.start()]).split())[-_MOST_PRINTED:]
        found.append((_names(match["name"]), f"{words}; it printed: {printed}" if printed else words))
    return found


def _printed_before(text: str) -> str:
    """Return the last lines that a package's script printed, up to where dpkg says what it does."""
    lines: list[str] = []
    for line in reversed(text[-10 * _MOST_PRINTED :].splitlines()):
        if len(lines) == _MOST_LINES or _PROGRESS.match(line):
            break
        lines.insert(0, line)
    return "\n".join(lines)


def _mentions(words: str, name: str) -> bool:
    return re.search(rf"(?<![\w.+-]){re.escape(name)}(?![\w+-]|\.\w)", words) is not None


def _names(text: str) -> set[str]:
    """Return the packages that dpkg may mean by a package's name or an archive's path."""
    if "/" not in text:
        return {text}
    name = PurePosixPath(text).name.partition("_")[0]
    return {name, _NUMBERED.sub("", name) or name}


def last_words(text: str, code: int) -> str:
    """Return apt-get's last words, and dpkg's, for a failure in which they named no target."""
    lines = (one_line(line, 500) for line in text.splitlines() if line.startswith(("E: ", "dpkg: ")))
    errors = [line for line in lines if not line.startswith("dpkg: ") or _DPKG_ERROR.match(line)]
    return "; ".join(dict.fromkeys(errors)) or f"apt-get ended with exit code {code}"
