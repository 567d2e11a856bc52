# SPDX-License-Identifier: Apache-2.0
"""Finds apt's pin priorities (apt_preferences(5)): from Release files, or by asking apt where pins exist."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import SsmpatchError
from .config import AptCommand, AptPaths
from .targets import IndexTarget

_SOURCE_LINE = re.compile(r"^ *(-?\d+) (\S.*)$")
_VERSION_LINE = re.compile(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)")
#: The priority of a version that only dpkg knows.
STATUS_PRIORITY = 100
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Pin:
    """One stanza of the preferences: the names it is for, whether it is for whole archives, and whether it forbids
    versions (a negative priority).
    """

    names: tuple[str, ...]
    of_archive: bool
    forbids: bool = False

    @property
    def general(self) -> bool:
        """Whether apt applies the stanza to whole archives and not to named packages."""
        return self.of_archive and self.names == ("*",)

    def names_package(self, name: str) -> bool:
        """Return whether the stanza may be for a package; True in doubt, since apt is asked for the exact answer."""
        return any(_may_name(pattern, name) for pattern in self.names)


@dataclass(frozen=True, slots=True)
class Policy:
    """The pin priorities of single versions, by ``(name, arch)`` and version; others have their indexes' priority."""

    of_version: Mapping[tuple[str, str], Mapping[str, int]]

    def priority(self, name: str, arch: str, version: str, indexes: Iterable[IndexTarget], installed: bool) -> int:
        """Return apt's priority of a version that is in ``indexes`` (and in dpkg's status file when ``installed``)."""
        if self.of_version:
            exact = self.of_version.get((name, arch), {}).get(version)
            if exact is not None:
                return exact
        best = STATUS_PRIORITY if installed else 0
        for index in indexes:
            if index.priority > best or (best == 0 and not installed):
                best = index.priority
        return best


def read_pins(paths: AptPaths) -> tuple[Pin, ...]:
    """Return the stanzas of the preferences files; files that apt would skip are skipped.

    Raises:
        SsmpatchError: a preferences file cannot be read.
    """
    pins: list[Pin] = []
    for path in paths.preference_files:
        if path.parent.name.endswith(".d") and not _is_preferences_name(path):
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as exc:
            raise SsmpatchError(
                f"{path}: cannot be read: {exc.strerror}; apt's pins are needed for a judgement"
            ) from exc
        pins.extend(_parse_pins(text))
    return tuple(pins)


def read_policy(
    command: AptCommand, paths: AptPaths, *, pins: Sequence[Pin], installed: Iterable[str], not_installed: Iterable[str]
) -> Policy:
    """Return the priorities of the versions of those packages (``name`` or ``name:arch``) that a pin may be for.

    Of packages that are not installed only forbidden versions are asked for.

    Raises:
        SsmpatchError: apt cannot answer; the message has apt's words.
    """
    special = [pin for pin in pins if not pin.general]
    if not special:
        return Policy({})
    forbidding = [pin for pin in special if pin.forbids]
    concerned = sorted({*_named(special, installed), *(_named(forbidding, not_installed) if forbidding else ())})
    of_version: dict[tuple[str, str], dict[str, int]] = {}
    for at in range(0, len(concerned), _CHUNK):
        text = _ask(command, *concerned[at : at + _CHUNK])
        of_version.update(_parse_versions(text, paths.architecture))
    return Policy(of_version)


def _named(pins: Sequence[Pin], names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if any(pin.names_package(name.partition(":")[0]) for pin in pins))


def with_priorities(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], pins: Sequence[Pin]
) -> tuple[IndexTarget, ...]:
    """Return the indexes with the priorities that archive-wide pins and a default release give them.

    Without such pins the priorities from the Release files hold, and apt is not asked.

    Raises:
        SsmpatchError: apt cannot answer; the message has apt's words.
    """
    if not paths.default_release and not any(pin.general for pin in pins):
        return tuple(targets)
    found = _parse_indexes(_ask(command))
    return tuple(replace(target, priority=found.get(target.description, target.priority)) for target in targets)


def _ask(command: AptCommand, *names: str) -> str:
    result = command.run("apt-cache", "policy", "--", *names)
    if result.code:
        raise SsmpatchError(f"apt-cache policy: {result.words}")
    return result.stdout


def _parse_pins(text: str) -> Iterable[Pin]:
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        fields = dict(line.split(":", 1) for line in lines if ":" in line and not line[:1].isspace())
        names = tuple(fields.get("Package", "").split())
        kind = fields.get("Pin", "").split()[:1]
        if names and kind:
            forbids = fields.get("Pin-Priority", "").strip().startswith("-")
            yield Pin(names, kind[0] in ("release", "origin"), forbids)


def _may_name(pattern: str, name: str) -> bool:
    if pattern.startswith("src:"):
        return True
    bare = pattern if pattern.startswith("/") else pattern.partition(":")[0]
    if bare.startswith("/"):
        try:
            return bool(re.search(bare.strip("/"), name))
        except re.error:
            return True
    return fnmatch.fnmatchcase(name, bare)


def _is_preferences_name(path: Path) -> bool:
    return path.suffix in ("", ".pref") and bool(re.fullmatch(r"[A-Za-z0-9_.-]+", path.name))


def _parse_indexes(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        if line.startswith("Pinned packages:"):
            break
        match = _SOURCE_LINE.match(line)
        if match:
            found[match.group(2)] = int(match.group(1))
    return found


def _parse_versions(text: str, native: str) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    current: dict[str, int] = {}
    for line in text.splitlines():
        if line[:1] not in (" ", ""):
            name, _, arch = line.rstrip(":").partition(":")
            current = found.setdefault((name, arch or native), {})
        elif match := _VERSION_LINE.match(line):
            version, priority = match.group(1), int(match.group(2))
            current[version] = max(priority, current.get(version, priority))
    return found
