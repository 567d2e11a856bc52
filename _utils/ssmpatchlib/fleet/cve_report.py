# SPDX-License-Identifier: Apache-2.0
"""Asks the fleet for CVEs: how many hosts stand how to each, and which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..advisories.record import own_cve
from ..errors import InvalidInput
from ..input_errors import show
from .cve_answers import CVE, STATES, CveAnswer, CveRow, Standing, read_answer, silent, standing
from .cves import severity_of, worst
from .salt_client import Call, Salt, ask, keywords
from .untrusted import Pool, clean

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One id that was asked for, and how every host stands to it, in the order of ``STATES``.

    What is said of the id itself is what hosts say: the highest severity, the earliest dates. ``exploited`` is since
    when it is known to be, ``yes`` without a date.
    """

    id: str
    severity: str
    exploited: str
    published: str
    advisories: tuple[str, ...]
    references: tuple[str, ...]
    hosts: tuple[Standing, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """How many hosts stand in each state, without those in which none does."""
        found = Counter(host.state for host in self.hosts)
        return {state: found[state] for state in STATES if found[state]}


@dataclass(frozen=True, slots=True)
class CveReport:
    """What the hosts of a target answered. ``made`` is epoch seconds."""

    made: float
    target: str
    answers: tuple[CveAnswer, ...]
    asked: tuple[Asked, ...]


def ask_cves(salt: Salt, ids: Sequence[str], *, tgt: str | Sequence[str], tgt_type: str, timeout: float) -> CveReport:
    """Ask the minions that match for these CVEs and advisories, from what their last scans stored.

    Raises:
        InvalidInput: no accepted minion matches.
    """
    expected = salt.expand(tgt, tgt_type)
    if not expected:
        raise InvalidInput(f"tgt: no accepted minion matches {show(tgt)} ({tgt_type})")
    call = Call((CVE,), (keywords(ids=list(ids), stored=True),))
    told = tgt if isinstance(tgt, str) else ", ".join(tgt)
    return make_cve_report(
        ask(salt, expected, call, timeout=timeout),
        ids,
        expected=expected,
        target=told if tgt_type in ("glob", "list") else f"{told} ({tgt_type})",
        now=salt.now(),
    )


def make_cve_report(
    answers: Iterable[tuple[str, Any]], ids: Sequence[str], *, expected: Sequence[str], target: str, now: float
) -> CveReport:
    """Read what minions returned; who is ``expected`` and not among the answers is unreachable."""
    pool = Pool()
    found = {name: read_answer(name, said, pool=pool) for name, said in answers if said is not None}
    every = tuple(found.get(name) or silent(name) for name in sorted({*expected, *found}))
    # A vendor's record of a CVE is that of the CVE, as minions have it.
    names = dict.fromkeys(own_cve(each) or each for each in map(str.upper, ids))
    asked = tuple(_asked(each, every, alone=len(names) == 1) for each in names)
    return CveReport(made=now, target=clean(target), answers=every, asked=asked)


def _asked(id_: str, answers: Sequence[CveAnswer], *, alone: bool) -> Asked:
    hosts = [standing(answer, id_, alone=alone) for answer in answers]
    rows: dict[CveRow, None] = dict.fromkeys(row for host in hosts for row in host.rows)
    words = [severity_of(row.severity) for row in rows if row.severity]
    return Asked(
        id=id_,
        severity=worst(words) if words else "",
        exploited=_since(row.exploited for row in rows if row.exploited),
        published=min((row.published for row in rows if row.published), default=""),
        advisories=tuple(sorted({name for row in rows for name in row.advisories})),
        references=tuple(sorted({url for row in rows for url in row.references})),
        hosts=tuple(sorted(hosts, key=lambda host: (STATES.index(host.state), host.host))),
    )


def _since(said: Iterable[str]) -> str:
    """The earliest date since when a CVE is exploited; ``yes`` where hosts name none, ``""`` where none says it is."""
    found = sorted(said)
    return next(filter(_DATE.match, found), "yes") if found else ""


def summary_of(report: CveReport) -> Mapping[str, Any]:
    """The numbers of hosts by state for each id that was asked for, for who wrote the report to a file."""
    return {
        "target": report.target,
        "hosts": len(report.answers),
        "cves": {asked.id: asked.numbers for asked in report.asked},
    }
