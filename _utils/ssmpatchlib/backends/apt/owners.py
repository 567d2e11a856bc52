# SPDX-License-Identifier: Apache-2.0
"""Asks dpkg to which packages files belong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SsmpatchError
from ...names import DEB_ARCH, DEB_NAME
from ..file_owners import ask_in_portions, askable
from .config import AptCommand
from .status import Installed

_OWNER = rf"{DEB_NAME}(?::{DEB_ARCH})?"
_OWNED = re.compile(rf"({_OWNER}(?:, {_OWNER})*): (/.*)")
#: A package, or the administrator, keeps other packages' file ``from`` at ``to``. Two lines, of which both are needed.
_DIVERSION = re.compile(rf"(?:local diversion|diversion by ({DEB_NAME})) (from|to): (/.*)")
#: What makes a path a pattern, which dpkg compares with every file of every package; so many may.
_MOST_PATTERNS = 20
_PATTERN = re.compile(r"[*?\[\\]")
_MERGED = re.compile(r"(?:/usr)?(/(?:bin|sbin|lib|lib32|lib64|libo32|libx32))(/.*)")


@dataclass(slots=True)
class _Answers:
    """What dpkg said: the owners by path, by path who keeps others' file elsewhere, and of what path one is kept."""

    owners: dict[str, list[str]] = field(default_factory=dict)
    diverter: dict[str, str] = field(default_factory=dict)
    kept_of: dict[str, str] = field(default_factory=dict)

    def of(self, path: str) -> list[str]:
        """Return the packages, as dpkg names them, to which the file at a path belongs."""
        if path in self.diverter:
            return [each for each in self.owners.get(path, ()) if _name(each) == self.diverter[path]]
        origin = self.kept_of.get(path, "")
        others = [each for each in self.owners.get(origin, ()) if _name(each) != self.diverter.get(origin)]
        return [*self.owners.get(path, ()), *others]


def find_owners(
    command: AptCommand, packages: Sequence[Installed], paths: Iterable[str], *, native: str
) -> dict[str, str]:
    """Return ``{path: name.arch}`` of the installed packages to which files belong.

    Where ``/lib`` and its like are links into ``/usr``, dpkg knows a file by either name. Of paths that dpkg could take
    for patterns only 20 are asked about.

    Raises:
        SsmpatchError: dpkg's database cannot be asked.
    """
    asked = askable(paths)
    odd = [path for path in asked if _PATTERN.search(path)]
    left_out = frozenset(odd[_MOST_PATTERNS:])
    spelled = {path: _spellings(path, command.root) for path in asked if path not in left_out}
    answers = _Answers()
    _ask(command, (each for spellings in spelled.values() for each in spellings), answers)
    _ask(command, [origin for origin in answers.kept_of.values() if origin not in answers.owners], answers)
    ids = _ids(packages, native)
    found = {}
    for path, spellings in spelled.items():
        known = (ids[owner] for each in spellings for owner in answers.of(each) if owner in ids)
        if owners := sorted(known, key=lambda id_: id_.rpartition(".")[2] != native):
            found[path] = owners[0]
    return found


def _spellings(path: str, root: Path) -> tuple[str, ...]:
    """Return a path, and the other one that it has where the directories are merged."""
    match = _MERGED.fullmatch(path)
    if not match or not (root / match[1].lstrip("/")).is_symlink():
        return (path,)
    short = match[1] + match[2]
    return (path, short if path != short else f"/usr{short}")


def _ask(command: AptCommand, paths: Iterable[str], answers: _Answers) -> None:
    """Ask dpkg for some paths and add what it says."""

    def ask(portion: list[str], left: float) -> tuple[()]:
        patterns = [_PATTERN.sub(r"\\\g<0>", path) for path in portion]
        result = command.host.run(["dpkg-query", "--search", "--", *patterns], env=command.env, timeout=left)
        # Its code is 1 where a path belongs to nobody.
        if result.code not in (0, 1):
            raise SsmpatchError(f"dpkg-query --search: {result.words}")
        _read(result.stdout.splitlines(), answers)
        return ()

    ask_in_portions(paths, ask)


def _read(lines: Iterable[str], answers: _Answers) -> None:
    origin = ""
    for line in lines:
        if diversion := _DIVERSION.fullmatch(line):
            name, which, path = diversion.groups()
            if which == "from":
                origin, answers.diverter[path] = path, name or ""
            else:
                answers.kept_of[path] = origin
        elif owned := _OWNED.fullmatch(line):
            answers.owners[owned[2]] = owned[1].split(", ")


def _name(owner: str) -> str:
    return owner.partition(":")[0]


def _ids(packages: Iterable[Installed], native: str) -> Mapping[str, str]:
    """Return ``name.arch`` of the installed packages by the ways in which dpkg names them."""
    found: dict[str, str] = {}
    for package in packages:
        if package.status != "config-files":
            id_ = found[f"{package.name}:{package.arch}"] = f"{package.name}.{package.arch}"
            if package.arch == native or package.name not in found:
                found[package.name] = id_
    return found
