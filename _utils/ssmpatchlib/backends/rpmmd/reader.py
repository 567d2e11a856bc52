# SPDX-License-Identifier: Apache-2.0
"""Reads one repository's metadata files into the form that ``candidates`` searches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ...names import is_rpm, left_out, one_line
from ...versions.rpm import sort_key
from ...wording import amount
from . import primary, repomd, updateinfo
from .advisory_types import AdvisoryRecord, ModuleRef, outline
from .compression import read_pieces
from .metadata import RETRACTED, Advised, DamagedMetadata, Mention, Metadata, Offer, Provision, Replacement
from .modulemd import Modules, read_modules

_T = TypeVar("_T")

#: The words that vendors use for a severity.
_SEVERITIES = frozenset(
    {"critical", "important", "moderate", "medium", "low", "none", "urgent", "high", "unspecified", "unknown"}
)
#: The most unknown words that one sentence names, and how much of each it shows.
_NAMED, _SHOWN = 3, 40
#: How many problems of one repository are told; the others are counted.
_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 300

#: Yields the packages in one of a repository's files: primary.xml, or a package manager's own (yum's primary_db).
PackageReader = Callable[[Path], Iterable[primary.OfferedPackage]]


def read_primary_file(path: Path) -> Iterator[primary.OfferedPackage]:
    """Yield the packages of a primary.xml; this is the usual package reader."""
    return primary.read_primary(read_pieces(path))


def read_metadata(
    index: repomd.Repomd,
    *,
    package_types: Sequence[str] = repomd.PRIMARY,
    package_reader: PackageReader = read_primary_file,
) -> Metadata:
    """Read a repository's packages, advisories and modules from the files that its repomd.xml lists.

    Damaged files are no error: the readable parts are returned, and their ``damage`` says what is missing.
    """
    problems = _Problems()
    damage: list[str] = []
    strange: list[str] = []
    packages = _Packages()
    listed = _checked(index, package_types, damage)
    if listed is None and not damage:
        damage.append("repomd.xml lists no primary metadata")
    if listed:
        with _noting(damage, listed):
            for package in package_reader(listed.path):
                if is_rpm(package.name, package.evr, package.arch):
                    packages.add(package)
                else:
                    strange.append(f"{package.name}-{package.evr}.{package.arch}")
    advisories = _Advisories()
    listed = _checked(index, repomd.UPDATEINFO, damage)
    if listed:
        with _noting(damage, listed):
            for advisory in updateinfo.read_updateinfo(read_pieces(listed.path), on_problem=problems.add):
                advisories.add(advisory)
    for words in _unknown_severities(advisories.advisories):
        problems.add(words)
    modules = Modules()
    listed = _checked(index, repomd.MODULES, damage)
    if listed:
        with _noting(damage, listed):
            modules = read_modules(read_pieces(listed.path), on_problem=problems.add)
    metadata = _put_together(packages, advisories, modules)
    said = left_out((*strange, *advisories.strange), "rpm")
    return replace(metadata, problems=(*said, *problems.told()), damage=tuple(damage))


def _unknown_severities(advisories: Iterable[AdvisoryRecord]) -> Iterator[str]:
    """Yield one sentence about the severities that are no vendor's word, if there are any."""
    found = Counter(record.severity for record in advisories if record.severity)
    unknown = {word[:_SHOWN]: count for word, count in found.items() if word.lower() not in _SEVERITIES}
    if unknown:
        words = ", ".join(f"{word!r} ({count})" for word, count in list(unknown.items())[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        said = f"unknown severities of advisories: {words}{more}"
        yield f"updateinfo: {said}; a SEVERITY filter matches them only by name"


def assemble(packages: Iterable[primary.OfferedPackage], advisories: Iterable[AdvisoryRecord] = ()) -> Metadata:
    """Return the metadata of a repository with these packages and advisories and without modules."""
    offered, advised = _Packages(), _Advisories()
    for package in packages:
        offered.add(package)
    for advisory in advisories:
        advised.add(advisory)
    return _put_together(offered, advised, Modules())


def _put_together(packages: _Packages, advisories: _Advisories, modules: Modules) -> Metadata:
    offers = packages.sorted_offers()
    advised, mentions = advisories.divided(offers)
    return Metadata(
        offers=offers,
        replacements=tuple(packages.replacements),
        provisions=tuple(packages.provisions),
        advisories=tuple(advisories.advisories),
        outlines=tuple(map(outline, advisories.advisories)),
        advised=advised,
        mentions=mentions,
        spoken=_by_architecture((id_, _numbers(rows)) for id_, rows in advised.items()),
        oldest=_by_architecture((id_, min(row[1] for row in rows)) for id_, rows in offers.items()),
        silent=_by_architecture(_silent(offers, advised)),
        modules=tuple(advisories.modules),
        builds=modules.builds,
        default_streams=dict(modules.defaults or {}),
    )


def _by_architecture(rows: Iterable[tuple[str, _T]]) -> dict[str, dict[str, _T]]:
    found: dict[str, dict[str, _T]] = {}
    for id_, row in rows:
        found.setdefault(id_.rpartition(".")[2], {})[id_] = row
    return found


def _numbers(rows: Iterable[Advised]) -> tuple[int, ...]:
    """Return the advisories of all versions of a package, each once."""
    return tuple(dict.fromkeys(number for _evr, numbers in rows for number in numbers))


def _silent(
    offers: Mapping[str, Sequence[Offer]], advised: Mapping[str, Sequence[Advised]]
) -> Iterator[tuple[str, int]]:
    """Yield each package with the build time of its oldest version without an advisory."""
    for id_, rows in offers.items():
        spoken = {row[0] for row in advised.get(id_, ())}
        built = [row[1] for row in rows if row[0] not in spoken]
        if built:
            yield id_, min(built)


def _checked(index: repomd.Repomd, types: Sequence[str], damage: list[str]) -> repomd.Record | None:
    """Return the record to read, None without one; a wrong checksum is only noted, and the file is read."""
    record = index.find(*types)
    if record is None:
        return None
    try:
        repomd.verify(record)
    except DamagedMetadata as exc:
        damage.append(str(exc))
        return record if not record.defect and record.path.exists() else None
    return record


class _noting:  # noqa: N801 - reads as a statement
    """Turns a DamagedMetadata that is raised in the block into an entry of ``damage``."""

    def __init__(self, damage: list[str], record: repomd.Record) -> None:
        self._damage = damage
        self._record = record

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> bool:
        if isinstance(exc, DamagedMetadata):
            self._damage.append(f"{self._record.type}: {exc}")
            return True
        return False


class _Problems:
    """The problems of a repository while it is read; a hostile one has any number of them."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, words: str) -> None:
        """Add one problem."""
        if len(self._first) < _MOST_PROBLEMS:
            self._first.append(one_line(words, _LONGEST_PROBLEM))
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """Return the first problems, and how many there are beside them."""
        return (
            (*self._first, f"{amount(self._more, 'more problem')} of this kind") if self._more else tuple(self._first)
        )


class _Packages:
    """The packages of a repository while they are read."""

    def __init__(self) -> None:
        self.offers: dict[str, list[Offer]] = {}
        self.replacements: list[Replacement] = []
        self.provisions: list[Provision] = []

    def add(self, package: primary.OfferedPackage) -> None:
        """Add one package."""
        name, arch, evr, build_time, vendor, obsoletes, provides = package
        id_ = f"{name}.{arch}"
        offers = self.offers.get(id_)
        if offers is None:
            self.offers[id_] = [(evr, build_time, vendor)]
        else:
            offers.append((evr, build_time, vendor))
        for replaced in obsoletes:
            self.replacements.append((id_, evr, replaced.name, replaced.operator, replaced.evr))
        if provides:
            self.provisions.append((id_, evr, provides))

    def sorted_offers(self) -> dict[str, tuple[Offer, ...]]:
        """Return the offers by ``name.arch``, oldest version first."""
        several = {offer[0] for offers in self.offers.values() if len(offers) > 1 for offer in offers}
        keys = {evr: sort_key(evr) for evr in several}
        return {
            id_: tuple(sorted(offers, key=lambda offer: keys[offer[0]]) if len(offers) > 1 else offers)
            for id_, offers in self.offers.items()
        }


class _Advisories:
    """The advisories of a repository while they are read."""

    def __init__(self) -> None:
        self.advisories: list[AdvisoryRecord] = []
        self.mentions: dict[str, list[Mention]] = {}
        self.modules: list[ModuleRef] = []
        self.strange: list[str] = []
        self._module_numbers: dict[ModuleRef, int] = {}

    def add(self, advisory: AdvisoryRecord) -> None:
        """Add one advisory."""
        number = len(self.advisories)
        self.advisories.append(advisory._replace(collections=()))
        for collection in advisory.collections:
            module = self._module_number(collection.module) if collection.module else -1
            for package in collection.packages:
                self.mentions.setdefault(f"{package.name}.{package.arch}", []).append((package.evr, number, module))

    def divided(
        self, offers: Mapping[str, Sequence[Offer]]
    ) -> tuple[dict[str, tuple[Advised, ...]], dict[str, tuple[Mention, ...]]]:
        """Return ``advised`` and ``mentions`` of ``Metadata``: the plain mentions, and the others.

        Mentions of packages that rpm cannot have go to ``strange``; what is on offer has been checked.
        """
        advised: dict[str, tuple[Advised, ...]] = {}
        others: dict[str, tuple[Mention, ...]] = {}
        for id_, found in self.mentions.items():
            numbers: dict[str, dict[int, None]] = {}
            for evr, number, _module in found:
                numbers.setdefault(evr, {})[number] = None
            rows = tuple((row[0], tuple(numbers[row[0]])) for row in offers.get(id_, ()) if row[0] in numbers)
            if len(rows) == len(numbers) and all(self._is_plain(mention) for mention in found):
                advised[id_] = rows
                continue
            name, _, arch = id_.rpartition(".")
            strange = {evr for evr in numbers if not is_rpm(name, evr, arch)}
            self.strange.extend(f"{name}-{evr}.{arch}" for evr in strange)
            if len(strange) < len(numbers):
                others[id_] = tuple(mention for mention in found if mention[0] not in strange)
        return advised, others

    def _is_plain(self, mention: Mention) -> bool:
        return mention[2] == -1 and self.advisories[mention[1]].status != RETRACTED

    def _module_number(self, module: ModuleRef) -> int:
        number = self._module_numbers.get(module)
        if number is None:
            number = self._module_numbers[module] = len(self.modules)
            self.modules.append(module)
        return number
