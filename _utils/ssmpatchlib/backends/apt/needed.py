# SPDX-License-Identifier: Apache-2.0
"""Finds which dependencies targets need in another version than the one that apt would take by itself.

apt-get considers one version of each package that is not named with its version: its candidate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...model import Offer, Target
from ...versions.deb import sort_key
from .config import AptCommand
from .relations import Relation, read_relations
from .status import Installed

#: Name and architecture (the native one for ``all``).
Key = tuple[str, str]
_FIELD = re.compile(r"^(Depends|Pre-Depends|Conflicts|Breaks|Package|Architecture|Version): (.*)$", re.M)
_NEEDS, _EXCLUDES = ("Pre-Depends", "Depends"), ("Conflicts", "Breaks")
_HEAD = re.compile(r"^(?P<name>[^\s:]+)(?::(?P<arch>[a-z0-9-]+))?:$")
_CANDIDATE = re.compile(r"^  Candidate: (\S+)$")
_VERSION = re.compile(r"^ (?P<installed>\*\*\*|   ) (?P<version>\S+) (?P<priority>-?[0-9]{1,9})$")
#: The priority from which a version may be taken that is not the candidate.
_AUTOMATIC = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What apt knows of a package: its candidate; by version the priority, and what it needs and excludes."""

    candidate: str = ""
    installed: str = ""
    priorities: Mapping[str, int] = field(default_factory=dict)
    needs: Mapping[str, tuple[tuple[Relation, ...], ...]] = field(default_factory=dict)
    excludes: Mapping[str, tuple[Relation, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Archive:
    """What apt knows of packages, asked once for each of them.

    ``untrusted`` are the versions that only repositories without a valid signature have.
    """

    command: AptCommand
    native: str
    untrusted: frozenset[tuple[str, str, str]]
    _known: dict[Key, Known] = field(default_factory=dict)

    def learn(self, keys: Iterable[Key]) -> None:
        """Ask apt for those packages that were not asked for yet."""
        wanted = sorted({*keys} - self._known.keys())
        if not wanted:
            return
        self._known.update(dict.fromkeys(wanted, Known()))
        words = [name if arch == self.native else f"{name}:{arch}" for name, arch in wanted]
        policy = dict(_policies(self.command.run("apt-cache", "policy", "--", *words).stdout, self.native))
        shown: dict[Key, dict[str, Mapping[str, str]]] = {}
        for fields in _paragraphs(self.command.run("apt-cache", "show", "--", *words).stdout):
            arch = fields["Architecture"]
            key = (fields["Package"], self.native if arch == "all" else arch)
            shown.setdefault(key, {}).setdefault(fields["Version"], fields)
        for key, (candidate, installed, priorities) in policy.items():
            versions = shown.get(key, {})
            self._known[key] = Known(
                candidate,
                installed,
                priorities,
                {v: tuple(_relations(fields, _NEEDS)) for v, fields in versions.items()},
                {v: tuple(r for rs in _relations(fields, _EXCLUDES) for r in rs) for v, fields in versions.items()},
            )

    def __getitem__(self, key: Key) -> Known:
        return self._known[key]

    def allowed(self, key: Key) -> Iterator[str]:
        """Yield the versions of a package that may come in, the candidate first, then the newest."""
        known = self._known[key]
        floor = known.priorities.get(known.installed or known.candidate, 0)
        for version in sorted(known.priorities, key=lambda v: (v == known.candidate, sort_key(v)), reverse=True):
            priority = known.priorities[version]
            new_enough = not known.installed or sort_key(version) >= sort_key(known.installed)
            if new_enough and priority >= max(0, min(floor, _AUTOMATIC)) and (*key, version) not in self.untrusted:
                yield version


@dataclass(slots=True)
class _Choice:
    """The versions that are chosen; those in ``named`` apt has to be told.

    ``wanted`` and ``unwanted`` are what the chosen versions say of other packages.
    """

    archive: Archive
    held: frozenset[Key]
    versions: dict[Key, str]
    named: dict[Key, str] = field(default_factory=dict)
    wanted: dict[Key, list[Relation]] = field(default_factory=dict)
    unwanted: dict[Key, list[Relation]] = field(default_factory=dict)

    def key_of(self, relation: Relation, holder: Key) -> Key:
        """Return the package that a relation of another one names."""
        arch = self.archive.native if relation.arch in ("any", "native") else relation.arch or holder[1]
        return relation.name, arch

    def fits(self, relation: Relation, holder: Key) -> bool:
        """Return whether a relation of a package holds without a further choice, as far as that can be said."""
        key = self.key_of(relation, holder)
        if key in self.versions:
            return relation.fits(self.versions[key])
        known = self.archive[key]
        if known.installed and relation.fits(known.installed):
            return True
        return not relation.operator and not known.priorities

    def consistent(self, key: Key, version: str) -> bool:
        """Return whether a version goes together with what is chosen already."""
        known = self.archive[key]
        for relations in known.needs.get(version, ()):
            chosen = [self.key_of(r, key) in self.versions for r in relations]
            if all(chosen) and not any(r.fits(self.versions[self.key_of(r, key)]) for r in relations):
                return False
        for relation in known.excludes.get(version, ()):
            other = self.key_of(relation, key)
            if other != key and other in self.versions and relation.fits(self.versions[other]):
                return False
        return True

    def demand(self, key: Key) -> None:
        """Note what the chosen version of a package says of other packages."""
        known, version = self.archive[key], self.versions[key]
        for relations in known.needs.get(version, ()):
            if len(relations) == 1:
                self.wanted.setdefault(self.key_of(relations[0], key), []).append(relations[0])
        for relation in known.excludes.get(version, ()):
            if self.key_of(relation, key) != key:
                self.unwanted.setdefault(self.key_of(relation, key), []).append(relation)

    def choose(self, key: Key, relation: Relation | None = None) -> None:
        """Choose a version of a package that is not chosen yet and may change, if there is a right one."""
        if key in self.held or key in self.versions:
            return
        wanted = [*([relation] if relation else []), *self.wanted.get(key, ())]
        for version in self.archive.allowed(key):
            banned = any(r.fits(version) for r in self.unwanted.get(key, ()))
            if not banned and all(r.fits(version) for r in wanted) and self.consistent(key, version):
                self.versions[key] = version
                if version != self.archive[key].candidate:
                    self.named[key] = version
                return


def needed_versions(
    archive: Archive, targets: Sequence[Target], *, held: frozenset[Key], needing: Mapping[Key, Sequence[Key]]
) -> tuple[Offer, ...]:
    """Return the dependencies that apt has to be told with their versions.

    The choice is greedy: the newest version that goes together with what is chosen already. Whether all of it can be
    installed is apt's answer.

    Args:
        held: what must stay as it is.
        needing: the installed packages that name a package in their dependencies, by the package named.
    """
    start = [(target.name, target.arch) for target in targets]
    versions = {(target.name, target.arch): target.version for target in targets}
    choice = _Choice(archive, held, versions)
    archive.learn(start)
    level = start
    while level:
        archive.learn(_mentioned(choice, level))
        before = set(choice.versions)
        for key in level:
            choice.demand(key)
        for key in level:
            _complete(choice, key)
        archive.learn(other for key in level for other in needing.get(key, ()))
        for key in level:
            for other in needing.get(key, ()):
                _update_needing(choice, key, other)
        level = [key for key in choice.versions if key not in before]
    return tuple(Offer(*key, version) for key, version in choice.named.items())


def read_needing(status: Iterable[Installed]) -> Mapping[Key, Sequence[Key]]:
    """Return the installed packages that name a package in their dependencies or exclusions, by the package named."""
    found: dict[Key, list[Key]] = {}
    for package in status:
        if package.status != "config-files":
            fields = dict(_FIELD.findall(package.paragraph))
            for relation in (r for rs in _relations(fields, (*_NEEDS, *_EXCLUDES)) for r in rs):
                found.setdefault((relation.name, package.arch), []).append((package.name, package.arch))
    return found


def _mentioned(choice: _Choice, level: Iterable[Key]) -> Iterator[Key]:
    for key in level:
        known, version = choice.archive[key], choice.versions[key]
        for relation in (*(r for rs in known.needs.get(version, ()) for r in rs), *known.excludes.get(version, ())):
            yield choice.key_of(relation, key)


def _complete(choice: _Choice, key: Key) -> None:
    """Choose what the chosen version of a package needs, and other versions of what it excludes."""
    known, version = choice.archive[key], choice.versions[key]
    for relations in known.needs.get(version, ()):
        for relation in relations:
            if any(choice.fits(each, key) for each in relations):
                break
            choice.choose(choice.key_of(relation, key), relation)
    for relation in known.excludes.get(version, ()):
        other = choice.key_of(relation, key)
        installed = choice.archive[other].installed
        if other != key and installed and relation.fits(installed):
            choice.choose(other)


def _update_needing(choice: _Choice, key: Key, other: Key) -> None:
    """Choose another version of an installed package that the new version of what it needs would break."""
    installed = choice.archive[other].installed
    if other not in choice.versions and installed and not choice.consistent(other, installed):
        choice.choose(other)


def _relations(fields: Mapping[str, str], names: Iterable[str]) -> Iterator[tuple[Relation, ...]]:
    for name in names:
        yield from read_relations(fields.get(name, ""))


def _paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    for paragraph in text.split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if {"Package", "Architecture", "Version"} <= fields.keys():
            yield fields


def _policies(text: str, native: str) -> Iterator[tuple[Key, tuple[str, str, Mapping[str, int]]]]:
    """Yield candidate, installed version and priorities by version of the packages in apt-cache policy's answer."""
    for block in re.split(r"^(?=\S)", text, flags=re.M):
        lines = block.splitlines()
        if lines and (head := _HEAD.match(lines[0])):
            candidates = [match[1] for line in lines if (match := _CANDIDATE.match(line))]
            rows = [match for line in lines if (match := _VERSION.match(line))]
            installed = next((row["version"] for row in rows if row["installed"] == "***"), "")
            priorities: dict[str, int] = {}
            for row in rows:
                priorities[row["version"]] = max(int(row["priority"]), priorities.get(row["version"], -(1 << 31)))
            candidate = next((version for version in candidates if version != "(none)"), "")
            yield (head["name"], head["arch"] or native), (candidate, installed, priorities)
