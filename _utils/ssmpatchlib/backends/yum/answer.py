# SPDX-License-Identifier: Apache-2.0
"""Reads what yum 3 says: the transaction table, what it cannot install, repositories that failed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

INSTALL, UPDATE, DOWNGRADE, REINSTALL, REMOVE, SKIP = "install", "update", "downgrade", "reinstall", "remove", "skip"

_SECTIONS = (
    ("Installing", INSTALL),
    ("Updating", UPDATE),
    ("Downgrading", DOWNGRADE),
    ("Reinstalling", REINSTALL),
    ("Removing", REMOVE),
    ("Skipped", SKIP),
)
_RULE = re.compile(r"^=+\s*$")
_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]*(?:\([^)]*\))?):\s*$")
_REPLACING = re.compile(r"^\s+replacing\s+(?P<id>\S+) (?P<evr>\S+)\s*$")
_ROW = re.compile(r"^(?P<name>\S+) (?P<arch>\S+) (?P<evr>\S+) (?P<repository>\S+) (?P<size>[\d.]+ ?[A-Za-z]*)$")
_SIZE = re.compile(r"^Total download size: (?P<number>[0-9]{1,15}(?:\.[0-9]{1,15})?) *(?P<unit>[A-Za-z]?)", re.M)
#: The most lines before the last one of a row whose values are too wide for their columns.
_MOST_LINES = 4
_UNITS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_PROBLEM = re.compile(r"^Error: Package: (?P<envra>\S+) \((?P<repository>[^)]*)\)\s*$")
_MULTILIB = re.compile(r"^Error:\s+Protected multilib versions: (?P<words>.*)$")
_NO_PACKAGE = re.compile(r"^No package (?P<argument>\S+) available\.$", re.M)
_FAILED_REPOSITORY = re.compile(r"^failure: repodata/\S+ from (?P<id>\S+): (?P<words>.*)$")
_LOCATION = re.compile(r"^\S+://\S+: (?P<words>\[Errno .*)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the transaction table; ``evr`` always has its epoch. ``replaced`` are ``name.arch`` it obsoletes.

    ``origin`` is the repository.
    """

    action: str
    name: str
    arch: str
    evr: str
    replaced: tuple[str, ...] = ()
    origin: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in yum's words, and the packages that it is about, ``(name.arch, version)``."""

    words: str
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What yum would do, and what it cannot do; ``unmatched`` are arguments that it found nothing for."""

    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    unmatched: tuple[str, ...] = ()
    download_size: int = 0


def read_reply(text: str) -> Reply:
    """Read the output of ``yum install``."""
    return Reply(
        rows=tuple(_rows(text)),
        problems=tuple(_problems(text)),
        unmatched=tuple(match["argument"] for match in _NO_PACKAGE.finditer(text)),
        download_size=_download_size(text),
    )


def failed_repositories(text: str) -> Iterator[tuple[str, str]]:
    """Yield the repositories that yum could not read, with its words."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if failed := _FAILED_REPOSITORY.match(line):
            following = _LOCATION.match(lines[number + 1]) if number + 1 < len(lines) else None
            yield failed["id"], "; ".join(filter(None, (failed["words"], following["words"] if following else "")))


def download_errors(text: str) -> Iterable[str]:
    """Return what yum says about files that it could not fetch, each once."""
    return dict.fromkeys(line.strip() for line in text.splitlines() if _LOCATION.match(line))


def full_evr(evr: str) -> str:
    """Return a version as yum shows it, with its epoch added."""
    return evr if ":" in evr else f"0:{evr}"


def envra(name: str, evr: str, arch: str) -> str:
    """Return a package as yum's messages name it, ``[epoch:]name-version-release.arch``, without an epoch of 0."""
    epoch, _, rest = evr.partition(":")
    return f"{name}-{rest}.{arch}" if epoch == "0" else f"{epoch}:{name}-{rest}.{arch}"


def split_envra(text: str) -> tuple[str, str] | None:
    """Return ``(name.arch, version)`` of a package as yum's messages name it; None for another text."""
    match = re.fullmatch(r"(?:(\d+):)?(.+)-([^-]+-[^-]+)\.([^.-]+)", text)
    return (f"{match.group(2)}.{match.group(4)}", f"{match.group(1) or '0'}:{match.group(3)}") if match else None


def _rows(text: str) -> Iterator[Row]:
    action = ""
    pending: list[str] = []
    found: list[Row] = []
    for line in _table(text):
        if section := _SECTION.match(line):
            action = next((word for title, word in _SECTIONS if section["title"].startswith(title)), "")
            pending = []
        elif found and (replacing := _REPLACING.match(line)):
            last = found[-1]
            found[-1] = replace(last, replaced=(*last.replaced, replacing["id"]))
        elif action and line.startswith(" "):
            # A value too wide for its column is continued in the next line.
            pending = [*pending[-_MOST_LINES:], " ".join(line.split())]
            row = _ROW.match(" ".join(pending))
            if row:
                found.append(Row(action, row["name"], row["arch"], full_evr(row["evr"]), origin=row["repository"]))
                pending = []
    yield from found


def _table(text: str) -> Iterable[str]:
    """Return the lines between the table's heading and its summary."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(r"^ Package\s+Arch", line)), None)
    for line in lines[start + 1 :] if start is not None else ():
        if line.startswith("Transaction Summary"):
            return
        if line.strip() and not _RULE.match(line):
            yield line


def _problems(text: str) -> Iterator[Problem]:
    """Yield each ``Error: Package:`` with the lines about its requirements, and each multilib problem."""
    current: list[str] = []
    subject = ""
    for line in [*text.splitlines(), ""]:
        if current and not line.startswith("     "):
            package = split_envra(subject)
            yield Problem("; ".join(current), (package,) if package else ())
            current = []
        if problem := _PROBLEM.match(line):
            subject, current = problem["envra"], [f"{problem['envra']} ({problem['repository']})"]
        elif multilib := _MULTILIB.match(line):
            words = " ".join(multilib["words"].split())
            named = filter(None, map(split_envra, words.split(" != ")))
            yield Problem(f"protected multilib versions: {words}", tuple(named))
        elif current and line.strip():
            current.append(line.strip())


def _download_size(text: str) -> int:
    match = _SIZE.search(text)
    return int(float(match["number"]) * 1024 ** _UNITS.get(match["unit"], 0)) if match else 0
