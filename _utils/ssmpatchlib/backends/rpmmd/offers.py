# SPDX-License-Identifier: Apache-2.0
"""Searches all repositories together for the versions of a package and the advisories that name it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...model import Advisory, Version
from ...versions.rpm import compare_evr, sort_key
from ..rpm.installed import InstalledPackage
from . import to_advisory, vanished
from .advisory_types import ModuleRef
from .metadata import RETRACTED, Metadata, Replacement

_X86_32 = frozenset({"i386", "i486", "i586", "i686", "athlon", "geode"})
_X86 = _X86_32 | {"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4", "amd64", "ia32e"}
_FAMILIES = {"x86_64": _X86, **dict.fromkeys(_X86_32, _X86_32)}

_LAST = 1 << 30


def architectures(machine: str) -> frozenset[str] | None:
    """Return the architectures whose packages a machine takes, beside noarch; None where that is not known here."""
    return _FAMILIES.get(machine)


@dataclass(frozen=True, slots=True)
class Offering:
    """A repository whose packages may be installed.

    A smaller ``priority`` hides the same package of repositories with a larger one. ``hides(name.arch, name, evr)``
    returns whether the package manager hides a package; ``touches(metadata)`` returns the ``name.arch`` of which it may
    hide a version. ``blocks(name, arch, evr)`` returns why a package that is shown must not be taken. ``applies``
    returns whether the module that an advisory is for is active.
    """

    name: str
    metadata: Metadata
    priority: int = 99
    hides: Callable[[str, str, str], bool] | None = None
    blocks: Callable[[str, str, str], str] | None = None
    applies: Callable[[ModuleRef], bool] | None = None
    touches: Callable[[Metadata], Collection[str]] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a package manager chooses among offers, and how it shows an advisory.

    ``capitalize`` says that it shows an advisory's type as ``Security``.
    ``native`` is the architecture of the machine. ``keep_obsolete`` says why a package of another name is not taken in
    place of an obsolete one, ``""`` where it is its update.
    ``acceptable(installed, vendor)`` returns whether an offer of this vendor may follow the installed package.
    ``locks(installed)`` returns why a package must stay as it is, ``keeps(installed)`` why it must not be replaced by
    one of another name; ``""`` for neither. ``warn`` takes warnings for the report. With ``older_hide`` a repository
    of a better priority hides newer versions although all of its own are older than the installed one.
    With ``obsoletes_any`` a package may take the place of another although the other's newest version would stay.
    """

    native: str
    capitalize: bool = True
    keep_obsolete: str = ""
    obsoletes_any: bool = False
    acceptable: Callable[[InstalledPackage, str], bool] | None = None
    locks: Callable[[InstalledPackage], str] | None = None
    keeps: Callable[[InstalledPackage], str] | None = None
    warn: Callable[[str], None] | None = None
    older_hide: bool = True


@dataclass(slots=True)
class _Offer:
    """One version on offer and the repositories that have it."""

    evr: str
    build_time: int
    vendor: str
    repositories: list[Offering] = field(default_factory=list)

    @property
    def priority(self) -> int:
        """The best priority among the repositories that have it."""
        return min(repository.priority for repository in self.repositories)


class Search:
    """The search in all repositories, by ``name.arch``; ``architectures`` are those that fit the machine, None any."""

    def __init__(self, offerings: Sequence[Offering], rules: Rules) -> None:
        self.rules = rules
        self.offerings = offerings
        self._advisories: list[dict[int, Advisory | None]] = [{} for _ in offerings]
        #: What was shown last: a package's offers are asked for several times in a row.
        self._shown: tuple[str, list[_Offer]] = ("", [])
        #: Why offers must not be taken although nothing names them: ``{(name.arch, evr): reason}``.
        self.refused: Mapping[tuple[str, str], str] = {}
        self._one_priority = len({offering.priority for offering in offerings}) < 2
        family = architectures(rules.native)
        self.architectures = family | {"noarch"} if family else None

    def has(self, id_: str) -> bool:
        """Return whether a repository offers the package."""
        return any(id_ in offering.metadata.offers for offering in self.offerings)

    def replacements(self) -> Iterator[Replacement]:
        """Return every offer that obsoletes another package."""
        for offering in self.offerings:
            yield from offering.metadata.replacements

    def fits(self, id_: str) -> bool:
        """Return whether a package is of an architecture that can be installed on this machine."""
        return self.architectures is None or id_.rpartition(".")[2] in self.architectures

    def shared_ids(self) -> set[str]:
        """Return the ``name.arch`` that more than one repository offers, or offers and has an advisory for.

        With different priorities these include packages that another architecture could replace.
        """
        found: set[str] = set()
        listed = [offering.metadata for offering in self.offerings]
        for place, one in enumerate(listed):
            for other in listed[place + 1 :]:
                found |= one.offers.keys() & other.offers.keys()
                found |= one.mentions.keys() & other.offers.keys()
                found |= one.offers.keys() & other.mentions.keys()
        return found if self._one_priority else found | self._shared_names(listed)

    def _shared_names(self, listed: Sequence[Metadata]) -> set[str]:
        names = {id_.rpartition(".")[0] for metadata in listed for id_ in metadata.oldest.get("noarch", {})}
        everything = {id_ for metadata in listed for id_ in metadata.offers}
        architectures = {arch for metadata in listed for arch in metadata.oldest}
        return {f"{name}.{arch}" for name in names for arch in architectures} & everything

    def advised(self, place: int, *, without: Collection[str]) -> Iterator[tuple[str, tuple[Version, ...]]]:
        """Yield the ``name.arch`` in ``advised`` of a repository, with the versions that its advisories name."""
        origin, metadata = self.offerings[place].name, self.offerings[place].metadata
        every = [self._advisory(place, number) for number in range(len(metadata.advisories))]
        known: dict[tuple[int, ...], tuple[Advisory, ...]] = {}
        for id_, rows in metadata.advised.items():
            if id_ in without:
                continue
            name, _, arch = id_.rpartition(".")
            versions = []
            for evr, numbers in rows:
                given = known.get(numbers)
                if given is None:
                    given = known[numbers] = tuple([advisory for number in numbers if (advisory := every[number])])
                versions.append(Version(name, arch, evr, given, origin))
            yield id_, tuple(versions)

    def mentions(self, id_: str) -> dict[str, list[Advisory]]:
        """Return the advisories of a package's versions by evr; a version that was only retracted has none."""
        found: dict[str, list[Advisory]] = {}
        for place, offering in enumerate(self.offerings):
            metadata, applies = offering.metadata, offering.applies
            for evr, number, module in metadata.mentions_of(id_):
                if module >= 0 and applies and not applies(metadata.modules[module]):
                    continue
                given = found.setdefault(evr, [])
                advisory = self._advisory(place, number)
                if advisory is not None and vanished.is_new(advisory, given):
                    given.append(advisory)
        return found

    def _advisory(self, place: int, number: int) -> Advisory | None:
        known = self._advisories[place]
        if number not in known:
            advisory = self.offerings[place].metadata.advisories[number]
            known[number] = (
                None
                if advisory.status == RETRACTED
                else to_advisory.from_advisory(advisory, capitalize=self.rules.capitalize)
            )
        return known[number]

    def versions(
        self, id_: str, *, non_security: bool = True, within: int = _LAST, after: InstalledPackage | None = None
    ) -> Iterator[Version]:
        """Yield the versions on offer of a package that is not installed, with their advisories, oldest first.

        Repositories with a priority worse than ``within`` are left out, and vendors that may not follow that of
        ``after``.
        """
        mentions = self.mentions(id_)
        if not mentions and not non_security:
            return
        limit = min(self.best_priority(id_), within)
        offers = [offer for offer in self._offers(id_) if offer.priority <= limit]
        shown = {id_: self._takeable(id_, offers, mentions, after)}
        gone = vanished.without(mentions, {offer.evr for offer in offers})
        inherited = self._inherited(shown, gone, mentions)
        yield from self._with_advisories(id_, shown[id_], mentions, inherited, non_security=non_security)

    def vanished_advisories(self, id_: str) -> vanished.Advisories:
        """Return the advisories of those versions of a package that no repository shows."""
        # A package whose advisories all name versions on offer is in no ``mentions``.
        if not any(id_ in offering.metadata.mentions for offering in self.offerings):
            return {}
        return vanished.without(self.mentions(id_), {offer.evr for offer in self._offers(id_)})

    def of_installed(
        self, package: InstalledPackage, mentions: vanished.Advisories, elsewhere: vanished.Advisories
    ) -> Sequence[Advisory]:
        """Return the advisories of an installed version, those of vanished older ones that it contains included.

        ``mentions`` are those of the package, ``elsewhere`` those that vanished of another architecture.
        """
        own = mentions.get(package.evr, ())
        older = vanished.within(vanished.joined(mentions, elsewhere), below=package.evr)
        if not older:
            return own
        limit, floor = self.best_priority(package.id), sort_key(package.evr)
        offers = [offer for offer in self._offers(package.id) if offer.priority <= limit]
        gone = vanished.without(older, {offer.evr for offer in offers})
        if not gone:
            return own
        before = [offer for offer in offers if sort_key(offer.evr) < floor]
        shown = self._takeable(package.id, before, mentions, package)
        itself = _Offer(package.evr, 0, package.vendor)
        return [*own, *self._inherited({package.id: [*shown, itself]}, gone, mentions).get(package.evr, ())]

    def updates(
        self,
        package: InstalledPackage,
        *,
        mentions: vanished.Advisories,
        elsewhere: vanished.Advisories,
        other: str = "",
    ) -> list[Version]:
        """Return the versions that may follow an installed one, itself included, oldest first.

        ``mentions`` are those of the package, ``elsewhere`` those that vanished of another architecture. ``other`` is
        the ``name.arch`` of an architecture that may replace it: of one version in both the preferred comes last, the
        first repository's, within one its own.
        """
        limit = self.best_priority(package.id, above=package.evr)
        about = {other: self.mentions(other), package.id: mentions} if other else {package.id: mentions}
        shown: dict[str, Sequence[_Offer]] = {}
        gone = elsewhere
        for id_, given in about.items():
            newer = _not_older(self._offers(id_), package.evr)
            offers = [offer for offer in newer if offer.priority <= limit]
            self._tell_of_hidden(package, [offer for offer in newer if offer.priority > limit], offers, given)
            shown[id_] = self._takeable(id_, offers, given, package)
            if id_ == package.id:
                gone = vanished.joined(vanished.without(given, {offer.evr for offer in offers}), gone)
        found = []
        inherited = self._inherited(shown, vanished.within(gone, above=package.evr), mentions) if gone else {}
        for id_, taken in shown.items():
            for version in self._with_advisories(id_, taken, about[id_], inherited, package):
                if version.arch == package.arch or compare_evr(version.version, package.evr) > 0:
                    found.append(version)
        if other:
            places = {offering.name: -place for place, offering in enumerate(self.offerings)}
            found.sort(key=lambda version: (sort_key(version.version), places[version.origin]))
        return found

    def _takeable(
        self,
        id_: str,
        offers: Sequence[_Offer],
        mentions: vanished.Advisories,
        package: InstalledPackage | None = None,
    ) -> Sequence[_Offer]:
        """Return the offers that were not taken back and whose vendor may follow that of an installed package."""
        bare = {evr for evr, given in mentions.items() if not given}
        retracted = bare and bare & self._retracted(id_)
        if retracted:
            offers = [offer for offer in offers if offer.evr not in retracted]
        acceptable = self.rules.acceptable
        if package is None or acceptable is None:
            return offers
        own = package.evr if id_ == package.id else ""
        return [offer for offer in offers if offer.evr == own or acceptable(package, offer.vendor)]

    def _inherited(
        self, shown: Mapping[str, Sequence[_Offer]], gone: vanished.Advisories, own: vanished.Advisories
    ) -> vanished.Advisories:
        """Return the advisories of vanished versions by the version, in any of the packages, that contains them."""
        if not gone:
            return {}
        free: list[str] = []
        kept_out: list[str] = []
        for id_, offers in shown.items():
            for offer in offers:
                (kept_out if self._blocked(id_, offer) else free).append(offer.evr)
        return vanished.inherited(gone, free=free, kept_out=kept_out, own=own)

    def _with_advisories(
        self,
        id_: str,
        offers: Sequence[_Offer],
        mentions: vanished.Advisories,
        inherited: vanished.Advisories,
        package: InstalledPackage | None = None,
        *,
        non_security: bool = True,
    ) -> Iterator[Version]:
        name, arch = package[:2] if package and package.id == id_ else id_.rpartition(".")[::2]
        for offer in offers:
            given = (*mentions.get(offer.evr, ()), *inherited.get(offer.evr, ()))
            if not given:
                if not non_security:
                    continue
                given = (to_advisory.without_advisory(offer.build_time),)
            yield Version(name, arch, offer.evr, given, offer.repositories[0].name, self._blocked(id_, offer))

    def _blocked(self, id_: str, offer: _Offer) -> str:
        """Return why an offer must not be taken, ``""`` when it may be."""
        name, _, arch = id_.rpartition(".")
        return _blocked(offer, name, arch) or (self.refused.get((id_, offer.evr), "") if self.refused else "")

    def _offers(self, id_: str) -> list[_Offer]:
        """Return what the repositories show of a package, oldest first."""
        if self._shown[0] != id_:
            self._shown = id_, self._read_offers(id_)
        return self._shown[1]

    def _read_offers(self, id_: str) -> list[_Offer]:
        name = id_.rpartition(".")[0]
        found: dict[str, _Offer] = {}
        sources = 0
        for offering in self.offerings:
            rows = offering.metadata.offers.get(id_)
            if not rows:
                continue
            sources += 1
            for evr, build_time, vendor in rows:
                if offering.hides and offering.hides(id_, name, evr):
                    continue
                offer = found.get(evr)
                if offer is None:
                    offer = found[evr] = _Offer(evr, build_time, vendor)
                offer.repositories.append(offering)
        offers = list(found.values())
        return sorted(offers, key=lambda offer: sort_key(offer.evr)) if sources > 1 else offers

    def _tell_of_hidden(
        self,
        package: InstalledPackage,
        hidden: Sequence[_Offer],
        shown: Sequence[_Offer],
        mentions: Mapping[str, Sequence[Advisory]],
    ) -> None:
        """Warn of an update with an advisory that priorities hide while the better repository has no update."""
        fixes = [offer for offer in hidden if offer.evr != package.evr and mentions.get(offer.evr)]
        if fixes and self.rules.warn and all(offer.evr == package.evr for offer in shown):
            self.rules.warn(
                f"{package.id}: {fixes[-1].evr} of {fixes[-1].repositories[0].name} is hidden by a repository of "
                "better priority that has only older versions; the package manager itself may take it"
            )

    def outranked(self, package: InstalledPackage, *, mentions: vanished.Advisories, other: str = "") -> list[Version]:
        """Return the versions newer than an installed one that a repository's priority hides, oldest first.

        The arguments are those of ``updates``.
        """
        if self._one_priority:
            return []
        limit = self.best_priority(package.id, above=package.evr)
        found = []
        for id_ in filter(None, (other, package.id)):
            newer = _not_older(self._offers(id_), package.evr)
            hidden = [each for each in newer if each.priority > limit and compare_evr(each.evr, package.evr) > 0]
            given = mentions if id_ == package.id else self.mentions(id_)
            takeable = self._takeable(id_, hidden, given, package) if hidden else []
            for version in self._with_advisories(id_, takeable, given, {}, package):
                words = (
                    f"hidden by the priority of {self._hiding(package.id, limit)} ({version.origin} has a worse one)"
                )
                found.append(replace(version, blocked=version.blocked or words))
        return sorted(found, key=lambda version: sort_key(version.version))

    def _hiding(self, id_: str, priority: int) -> str:
        """Return the repository of a priority that has a package or its replacement by architecture."""
        having = (
            o.name
            for each in self._with_replacement(id_)
            for offer in self._offers(each)
            for o in offer.repositories
            if o.priority == priority
        )
        return next(having, "another repository")

    def best_priority(self, id_: str, *, above: str = "") -> int:
        """Return the best priority of the repositories that have a package, or its replacement by architecture.

        Repositories of a worse priority have their versions hidden, even newer ones. A version that must not be taken
        hides nothing, nor, without ``older_hide``, one that is older than ``above``. Rule: docs/rules.md, Baselines:
        repository priorities.
        """
        if self._one_priority:
            return _LAST
        name, _, arch = id_.rpartition(".")
        offers = (offer for other in self._with_replacement(id_) for offer in self._offers(other))
        free = (offer for offer in offers if not _blocked(offer, name, arch))
        any_age = self.rules.older_hide or not above
        counted = (offer for offer in free if any_age or compare_evr(offer.evr, above) >= 0)
        return min((offer.priority for offer in counted), default=_LAST)

    def _with_replacement(self, id_: str) -> tuple[str, str]:
        """Return a ``name.arch`` and that of the architecture that may replace it."""
        name, _, arch = id_.rpartition(".")
        return id_, f"{name}.{self.rules.native if arch == 'noarch' else 'noarch'}"

    def retracted(self) -> Mapping[tuple[str, str], str]:
        """Return the offers that nothing but a retracted advisory names, with the reason."""
        found = {}
        for offering in self.offerings:
            advisories = offering.metadata.advisories
            numbers = {number for number, advisory in enumerate(advisories) if advisory.status == RETRACTED}
            for id_, rows in offering.metadata.mentions.items() if numbers else ():
                for evr, number, _module in rows:
                    if number in numbers and not self.mentions(id_)[evr]:
                        found[(id_, evr)] = f"retracted by its vendor ({advisories[number].id})"
        return found

    def _retracted(self, id_: str) -> set[str]:
        """Return the versions of a package that an advisory takes back."""
        return {
            evr
            for offering in self.offerings
            for evr, number, _module in offering.metadata.mentions_of(id_)
            if offering.metadata.advisories[number].status == RETRACTED
        }


def _not_older(offers: Sequence[_Offer], evr: str) -> Sequence[_Offer]:
    """Return those of the ordered offers that are not older than a version."""
    place = next((place for place, offer in enumerate(offers) if offer.evr == evr), None)
    if place is not None:
        return offers[place:]
    floor = sort_key(evr)
    return [offer for offer in offers if sort_key(offer.evr) >= floor]


def _blocked(offer: _Offer, name: str, arch: str) -> str:
    """Return why an offer must not be taken, ``""`` when it may be taken from one of its repositories."""
    reason = ""
    for repository in offer.repositories:
        reason = repository.blocks(name, arch, offer.evr) if repository.blocks else ""
        if not reason:
            return ""
    return reason
