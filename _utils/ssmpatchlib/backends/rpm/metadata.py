# SPDX-License-Identifier: Apache-2.0
"""One repository's metadata in the form that candidates are found in, kept on disk as long as it does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...versions_rpm import sort_key
from . import modulemd, primary, repomd, updateinfo
from .damage import DamagedMetadata

#: ``(evr, build_time, size, vendor)`` of one package on offer; epoch seconds and bytes, 0 where unknown.
Offer = tuple[str, int, int, str]
#: ``(evr, number of the advisory, number of the module or -1)``: an advisory speaks of this version.
Mention = tuple[str, int, int]
#: ``(evr, numbers of the advisories)``: an offer and what advisories say of it.
Advised = tuple[str, tuple[int, ...]]
#: ``(name.arch, evr, replaced name, operator, replaced evr)``: an offer that obsoletes another package.
Replacement = tuple[str, str, str, str, str]
#: ``(name.arch, evr, names)``: an offer that provides the names of other packages.
Provision = tuple[str, str, tuple[str, ...]]

#: A patch of this status was taken back by its vendor: its versions are never installed.
RETRACTED = "retracted"

PRIMARY = ("primary", "primary_zck")
UPDATEINFO = ("updateinfo", "updateinfo_zck")
MODULES = ("modules", "modules_zck")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a repository offers and what its advisories say.

    ``offers`` by ``name.arch``, oldest version first. What advisories say refers to ``advisories`` (whose own
    ``collections`` are empty here) and ``modules`` by number. It is in ``advised``, oldest version first, for packages
    whose advisories are all of versions on offer, of no module and not retracted, and in ``mentions`` for the others.
    ``problems`` are parts that were left out; ``damage`` is what could not be read: what is here is then not all.
    """

    offers: Mapping[str, tuple[Offer, ...]]
    replacements: tuple[Replacement, ...] = ()
    provisions: tuple[Provision, ...] = ()
    advisories: tuple[updateinfo.Advisory, ...] = ()
    advised: Mapping[str, tuple[Advised, ...]] = field(default_factory=dict)
    mentions: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)
    modules: tuple[updateinfo.ModuleRef, ...] = ()
    builds: tuple[modulemd.ModuleBuild, ...] = ()
    default_streams: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()

    def mentions_of(self, id_: str) -> Sequence[Mention]:
        """Everything that advisories say of a package, in whichever form it is kept."""
        plain = self.advised.get(id_)
        if plain is None:
            return self.mentions.get(id_, ())
        return [(evr, number, -1) for evr, numbers in plain for number in numbers]


#: Yields the packages of a repository from one of its files; primary.xml's reader, or that of a package manager's own.
PackageReader = Callable[[Path], Iterable[primary.OfferedPackage]]


def read_primary_file(path: Path) -> Iterator[primary.OfferedPackage]:
    """The usual package reader."""
    from .compression import read_pieces

    return primary.read_primary(read_pieces(path))


def read_metadata(
    index: repomd.Repomd,
    *,
    package_types: Sequence[str] = PRIMARY,
    package_reader: PackageReader = read_primary_file,
) -> Metadata:
    """Read a repository's packages, advisories and modules from the files that its repomd.xml lists.

    Damage is no error here: what could be read is returned, with ``damage`` saying what is missing.
    """
    from .compression import read_pieces

    problems: list[str] = []
    damage: list[str] = []
    packages = _Packages()
    listed = _checked(index, package_types, damage)
    if listed is None and not damage:
        damage.append("repomd.xml lists no primary metadata")
    if listed:
        with _noting(damage, listed):
            for package in package_reader(listed.path):
                packages.add(package)
    advisories = _Advisories()
    listed = _checked(index, UPDATEINFO, damage)
    if listed:
        with _noting(damage, listed):
            for advisory in updateinfo.read_updateinfo(read_pieces(listed.path), on_problem=problems.append):
                advisories.add(advisory)
    modules = modulemd.Modules()
    listed = _checked(index, MODULES, damage)
    if listed:
        with _noting(damage, listed):
            modules = modulemd.read_modules(read_pieces(listed.path), on_problem=problems.append)
    offers = packages.sorted_offers()
    advised, mentions = advisories.divided(offers)
    return Metadata(
        offers=offers,
        replacements=tuple(packages.replacements),
        provisions=tuple(packages.provisions),
        advisories=tuple(advisories.advisories),
        advised=advised,
        mentions=mentions,
        modules=tuple(advisories.modules),
        builds=modules.builds,
        default_streams=dict(modules.defaults or {}),
        problems=tuple(problems),
        damage=tuple(damage),
    )


def _checked(index: repomd.Repomd, types: Sequence[str], damage: list[str]) -> repomd.Record | None:
    """The record to read, if the repository has one; a file with a wrong checksum is noted and read all the same."""
    record = index.find(*types)
    if record is None:
        return None
    try:
        repomd.verify(record)
    except DamagedMetadata as exc:
        damage.append(str(exc))
        return record if record.path.exists() else None
    return record


class _noting:  # noqa: N801 - reads as a statement
    """Turns DamagedMetadata of the block into an entry of ``damage``."""

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


class _Packages:
    """The packages of a repository while they are read."""

    def __init__(self) -> None:
        self.offers: dict[str, list[Offer]] = {}
        self.replacements: list[Replacement] = []
        self.provisions: list[Provision] = []

    def add(self, package: primary.OfferedPackage) -> None:
        """Take one package in."""
        id_ = f"{package.name}.{package.arch}"
        offer = (package.evr, package.build_time, package.size, package.vendor)
        self.offers.setdefault(id_, []).append(offer)
        for replaced in package.obsoletes:
            self.replacements.append((id_, package.evr, replaced.name, replaced.operator, replaced.evr))
        if package.provides:
            self.provisions.append((id_, package.evr, package.provides))

    def sorted_offers(self) -> dict[str, tuple[Offer, ...]]:
        """The offers by ``name.arch``, oldest version first."""
        return {
            id_: tuple(sorted(offers, key=lambda offer: sort_key(offer[0])) if len(offers) > 1 else offers)
            for id_, offers in self.offers.items()
        }


class _Advisories:
    """The advisories of a repository while they are read."""

    def __init__(self) -> None:
        self.advisories: list[updateinfo.Advisory] = []
        self.mentions: dict[str, list[Mention]] = {}
        self.modules: list[updateinfo.ModuleRef] = []
        self._module_numbers: dict[updateinfo.ModuleRef, int] = {}

    def add(self, advisory: updateinfo.Advisory) -> None:
        """Take one advisory in."""
        number = len(self.advisories)
        self.advisories.append(advisory._replace(collections=()))
        for collection in advisory.collections:
            module = self._module_number(collection.module) if collection.module else -1
            for package in collection.packages:
                self.mentions.setdefault(f"{package.name}.{package.arch}", []).append((package.evr, number, module))

    def divided(
        self, offers: Mapping[str, Sequence[Offer]]
    ) -> tuple[dict[str, tuple[Advised, ...]], dict[str, tuple[Mention, ...]]]:
        """The mentions as ``Metadata`` keeps them: those that need no second look, and the others."""
        advised: dict[str, tuple[Advised, ...]] = {}
        others: dict[str, tuple[Mention, ...]] = {}
        for id_, found in self.mentions.items():
            numbers: dict[str, dict[int, None]] = {}
            for evr, number, _module in found:
                numbers.setdefault(evr, {})[number] = None
            rows = tuple((row[0], tuple(numbers[row[0]])) for row in offers.get(id_, ()) if row[0] in numbers)
            if len(rows) == len(numbers) and all(self._is_plain(mention) for mention in found):
                advised[id_] = rows
            else:
                others[id_] = tuple(found)
        return advised, others

    def _is_plain(self, mention: Mention) -> bool:
        return mention[2] == -1 and self.advisories[mention[1]].status != RETRACTED

    def _module_number(self, module: updateinfo.ModuleRef) -> int:
        number = self._module_numbers.get(module)
        if number is None:
            number = self._module_numbers[module] = len(self.modules)
            self.modules.append(module)
        return number
