# SPDX-License-Identifier: Apache-2.0
"""What a feed says of the packages of a host: which update brings which fix, and which CVEs are open. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..model import Carrier, OpenCves, Package, Version
from .compact import Feed, Vulnerable
from .judging import AFFECTED, FIXED, UNKNOWN, Standing, by_cve, is_unimportant, severity_rank, standing, word_of
from .ranges import key_of
from .record import own_cve
from .sources import Source, has_code, source_of

Idle = Collection[tuple[str, str]]
ByCve = Mapping[str, tuple[Vulnerable, ...]]


class Said(NamedTuple):
    """What the vendor says of an update: an advisory, or without an ``id`` CVEs that it fixes and no advisory names.

    ``released`` is when the advisory was published, in AWS's format, ``""`` where that is not known.
    """

    id: str
    released: str
    severity: str
    cves: tuple[str, ...]
    subscription: bool = False


class Found(NamedTuple):
    """What a feed says of a host: of each update by ``step_key``, and the open CVEs."""

    updates: Mapping[str, tuple[Said, ...]]
    open: tuple[OpenCves, ...]


class Step(NamedTuple):
    """One version of an installed package, its source, and the source that it follows, None for what is installed."""

    version: Version
    own: Source
    before: Source | None

    @property
    def key(self) -> str:
        """By which ``Found`` knows what the vendor says of the step."""
        return "\t".join((*self.own, self.before.version if self.before else ""))


def steps(package: Package) -> Iterator[Step]:
    """Yield every version of an installed package, the installed one first; a step to another source says nothing."""
    installed = package.installed
    if installed is None:
        return
    first = source_of(installed)
    yield Step(installed, first, None)
    for versions in (package.versions, package.outranked):
        before = first
        for version in versions:
            own = source_of(version)
            if version is installed:
                yield Step(version, own, None)
            elif own.name == before.name:
                yield Step(version, own, before)
            before = own


def sources_of(packages: Iterable[Package]) -> set[str]:
    """Return the source packages of what is installed, and of its updates."""
    return {step.own.name for package in packages for step in steps(package)}


def find(feed: Feed, packages: Collection[Package], *, idle: Idle) -> Found:
    """Return what a feed says of the installed packages.

    Args:
        idle: packages of kernels that do not run, as ``(name.arch, version)``: what they have is not open.
    """
    cves = {name: by_cve(entries) for name, entries in feed.packages.items()}
    updates: dict[str, tuple[Said, ...]] = {}
    by_source: dict[str, list[Package]] = {}
    for package in packages:
        for step in steps(package):
            if step.before is None:
                by_source.setdefault(step.own.name, []).append(package)
            if step.key not in updates:
                updates[step.key] = tuple(_said(feed, cves.get(step.own.name, {}), step))
    known = sorted(cves.keys() & by_source.keys())
    opened = (each for name in known for each in _open(cves[name], name, by_source[name], idle, feed.order))
    return Found({key: said for key, said in updates.items() if said}, tuple(opened))


def _said(feed: Feed, cves: ByCve, step: Step) -> Iterator[Said]:
    """What the vendor says of the step to a version; of the installed one what names just this version."""
    entries = feed.packages.get(step.own.name, ())
    news = {cve: said for cve, said in cves.items() if _is_news(said, step, feed.order)}
    named: set[str] = set()
    for notice in entries:
        if own_cve(notice.id) or not _is_news((notice,), step, feed.order):
            continue
        named.update(notice.cves)
        yield Said(
            notice.id, notice.published, word_of(notice) or _worst(notice, cves), notice.cves, notice.subscription
        )
    rest: dict[tuple[str, bool], list[str]] = {}
    for cve, said in news.items():
        if cve not in named and own_cve(cve):
            rest.setdefault((_word(said), said[0].subscription), []).append(cve)
    for (word, subscription), ids in sorted(rest.items()):
        yield Said("", "", word, tuple(sorted(ids)), subscription)


def _is_news(entries: tuple[Vulnerable, ...], step: Step, order: str) -> bool:
    """Whether a version has a fix that the one before has not; alone, whether it is just the version with the fix."""
    version = step.own.version
    now = standing(entries, version, order)
    if step.before is None:
        return now.state == FIXED and bool(now.fixed) and key_of(now.fixed, order) == key_of(version, order)
    return now.state not in (AFFECTED, UNKNOWN) and standing(entries, step.before.version, order).state == AFFECTED


def _worst(notice: Vulnerable, cves: ByCve) -> str:
    return max((_word(cves.get(cve, ())) for cve in notice.cves), key=severity_rank, default="")


def _word(entries: Iterable[Vulnerable]) -> str:
    return max(map(word_of, entries), key=severity_rank, default="")


def _open(cves: ByCve, name: str, packages: Sequence[Package], idle: Idle, order: str) -> Iterator[OpenCves]:
    """The open CVEs of the installed packages of one source, grouped."""
    on_disk = [_installed(package) for package in packages]
    by_version: dict[str, list[str]] = {}
    for package, own in zip(packages, on_disk, strict=True):
        if has_code(own) and (package.id, package.installed and package.installed.version) not in idle:
            by_version.setdefault(own.version, []).append(package.id)
    for version, ids in by_version.items():
        groups: dict[OpenCves, list[str]] = {}
        outcomes: dict[str, tuple[tuple[Carrier, ...], str]] = {}
        for cve, entries in cves.items():
            now = standing(entries, version, order)
            if now.state not in (AFFECTED, UNKNOWN):
                continue
            if now.fixed not in outcomes:
                carriers = tuple(_carriers(packages, name, now.fixed, order))
                outcomes[now.fixed] = carriers, _waiting(on_disk, now.fixed, order)
            group = _group(name, version, now, entries, tuple(sorted(ids)), *outcomes[now.fixed])
            groups.setdefault(group, []).append(cve)
        for group, found in groups.items():
            since = {e for cve in found for each in cves[cve] for e in each.exploited if e[0] == cve}
            yield group._replace(cves=tuple(sorted(found)), exploited=tuple(sorted(since)))


def _installed(package: Package) -> Source:
    assert package.installed is not None  # noqa: S101 - find takes installed ones only
    return source_of(package.installed)


def _waiting(on_disk: Iterable[Source], fixed: str, order: str) -> str:
    """The newest installed version of the source that has the fix: a kernel that does not run yet."""
    newer = (own.version for own in on_disk if fixed and key_of(own.version, order) >= key_of(fixed, order))
    return max(newer, key=lambda version: key_of(version, order), default="")


def _group(
    name: str,
    version: str,
    now: Standing,
    entries: tuple[Vulnerable, ...],
    packages: tuple[str, ...],
    carriers: tuple[Carrier, ...],
    waiting: str,
) -> OpenCves:
    return OpenCves(
        source=name,
        installed=version,
        fixed=now.fixed,
        subscription=now.subscription,
        severity=_word(entries),
        unimportant=is_unimportant(entries),
        advisories=tuple(sorted({notice for entry in entries for notice in entry.advisories})),
        published=min((entry.published for entry in entries if entry.published), default="")[:10],
        packages=packages,
        carriers=carriers,
        waiting=waiting,
        problem=now.problem,
        exploited=(),
        cves=(),
    )


def _carriers(packages: Iterable[Package], name: str, fixed: str, order: str) -> Iterator[Carrier]:
    """The first version of each package that is not older than the one with the fix."""
    if not fixed:
        return
    for package in packages:
        for version in (*package.versions, *package.outranked):
            own = source_of(version)
            if own.name == name and key_of(own.version, order) >= key_of(fixed, order):
                yield Carrier(package.id, version.version)
                break
