# SPDX-License-Identifier: Apache-2.0
"""Finds apt's pin priorities (apt_preferences(5)): from Release files, or by asking apt where pins exist."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...errors import SsmpatchError
from ...versions.deb import sort_key
from .config import AptCommand, AptPaths
from .paragraphs import reader, split, without_comments
from .targets import STATUS_PRIORITY, Indexes, IndexTarget

_SOURCE_LINE = re.compile(r"^ *(-?[0-9]{1,9}) (\S.*)$")
_VERSION_LINE = re.compile(r"^ (\*\*\*|   ) (\S+) (-?[0-9]{1,9})$")
#: What names the installed version where others are named by the description of an index that has them.
_INSTALLED = "***"
_CHUNK = 2000
#: The priorities that versions have without a pin.
_WITHOUT_PINS = frozenset({1, 100, 500, 990})
#: Phased updates are not waited for, as in an installation.
_OPTIONS = ("APT::Get::Always-Include-Phased-Updates=true",)
#: What a pattern may consist of where Python and apt read it alike.
_PLAIN_GLOB = re.compile(r"[A-Za-z0-9.+*?-]*")
_PLAIN_EXPRESSION = re.compile(r"\^?(?:[A-Za-z0-9-]|\.\*?)*\$?")
_read_pin = reader("Package", "Pin", "Pin-Priority")

Key = tuple[str, str]
DebKey = tuple[int, tuple[int, ...], tuple[int, ...]]


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


class Rank(NamedTuple):
    """A version that apt knows of a package, in the order of versions, and its priority, perhaps by a pin."""

    key: DebKey
    priority: int
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """apt's priorities of versions: the installed ones' of dpkg's status file, those of indexes, those of pins.

    ``of_version`` are the priorities by ``(name, arch)``, and by version and index; packages that no pin is for are not
    in it.
    """

    status_priority: int
    of_version: Mapping[Key, Mapping[tuple[DebKey, str], int]]

    def installed(self, package: Key, version: str, indexes: Sequence[IndexTarget]) -> Rank:
        """Return the rank of an installed version that is in ``indexes`` too."""
        default = max(self.status_priority, *(index.priority for index in indexes), -1)
        pinned = self.status_priority != STATUS_PRIORITY or any(index.pinned for index in indexes)
        return self._rank(package, sort_key(version), [_INSTALLED], default, pinned=pinned)

    def offered(self, package: Key, version: str, indexes: Sequence[IndexTarget]) -> Rank:
        """Return the rank of a version that is in ``indexes``."""
        default, pinned = max(index.priority for index in indexes), any(index.pinned for index in indexes)
        places = [index.description for index in indexes]
        return self._rank(package, sort_key(version), places, default, pinned=pinned)

    def _rank(self, package: Key, key: DebKey, places: Iterable[str], default: int, *, pinned: bool) -> Rank:
        known = self.of_version.get(package, {})
        # apt may have as several builds what its indexes describe alike.
        exact = max((known[key, place] for place in places if (key, place) in known), default=default)
        return Rank(key, exact, pinned or exact != default)

    def others(self, package: Key) -> Iterable[Rank]:
        """Return the ranks of all versions that apt has of a package that a pin is for; none of others."""
        known = self.of_version.get(package, {})
        return (Rank(key, priority, priority not in _WITHOUT_PINS) for (key, _place), priority in known.items())


def read_pins(paths: AptPaths) -> tuple[Pin, ...]:
    """Return the stanzas of the preferences files.

    Raises:
        SsmpatchError: a preferences file cannot be read.
    """
    pins: list[Pin] = []
    for path in paths.preference_files:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as exc:
            raise SsmpatchError(
                f"{path}: cannot be read: {exc.strerror}; apt's pins are needed for a judgement"
            ) from exc
        pins.extend(_parse_pins(text))
    return tuple(pins)


def read_policy(
    command: AptCommand,
    paths: AptPaths,
    *,
    pins: Sequence[Pin],
    status_priority: int,
    installed: Iterable[str],
    not_installed: Iterable[str],
) -> Policy:
    """Return the priorities of the versions of those packages (``name`` or ``name:arch``) that a pin may be for.

    Of packages that are not installed only forbidden versions are asked for.

    Raises:
        SsmpatchError: apt cannot answer; the message has apt's words.
    """
    special = [pin for pin in pins if not pin.general]
    if not special:
        return Policy(status_priority, {})
    forbidding = [pin for pin in special if pin.forbids]
    concerned = sorted({*_named(special, installed), *(_named(forbidding, not_installed) if forbidding else ())})
    of_version: dict[Key, Mapping[tuple[DebKey, str], int]] = {}
    for at in range(0, len(concerned), _CHUNK):
        text = _ask(command, *concerned[at : at + _CHUNK])
        of_version.update(_parse_versions(text, paths.architecture))
    return Policy(status_priority, of_version)


def _named(pins: Sequence[Pin], names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if any(pin.names_package(name.partition(":")[0]) for pin in pins))


def with_priorities(
    command: AptCommand, paths: AptPaths, targets: Sequence[IndexTarget], pins: Sequence[Pin]
) -> Indexes:
    """Return the indexes, and dpkg's status file, with the priorities of archive-wide pins and a default release.

    Without such pins the priorities from the Release files hold, and apt is not asked.

    Raises:
        SsmpatchError: apt cannot answer; the message has apt's words.
    """
    if not paths.default_release and not any(pin.general for pin in pins):
        return Indexes(tuple(targets))
    found = _parse_indexes(_ask(command))
    ranked = (_with_priority(target, found.get(target.description, target.priority)) for target in targets)
    return Indexes(tuple(ranked), found.get(str(paths.status), STATUS_PRIORITY))


def _with_priority(target: IndexTarget, priority: int) -> IndexTarget:
    return replace(target, priority=priority, pinned=priority != target.priority)


def _ask(command: AptCommand, *names: str) -> str:
    result = command.run("apt-cache", "policy", "--", *names, options=_OPTIONS)
    if result.code:
        raise SsmpatchError(f"apt-cache policy: {result.words}; mend the preferences files or APT::Default-Release")
    return result.stdout


def _parse_pins(text: str) -> Iterable[Pin]:
    for paragraph in split(without_comments(text)):
        fields = _read_pin(paragraph)
        names, kind = tuple(fields.get("Package", "").split()), fields.get("Pin", "").split()[:1]
        if names and kind:
            yield Pin(names, kind[0].lower() != "version", fields.get("Pin-Priority", "").startswith("-"))


def _may_name(pattern: str, name: str) -> bool:
    if pattern.startswith("/"):
        expression = pattern.strip("/")
        return not _PLAIN_EXPRESSION.fullmatch(expression) or bool(re.search(expression, name, re.IGNORECASE))
    bare = pattern.partition(":")[0]
    return bare == "src" or not _PLAIN_GLOB.fullmatch(bare) or fnmatch.fnmatchcase(name, bare.lower())


def _parse_indexes(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        if line.startswith("Pinned packages:"):
            break
        match = _SOURCE_LINE.match(line)
        if match:
            found[match.group(2)] = int(match.group(1))
    return found


def _parse_versions(text: str, native: str) -> dict[Key, Mapping[tuple[DebKey, str], int]]:
    """Return the priorities by ``(name, arch)``, and by version and the places that have it."""
    found: dict[Key, Mapping[tuple[DebKey, str], int]] = {}
    current: dict[tuple[DebKey, str], int] = {}
    key, priority = sort_key(""), 0
    for line in text.splitlines():
        if line[:1] not in (" ", ""):
            name, _, arch = line.rstrip(":").partition(":")
            current = {}
            found[name, arch or native] = current
        elif match := _VERSION_LINE.match(line):
            key, priority = sort_key(match.group(2)), int(match.group(3))
            if match.group(1) == _INSTALLED:
                current[key, _INSTALLED] = priority
        elif match := _SOURCE_LINE.match(line):
            current[key, match.group(2)] = priority
    return found
