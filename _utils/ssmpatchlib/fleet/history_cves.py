# SPDX-License-Identifier: Apache-2.0
"""What the master remembers of CVEs: since when each is open in the fleet, and how long hosts took to close it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..cve_words import WITH_FIX, severity_rank
from ..model import UNKNOWN
from .cves import CveGroup
from .hosts import HostReport

#: How many CVEs of one host are followed until they are closed, those first that are exploited.
MOST_OF_A_HOST = 500
#: How many CVEs are remembered in all, those that were open last.
MOST = 200_000
#: How many closed CVEs a report shows, those closed last.
SHOWN_CLOSED = 200

SCHEMA = """
CREATE TABLE IF NOT EXISTS cve (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, first REAL, seen REAL,
 last REAL, closed INTEGER, seconds REAL);
CREATE TABLE IF NOT EXISTS open_cves (host INTEGER, since REAL, cves BLOB, PRIMARY KEY (host, since));
CREATE TABLE IF NOT EXISTS compared (host INTEGER PRIMARY KEY, data TEXT);
"""
#: Finds a row that this module did not write, as that of the other tables does.
STRANGE = """
SELECT 'cve' FROM cve WHERE typeof(name) != 'text' OR typeof(first) != 'real' OR NOT first BETWEEN 0 AND 1e11
 OR typeof(seen) != 'real' OR NOT seen BETWEEN 0 AND 1e11 OR typeof(last) != 'real' OR NOT last BETWEEN 0 AND 1e11
 OR typeof(closed) != 'integer' OR NOT closed BETWEEN 0 AND 1e15
 OR typeof(seconds) != 'real' OR NOT seconds BETWEEN 0 AND 1e15
UNION ALL SELECT 'compared' FROM compared WHERE typeof(data) != 'text'
UNION ALL SELECT 'open_cves' FROM open_cves WHERE typeof(host) != 'integer' OR typeof(cves) != 'blob'
 OR length(cves) % 4 != 0 OR typeof(since) != 'real' OR NOT since BETWEEN 0 AND 1e11
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class CveTime:
    """What is remembered of a CVE. Times are epoch seconds.

    ``first`` is when it was first seen open, ``gone`` when the last host was first seen without it, 0 while a host has
    it. ``closed`` counts the hosts that closed it, in ``mean`` seconds from the first report that had a fix for it.
    """

    id: str
    first: float
    gone: float
    closed: int
    mean: float


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The open CVEs of a host by their numbers, and which of them are followed."""

    open: frozenset[int]
    followed: frozenset[int]


@dataclass(slots=True)
class Recorder:
    """Records the CVEs of hosts, one after the other; hosts that share their groups are worked out once."""

    connection: sqlite3.Connection
    earliest: float
    _numbers: dict[str, int] = field(default_factory=dict)
    _known: dict[int, _Numbers] = field(default_factory=dict)

    def prepare(self, hosts: Sequence[HostReport]) -> None:
        """Note when each open CVE was seen, by the times of the hosts' reports."""
        spans: dict[int, tuple[tuple[CveGroup, ...], float, float]] = {}
        for host in hosts:
            if host.cves and host.cves.groups:
                at, groups = self._time(host), host.cves.groups
                _, first, last = spans.get(id(groups), (groups, at, at))
                spans[id(groups)] = (groups, min(first, at), max(last, at))
        found: dict[str, tuple[float, float]] = {}
        for groups, first, last in spans.values():
            for cve in _ids(group for group in groups if group.is_open):
                before = found.get(cve, (first, last))
                found[cve] = (min(first, before[0]), max(last, before[1]))
        self.connection.executemany(
            "INSERT INTO cve (name, first, seen, last, closed, seconds) VALUES (?, ?, ?, 0.0, 0, 0.0) "
            "ON CONFLICT (name) DO UPDATE SET first = min(first, excluded.first), seen = max(seen, excluded.seen)",
            [(cve, first, last) for cve, (first, last) in found.items()],
        )
        self._numbers = {name: key for key, name in self.connection.execute("SELECT id, name FROM cve")}

    def record(self, key: int | None, host: HostReport) -> None:
        """Record a host that has a new report."""
        if host.cves is None:
            return
        numbers = self._known.get(id(host.cves.groups))
        if numbers is None:
            numbers = self._known[id(host.cves.groups)] = self._of(host.cves.groups)
        was = self._followed(key)
        ended = self._time(host)
        opened = [number for number in numbers.followed if number not in was][: max(0, MOST_OF_A_HOST - len(was))]
        gone: list[int] = []
        # What a host has of data that could not be read, or of sources, is not known.
        if host.cves.complete and host.verdict != UNKNOWN:
            gone = [number for number in was if number not in numbers.open]
            if self._is_same_data(key, host.cves.data):
                self._close([(number, was[number]) for number in gone], ended)
        if opened or gone:
            kept = {number: since for number, since in was.items() if number not in set(gone)}
            self._follow(key, kept | dict.fromkeys(opened, ended))

    def _followed(self, key: int | None) -> dict[int, float]:
        """The open CVEs of a host that are followed, by their numbers, and since when."""
        rows = self.connection.execute("SELECT since, cves FROM open_cves WHERE host = ?", (key,)).fetchall()
        return {number: since for since, packed in rows for number in _unpacked(packed)}

    def _follow(self, key: int | None, since: Mapping[int, float]) -> None:
        together: dict[float, list[int]] = {}
        for number, at in since.items():
            together.setdefault(at, []).append(number)
        self.connection.execute("DELETE FROM open_cves WHERE host = ?", (key,))
        self.connection.executemany(
            "INSERT INTO open_cves VALUES (?, ?, ?)", [(key, at, _packed(some)) for at, some in together.items()]
        )

    def _close(self, gone: Sequence[tuple[int, float]], ended: float) -> None:
        self.connection.executemany(
            "UPDATE cve SET last = max(last, ?), closed = closed + 1, seconds = seconds + ? WHERE id = ?",
            [(ended, max(0.0, ended - since), number) for number, since in gone],
        )

    def _time(self, host: HostReport) -> float:
        return max(host.ended or 0.0, self.earliest)

    def _of(self, groups: Sequence[CveGroup]) -> _Numbers:
        chosen: list[str] = []
        for group in sorted(groups, key=lambda each: -severity_rank(each.severity)):
            chosen += group.ids if group.state in WITH_FIX else group.exploited if group.is_open else ()
        exploited = frozenset[str]().union(*(group.exploited for group in groups))
        chosen.sort(key=lambda cve: cve not in exploited)
        return _Numbers(
            frozenset(self._numbers[cve] for cve in _ids(groups) if cve in self._numbers),
            frozenset(self._numbers[cve] for cve in list(dict.fromkeys(chosen))[:MOST_OF_A_HOST]),
        )

    def _is_same_data(self, key: int | None, data: str) -> bool:
        """Whether a host is compared with the data of its last report; other data ask otherwise and close nothing."""
        before = self.connection.execute("SELECT data FROM compared WHERE host = ?", (key,)).fetchone()
        self.connection.execute("INSERT OR REPLACE INTO compared VALUES (?, ?)", (key, data))
        return before is None or before[0] == data


def _packed(numbers: Sequence[int]) -> bytes:
    """Numbers as four bytes each: ten thousand hosts have millions of them."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


def _unpacked(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(packed) // 4}I", packed)


def _ids(groups: Iterable[CveGroup]) -> set[str]:
    return set().union(*(group.ids for group in groups))


def forget(connection: sqlite3.Connection, *, hosts_before: float, cves_before: float) -> None:
    """Forget the CVEs of hosts that were last seen before one time, and CVEs that were last open before another."""
    for table in ("open_cves", "compared"):
        connection.execute(f"DELETE FROM {table} WHERE host IN (SELECT id FROM host WHERE seen < ?)", (hosts_before,))
    connection.execute("DELETE FROM cve WHERE max(seen, last) < ?", (cves_before,))
    connection.execute("DELETE FROM cve WHERE id IN (SELECT id FROM cve ORDER BY seen DESC LIMIT -1 OFFSET ?)", (MOST,))


def times(connection: sqlite3.Connection, open_now: Mapping[str, object], *, now: float) -> Iterator[CveTime]:
    """What is remembered of the CVEs that are open now, and of those that no host has any more, the last closed."""
    packed = connection.execute("SELECT DISTINCT cves FROM open_cves").fetchall()
    still = {number for (some,) in packed for number in _unpacked(some)}
    closed: list[CveTime] = []
    query = "SELECT id, name, first, last, closed, seconds FROM cve ORDER BY last DESC, name"
    for key, name, first, last, number, seconds in connection.execute(query).fetchall():
        gone = 0.0 if key in still or name in open_now else min(last, now)
        time = CveTime(name, min(first, now), gone, number, seconds / number if number else 0.0)
        if name in open_now:
            yield time
        elif gone and len(closed) < SHOWN_CLOSED:
            closed.append(time)
    yield from closed
