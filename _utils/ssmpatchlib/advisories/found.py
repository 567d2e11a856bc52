# SPDX-License-Identifier: Apache-2.0
"""What a feed says of the packages of a host: which update brings which fix, and which CVEs are open. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..cve_words import severity_rank
from ..model import Carrier, OpenCves, Package, Version
from .compact import Feed, Vulnerable
from .ecosystems import is_fips
from .judging import (
    AFFECTED,
    FIXED,
    UNKNOWN,
    Standing,
    by_cve,
    comes_back,
    ends_unnamed,
    is_unimportant,
    is_unsupported,
    standing,
    word_of,
)
from .ranges import key_of
from .record import own_cve
from .said import Found, Said, Step, steps
from .sources import has_code, is_of_kernel, source_of

Idle = Collection[tuple[str, str]]
ByCve = Mapping[str, tuple[Vulnerable, ...]]


def find(feed: Feed, packages: Collection[Package], *, idle: Idle) -> Found:
    """Return what a feed says of the installed packages.

    Args:
        idle: packages of kernels that do not run, as ``(name.arch, version)``: what they have is not open.
    """
    cves = {name: by_cve(entries) for name, entries in feed.packages.items()}
    updates: dict[str, tuple[Said, ...]] = {}
    by_source: dict[str, list[Package]] = {}
    for package in packages:
        if package.installed is not None:
            by_source.setdefault(source_of(package.installed).name, []).append(package)
        for step in steps(package):
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


class _Fix(NamedTuple):
    """What a version needs to have a fix: ``entries`` where newer ones may be affected again."""

    name: str
    fixed: str
    order: str
    entries: tuple[Vulnerable, ...] = ()

    def is_in(self, version: Version) -> bool:
        own = source_of(version)
        if own.name != self.name or key_of(own.version, self.order) < key_of(self.fixed, self.order):
            return False
        if is_fips(own.version, self.order):
            return False
        return not self.entries or standing(self.entries, own.version, self.order).state != AFFECTED


class _Route(NamedTuple):
    """How some packages get a fix: by versions on offer, or by one that is installed and does not run yet."""

    packages: tuple[str, ...]
    carriers: tuple[Carrier, ...] = ()
    waiting: str = ""


def _open(cves: ByCve, name: str, packages: Sequence[Package], idle: Idle, order: str) -> Iterator[OpenCves]:
    """The open CVEs of the installed packages of one source, grouped."""
    by_version: dict[str, list[Package]] = {}
    for package, installed in _on_disk(packages):
        if has_code(installed) and (package.id, installed.version) not in idle:
            by_version.setdefault(source_of(installed).version, []).append(package)
    for version, own in by_version.items():
        groups: dict[OpenCves, list[str]] = {}
        routes: dict[str, tuple[_Route, ...]] = {}
        for cve, entries in cves.items():
            now = standing(entries, version, order)
            if now.state not in (AFFECTED, UNKNOWN):
                continue
            if now.state == AFFECTED and not now.fixed and ends_unnamed(entries):
                now = now._replace(fixed=_first_clear(entries, packages, name, version, order))
            if comes_back(entries):
                found_routes = tuple(_routes(own, packages, _Fix(name, now.fixed, order, entries), idle))
            else:
                if now.fixed not in routes:
                    routes[now.fixed] = tuple(_routes(own, packages, _Fix(name, now.fixed, order), idle))
                found_routes = routes[now.fixed]
            for route in found_routes:
                groups.setdefault(_group(name, version, now, entries, route), []).append(cve)
        for group, found in groups.items():
            since = {e for cve in found for each in cves[cve] for e in each.exploited if e[0] == cve}
            ids = tuple(sorted(found))
            dates = tuple(_day(cves[cve]) for cve in ids)
            earliest = min(filter(None, dates), default="")
            yield group._replace(cves=ids, dates=dates, published=earliest, exploited=tuple(sorted(since)))


def _day(entries: Iterable[Vulnerable]) -> str:
    return min((entry.published for entry in entries if entry.published), default="")[:10]


def _on_disk(packages: Iterable[Package]) -> Iterator[tuple[Package, Version]]:
    yield from ((package, package.installed) for package in packages if package.installed is not None)


def _first_clear(
    entries: tuple[Vulnerable, ...], packages: Iterable[Package], name: str, version: str, order: str
) -> str:
    """The first newer version on offer that is not affected, ``""`` where there is none."""
    least = key_of(version, order)
    sources = {source_of(each) for package in packages for each in (*package.versions, *package.outranked)}
    newer = [each.version for each in sources if each.name == name and key_of(each.version, order) > least]
    newer.sort(key=lambda each: key_of(each, order))
    return next((each for each in newer if standing(entries, each, order).state not in (AFFECTED, UNKNOWN)), "")


def _routes(own: Sequence[Package], packages: Sequence[Package], fix: _Fix, idle: Idle) -> Iterator[_Route]:
    """How packages of one version get a fix: by their own next version, or not at all.

    A kernel is replaced by another one: it is there and does not run yet, or what requires the newest brings it.
    """
    if not fix.fixed:
        yield _Route(_ids(own))
        return
    waiting = _waiting(packages, idle, fix)
    several = {id_ for id_, _version in idle}
    kernels = [each for each in own if is_of_kernel(each.name) or each.id in several]
    if waiting and kernels:
        yield _Route(_ids(kernels), waiting=waiting)
        own = [each for each in own if not (is_of_kernel(each.name) or each.id in several)]
    carried = {each.id: carrier for each in own if (carrier := _carrier(each, fix))}
    if carried:
        yield _Route(tuple(sorted(carried)), tuple(carried.values()))
    left = [each for each in own if each.id not in carried]
    old = [each for each in left if is_of_kernel(each.name)]
    if old:
        yield _Route(_ids(old), _of_newest_kernel(packages, fix))
    if len(old) < len(left):
        yield _Route(_ids(each for each in left if not is_of_kernel(each.name)))


def _ids(packages: Iterable[Package]) -> tuple[str, ...]:
    return tuple(sorted(package.id for package in packages))


def _waiting(packages: Iterable[Package], idle: Idle, fix: _Fix) -> str:
    """The newest installed version of a kernel that has the fix and does not run."""
    versions = (
        source_of(installed).version
        for package, installed in _on_disk(packages)
        if (package.id, installed.version) in idle and fix.is_in(installed)
    )
    return max(versions, key=lambda version: key_of(version, fix.order), default="")


def _carrier(package: Package, fix: _Fix) -> Carrier | None:
    """The first version on offer of a package that has the fix."""
    on_offer = (*package.versions, *package.outranked)
    return next((Carrier(package.id, version.version) for version in on_offer if fix.is_in(version)), None)


def _of_newest_kernel(packages: Iterable[Package], fix: _Fix) -> tuple[Carrier, ...]:
    """What requires the newest kernel, by a version that requires one with the fix; images before headers and tools."""
    found = [
        (package.name, carrier)
        for package, installed in _on_disk(packages)
        if not has_code(installed) and (carrier := _carrier(package, fix))
    ]
    images = [carrier for name, carrier in found if not _BESIDES.search(name)]
    return tuple(images or [carrier for _name, carrier in found])


_BESIDES = re.compile(r"-(?:headers|tools)\b")


def _group(
    name: str,
    version: str,
    now: Standing,
    entries: tuple[Vulnerable, ...],
    route: _Route,
) -> OpenCves:
    return OpenCves(
        source=name,
        installed=version,
        fixed=now.fixed,
        subscription=now.subscription,
        severity=_word(entries),
        unimportant=is_unimportant(entries),
        advisories=tuple(sorted({notice for entry in entries for notice in entry.advisories})),
        published="",
        packages=route.packages,
        carriers=route.carriers,
        waiting=route.waiting,
        problem=now.problem,
        exploited=(),
        cves=(),
        unsupported=now.state == AFFECTED and not now.fixed and is_unsupported(entries),
    )
