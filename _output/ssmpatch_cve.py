# SPDX-License-Identifier: Apache-2.0
"""
Print what a host says of CVEs
==============================

Used by the ``ssmpatch`` outputter for the return of ``ssmpatch.cve``: by state and package where everything that is
open is shown, and a block for each CVE where some were asked for. Those that are known to be exploited come first.
Anything else is printed by Salt's ``nested`` outputter.
"""

from __future__ import annotations

import sys
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

if typing.TYPE_CHECKING:
    __salt__: dict[str, typing.Any]
    _Parts = Iterator[tuple[typing.Any, ...]]
    _Row = Mapping[str, typing.Any]

__virtualname__ = "ssmpatch_cve"

_AVAILABLE = "fix available"
# The states in the order in which they are printed, with their colours; the first ones are open.
_STATES = {
    _AVAILABLE: "LIGHT_RED",
    "fix beyond the frozen set": "LIGHT_RED",
    "fix kept out": "LIGHT_RED",
    "affected, no fix yet": "LIGHT_MAGENTA",
    "unknown": "LIGHT_YELLOW",
    "fixed": "GREEN",
    "not affected": "GREEN",
}
_CLOSED = ("fixed", "not affected")
_UNKNOWN = "unknown"
_RANKS = ("critical", "important", "high", "medium", "moderate", "low", "negligible")
# So many ids stand behind a package, and so many names behind a CVE.
_IDS = 6
_NAMES = 4
# So few CVEs are shown in full, whoever asked.
_FEW = 3
_UPDATEINFO = "updateinfo"


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text for ``{minion: return}``."""
    blocks = []
    for minion, returned in data.items():
        if _is_answer(returned):
            page = {"title": f"{minion}:", "parts": list(_parts(returned))}
            blocks.append(str(__salt__["ssmpatch_page"](page)))
        else:
            blocks.append(str(__salt__["ssmpatch_page"]({minion: returned}, **kwargs)).rstrip("\n"))
    return "\n\n".join(blocks) + "\n"


def _is_answer(returned: typing.Any) -> bool:
    rows = returned.get("cves") if isinstance(returned, Mapping) else None
    return isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows) and "problem" in returned


def _parts(answer: Mapping[str, typing.Any]) -> _Parts:
    by_cve: dict[str, list[_Row]] = {}
    for row in answer["cves"]:
        by_cve.setdefault(_text(row.get("cve")), []).append(row)
    problem, asked = _text(answer.get("problem")), _text(answer.get("id"))
    if kind := _text(answer.get("kind")):
        yield "field", "Asked", [f"{asked}, {kind}"], ""
        # Below stand those of each CVE.
        more = [] if _all(answer["cves"], "references") else _texts(answer.get("references"))
        yield "field", "Pages", more[:_NAMES], ""
    yield "field", "CVEs", [_counted(by_cve, problem)], "" if by_cve or problem else "GREEN"
    yield "field", "Known by", [_known_by(answer)], ""
    if len(by_cve) <= _FEW or answer.get("asked") or any(_state(row) in _CLOSED for row in answer["cves"]):
        for cve in sorted(by_cve, key=lambda each: min(map(_place, by_cve[each]))):
            yield ("gap",)
            if cve != asked or _is_cve(cve):
                yield from _heading(cve, by_cve[cve])
            yield from _block(by_cve[cve], problem)
    else:
        yield from _overview(answer["cves"])
    yield "list", "Problem", "LIGHT_YELLOW", [problem] if problem else []
    warnings = _texts(answer.get("warnings"))
    yield "list", "Warnings", "LIGHT_YELLOW", [each for each in warnings if not problem or problem not in each]


def _counted(by_cve: Mapping[str, Sequence[_Row]], problem: str) -> str:
    states = {cve: {_state(row) for row in rows} for cve, rows in by_cve.items()}
    unknown = sum(1 for said in states.values() if said - {*_CLOSED} == {_UNKNOWN})
    opened = [cve for cve, said in states.items() if said - {*_CLOSED, _UNKNOWN}]
    fixable = sum(1 for cve in opened if states[cve] - {*_CLOSED} == {_AVAILABLE})
    exploited = sum(1 for cve in opened if any(_text(row.get("exploited")) for row in by_cve[cve]))
    closed = sum(1 for said in states.values() if said <= {*_CLOSED})
    words = [
        f"{len(opened)} open" if opened else "none open" if not problem and not unknown else "",
        f"{exploited} exploited" if exploited else "",
        f"{fixable} with a fix on offer" if fixable else "",
        f"{closed} fixed or not affected" if closed else "",
        f"{unknown} unknown" if unknown else "",
    ]
    return ", ".join(filter(None, words)) or "not known"


def _known_by(answer: Mapping[str, typing.Any]) -> str:
    data, when = _text(answer.get("data")), _text(answer.get("time"))
    if data == _UPDATEINFO:
        return "the advisories of the repositories (updateinfo)"
    return ", ".join(filter(None, (f"the vendor's advisories for {data}", when))) if data else ""


# --- everything that is open ---------------------------------------------------------------------


def _overview(rows: Sequence[_Row]) -> _Parts:
    exploited = [row for row in rows if _text(row.get("exploited"))]
    yield "table", "Exploited", "LIGHT_RED", [_exploited(row) for row in sorted(exploited, key=_place)], ()
    by_state: dict[str, list[_Row]] = {state: [] for state in _STATES}
    for row in rows:
        by_state.setdefault(_state(row), []).append(row)
    for state, members in by_state.items():
        title = f"{state[:1].upper()}{state[1:]}, by package"
        yield "table", title, _STATES.get(state, "LIGHT_YELLOW"), list(_packages(members)), ()


def _exploited(row: _Row) -> tuple[typing.Any, ...]:
    since = _text(row.get("exploited"))
    note = f"exploited since {since}" if since != "yes" else ""
    cells = (_text(row.get("cve")), _text(row.get("package")), _change(row), _text(row.get("severity")))
    return cells, _state(row), note


def _packages(rows: Sequence[_Row]) -> Iterator[tuple[typing.Any, ...]]:
    """A row for each package and version with a fix, with all its CVEs; the worst ones first."""
    groups: dict[tuple[str, str, str], list[_Row]] = {}
    for row in sorted(rows, key=_place):
        key = (_text(row.get("package")) or _text(row.get("cve")), _change(row), _text(row.get("reason")))
        groups.setdefault(key, []).append(row)
    for (name, change, reason), members in groups.items():
        ids = list(dict.fromkeys(_text(row.get("cve")) for row in members))
        cells = (name, change, "1 CVE" if len(ids) == 1 else f"{len(ids)} CVEs", _severities(members))
        yield cells, reason, "" if ids == [name] else _some(ids, _IDS)


def _severities(rows: Iterable[_Row]) -> str:
    """``1 critical, 3 high``."""
    counts = Counter(word for row in rows if (word := _text(row.get("severity"))))
    if counts.total() == 1:
        return next(iter(counts))
    return ", ".join(f"{counts[word]} {word}" for word in sorted(counts, key=lambda word: (_rank(word), word)))


# --- one CVE -------------------------------------------------------------------------------------


def _is_cve(name: str) -> bool:
    return name.startswith("CVE-")


def _heading(cve: str, rows: Sequence[_Row]) -> _Parts:
    severity = _text(min(rows, key=_place).get("severity"))
    published = min((when for row in rows if (when := _text(row.get("published")))), default="")
    words = (cve, severity, f"published {published}" if published else "")
    yield "field", "CVE" if _is_cve(cve) else "Advisory", [", ".join(filter(None, words))], ""


def _block(rows: Sequence[_Row], problem: str) -> _Parts:
    """What is said of one CVE; what is the problem of the whole answer stands below."""
    exploited = next((since for row in rows if (since := _text(row.get("exploited")))), "")
    state = _state(min(rows, key=_place))
    running = any(_texts(row.get("restart")) for row in rows)
    color = "LIGHT_YELLOW" if running and state in _CLOSED else _STATES.get(state, "LIGHT_YELLOW")
    since = f"since {exploited}" if exploited != "yes" else "yes"
    yield "field", "Exploited", [since] if exploited else [], "LIGHT_RED"
    yield "field", "State", [state], color
    reasons = [_text(row.get("reason")) for row in rows if not _text(row.get("package"))]
    yield "field", "Because", [each for each in reasons if each != problem], ""
    yield "field", "Advisories", [_some(_all(rows, "advisories"), _NAMES)], ""
    yield "field", "Pages", _all(rows, "references")[:_NAMES], ""
    named = sorted((row for row in rows if _text(row.get("package"))), key=_place)
    yield "table", "Packages", color, [_package(row) for row in named], ()


def _package(row: _Row) -> tuple[typing.Any, ...]:
    available, running = _text(row.get("available")), ", ".join(_texts(row.get("restart")))
    facts = [
        _text(row.get("reason")),
        f"on offer: {available}" if available else "",
        "only for subscribers" if row.get("subscription") is True else "",
        f"still in use by {running}" if running else "",
        f"installed: {_some(packages, _NAMES)}" if (packages := _texts(row.get("packages"))) else "",
    ]
    return (_text(row.get("package")), _change(row)), _state(row), "; ".join(filter(None, facts))


# --- words ---------------------------------------------------------------------------------------


def _state(row: _Row) -> str:
    return _text(row.get("state")) or _UNKNOWN


def _place(row: _Row) -> tuple[typing.Any, ...]:
    """Where a row stands: open ones first, then what is exploited, the severity, and the age."""
    state, published = _state(row), _text(row.get("published"))
    exploited = bool(_text(row.get("exploited")))
    number = list(_STATES).index(state) if state in _STATES else 0
    return state in _CLOSED, not exploited, _rank(_text(row.get("severity"))), published or "9", number


def _rank(severity: str) -> int:
    return _RANKS.index(severity.lower()) if severity.lower() in _RANKS else len(_RANKS)


def _change(row: _Row) -> str:
    installed, fixed = _text(row.get("installed")), _text(row.get("fixed"))
    if _state(row) in _CLOSED:
        return installed
    return f" {_arrow()} ".join(filter(None, (installed, fixed)))


def _arrow() -> str:
    try:
        "→".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "->"
    return "→"


def _all(rows: Iterable[_Row], key: str) -> list[str]:
    return list(dict.fromkeys(text for row in rows for text in _texts(row.get(key))))


def _some(names: Sequence[str], number: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - number} more" if len(names) > number else ""
    return ", ".join(names[:number]) + more


def _text(value: typing.Any) -> str:
    return "" if value is None else " ".join(str(value).split())


def _texts(value: typing.Any) -> list[str]:
    return [text for text in map(_text, value) if text] if isinstance(value, (list, tuple)) else []
