# SPDX-License-Identifier: Apache-2.0
"""What the master remembers of past reports: one line a day, open patches, and how long closed ones took. SQLite."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SsmpatchError
from ..files import ensure_directory, set_aside
from ..model import LEVELS, UNKNOWN
from . import history_cves
from .history_cves import CveTime
from .hosts import CLOCK_SECONDS, UNREACHABLE, VERDICTS, HostReport, level_rank
from .totals import Totals

VERSION = 1
FILE = "fleet-history.sqlite"
KEEP_DAYS = 1100
# A host that has not reported for so long is gone; what it lacked is not "patched".
FORGET_HOST_SECONDS = 180 * 86400

_SCHEMA = """
CREATE TABLE daily (scope TEXT, day TEXT, key TEXT, value INTEGER, PRIMARY KEY (scope, day, key)) WITHOUT ROWID;
CREATE TABLE host (id INTEGER PRIMARY KEY, name TEXT UNIQUE, seen REAL, verdict TEXT);
CREATE TABLE patch (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE open (host INTEGER, patch INTEGER, level INTEGER, since REAL, PRIMARY KEY (host, patch)) WITHOUT ROWID;
CREATE TABLE closed (day TEXT, level INTEGER, number INTEGER, seconds REAL, PRIMARY KEY (day, level)) WITHOUT ROWID;
"""

#: Finds a row that this module did not write: SQLite keeps any value in any column.
_STRANGE = f"""
SELECT 'daily' FROM daily WHERE typeof(day) != 'text' OR typeof(key) != 'text' OR typeof(value) != 'integer'
UNION ALL SELECT 'host' FROM host WHERE typeof(name) != 'text' OR typeof(seen) != 'real' OR NOT seen BETWEEN 0 AND 1e11
UNION ALL SELECT 'patch' FROM patch WHERE typeof(name) != 'text'
UNION ALL SELECT 'open' FROM open WHERE typeof(host) != 'integer' OR typeof(patch) != 'integer'
 OR typeof(level) != 'integer' OR NOT level BETWEEN 0 AND {len(LEVELS) - 1}
 OR typeof(since) != 'real' OR NOT since BETWEEN 0 AND 1e11
UNION ALL SELECT 'closed' FROM closed WHERE typeof(day) != 'text' OR typeof(level) != 'integer'
 OR NOT level BETWEEN 0 AND {len(LEVELS) - 1} OR typeof(number) != 'integer' OR number < 1
 OR typeof(seconds) != 'real' OR NOT seconds BETWEEN 0 AND 1e15
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the series: numbers of hosts by verdict and of non-compliant patches by level."""

    day: str
    values: dict[str, int]

    @property
    def hosts(self) -> int:
        """How many hosts there were."""
        return sum(self.values.get(verdict, 0) for verdict in VERDICTS)


@dataclass(frozen=True, slots=True)
class OpenPatch:
    """A patch that a host lacks, and since when this is known (epoch seconds)."""

    host: str
    patch: str
    level: str
    since: float


@dataclass(frozen=True, slots=True)
class Trends:
    """What a report shows of the past.

    ``mean_seconds`` is the mean time from the first report that a patch is missing to the first without it, by level,
    of patches closed within the series; ``last_seen`` is when silent hosts reported last. ``cves`` has the open CVEs,
    and those that were closed last.
    """

    days: tuple[Day, ...] = ()
    mean_seconds: tuple[tuple[str, int, float], ...] = ()
    oldest: tuple[OpenPatch, ...] = ()
    last_seen: tuple[tuple[str, float], ...] = ()
    warnings: tuple[str, ...] = ()
    cves: tuple[CveTime, ...] = ()


def update(
    path: Path, *, scope: str, hosts: Sequence[HostReport], totals: Totals, now: float, days: int = 90, oldest: int = 20
) -> Trends:
    """Record today's reports and return the trends.

    Args:
        scope: what the report is about (``glob:*``); each scope has a series of its own.
        now: epoch seconds; the day is UTC's.
        days: how many days of the series to return.
        oldest: how many of the oldest open patches to return.

    Raises:
        SsmpatchError: the file cannot be written. A damaged one is set aside, with a warning.
    """
    ensure_directory(path.parent)
    warnings: tuple[str, ...] = ()
    try:
        try:
            return _update(path, scope, hosts, totals, now, days, oldest)
        except sqlite3.DatabaseError as exc:
            if isinstance(exc, sqlite3.OperationalError):
                raise
            warnings = (set_aside(path, str(exc), now=now),)
            trends = _update(path, scope, hosts, totals, now, days, oldest)
            return dataclasses.replace(trends, warnings=warnings)
    except sqlite3.Error as exc:
        raise SsmpatchError(f"{path}: the history cannot be written: {exc}; see that the disk has room") from exc


def _update(
    path: Path, scope: str, hosts: Sequence[HostReport], totals: Totals, now: float, days: int, oldest: int
) -> Trends:
    with _connected(path) as connection:
        _record_day(connection, scope, totals, _day(now), now)
        _record_hosts(connection, hosts, now)
        _forget(connection, now)
        return Trends(
            days=tuple(_series(connection, scope, now, days)),
            mean_seconds=tuple(_mean_seconds(connection, now, days)),
            oldest=tuple(_oldest(connection, [host.id for host in hosts], oldest, now)),
            last_seen=tuple(_last_seen(connection, [host.id for host in hosts if host.verdict == UNREACHABLE], now)),
            cves=tuple(history_cves.times(connection, {each.id: each for each in totals.cves.open}, now=now)),
        )


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection within one transaction: all of a report is recorded, or nothing."""
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            path.chmod(0o600)
        elif version != VERSION:
            raise sqlite3.OperationalError(f"written by another version of ssmpatch (format {version})")
        _require_sound(connection, _STRANGE)
        connection.execute("CREATE TABLE IF NOT EXISTS judged (host INTEGER PRIMARY KEY, baseline TEXT)")
        for statement in filter(str.strip, history_cves.SCHEMA.split(";")):
            connection.execute(statement)
        _require_sound(connection, history_cves.STRANGE)
        connection.execute("CREATE TEMP TABLE wanted (name TEXT PRIMARY KEY) WITHOUT ROWID")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def _require_sound(connection: sqlite3.Connection, query: str) -> None:
    """Refuse a file whose tables lack something or hold what nobody wrote."""
    try:
        strange = connection.execute(query).fetchone()
    except sqlite3.OperationalError as exc:
        raise sqlite3.DatabaseError(str(exc)) if str(exc).startswith("no such") else exc from exc
    if strange:
        raise sqlite3.DatabaseError(f"strange values in the table {strange[0]}")


def _day(epoch: float) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%d")


def _record_day(connection: sqlite3.Connection, scope: str, totals: Totals, day: str, now: float) -> None:
    values = {**totals.verdicts, **totals.levels, "stale": len(totals.stale), "reboots": len(totals.reboots)}
    connection.executemany(
        "INSERT OR REPLACE INTO daily VALUES (?, ?, ?, ?)", [(scope, day, key, value) for key, value in values.items()]
    )
    connection.execute("DELETE FROM daily WHERE day < ?", (_day(now - KEEP_DAYS * 86400),))


def _record_hosts(connection: sqlite3.Connection, hosts: Sequence[HostReport], now: float) -> None:
    known = {name: (key, seen) for key, name, seen in connection.execute("SELECT id, name, seen FROM host")}
    patches = {name: key for key, name in connection.execute("SELECT id, name FROM patch")}
    # What a host lacks that cannot be read is not known.
    read = [host for host in hosts if host.ended is not None and not host.unreadable]
    cves = history_cves.Recorder(connection, now - FORGET_HOST_SECONDS)
    cves.prepare(read)
    for host in read:
        key, seen = known.get(host.id, (None, None))
        if seen is not None and (host.ended or 0.0) <= seen <= now + CLOCK_SECONDS:
            continue
        if key is None:
            key = connection.execute("INSERT INTO host (name) VALUES (?)", (host.id,)).lastrowid
        connection.execute("UPDATE host SET seen = ?, verdict = ? WHERE id = ?", (host.ended, host.verdict, key))
        _record_rows(connection, key, host, patches)
        cves.record(key, host)


def _record_rows(connection: sqlite3.Connection, key: int | None, host: HostReport, patches: dict[str, int]) -> None:
    was = {
        patch: (level, since)
        for patch, level, since in connection.execute("SELECT patch, level, since FROM open WHERE host = ?", (key,))
    }
    now: dict[int, int] = {}
    for row in host.rows:
        patch = patches.get(row.id)
        if patch is None:
            patch = connection.execute("INSERT INTO patch (name) VALUES (?)", (row.id,)).lastrowid or 0
            patches[row.id] = patch
        now[patch] = max(level_rank(row.level), now.get(patch, 0))
    ended = host.ended or 0.0
    opened = [(key, patch, level, ended) for patch, level in now.items() if patch not in was]
    changed = [(level, key, patch) for patch, level in now.items() if patch in was and was[patch][0] != level]
    # What a host lacks of sources that could not be read is not known.
    gone = [patch for patch in was if patch not in now and host.verdict != UNKNOWN]
    same = _is_same_baseline(connection, key, host.baseline_id)
    connection.executemany("INSERT INTO open VALUES (?, ?, ?, ?)", opened)
    connection.executemany("UPDATE open SET level = ? WHERE host = ? AND patch = ?", changed)
    connection.executemany("DELETE FROM open WHERE host = ? AND patch = ?", [(key, patch) for patch in gone])
    connection.executemany(
        "INSERT INTO closed VALUES (?, ?, 1, ?) "
        "ON CONFLICT (day, level) DO UPDATE SET number = number + 1, seconds = seconds + excluded.seconds",
        [(_day(ended), was[patch][0], max(0.0, ended - was[patch][1])) for patch in gone if same],
    )


def _is_same_baseline(connection: sqlite3.Connection, key: int | None, baseline: str) -> bool:
    """Whether a host is judged by the baseline of its last report; another one asks otherwise and closes nothing."""
    before = connection.execute("SELECT baseline FROM judged WHERE host = ?", (key,)).fetchone()
    connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?)", (key, baseline))
    return before is None or before[0] == baseline


def _forget(connection: sqlite3.Connection, now: float) -> None:
    limit = now - FORGET_HOST_SECONDS
    history_cves.forget(connection, hosts_before=limit, cves_before=now - KEEP_DAYS * 86400)
    connection.execute("DELETE FROM open WHERE host IN (SELECT id FROM host WHERE seen < ?)", (limit,))
    connection.execute("DELETE FROM judged WHERE host IN (SELECT id FROM host WHERE seen < ?)", (limit,))
    connection.execute("DELETE FROM host WHERE seen < ?", (limit,))
    connection.execute("DELETE FROM closed WHERE day < ?", (_day(now - KEEP_DAYS * 86400),))


def _series(connection: sqlite3.Connection, scope: str, now: float, days: int) -> Iterator[Day]:
    found: dict[str, dict[str, int]] = {}
    first = _day(now - (days - 1) * 86400)
    query = "SELECT day, key, value FROM daily WHERE scope = ? AND day BETWEEN ? AND ? ORDER BY day"
    for day, key, value in connection.execute(query, (scope, first, _day(now))):
        found.setdefault(day, {})[key] = value
    return (Day(day, values) for day, values in found.items())


def _mean_seconds(connection: sqlite3.Connection, now: float, days: int) -> Iterator[tuple[str, int, float]]:
    query = (
        "SELECT level, SUM(number), SUM(seconds) FROM closed WHERE day BETWEEN ? AND ? "
        "GROUP BY level ORDER BY level DESC"
    )
    for level, number, seconds in connection.execute(query, (_day(now - (days - 1) * 86400), _day(now))).fetchall():
        yield LEVELS[level], number, seconds / number


def _want(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    connection.execute("DELETE FROM wanted")
    connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", [(name,) for name in names])


def _oldest(connection: sqlite3.Connection, names: Sequence[str], number: int, now: float) -> Iterator[OpenPatch]:
    _want(connection, names)
    query = (
        "SELECT host.name, patch.name, level, since FROM open "
        "JOIN host ON host.id = open.host JOIN wanted ON wanted.name = host.name JOIN patch ON patch.id = open.patch "
        "ORDER BY since, level DESC, host.name, patch.name LIMIT ?"
    )
    for host, patch, level, since in connection.execute(query, (number,)).fetchall():
        yield OpenPatch(host, patch, LEVELS[level], min(since, now))


def _last_seen(connection: sqlite3.Connection, names: Sequence[str], now: float) -> Iterator[tuple[str, float]]:
    _want(connection, names)
    query = "SELECT host.name, seen FROM host JOIN wanted ON wanted.name = host.name ORDER BY host.name"
    return ((name, min(seen, now)) for name, seen in connection.execute(query).fetchall())
