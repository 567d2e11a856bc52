# SPDX-License-Identifier: Apache-2.0
"""The rows of ``cve``: what a host is to a CVE, by package. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..advisories import judging
from ..advisories.compact import Feed, Vulnerable
from ..advisories.ecosystems import DEB
from ..advisories.judging import Standing, by_cve, ends_unnamed, standing, word_of
from ..advisories.record import NAMELESS, link_of, own_cve
from ..cve_words import FIX_AVAILABLE, FIXED, KEPT_OUT, NO_FIX, NOT_AFFECTED, NOT_KNOWN, severity_rank
from ..model import CveData, OpenCves, Published
from ..report import CvesPart
from ..versions import sort_key
from ..wording import some_of
from .open_cves import ENDED, THE_KERNEL, Outcome, Outcomes, rank

_SHOWN = 5
#: The reason of what has become known since a report, which does not say whether the fix is on offer.
NEW = "known since the last scan"
#: ``(name, version, name.arch of the packages)`` of the installed source packages.
Installed = Sequence[tuple[str, str, tuple[str, ...]]]


class Row(NamedTuple):
    """What a host is to one CVE by one of its packages; see ``ssmpatch.cve`` for the words."""

    cve: str
    package: str = ""
    packages: tuple[str, ...] = ()
    installed: str = ""
    state: str = NOT_KNOWN
    fixed: str = ""
    available: str = ""
    updates: tuple[str, ...] = ()
    approved: bool = False
    reason: str = ""
    advisories: tuple[str, ...] = ()
    severity: str = ""
    published: str = ""
    exploited: str = ""
    subscription: bool = False
    references: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The row as Salt returns it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in self._asdict().items()}


def open_rows(data: CveData, says: Outcomes, *, cves: Collection[str] | None = None) -> Iterator[Row]:
    """Yield the rows of open CVEs, all that count or those named."""
    for group in data.open:
        if cves is None and group.unimportant:
            continue
        outcome: Outcome | None = None
        since = dict(group.exploited)
        for cve, date in zip(group.cves, group.dates, strict=True):
            if cves is None or cve in cves:
                outcome = outcome or says.of(group)
                row = _open_row(cve, group, outcome, data.data)
                yield row._replace(published=date, exploited=since.get(cve, ""))


def _open_row(cve: str, group: OpenCves, outcome: Outcome, release: str) -> Row:
    no_harm = "the vendor says that it is no vulnerability in practice (unimportant)" if group.unimportant else ""
    return Row(
        cve=cve,
        package=group.source,
        packages=group.packages,
        installed=group.installed,
        state=outcome.state,
        fixed=group.fixed,
        available=outcome.available,
        updates=outcome.updates,
        approved=outcome.approved,
        reason="; ".join(filter(None, (no_harm, outcome.reason))),
        advisories=group.advisories,
        severity=group.severity,
        subscription=group.subscription,
        references=pages(release, cve, group.advisories),
        restart=(THE_KERNEL,) if group.waiting else (),
    )


def stored_rows(
    part: CvesPart, *, cves: Collection[str] | None = None, dates: Mapping[tuple[str, str], str]
) -> Iterator[Row]:
    """Yield the rows of the open CVEs of a stored report.

    Args:
        dates: when they were published, by source and CVE, where that is known.
    """
    for group in part.open:
        since = dict(zip(group.exploited.split(","), group.exploited_since.split(","), strict=False))
        advisories = tuple(filter(None, group.advisories.split(",")))
        for cve in group.cves.split(","):
            if cves is None or cve in cves:
                yield Row(
                    cve=cve,
                    package=group.package,
                    packages=tuple(filter(None, group.packages.split(","))),
                    installed=group.installed,
                    state=group.state,
                    fixed=group.fixed,
                    available=group.available,
                    approved=group.approved == "yes",
                    reason=group.reason,
                    advisories=advisories,
                    severity=group.severity,
                    published=dates.get((group.package, cve), group.published),
                    exploited=since.get(cve, ""),
                    subscription=group.subscription == "yes",
                    references=pages(part.data, cve, advisories),
                    restart=(group.restart,) if group.restart else (),
                )


def pages(release: str, cve: str, advisories: Iterable[str]) -> tuple[str, ...]:
    """Return the vendor's pages about a CVE and its advisories."""
    vendor = release.partition("-")[0]
    own = link_of(f"{vendor}-{cve}") if vendor in ("DEBIAN", "UBUNTU") and cve.startswith("CVE-") else ""
    return tuple(filter(None, dict.fromkeys((own, *map(link_of, advisories)))))


def matching(feed: Feed, ids: Collection[str]) -> dict[str, dict[str, tuple[Vulnerable, ...]]]:
    """Return what a feed says by CVE and source package, of CVEs and advisories that are named."""
    found: dict[str, dict[str, tuple[Vulnerable, ...]]] = {}
    for source, entries in feed.packages.items():
        for cve, said in by_cve(entries).items():
            names = {cve, *(entry.id for entry in said), *(notice for entry in said for notice in entry.advisories)}
            if not names.isdisjoint(ids):
                found.setdefault(cve, {})[source] = said
    return found


def fed_rows(
    cve: str, said: Mapping[str, tuple[Vulnerable, ...]], installed: Installed, feed: Feed, known: Collection[str]
) -> Iterator[Row]:
    """Yield what a feed says of one CVE, of each installed source package that it names; one row where none is.

    Args:
        said: what the feed says, by source package.
        known: source packages of which the open CVE has a row already.
    """
    concerned = [each for each in installed if each[0] in said]
    if NAMELESS in said:
        nameless = Standing(judging.UNKNOWN, problem=said[NAMELESS][0].problem)
        yield _fed_row(cve, "", "", (), said[NAMELESS], nameless, feed)
    elif not concerned:
        entries = next(iter(said.values()))
        row = _fed_row(cve, "", "", (), entries, Standing(NOT_AFFECTED), feed)
        reason = f"not installed: {some_of(sorted(said), _SHOWN)}"
        if own_cve(cve) and _lacks_cves(feed):
            reason = f"the data have no records of CVEs, only advisories: other packages may have it; {reason}"
            row = row._replace(state=NOT_KNOWN)
        yield row._replace(reason=reason)
    for name, version, packages in concerned:
        now = standing(said[name], version, feed.order)
        if now.state not in (judging.AFFECTED, judging.UNKNOWN) or name not in known:
            yield _fed_row(cve, name, version, packages, said[name], now, feed)


def _lacks_cves(feed: Feed) -> bool:
    """Return whether the vendor publishes records of CVEs and the data have none: advisories name what they update."""
    return feed.order == DEB and not any(kind == "CVE" or kind.endswith("-CVE") for kind in feed.records)


def _fed_row(
    cve: str,
    name: str,
    version: str,
    packages: tuple[str, ...],
    entries: Sequence[Vulnerable],
    now: Standing,
    feed: Feed,
) -> Row:
    advisories = tuple(sorted({notice for entry in entries for notice in entry.advisories}))
    state, reason = _state(now, entries)
    return Row(
        cve=cve,
        package=name,
        packages=packages,
        installed=version,
        state=state,
        fixed=now.fixed,
        reason=reason,
        advisories=advisories,
        severity=max(map(word_of, entries), key=severity_rank, default=""),
        published=min((entry.published for entry in entries if entry.published), default="")[:10],
        exploited=next((since for entry in entries for own, since in entry.exploited if own == cve), ""),
        subscription=now.subscription,
        references=tuple(dict.fromkeys(url for entry in entries for url in entry.references))
        or pages(feed.release, cve, advisories),
    )


def _state(now: Standing, entries: Sequence[Vulnerable]) -> tuple[str, str]:
    if now.state == judging.FIXED:
        return FIXED, ""
    if now.state == NOT_AFFECTED:
        return NOT_AFFECTED, "" if not now.fixed else f"fixed in {now.fixed}"
    if now.state == judging.UNKNOWN:
        return NOT_KNOWN, now.problem
    if not now.fixed and not ends_unnamed(entries):
        return NO_FIX, ENDED if judging.is_unsupported(entries) else ""
    return FIX_AVAILABLE, NEW


def published_rows(
    cve: str,
    said: Sequence[Published],
    installed: Mapping[str, str],
    known: Collection[str],
    *,
    running: Mapping[str, str],
) -> Iterator[Row]:
    """Yield what repositories' own advisories say of one CVE, of each installed package that they name.

    Args:
        installed: ``{name.arch: version}``, of kernels the newest.
        known: ``name.arch`` of which the open CVE has a row already.
        running: the running kernel's packages, ``{name.arch: version}``.
    """
    key = sort_key("rpm")
    named: dict[str, list[Published]] = {}
    for each in sorted(said, key=lambda each: key(each.version)):
        for id_ in _named(each, installed):
            named.setdefault(id_, []).append(each)
    if not named and not known:
        names = sorted({each.name for each in said})
        yield _published_row(cve, said[0])._replace(
            state=NOT_AFFECTED, reason=f"not installed: {some_of(names, _SHOWN)}", fixed="", package="", packages=()
        )
    for id_, versions in named.items():
        if id_ in known:
            continue
        # What has one of several fixes does not have all of them.
        lacking = (
            each
            for have in (installed[id_], running.get(id_, installed[id_]))
            for each in versions
            if key(each.version) > key(have)
        )
        each = next(lacking, versions[0])
        row = _published_row(cve, each)._replace(installed=installed[id_], packages=(id_,))
        if key(running.get(id_, installed[id_])) >= key(each.version):
            yield row._replace(state=FIXED)
        elif key(installed[id_]) >= key(each.version):
            reason = f"{each.name} {installed[id_]} is installed and does not run yet: reboot"
            yield row._replace(installed=running[id_], state=FIX_AVAILABLE, reason=reason, restart=(THE_KERNEL,))
        else:
            yield row._replace(state=KEPT_OUT, reason="the package manager does not offer the version with the fix")


def _named(said: Published, installed: Mapping[str, str]) -> tuple[str, ...]:
    """The installed packages that an advisory names: of its architecture, or where there is none of any."""
    if said.id in installed:
        return (said.id,)
    return tuple(id_ for id_ in installed if id_.rpartition(".")[0] == said.name)


def _published_row(cve: str, said: Published) -> Row:
    advisory = said.advisory
    return Row(
        cve=cve,
        package=said.name,
        packages=(said.id,),
        fixed=said.version,
        advisories=(advisory.id,) if advisory.id else (),
        severity=advisory.severity.lower(),
        published=f"{advisory.released:%Y-%m-%d}" if advisory.released else "",
    )


def without_repetition(rows: Sequence[Row], known: Collection[str]) -> list[Row]:
    """Return rows without those that only say of a CVE that packages are not installed, where others are about it.

    Args:
        known: the CVEs of which there are other rows.
    """
    kept = [row for row in rows if row.package or row.state != NOT_AFFECTED]
    told = {*known, *(row.cve for row in kept)}
    for row in rows:
        if not row.package and row.state == NOT_AFFECTED and row.cve not in told:
            told.add(row.cve)
            kept.append(row)
    return kept


def unless_broken(row: Row, broken: Mapping[str, str]) -> Row:
    """Return a row, as unknown where it is of a fix that the package manager has left half installed."""
    words = next((broken[id_] for id_ in row.packages if id_ in broken), "") if row.state == FIXED else ""
    return row._replace(state=NOT_KNOWN, reason=words) if words else row


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows as people need them: exploited first, then by severity and age."""
    return sorted(
        rows, key=lambda row: (*rank(row.severity, row.exploited), row.published or "9", row.cve, row.package)
    )
