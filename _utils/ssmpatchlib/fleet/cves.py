# SPDX-License-Identifier: Apache-2.0
"""What a minion's report says of the CVEs that are open on it. Pure; nothing that it says is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..cve_words import FIX_AVAILABLE, NOT_KNOWN, OPEN_STATES, OTHER, counted_severity, severity_rank
from .untrusted import Pool, shown

MAX_GROUPS = 5000
#: The CVE ids that are read of one host; its own report has no more.
MAX_CVES = 5000
_LONGEST = 300
_KEYS = ("state", "cves", "package", "installed", "fixed", "severity", "advisories", "exploited", "published", "reason")
_MOST = 10**9


class CveGroup(NamedTuple):
    """The CVEs of one package that are alike on a host: open ones, or those of which it is not known.

    ``severity`` is one of ``SEVERITIES``.
    """

    package: str
    installed: str
    state: str
    fixed: str
    severity: str
    advisories: tuple[str, ...]
    exploited: frozenset[str]
    ids: tuple[str, ...]
    published: str
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether it is known that they are open."""
        return self.state != NOT_KNOWN


class CveCounts(NamedTuple):
    """How many CVEs are open on a host, each counted once, and how many of them are of which kind."""

    open: int = 0
    exploited: int = 0
    fixable: int = 0
    unimportant: int = 0
    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    other: int = 0


class HostCves(NamedTuple):
    """``problem`` says why not all is known, ``left_out`` counts the CVEs that are not among ``groups``.

    ``data`` names what the host was compared with, ``time`` the time of that.
    """

    data: str = ""
    time: str = ""
    problem: str = ""
    counts: CveCounts = CveCounts()
    groups: tuple[CveGroup, ...] = ()
    left_out: int = 0

    @property
    def complete(self) -> bool:
        """Whether a CVE that is not among ``groups`` is not open."""
        return not self.problem and not self.left_out


def severity_of(word: Any) -> str:
    """The one of ``SEVERITIES`` that a vendor's word stands for."""
    return counted_severity(word.strip()) if isinstance(word, str) and len(word) < 20 else OTHER


def worst(severities: Iterable[str]) -> str:
    """The highest of some severities."""
    return max(severities, key=severity_rank, default=OTHER)


def read_cves(said: Any, *, pool: Pool) -> HostCves | None:
    """Return what a report says of open CVEs; None where it says nothing.

    What cannot be read is a problem: then it is not known which CVEs are open besides those that can be.
    """
    if said is None:
        return None
    if not isinstance(said, Mapping):
        return HostCves(problem=f"its CVEs cannot be read: {shown(said)}")
    strange: list[str] = []
    found, cut = _groups(said.get("open"), pool, strange)
    # The pool keeps each group, so that it stands for itself; hosts mostly have the same ones.
    groups, listed = pool.once(("groups", *map(id, found)), 0, lambda: (tuple(found), _listed(found)))
    left_out = _number(said, "left_out", strange) + cut
    counts = _counts(said.get("counts"), listed, left_out, strange)
    problem = pool.text(said.get("problem"), _LONGEST)
    unread = f"its CVEs cannot be read in full: {strange[0]}" if strange else ""
    return HostCves(
        data=pool.text(said.get("data"), _LONGEST),
        time=pool.text(said.get("time"), _LONGEST),
        problem="; ".join(filter(None, (problem, unread))),
        counts=pool.share(counts),
        groups=groups,
        left_out=left_out,
    )


def _groups(said: Any, pool: Pool, strange: list[str]) -> tuple[list[CveGroup], int]:
    """The groups that can be read, and how many ids were too many."""
    found: list[CveGroup] = []
    room, cut = MAX_CVES, 0
    if not isinstance(said, (list, tuple)):
        strange.append(f"open: {shown(said)}")
        said = ()
    if len(said) > MAX_GROUPS:
        strange.append(f"open: more than {MAX_GROUPS} groups")
    for number, each in enumerate(said[:MAX_GROUPS]):
        group, word = _known_group(each, pool)
        if word:
            strange.append(f"open[{number}]: {word}")
        if group and len(group.ids) > room:
            cut += len(group.ids) - room
            group = pool.share(group._replace(ids=group.ids[:room], exploited=group.exploited & {*group.ids[:room]}))
        if group and group.ids:
            room -= len(group.ids)
            found.append(group)
    return found, cut


def _known_group(said: Any, pool: Pool) -> tuple[CveGroup | None, str]:
    """A group, and a word of it that cannot be read, ``""`` without any; made once for hosts that are alike."""
    if not isinstance(said, Mapping):
        return _group(said, pool)
    values: tuple[Any, ...] = tuple(map(said.get, _KEYS))
    found = pool.known(values)
    if found is not None:
        known: tuple[CveGroup | None, str] = found
        return known
    # A report leaves empty texts out.
    texts = [value for value in values if value is not None]
    if not all(isinstance(text, str) for text in texts):
        return _group(said, pool)
    return pool.once(values, sum(map(len, texts)), lambda: _group(said, pool))


def _group(said: Any, pool: Pool) -> tuple[CveGroup | None, str]:
    state = said.get("state") if isinstance(said, Mapping) else None
    if not isinstance(state, str) or (state not in OPEN_STATES and state != NOT_KNOWN):
        return None, shown(said)
    ids, advisories, exploited = (pool.ids(said.get(key)) for key in ("cves", "advisories", "exploited"))
    group = CveGroup(
        package=pool.text(said.get("package"), _LONGEST),
        installed=pool.text(said.get("installed"), _LONGEST),
        state=state,
        fixed=pool.text(said.get("fixed"), _LONGEST),
        severity=severity_of(said.get("severity")),
        advisories=advisories.names[:MAX_CVES],
        exploited=pool.share(frozenset(exploited.names).intersection(ids.names)),
        ids=ids.names,
        published=pool.text(said.get("published"), _LONGEST),
        reason=pool.text(said.get("reason"), _LONGEST),
    )
    return pool.share(group), ids.strange or advisories.strange or exploited.strange


def _counts(said: Any, listed: tuple[int, int, int], left_out: int, strange: list[str]) -> CveCounts:
    """The counters as they are said; none is less than what the groups list, whatever it says."""
    if not isinstance(said, Mapping):
        strange.append(f"counts: {shown(said)}")
        said = {}
    told = {name: _number(said, name, strange) for name in CveCounts._fields}
    least = {"open": listed[0] + left_out, "exploited": listed[1], "fixable": listed[2]}
    return CveCounts(**{name: max(number, least.get(name, 0)) for name, number in told.items()})


def _listed(groups: Sequence[CveGroup]) -> tuple[int, int, int]:
    """How many CVEs the groups list, how many of these are exploited, and how many have a fix on offer."""
    known = [group for group in groups if group.is_open]
    fixable = [group.ids for group in known if group.state == FIX_AVAILABLE]
    parts = ([group.ids for group in known], [group.exploited for group in known], fixable)
    every, exploited, fixed = (len(set().union(*part)) for part in parts)
    return every, exploited, fixed


def _number(said: Mapping[Any, Any], key: str, strange: list[str]) -> int:
    value = said.get(key, 0)
    if type(value) is int and 0 <= value < _MOST:
        return value
    strange.append(f"{key}: {shown(value)}")
    return 0
