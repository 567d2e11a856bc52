# SPDX-License-Identifier: Apache-2.0
"""What a minion answers when it is asked for CVEs, read into small values. Pure; nothing that it says is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..cve_words import FIXED, NOT_AFFECTED, NOT_KNOWN, OPEN_STATES
from .untrusted import Pool, clean, error_text, shown

CVE = "ssmpatch.cve"
#: Of a host that did not answer, or whose answer cannot be read: never taken for a host that is not affected.
UNREACHABLE = "unreachable"
UNREADABLE = "cannot be read"
#: What can be said of a host, in the order in which it is shown: what has to be done first, what is fine last.
STATES = (*OPEN_STATES, NOT_KNOWN, UNREACHABLE, UNREADABLE, FIXED, NOT_AFFECTED)

MAX_ROWS = 5000
_MAX_NAMES = 200
_LONGEST = 300
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]*)?")
#: Salt's words for a function that a minion does not have.
_NO_SUCH = re.compile(r"'?ssmpatch\.cve'? (?:is not available|__virtual__ returned False)")
_TOO_OLD = "its ssmpatch has no function cve; bring it a newer one (saltutil.sync_all)"


class CveRow(NamedTuple):
    """What a minion says of one CVE in one package. ``exploited`` is since when it is known to be, or ``yes``."""

    cve: str
    package: str
    packages: tuple[str, ...]
    installed: str
    state: str
    fixed: str
    available: str
    approved: bool
    reason: str
    advisories: tuple[str, ...]
    severity: str
    published: str
    exploited: str
    subscription: bool
    references: tuple[str, ...]
    restart: tuple[str, ...]


class CveAnswer(NamedTuple):
    """What one minion answered. ``problem`` says why it knows nothing, ``unreadable`` what of it cannot be read."""

    id: str
    rows: tuple[CveRow, ...] = ()
    data: str = ""
    time: str = ""
    problem: str = ""
    unreadable: str = ""
    reached: bool = True
    warnings: tuple[str, ...] = ()


class Standing(NamedTuple):
    """How a host stands to what was asked: one of ``STATES``, its rows about it, and why nothing better is known."""

    host: str
    state: str
    rows: tuple[CveRow, ...]
    reason: str = ""

    @property
    def restart(self) -> tuple[str, ...]:
        """What still runs the code without the fix, though it is installed."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.restart))


def silent(minion: str) -> CveAnswer:
    """The answer of a minion that did not answer."""
    return CveAnswer(clean(minion), problem="no answer", reached=False)


def read_answer(minion: str, returned: Any, *, pool: Pool) -> CveAnswer:
    """Read what ``minion`` returned for ``ssmpatch.cve``."""
    answer = CveAnswer(clean(minion))
    try:
        return _read(answer, returned, pool)
    except Exception as exc:  # Whatever one minion says, the others are read.
        return answer._replace(unreadable=f"its answer ({type(exc).__name__})")


def _read(answer: CveAnswer, returned: Any, pool: Pool) -> CveAnswer:
    if isinstance(returned, str):
        no_function = _NO_SUCH.search(returned[:1000])
        return answer._replace(problem=_TOO_OLD if no_function else error_text(returned) or "an empty answer")
    if not isinstance(returned, Mapping):
        return answer._replace(unreadable=f"its answer: {shown(returned)}")
    strange: list[str] = []
    rows = tuple(_rows(returned.get("cves"), pool, strange))
    return answer._replace(
        rows=rows,
        data=pool.text(returned.get("data"), _LONGEST),
        time=pool.text(returned.get("time"), _LONGEST),
        problem=pool.text(returned.get("problem"), _LONGEST),
        unreadable=strange[0] if strange else "",
        warnings=_texts(returned.get("warnings"), pool),
    )


def _rows(said: Any, pool: Pool, strange: list[str]) -> Iterator[CveRow]:
    if not isinstance(said, (list, tuple)):
        strange.append(f"cves: {shown(said)}")
        return
    if len(said) > MAX_ROWS:
        strange.append(f"cves: more than {MAX_ROWS} rows")
    for number, each in enumerate(said[:MAX_ROWS]):
        state = each.get("state") if isinstance(each, Mapping) else None
        cve = pool.ids(each.get("cve")).names if isinstance(each, Mapping) else ()
        if not isinstance(state, str) or state not in STATES or len(cve) != 1:
            strange.append(f"cves[{number}]: {shown(each)}")
        else:
            yield pool.share(_row(each, cve[0].upper(), state, pool))


def _row(said: Mapping[Any, Any], cve: str, state: str, pool: Pool) -> CveRow:
    def text(name: str) -> str:
        return pool.text(said.get(name), _LONGEST)

    advisories = tuple(name for each in _listed(said.get("advisories")) for name in pool.ids(each).names)
    references = (pool.text(each, _LONGEST) for each in _listed(said.get("references")))
    return CveRow(
        cve=cve,
        package=text("package"),
        packages=_texts(said.get("packages"), pool),
        installed=text("installed"),
        state=state,
        fixed=text("fixed"),
        available=text("available"),
        approved=said.get("approved") is True,
        reason=text("reason"),
        advisories=pool.share(advisories),
        severity=text("severity"),
        published=text("published"),
        exploited=text("exploited"),
        subscription=said.get("subscription") is True,
        references=pool.share(tuple(each for each in references if _URL.fullmatch(each))),
        restart=_texts(said.get("restart"), pool),
    )


def _listed(value: Any) -> Sequence[Any]:
    return value[:_MAX_NAMES] if isinstance(value, (list, tuple)) else ()


def _texts(value: Any, pool: Pool) -> tuple[str, ...]:
    return pool.share(tuple(filter(None, (pool.text(each, _LONGEST) for each in _listed(value)))))


def standing(answer: CveAnswer, asked: str, *, alone: bool) -> Standing:
    """How the host of an answer stands to one id that was asked for, the worst of its rows first.

    Args:
        asked: the id in capitals.
        alone: no other id was asked for, so that every row is about it.
    """
    about = [row for row in answer.rows if alone or row.cve == asked or asked in map(str.upper, row.advisories)]
    rows = tuple(sorted(about, key=lambda row: STATES.index(row.state)))
    if rows and rows[0].state in OPEN_STATES:
        return Standing(answer.id, rows[0].state, rows)
    if not answer.reached:
        return Standing(answer.id, UNREACHABLE, (), answer.problem)
    if answer.unreadable:
        return Standing(answer.id, UNREADABLE, rows, answer.unreadable)
    if rows and not answer.problem:
        return Standing(answer.id, rows[0].state, rows, rows[0].reason if rows[0].state == NOT_KNOWN else "")
    return Standing(answer.id, NOT_KNOWN, rows, answer.problem or "it says nothing of it")
