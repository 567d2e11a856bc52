# SPDX-License-Identifier: Apache-2.0
"""The command ``cve``: whether this host has a vulnerability, and what is to be done about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..advisories.record import own_cve
from ..config import Settings
from ..cve_words import FIXED
from ..errors import InvalidInput, SsmpatchError
from ..evaluate import Judged
from ..host import Host
from ..input_errors import show
from ..masking import masked_plain
from ..model import CveData, OpenCves, Published
from ..names import MOST_IDS, is_vulnerability_id
from ..report import CvesPart, source_warning
from ..store import reports
from ..wording import amount
from . import cve_rows, feed
from .advised import UPDATEINFO, packages_of
from .caller import Caller
from .cve_rows import Row
from .judge import judge_host
from .kept_advisories import recall
from .open_cves import outcomes
from .restarts import look
from .session import Session, open_session, work_dir

#: The most rows of an answer to no question where nobody asks for more: they would not pass Salt's bus.
MOST_ROWS = 1000
#: What Debian and Ubuntu write with the number of the part: DSA-5514-1.
_WITHOUT_PART = re.compile(r"(?:DSA|DLA|USN)-[0-9]+")
#: The most files that the package manager is asked for the owner of.
_MOST_FILES = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is known of the host, wherever it comes from; ``broken`` says what is wrong by ``name.arch``."""

    data: CveData
    rows: tuple[Row, ...]
    installed: cve_rows.Installed
    broken: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def cve(
    settings: Settings,
    *,
    caller: Caller,
    host: Host | None = None,
    ids: Sequence[str] | str | None = None,
    stored: bool = False,
    limit: int = MOST_ROWS,
) -> dict[str, Any]:
    """Return what this host is to some CVEs or advisories; without ``ids`` every CVE that is open.

    Args:
        limit: the most rows without ``ids``.
        stored: answer from the last report, without looking at the packages again.

    Raises:
        InvalidInput: one of ``ids`` is no id of a CVE or an advisory.
        SsmpatchError: packages or package index cannot be read.
    """
    host = host or Host()
    wanted = read_ids(ids)
    session = open_session(settings, host=host, caller=caller, needs_baseline=False)
    asked = _stored(session, wanted) if stored else None
    rows = _rows(session, asked, wanted) if asked else []
    if asked is None or any(row.reason == cve_rows.NEW for row in rows):
        inventory = session.backend.inventory(non_security=True)
        asked = _looked(session, judge_host(session, now=session.host.now(), inventory=inventory), wanted)
        rows = _rows(session, asked, wanted)
    return _form(asked, rows, wanted, most=limit)


def _rows(session: Session, asked: _Asked, wanted: frozenset[str]) -> Sequence[Row]:
    """Return all that is to be said of what is asked for, of everything that is open where nothing is."""
    if not wanted:
        return asked.rows
    return _with_restarts(session, (*asked.rows, *_told(session, asked, wanted)))


def cves_of(session: Session, judged: Judged, wanted: frozenset[str]) -> dict[str, Any]:
    """Return what a host that was judged with all its packages is to the CVEs and advisories, as ``cve`` does."""
    asked = _looked(session, judged, wanted)
    return _form(asked, _rows(session, asked, wanted), wanted)


def _form(asked: _Asked, rows: Sequence[Row], wanted: frozenset[str], *, most: int = MOST_ROWS) -> dict[str, Any]:
    listed = cve_rows.in_order(rows)
    left = 0 if wanted else len(listed) - most
    more = (
        [f"{amount(left, 'more row')} of open CVEs not listed; set limit, or ask for CVEs by their ids"]
        if left > 0
        else []
    )
    form: dict[str, Any] = masked_plain(
        {
            "data": asked.data.data,
            "time": asked.data.time,
            "problem": asked.data.problem or _no_data(asked.data),
            "asked": sorted(wanted),
            "cves": [row.plain() for row in (listed if wanted else listed[:most])],
            "warnings": [*asked.warnings, *more],
        }
    )
    return form


def read_ids(ids: Sequence[str] | str | None) -> frozenset[str]:
    """Return the ids of CVEs and advisories that are named, in capitals.

    Raises:
        InvalidInput: there is none, there are too many, or one is no such id.
    """
    if ids is None:
        return frozenset()
    said = [str(each).strip() for each in (ids.split(",") if isinstance(ids, str) else ids)]
    wrong = [each for each in said if not is_vulnerability_id(each)]
    if wrong or not said:
        raise InvalidInput(
            f"ids: {show(wrong[0] if wrong else ids)} is no id of a CVE or an advisory; use CVE-2024-6387, USN-6859-1, "
            "DSA-5514-1 or the like"
        )
    if len(said) > MOST_IDS:
        raise InvalidInput(f"ids: {len(said)} at once; ask for at most {MOST_IDS}")
    # A vendor's record of a CVE is that of the CVE.
    return frozenset(own_cve(each) or each for each in map(str.upper, said))


def _no_data(data: CveData) -> str:
    if data.data:
        return ""
    return (
        "apt's archives publish no advisories; configure the vendor's (ssmpatch:advisories), which "
        "salt-run ssmpatch.advisories compiles on the master"
    )


def _looked(session: Session, judged: Judged, wanted: frozenset[str]) -> _Asked:
    """Return what the host is now."""
    rows = tuple(cve_rows.open_rows(judged.cves, outcomes(judged), cves=_open_ids(judged, wanted)))
    warnings = (*judged.warnings, *map(source_warning, judged.inventory.unread))
    broken = {package.id: package.broken for package in judged.inventory.packages if package.broken}
    return _Asked(judged.cves, rows, _installed(session, judged), broken, warnings)


def _open_ids(judged: Judged, wanted: frozenset[str]) -> Collection[str] | None:
    """Return the open CVEs that are asked for, by their own ids or those of advisories; None for all that count."""
    if not wanted:
        return None
    groups = [group for group in judged.cves.open if _names_one(group.advisories, wanted)]
    return wanted | {cve for group in groups for cve in group.cves}


def _names_one(advisories: Collection[str], wanted: frozenset[str]) -> bool:
    """Return whether one of the advisories is asked for; repositories write ids in any case."""
    return not wanted.isdisjoint(map(str.upper, advisories))


def _installed(session: Session, judged: Judged) -> cve_rows.Installed:
    if judged.cves.data in ("", UPDATEINFO):
        return ()
    kernels = session.backend.kernels()
    return feed.installed_sources(packages_of(judged.inventory, kernels), kernels.others)


def _stored(session: Session, wanted: frozenset[str]) -> _Asked | None:
    """Return what the last report says, None where it cannot answer."""
    report, warnings = reports.load_report(session.settings.place(session.host.now()))
    if report is None:
        problem = "no report is stored on this host; run ssmpatch.scan"
        return _Asked(CveData(problem=problem), (), (), {}, warnings)
    if report.cves is None and session.settings.advisories is not None:
        problem = "the last scan knew of no advisories; run ssmpatch.scan"
        return _Asked(CveData(problem=problem), (), (), {}, warnings)
    part = report.cves or CvesPart()
    if wanted and part.data == UPDATEINFO:
        return None
    kept = recall(work_dir(session.settings) / feed.FILE)
    if wanted and part.data and (kept is None or kept.release != part.data):
        # Without what was installed nothing could be told from what is not.
        return None
    by_advisory = {
        cve for group in part.open if _names_one(group.advisories.split(","), wanted) for cve in group.cves.split(",")
    }
    dates = _dates(kept.found.open) if kept and kept.release == part.data else {}
    rows = tuple(cve_rows.stored_rows(part, cves=wanted | by_advisory if wanted else None, dates=dates))
    data = CveData(part.data, part.time, part.problem)
    broken = {row.id: row.reason for row in report.patches if row.is_broken}
    return _Asked(data, rows, kept.installed if kept else (), broken, warnings)


def _dates(groups: Iterable[OpenCves]) -> dict[tuple[str, str], str]:
    """Return when each CVE of a source was published; a group of a report has the earliest date only."""
    return {(group.source, cve): date for group in groups for cve, date in zip(group.cves, group.dates, strict=True)}


def _told(session: Session, asked: _Asked, wanted: frozenset[str]) -> list[Row]:
    """Return a row for everything asked for that is not open, or of which nothing is known."""
    rows: list[Row] = []
    known = {(row.cve, row.package) for row in asked.rows}
    problem = asked.data.problem or _no_data(asked.data)
    if asked.data.data not in ("", UPDATEINFO):
        try:
            rows += _by_feed(session, asked, wanted, known)
        except SsmpatchError as exc:
            problem = f"advisories: {exc}"
    if asked.data.data == UPDATEINFO or session.backend.family.has_dates:
        rows += _by_repositories(session, asked, wanted)
    rows = cve_rows.without_repetition(rows, [row.cve for row in asked.rows])
    answered = {name.upper() for row in (*asked.rows, *rows) for name in (row.cve, *row.advisories)}
    rows = [cve_rows.unless_broken(row, asked.broken) for row in rows]
    return [*rows, *(Row(cve=name, reason=problem or _unheard_of(name)) for name in sorted(wanted - answered))]


def _unheard_of(name: str) -> str:
    reason = "no advisory and no record of the data at hand names it"
    return f"{reason}; in full it may be {name}-1" if _WITHOUT_PART.fullmatch(name) else reason


def _by_feed(session: Session, asked: _Asked, wanted: frozenset[str], known: set[tuple[str, str]]) -> list[Row]:
    if session.settings.advisories is None:
        raise feed.NoFeed("none are configured any more (ssmpatch:advisories)")
    local = feed.local_feed(session.settings, session.os_info, session.caller)
    found = feed.read_feed_of(local, wanted)
    problem = feed.problem_of_age(found.data_time, now=session.host.now(), max_age=session.settings.advisories.max_age)
    if problem:
        raise feed.NoFeed(problem)
    return [
        row
        for name, said in cve_rows.matching(found, wanted).items()
        for row in cve_rows.fed_rows(name, said, asked.installed, found, {p for cve, p in known if cve == name})
        if row.package or not any(cve == name for cve, _package in known)
    ]


def _by_repositories(session: Session, asked: _Asked, wanted: frozenset[str]) -> list[Row]:
    """Return what the repositories' advisories say of what is not open."""
    said = session.backend.published(wanted)
    installed, running = session.backend.installed(), dict(session.backend.kernels().running)
    by_cve: dict[str, list[Published]] = {}
    for each in said:
        names = [cve for cve in each.advisory.cves if cve in wanted or each.advisory.id.upper() in wanted]
        for name in names or ([each.advisory.id] if each.advisory.id.upper() in wanted else []):
            by_cve.setdefault(name, []).append(each)
    known: dict[str, set[str]] = {}
    for row in asked.rows:
        known.setdefault(row.cve, set()).update(row.packages)
    return [
        row
        for name, each in by_cve.items()
        for row in cve_rows.published_rows(name, each, installed, known.get(name, set()), running=running)
    ]


def _with_restarts(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Return the rows, those of fixed packages with the names of what still runs the code from before the update."""
    old = look(session) if any(row.state == FIXED for row in rows) else None
    if old is None or not old.files:
        return list(rows)
    paths = sorted({path for files in old.files.values() for path in files})[:_MOST_FILES]
    try:
        owners = session.backend.owners(paths)
    except SsmpatchError as exc:
        session.caller.log.warning("ssmpatch cve: which packages run old code is not known: %s", exc)
        return list(rows)
    users: dict[str, set[str]] = {}
    for name, files in old.files.items():
        for path in files:
            if path in owners:
                users.setdefault(owners[path], set()).add(name)
    return [_restarting(row, sorted({u for package in row.packages for u in users.get(package, ())})) for row in rows]


def _restarting(row: Row, names: Sequence[str]) -> Row:
    if row.state != FIXED or not names:
        return row
    return row._replace(
        restart=tuple(names), reason="fixed on disk; what runs still has the code from before an update"
    )
