# SPDX-License-Identifier: Apache-2.0
"""Reads what dnf says it would do: the transaction table and the solver's problems. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

INSTALL, UPGRADE, DOWNGRADE, REINSTALL, REMOVE, SKIP = "install", "upgrade", "downgrade", "reinstall", "remove", "skip"

_SECTIONS = {
    "Installing": INSTALL,
    "Upgrading": UPGRADE,
    "Downgrading": DOWNGRADE,
    "Reinstalling": REINSTALL,
    "Removing": REMOVE,
    "Skipping packages": SKIP,
}
_RULE = re.compile(r"^[=─-]{20,}\s*$")
_SECTION = re.compile(r"^(?P<title>[A-Z][^:]*):\s*$")
_REPLACING = re.compile(r"^\s+replacing\s+(?P<words>\S.*)$")
_ROW = re.compile(r"^(?P<name>\S+) (?P<arch>\S+) (?P<evr>\S+) (?P<origin>\S+) (?P<size>[\d.]+ ?[A-Za-z]*)$")
_PROBLEM = re.compile(r"^\s*Problem(?: \d+)?: (?P<words>.*)$")
_DETAIL = re.compile(r"^\s+- (?P<words>.*)$")
_SIZES = re.compile(
    r"^(?:Total download size: (?P<download>[\d.]+ ?[A-Za-z]*)|Total size: (?P<all>[\d.]+ ?[A-Za-z]*)"
    r"|Total size of inbound packages is .*Need to download (?P<need>[\d.]+ ?[A-Za-z]*?)\.)\s*$",
    re.M,
)
_PROTECTED = re.compile(r"would result in removing the following protected packages: (?P<names>.*)")
#: The most lines before the last one of a row whose values are too wide for their columns.
_MOST_LINES = 4
_UNITS = {"": 0, "B": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_NO_MATCH = re.compile(
    r"^(?P<words>(?:No match for argument|All matches were filtered out by (?:\w+ )+for argument): (?P<spec>\S+)"
    r"|Argument '(?P<spec5>[^']+)' matches only (?:excluded packages|packages excluded by versionlock)\.)",
    re.M,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the transaction table; ``evr`` always has its epoch.

    ``replaced`` names what it obsoletes, ``origin`` its repository.
    """

    action: str
    name: str
    arch: str
    evr: str
    replaced: tuple[str, ...] = ()
    origin: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Reply:
    """dnf's answer: its table, its solver's problems, and the arguments it found nothing for, with its words."""

    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()
    unmatched: Mapping[str, str] = field(default_factory=dict)
    download_size: int | None = None

    def problems_about(self, nevra: str) -> str:
        """Return the problems that name a package."""
        whole = re.compile(rf"(?<![\w.+-]){re.escape(nevra)}(?![\w+-])")
        return "; ".join(problem for problem in self.problems if whole.search(problem))

    @property
    def protected(self) -> frozenset[str]:
        """The names of protected packages that dnf refuses to remove."""
        found = (match["names"] for problem in self.problems for match in _PROTECTED.finditer(problem))
        return frozenset(name for names in found for name in re.split(r"[\s,;]+", names) if name)


def read_reply(stdout: str, stderr: str) -> Reply:
    """Read the output of a dnf 4 or dnf 5 command that was to install something and was told not to go on."""
    return Reply(
        rows=tuple(_rows(stdout)),
        problems=tuple(dict.fromkeys((*_problems(stdout), *_problems(stderr)))),
        unmatched={
            match["spec"] or match["spec5"]: match["words"] for match in _NO_MATCH.finditer(f"{stdout}\n{stderr}")
        },
        download_size=_download_size(f"{stdout}\n{stderr}"),
    )


def rotations(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that dnf removes to keep its limit of install-only packages, such as the oldest kernel."""
    installed = {row.id for row in rows if row.action == INSTALL}
    return [row for row in rows if row.action == REMOVE and row.id in installed]


def full_evr(evr: str) -> str:
    """Return a version as dnf shows it, with its epoch added."""
    return evr if ":" in evr else f"0:{evr}"


def short_nevra(name: str, evr: str, arch: str) -> str:
    """Return a package as dnf's messages name it: without the epoch when that is 0."""
    return f"{name}-{evr.removeprefix('0:')}.{arch}"


def _rows(text: str) -> Iterator[Row]:
    pending: list[str] = []
    row: dict[str, str] = {}
    replaced: list[str] = []

    def finished() -> Iterator[Row]:
        if row:
            yield Row(row["action"], row["name"], row["arch"], full_evr(row["evr"]), tuple(replaced), row["origin"])
        row.clear()
        replaced.clear()

    action = ""
    for line in _table(text):
        if section := _SECTION.match(line):
            yield from finished()
            pending = []
            action = next((a for title, a in _SECTIONS.items() if section["title"].startswith(title)), "")
        elif obsoleted := _REPLACING.match(line):
            replaced.extend(_replaced(obsoleted["words"], row.get("name", "")))
        elif action and line.startswith(" "):
            pending = [*pending[-_MOST_LINES:], " ".join(line.split())]
            found = _ROW.match(" ".join(pending))
            if found:
                yield from finished()
                row.update(found.groupdict(), action=action)
                pending = []
    yield from finished()


def _replaced(words: str, name: str) -> Iterator[str]:
    """Yield ``name.arch evr`` of an obsoleted package, but not of the same package, which dnf 5 names too."""
    first, second, *rest = [*words.split(), "", ""]
    id_, evr = (f"{first}.{second}", rest[0]) if rest and rest[0] else (first, second)
    if id_.rpartition(".")[0] != name:
        yield f"{id_} {full_evr(evr)}"


def _table(text: str) -> Iterable[str]:
    """Return the lines between the table's heading and its summary."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(r"^ ?Package\s+Arch", line)), None)
    if start is None:
        return
    for line in lines[start + 1 :]:
        if line.startswith("Transaction Summary"):
            return
        if line.strip() and not _RULE.match(line):
            yield line


def _problems(text: str) -> Iterator[str]:
    words: list[str] = []
    for line in text.splitlines():
        if problem := _PROBLEM.match(line):
            if words:
                yield "; ".join(words)
            words = [problem["words"].strip()]
        elif words and (detail := _DETAIL.match(line)):
            words.append(detail["words"].strip().removesuffix("Operation aborted."))
        elif words:
            yield "; ".join(words)
            words = []
    if words:
        yield "; ".join(words)


def _download_size(text: str) -> int | None:
    match = _SIZES.search(text)
    if not match:
        return None
    written = match["download"] or match["need"]
    return _bytes(written) if written else 0


def _bytes(written: str) -> int:
    match = re.match(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) *([A-Za-z]?)", written)
    if not match:
        return 0
    return int(float(match.group(1)) * 1024 ** _UNITS.get(match.group(2), 0))
