# SPDX-License-Identifier: Apache-2.0
"""Which CVEs are open by the advisories that repositories themselves publish. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..model import Advisory, Carrier, OpenCves, Package, Version


def open_cves(packages: Iterable[Package], *, running: Mapping[str, str]) -> tuple[OpenCves, ...]:
    """Return the CVEs that updates on offer have a fix for: each by the first version of its package that names it.

    Args:
        running: the running kernel's packages, ``{name.arch: version}``; where a newer one is installed, what its
            advisories fix is open until it runs.
    """
    groups: dict[OpenCves, dict[str, None]] = {}
    for package in packages:
        for cve, group in (*_of(package), *_not_running(package, running.get(package.id, ""))):
            groups.setdefault(group, {})[cve] = None
    return tuple(
        group._replace(cves=tuple(sorted(cves)), dates=(group.published,) * len(cves)) for group, cves in groups.items()
    )


def only(group: OpenCves, cves: Collection[str]) -> OpenCves:
    """Return a group with just these of its CVEs."""
    pairs = [(cve, date) for cve, date in zip(group.cves, group.dates, strict=True) if cve in cves]
    return group._replace(
        cves=tuple(cve for cve, _date in pairs),
        dates=tuple(date for _cve, date in pairs),
        published=min((date for _cve, date in pairs if date), default=""),
        exploited=tuple(each for each in group.exploited if each[0] in cves),
    )


def _of(package: Package) -> Iterator[tuple[str, OpenCves]]:
    installed = package.installed
    if installed is None:
        return
    seen: set[str] = set()
    for version in (*package.versions, *package.outranked):
        if (version.id, version.version) == (installed.id, installed.version):
            continue
        for advisory in version.advisories:
            news = [cve for cve in advisory.cves if cve not in seen]
            seen.update(news)
            group = _group(package, installed.version, version, advisory)
            carriers = (Carrier(package.id, version.version),)
            yield from ((cve, group._replace(carriers=carriers)) for cve in news)


def _not_running(package: Package, running: str) -> Iterator[tuple[str, OpenCves]]:
    installed = package.installed
    if installed is None or not running or running == installed.version:
        return
    for advisory in installed.advisories:
        group = _group(package, running, installed, advisory)
        yield from ((cve, group._replace(waiting=installed.version)) for cve in advisory.cves)


def _group(package: Package, installed: str, version: Version, advisory: Advisory) -> OpenCves:
    return OpenCves(
        source=package.name,
        installed=installed,
        fixed=version.version,
        subscription=False,
        severity=advisory.severity.lower(),
        unimportant=False,
        advisories=(advisory.id,) if advisory.id else (),
        published=_day(advisory.released),
        packages=(package.id,),
        carriers=(),
        waiting="",
        problem="",
        exploited=(),
        cves=(),
    )


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""
