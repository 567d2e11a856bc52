# SPDX-License-Identifier: Apache-2.0
"""Reads from zypper's output which targets failed, and why. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from ...model import Offer, Target
from ..output import last_lines
from . import answer
from .answer import edition, nevra_of
from .clashes import named_targets
from .solver import nevra, not_found

STEP = re.compile(
    r'<progress id="install-resolvable" name="\((?P<done>[0-9]{1,9})/(?P<all>[0-9]{1,9})\)[^"<>]*"(?P<rest>[^<>]*)'
)
FETCHING = re.compile(
    r"Retrieving(?: package|:) (?P<nevra>\S+)(?: \([^)/]*\))?(?: *\((?P<done>[0-9]{1,9})/(?P<all>[0-9]{1,9})\))?[^\n]*"
)
_CONFLICT = re.compile(
    r"<(?P<side>[lr])hs><file>(?P<file>[^<]*)</file>(?:(?!<[lr]hs>).)*?<name>(?P<name>[^<]*)</name>"
    r'<edition(?: epoch="(?P<epoch>\d+)")? version="(?P<version>[^"]*)" release="(?P<release>[^"]*)"/>'
    r"<arch>(?P<arch>[^<]*)</arch>",
    re.S,
)
_TAG = re.compile(r"<[^<>]*>")
_FAILED = re.compile(r"^(?:Installation of |Failed to provide Package |Package )(?P<nevra>\S+)", re.M)

#: Returns the repositories that have each of some packages, ``(name.arch, version)``.
Origins = Callable[[Iterable[tuple[str, str]]], Mapping[tuple[str, str], frozenset[str]]]


def failure_words(text: str, targets: Sequence[Target]) -> dict[str, str]:
    """Return the targets that zypper names as failed, with the words about each of them."""
    reply = answer.read_reply(text)
    # With a newer libzypp rpm's words are in an earlier message, not in the error.
    said = [words for words in reply.infos if words.startswith("error: ")]
    found: dict[str, list[str]] = {}
    for problem in reply.problems:
        for name in named_targets(problem, targets):
            found.setdefault(name, []).append(problem.words)
    for target in targets:
        if words := not_found(target, reply):
            found.setdefault(target.id, []).append(words)
        names = re.compile(rf"(?<![\w.+-]){re.escape(nevra(target))}(?:\.rpm)?(?![\w+-]|\.\w)")
        for words in (*said, *reply.errors):
            if names.search(words):
                found.setdefault(target.id, []).append(_shortened(words))
    for name, words in _file_conflicts(text, targets):
        found.setdefault(name, []).append(words)
    return {name: "; ".join(dict.fromkeys(words)) for name, words in found.items()}


def _file_conflicts(text: str, targets: Sequence[Target]) -> Iterable[tuple[str, str]]:
    """Return the target that gives way in each file conflict, with words: the later of two, else the only one."""
    order = {(target.id, target.version): place for place, target in enumerate(targets)}
    sides = [(m["side"], m["file"], _solvable(m)) for m in _CONFLICT.finditer(text)]
    for (_, file, left), (_, _, right) in zip(sides[::2], sides[1::2], strict=False):
        involved = [solvable for solvable in (left, right) if solvable in order]
        if involved:
            loser = max(involved, key=order.__getitem__)
            other = left if loser == right else right
            yield loser[0], f"file conflict: {file} is also in {other[0]} {edition(other[1])}"


def _solvable(match: re.Match[str]) -> tuple[str, str]:
    evr = f"{match['epoch'] or '0'}:{match['version']}-{match['release']}"
    return f"{match['name']}.{match['arch']}", evr


def failed_dependencies(text: str) -> list[Offer]:
    """Return the packages that zypper's errors name as failed."""
    found = []
    for words in answer.errors(text):
        for match in _FAILED.finditer(words):
            split = answer.split_nevra(match["nevra"])
            if split:
                found.append(Offer(*split))
    return found


def _shortened(words: str) -> str:
    """Return an error without the lines that say nothing about the package."""
    lines = [line.strip() for line in words.splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith(("Please ", "History:", "Abort, retry")))


def download_failure(
    text: str, code: int, targets: Sequence[Target], origins: Origins
) -> tuple[dict[str, str], list[Offer]]:
    """Return the targets from a repository that a package could not be fetched from, and that package."""
    *_, fetched = (None, *FETCHING.finditer(text))
    split = answer.split_nevra(fetched["nevra"]) if fetched and not STEP.search(text) else None
    if split is None:
        return {}, []
    name, arch, evr = split
    failed = (f"{name}.{arch}", evr)
    where = origins([failed, *((t.id, t.version) for t in targets)])
    said = f"{last_words(text, code)} (while {nevra_of(name, evr, arch)} was fetched)"
    lost = [t for t in targets if (t.id, t.version) == failed or _only_in(where[(t.id, t.version)], where[failed])]
    return {t.id: said for t in lost}, [Offer(*split)]


def _only_in(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some) and some <= others


def last_words(text: str, code: int) -> str:
    """Return zypper's errors when it gave up, else the end of what it said, else its exit code."""
    errors = list(filter(None, map(_shortened, answer.errors(text))))
    told = errors or (last_lines(html.unescape(_TAG.sub("\n", text))) if code else [])
    return "; ".join(dict.fromkeys(told)) or f"zypper ended with exit code {code} without installing it"
