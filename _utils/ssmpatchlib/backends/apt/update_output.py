# SPDX-License-Identifier: Apache-2.0
"""Reads from apt-get update's output which repositories failed, and what else went wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

#: A repository as ``URI release`` (a flat one perhaps as its URI alone), and what the names of its files on this host
#: begin with.
Repository = tuple[str, str]

_MESSAGE = re.compile(r"^(?P<kind>E|W|Error|Warning): (?P<words>.+)$", re.M)
_PROGRESS = re.compile(r"^(?P<kind>Hit|Get|Err):\d+ (?P<what>.+)$", re.M)
_USER = re.compile(r"(?<=//)[^/\s@']+@")
_TELLING = ("Failed to fetch", "GPG error", "Release file", "is not signed", "expired", "not valid yet")
#: The end of a message of apt about hooks, which run before and after the download and change nothing of it.
_HOOK = "Problem executing scripts APT::Update::"
_AFTER_HOOK = "Sub-process returned an error code"


@dataclass(frozen=True, slots=True)
class Failure:
    """What apt says of some repositories; ``repositories`` is empty where it says it of none."""

    words: str
    repositories: tuple[str, ...]
    error: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failures`` of repositories, words about failed ``hooks``, and the repositories that were ``read``.

    Of those that are ``unchanged`` apt had nothing to fetch; the others may have been read in part when apt was ended.
    """

    failures: tuple[Failure, ...]
    hooks: tuple[str, ...]
    read: frozenset[str]
    unchanged: frozenset[str] = frozenset()


def read_outcome(text: str, repositories: Sequence[Repository], *, ended_well: bool = False) -> Outcome:
    """Return what the output of apt-get update says of the repositories.

    What a hook prints may look like a message of apt: where apt-get ended well, or read every repository before a hook
    failed, only what is said of a repository counts.
    """
    said = [(match["kind"][0] == "E", match["words"]) for match in _MESSAGE.finditer(text)]
    hooks = tuple(words for _, words in said if words.startswith(_HOOK))
    messages = [(error, words) for error, words in said if words not in (*hooks, _AFTER_HOOK)]
    lines = [(match["kind"], match["what"]) for match in _PROGRESS.finditer(text)]
    seen, troubled = (
        {name for kind, what in lines if (kind == "Err") is bad for name in _named(what, repositories)}
        for bad in (False, True)
    )
    failures = [
        Failure(words, tuple(_named(words, repositories) or _related(words, repositories, seen, troubled)), error)
        for error, words in messages
        if any(mark in words for mark in _TELLING) or error and _named(words, repositories)
    ]
    read_all = bool(hooks) and not troubled and {name for name, _ in repositories} <= seen
    if ended_well or read_all:
        failures = [failure for failure in failures if failure.repositories]
    elif not failures:
        failures = [Failure(words, (), True) for error, words in messages if error]
    fetched = {name for kind, what in lines if kind == "Get" for name in _named(what, repositories)}
    return Outcome(tuple(failures), hooks, frozenset(seen - troubled), frozenset(seen - troubled - fetched))


def _named(words: str, repositories: Sequence[Repository]) -> list[str]:
    """Return the repositories that words name by address or by a file of theirs; apt leaves user and password out."""
    words = _USER.sub("", words)
    return [name for name, prefix in repositories if _names(words, _USER.sub("", name), prefix)]


def _names(words: str, name: str, prefix: str) -> bool:
    uri, _, release = name.partition(" ")
    uri = uri.rstrip("/")
    marks = [f"{uri}/dists/{release}/", f"{uri}/{release}/"] if release else [f"{uri}/", f"{uri.removesuffix('/.')} ./"]
    if any(mark in words for mark in marks) or (prefix and prefix in words):
        return True
    return bool(release) and re.search(rf"{re.escape(uri)}/? {re.escape(release)}(?![\w.+~-])", words) is not None


def _related(
    words: str, repositories: Sequence[Repository], seen: Collection[str], troubled: Collection[str]
) -> Iterator[str]:
    """Yield the repositories that a message with an unknown address is about: that of a mirror, or of a redirection.

    They have the release that the message names. What apt says to have failed comes first, and what it says to have
    read last.
    """
    names = [name for name, _ in repositories if _has_release(words, name.partition(" ")[2])]
    for chosen in ([n for n in names if n in troubled], [n for n in names if n not in seen], names):
        if chosen:
            yield from chosen
            return


def _has_release(words: str, release: str) -> bool:
    return bool(release) and (
        f"/dists/{release}/" in words or re.search(rf" {re.escape(release)}[ /]", words) is not None
    )
