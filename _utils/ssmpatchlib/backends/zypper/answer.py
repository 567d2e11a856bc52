# SPDX-License-Identifier: Apache-2.0
"""Reads zypper's output (--xmlout): the transaction, the solver's problems, errors, skipped repositories. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...names import number
from .config import ZyppConfig

#: What zypper shows of a signing key that it asks about.
KEY = "gpgkey-info"
_MESSAGE = re.compile(r'<message type="(?P<type>\w+)">(?P<text>[^<]*(?:<(?!/?message\b)[^<]*)*)</message>')
_DESCRIPTION = re.compile(r"<description>(?P<text>Problem: [^<]*(?:<(?!/?description\b)[^<]*)*)</description>")
_SUMMARY = re.compile(r"<install-summary(?P<attributes>[^<>]*)>(?P<body>.*?)(?:</install-summary>|\Z)", re.S)
_SECTION = re.compile(r"<to-(?P<action>[a-z-]{1,40})>(?P<body>[^<]*(?:<(?!/?to-)[^<]*)*)</to-(?P=action)>")
_SOLVABLE = re.compile(r"<solvable(?P<attributes>[^<>]*)>")
_ATTRIBUTE = re.compile(r'(?<![\w-])([\w-]+)="([^"]*)"')
_NUMBER = re.compile(r"^Problem: (?:\d+: )?")
_SOLUTION = re.compile(r"^\s*Solution \d+: (?P<words>.*)$")
_LONGER = "Following actions will be done:"
_SKIPPED = re.compile(r"^Skipping repository '(?P<name>.+)' because of the above error")
_ALIAS = re.compile(r"^\[(?P<alias>[^|\]]+)[|\]]", re.M)
_UNWANTED = re.compile(r"^do not install (?:most recent )?(?P<nevra>\S+)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of zypper's summary. ``action`` is its word (``upgrade``, ``install``, ``remove``, ``change-vendor``…).

    ``evr`` and ``old`` always have their epoch; ``old`` and ``old_arch`` are ``""`` for what is not installed.
    """

    action: str
    kind: str
    name: str
    arch: str
    evr: str
    old: str = ""
    old_arch: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the solver finds no transaction.

    Each of ``solutions`` is packages that were asked for; without all of them the problem does not arise. Solutions
    that do something else (remove a package, break dependencies) are not kept.
    """

    words: str
    solutions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What zypper would do, or why it cannot. Sizes are bytes; None where zypper gives none."""

    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    errors: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    download_size: int | None = None
    disk_size: int | None = None
    summarised: bool = False


def read_reply(text: str) -> Reply:
    """Read the output of ``zypper --xmlout install``; text of other programs between the elements is ignored."""
    summary = _SUMMARY.search(text)
    sizes = _attributes(summary["attributes"]) if summary else {}
    return Reply(
        rows=tuple(_rows(summary["body"])) if summary else (),
        problems=tuple(_problems(text)),
        errors=tuple(errors(text)),
        infos=tuple(words for kind, words in _messages(text) if kind == "info"),
        download_size=_integer(sizes.get("download-size")),
        disk_size=_integer(sizes.get("space-usage-diff")),
        summarised=summary is not None,
    )


def errors(text: str) -> Iterable[str]:
    """Return zypper's error messages in their order."""
    return [words for kind, words in _messages(text) if kind == "error"]


def full_evr(edition: str) -> str:
    """Return an edition as zypper shows it, with its epoch added."""
    return edition if ":" in edition else f"0:{edition}"


def edition(evr: str) -> str:
    """Return a version as zypper writes it: without the epoch when that is 0."""
    return evr.removeprefix("0:")


def nevra_of(name: str, evr: str, arch: str) -> str:
    """Return a package in full as zypper's messages name it, ``name-[epoch:]version-release.arch``."""
    return f"{name}-{edition(evr)}.{arch}"


def split_nevra(text: str) -> tuple[str, str, str] | None:
    """Split ``name-edition.arch`` into name, architecture and version; return None for another text."""
    rest, dot, arch = text.rstrip(",;:").removesuffix(".rpm").rpartition(".")
    parts = rest.rsplit("-", 2)
    return (parts[0], arch, full_evr("-".join(parts[1:]))) if dot and len(parts) == 3 else None


def _messages(text: str) -> Iterator[tuple[str, str]]:
    for match in _MESSAGE.finditer(text):
        yield match["type"], html.unescape(match["text"]).strip()


def _rows(body: str) -> Iterator[Row]:
    for section in _SECTION.finditer(body):
        for solvable in _SOLVABLE.finditer(section["body"]):
            values = _attributes(solvable["attributes"])
            old = values.get("edition-old", "")
            yield Row(
                action=section["action"],
                kind=values.get("type", ""),
                name=values.get("name", ""),
                arch=values.get("arch", ""),
                evr=full_evr(values.get("edition", "")),
                old=full_evr(old) if old else "",
                old_arch=values.get("arch-old", ""),
            )


def _problems(text: str) -> Iterator[Problem]:
    """Yield the problems that zypper lists, and the one that it offers solutions for."""
    offered = [_described(html.unescape(match["text"])) for match in _DESCRIPTION.finditer(text)]
    yield from offered
    known = {problem.words.partition(";")[0] for problem in offered}
    for kind, words in _messages(text):
        if kind != "info" or not words.startswith("Problem: "):
            continue
        stripped = _NUMBER.sub("", words)
        if stripped not in known:
            yield Problem(stripped)


def left_out(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the packages that a solution leaves out, from its description; ``()`` when it does something else too."""
    matches = [_UNWANTED.match(line.strip()) for line in lines]
    return tuple(match["nevra"] for match in matches if match) if all(matches) else ()


def repository_failures(text: str, config: ZyppConfig) -> Iterable[tuple[str, str]]:
    """Yield the repositories that zypper skipped, with its words about each, which precede the message of the skip."""
    aliases = {repository.alias for repository in config.repositories}
    said: list[str] = []
    for words in errors(text):
        skipped = _SKIPPED.match(words)
        if not skipped:
            said.append(words)
            continue
        named = [alias for block in said for alias in _ALIAS.findall(block) if alias in aliases]
        yield (named[-1] if named else skipped["name"]), shortened(said) or words
        said = []


def shortened(blocks: list[str]) -> str:
    """Return what went wrong, without the advice that zypper adds."""
    lines = [line.strip().removeprefix("- ") for block in blocks for line in block.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("Please ", "History:"))]
    return "; ".join(dict.fromkeys(kept))


def _described(text: str) -> Problem:
    words: list[str] = []
    solutions: list[list[str]] = []
    for line in text.splitlines():
        solution = _SOLUTION.match(line)
        if solution:
            solutions.append([] if solution["words"] == _LONGER else [solution["words"]])
        elif solutions:
            solutions[-1].append(line)
        elif line.strip():
            words.append(line.strip())
    found = (left_out(filter(str.strip, lines)) for lines in solutions)
    return Problem(_NUMBER.sub("", "; ".join(words)), tuple(filter(None, found)))


def _attributes(text: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(text)}


def _integer(text: str | None) -> int | None:
    found = number(text.removeprefix("-")) if text else None
    return -found if found is not None and text and text.startswith("-") else found
