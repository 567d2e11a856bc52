# SPDX-License-Identifier: Apache-2.0
"""Finds which dependencies targets need in another version than the one that apt would take by itself.

apt-get considers one version of each package that is not named with its version: its candidate. Where that is not
enough, the other versions are tried here, and apt-get is told the ones that go together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...model import Offer, Target
from ...versions.deb import sort_key
from .config import AptCommand
from .relations import Relation, read_relations
from .status import Installed

#: Name and architecture (the native one for ``all``).
Key = tuple[str, str]
_FIELD = re.compile(
    r"^(Package|Architecture|Version|Pre-Depends|Depends|Conflicts|Breaks|Provides|Multi-Arch): (.*(?:\n[ \t].*)*)",
    re.M,
)
_HEAD = re.compile(r"^(?P<name>[^\s:]+)(?::(?P<arch>[a-z0-9-]+))?:$")
_CANDIDATE = re.compile(r"^  Candidate: (\S+)$", re.M)
_VERSION = re.compile(r"^ (?:\*\*\*|   ) (\S+) (-?[0-9]{1,9})$", re.M)
#: The priority from which a version may be taken that is not the candidate.
_AUTOMATIC = 500
#: How many choices are tried.
_MOST_TRIED = 500


class Said(NamedTuple):
    """What one version of a package says: alternatives of what it needs, what it excludes, and what it provides.

    ``in_step`` (Multi-Arch: same): installed for several architectures it has one version.
    """

    needs: tuple[tuple[Relation, ...], ...] = ()
    excludes: tuple[Relation, ...] = ()
    provides: tuple[Relation, ...] = ()
    in_step: bool = False

    def fulfils(self, relation: Relation) -> bool:
        """Return whether the version provides what a relation names."""
        found = (each for each in self.provides if each.name == relation.name)
        return any(not relation.operator or (each.version and relation.fits(each.version)) for each in found)


@dataclass(frozen=True, slots=True)
class Known:
    """What apt knows of a package: the versions that may come in, the best first, and what each says."""

    versions: tuple[str, ...] = ()
    said: Mapping[str, Said] = field(default_factory=dict)


class Archive:
    """What apt knows of packages, asked once for each of them; what is installed is read from dpkg's status.

    ``untrusted`` are the versions that only repositories without a valid signature have.
    """

    def __init__(self, command: AptCommand, native: str, untrusted: Collection[tuple[str, str, str]]) -> None:
        self.native = native
        self._command, self._untrusted = command, untrusted
        self._known: dict[Key, Known] = {}
        self._providers: dict[str, tuple[Key, ...]] = {}
        self.provided: set[str] = set()

    def learn(self, keys: Iterable[Key], installed: Mapping[Key, str]) -> None:
        """Ask apt for those packages that were not asked for yet."""
        wanted = sorted({*keys} - self._known.keys())
        if not wanted:
            return
        self._known.update(dict.fromkeys(wanted, Known()))
        words = [name if arch == self.native else f"{name}:{arch}" for name, arch in wanted]
        said: dict[Key, dict[str, Said]] = {}
        for fields in _paragraphs(self._command.run("apt-cache", "show", "--", *words).stdout):
            arch = fields["Architecture"]
            key = (fields["Package"], self.native if arch == "all" else arch)
            one = said.setdefault(key, {}).setdefault(fields["Version"], _said(fields))
            self.provided.update(each.name for each in one.provides)
        policy = self._command.run("apt-cache", "policy", "--", *words).stdout
        for key, candidate, priorities in _policies(policy, self.native):
            allowed = self._allowed(key, installed.get(key, ""), candidate, priorities)
            self._known[key] = Known(tuple(allowed), said.get(key, {}))

    def __getitem__(self, key: Key) -> Known:
        return self._known.get(key, Known())

    def providers(self, name: str) -> tuple[Key, ...]:
        """Return the packages on offer that provide a name which is no package's."""
        if name not in self._providers:
            text = self._command.run("apt-cache", "showpkg", "--", name).stdout.partition("\nReverse Provides:")[2]
            found = (line.split()[0].partition(":") for line in text.splitlines() if line.strip())
            self._providers[name] = tuple(dict.fromkeys((each, arch or self.native) for each, _, arch in found))
        return self._providers[name]

    def _allowed(self, key: Key, installed: str, candidate: str, priorities: Mapping[str, int]) -> Iterator[str]:
        """Yield the versions that may come in, the candidate first, then the newest."""
        floor = priorities.get(installed or candidate, 0)
        for version in sorted(priorities, key=lambda v: (v == candidate, sort_key(v)), reverse=True):
            newer = not installed or sort_key(version) > sort_key(installed)
            automatic = priorities[version] >= max(0, min(floor, _AUTOMATIC))
            if newer and automatic and (*key, version) not in self._untrusted:
                yield version


class System:
    """What is installed: its versions, what they say of other packages, who speaks of whom and provides what."""

    def __init__(self, status: Iterable[Installed], native: str) -> None:
        self.native = native
        self.versions: dict[Key, str] = {}
        self.held: set[Key] = set()
        self.said: dict[Key, Said] = {}
        self.providers: dict[str, list[Key]] = {}
        self.speaking: dict[Key, list[Key]] = {}
        for package in status:
            if package.status == "config-files":
                continue
            key = (package.name, package.arch)
            said = self.said[key] = _said(dict(_FIELD.findall(package.paragraph)))
            self.versions[key] = package.version
            self.held |= {key} if package.held else set()
            for each in said.provides:
                self.providers.setdefault(each.name, []).append(key)
            for relation in (*(each for way in said.needs for each in way), *said.excludes):
                self.speaking.setdefault(key_of(relation, key, native), []).append(key)
        self.architectures = frozenset(arch for _name, arch in self.versions)


def key_of(relation: Relation, holder: Key, native: str) -> Key:
    """Return the package that a relation of another one names."""
    return relation.name, native if relation.arch in ("any", "native") else relation.arch or holder[1]


def needed_versions(
    archive: Archive, system: System, targets: Sequence[Target], hidden: Collection[Offer]
) -> tuple[Offer, ...]:
    """Return the dependencies that apt has to be told with their versions; none where nothing goes together.

    Args:
        hidden: what must not come in.
    """
    wanted = {(target.name, target.arch): target.version for target in targets}
    archive.learn(wanted, system.versions)
    search = _Search(archive, system, frozenset(hidden))
    archive.learn(search.mentioned(wanted, wanted), system.versions)
    found = search.complete(wanted, (*wanted, *search.concerned(wanted)))
    return tuple(Offer(*key, version) for key, version in (found or {}).items() if key not in wanted)


@dataclass(slots=True)
class _Search:
    """Tries versions until all that is chosen goes together with what stays installed."""

    archive: Archive
    system: System
    hidden: frozenset[Offer]
    tried: int = 0
    speaking: dict[Key, set[Key]] = field(default_factory=dict)

    def complete(self, chosen: Mapping[Key, str], agenda: Sequence[Key]) -> Mapping[Key, str] | None:
        """Return the choice with what it needs, None where there is none; ``agenda`` is what is to be looked at."""
        self.tried += 1
        for at, key in enumerate(agenda):
            ways = self._ways_out(chosen, key)
            if ways is None:
                continue
            for other, version in ways:
                if self.tried >= _MOST_TRIED:
                    return None
                more = {**chosen, other: version}
                self.archive.learn(self.mentioned(more, [other]), self.system.versions)
                found = self.complete(more, (other, *self.concerned([other]), *agenda[at:]))
                if found is not None:
                    return found
            return None
        return chosen

    def mentioned(self, chosen: Mapping[Key, str], keys: Iterable[Key]) -> set[Key]:
        """Return what the chosen versions of some packages speak of, and remember that they do."""
        found: set[Key] = set()
        for key in keys:
            said = self._said(chosen, key)
            others = {key_of(each, key, self.archive.native) for way in (*said.needs, said.excludes) for each in way}
            for other in others:
                self.speaking.setdefault(other, set()).add(key)
            found |= others
        return found

    def concerned(self, keys: Collection[Key]) -> list[Key]:
        """Return the packages that speak of some others, or of what these provide as they are installed."""
        provided = ((each.name, key[1]) for key in keys for each in self.system.said.get(key, Said()).provides)
        found = (
            each
            for key in (*keys, *provided)
            for each in (*self.system.speaking.get(key, ()), *self.speaking.get(key, ()))
        )
        return list(dict.fromkeys(found))

    def _said(self, chosen: Mapping[Key, str], key: Key) -> Said:
        if key in chosen:
            return self.archive[key].said.get(chosen[key], Said())
        return self.system.said.get(key, Said())

    def _version(self, chosen: Mapping[Key, str], key: Key) -> str:
        return chosen.get(key) or self.system.versions.get(key, "")

    def _ways_out(self, chosen: Mapping[Key, str], key: Key) -> list[tuple[Key, str]] | None:
        """Return the choices that could settle the first thing that a package complains about; None without any."""
        said = self._said(chosen, key)
        for way in said.needs:
            if not any(self._fulfilled(chosen, relation, key) for relation in way):
                return [
                    *(choice for each in way for choice in self._fulfilling(chosen, each, key)),
                    *self._other(chosen, key),
                ]
        for relation in said.excludes:
            for other in self._fulfilled(chosen, relation, key):
                if other != key:
                    return [*self._other(chosen, other), *self._other(chosen, key)]
        version = self._version(chosen, key)
        for other in self._out_of_step(chosen, key) if said.in_step else ():
            return [
                *(choice for choice in self._other(chosen, other) if choice[1] == version),
                *self._other(chosen, key),
            ]
        return None

    def _out_of_step(self, chosen: Mapping[Key, str], key: Key) -> Iterator[Key]:
        """Yield the same package of other architectures that is, as chosen or installed, of another version."""
        version = self._version(chosen, key)
        for arch in self.system.architectures - {key[1]}:
            other = self._version(chosen, (key[0], arch))
            if other and sort_key(other) != sort_key(version):
                yield key[0], arch

    def _fulfilled(self, chosen: Mapping[Key, str], relation: Relation, holder: Key) -> list[Key]:
        """Return the packages, as chosen or installed, that are or provide what a relation names."""
        key = key_of(relation, holder, self.archive.native)
        version = self._version(chosen, key)
        found = [key] if version and relation.fits(version) else []
        providing = [*self.system.providers.get(relation.name, ())]
        providing += chosen if relation.name in self.archive.provided else ()
        return [*found, *(each for each in dict.fromkeys(providing) if self._said(chosen, each).fulfils(relation))]

    def _fulfilling(self, chosen: Mapping[Key, str], relation: Relation, holder: Key) -> list[tuple[Key, str]]:
        """Return the versions of packages that may change and then are, or provide, what a relation names."""
        key = key_of(relation, holder, self.archive.native)
        self.archive.learn([key], self.system.versions)
        choices = [(key, version) for key, version in self._other(chosen, key) if relation.fits(version)]
        if not self.archive[key].said:
            providers = self.archive.providers(relation.name)
            self.archive.learn(providers, self.system.versions)
            others = (choice for each in providers for choice in self._other(chosen, each))
            choices += [(each, v) for each, v in others if self.archive[each].said.get(v, Said()).fulfils(relation)]
        return choices

    def _other(self, chosen: Mapping[Key, str], key: Key) -> list[tuple[Key, str]]:
        """Return the other versions of a package, none where it may not change."""
        if key in chosen or key in self.system.held:
            return []
        self.archive.learn([key], self.system.versions)
        return [(key, v) for v in self.archive[key].versions if Offer(*key, v) not in self.hidden]


def _said(fields: Mapping[str, str]) -> Said:
    def ways(*names: str) -> Iterator[tuple[Relation, ...]]:
        return (way for name in names for way in read_relations(fields.get(name, "")))

    return Said(
        needs=tuple(ways("Pre-Depends", "Depends")),
        excludes=tuple(each for way in ways("Conflicts", "Breaks") for each in way),
        provides=tuple(each for way in ways("Provides") for each in way),
        in_step=fields.get("Multi-Arch") == "same",
    )


def _paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    for paragraph in text.split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if {"Package", "Architecture", "Version"} <= fields.keys():
            yield fields


def _policies(text: str, native: str) -> Iterator[tuple[Key, str, Mapping[str, int]]]:
    """Yield the candidate and the priorities by version of the packages in apt-cache policy's answer."""
    for block in re.split(r"^(?=\S)", text, flags=re.M):
        if head := _HEAD.match(block.partition("\n")[0]):
            candidate = _CANDIDATE.search(block)
            priorities: dict[str, int] = {}
            for version, priority in _VERSION.findall(block):
                priorities[version] = max(int(priority), priorities.get(version, int(priority)))
            yield (head["name"], head["arch"] or native), candidate[1] if candidate else "", priorities
