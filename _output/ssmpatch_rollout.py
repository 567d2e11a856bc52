# SPDX-License-Identifier: Apache-2.0
"""
Print what the runner ``ssmpatch`` returns of a rollout as tables
=================================================================

Used by the ``ssmpatch`` outputter: the rings of a rollout, the minions that matter, and what a dry run found. Anything
else is printed by Salt's ``nested`` outputter.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence

if typing.TYPE_CHECKING:
    __salt__: dict[str, typing.Any]
    _Part = tuple[typing.Any, ...]
    _Row = tuple[tuple[typing.Any, ...], str, str]

__virtualname__ = "ssmpatch_rollout"

_GOOD = ("succeeded", "running")
_FAILURES = ("failed", "noncompliant")
_PASSED = ("compliant", "pending_reboot")
_NAMES = 6


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text of ``rollout``, ``rollout_status``, ``rollout_abort`` and a dry run."""
    rings = data.get("rings") if isinstance(data, Mapping) else None
    if not rings or not _all_mappings(rings):
        return str(__salt__["ssmpatch_page"](data, **kwargs))
    if {"id", "status"} <= set(data):
        page = {"title": f"Rollout {data['id']}:", "parts": list(_status(data))}
    elif all(_all_mappings(ring.get("batches")) for ring in rings):
        page = {"title": "A rollout that has not begun:", "parts": list(_forecast(data))}
    else:
        return str(__salt__["ssmpatch_page"](data, **kwargs))
    return str(__salt__["ssmpatch_page"](page)) + "\n"


def _status(rollout: Mapping[str, typing.Any]) -> Iterator[_Part]:
    yield "field", "Status", [rollout["status"]], "GREEN" if rollout["status"] in _GOOD else "LIGHT_YELLOW"
    yield "field", "Reason", [rollout.get("reason")], ""
    times = {"began": rollout.get("started"), "last step": rollout.get("updated"), "expected end": rollout.get("eta")}
    yield "field", "Times", [", ".join(f"{word} {time}" for word, time in times.items() if time)], ""
    yield (
        "field",
        "Frozen sets",
        [f"{system}: {place}" for system, place in _mapping(rollout.get("frozen")).items()],
        "",
    )
    headings = ("ring", "status", "batches", "minions", "compliant", "failed", "others")
    yield "table", "Rings", "CYAN", [_ring(ring) for ring in rollout["rings"]], headings
    minions = _mapping(rollout.get("minions"))
    yield "table", "Minions", "LIGHT_YELLOW", [_minion(*item) for item in minions.items()], ()
    yield from _ends(rollout)


def _ends(told: Mapping[str, typing.Any]) -> Iterator[_Part]:
    yield "table", "Unreachable", "LIGHT_RED", [((name,), "", "") for name in _listed(told.get("unreachable"))], ()
    yield "list", "Warnings", "LIGHT_YELLOW", _listed(told.get("warnings"))


def _ring(ring: Mapping[str, typing.Any]) -> _Row:
    phases = {key: _count(value) for key, value in _mapping(ring.get("phases")).items()}
    figures = _mapping(ring.get("compliant"))
    passed = _count(figures.get("by_frozen_set"))
    held = passed - _count(figures.get("by_baseline"))
    failed = sum(number for phase, number in phases.items() if phase in _FAILURES)
    others = ", ".join(f"{n} {phase}" for phase, n in phases.items() if phase not in (*_FAILURES, *_PASSED))
    notes = [f"{held} of the compliant lack what the frozen set holds back"] if held > 0 else []
    notes += [f"soaking until {ring.get('soak_until')}"] if ring.get("status") == "soaking" else []
    cells = (*map(ring.get, ("name", "status", "batch", "minions")), passed, failed, others)
    return cells, "", "; ".join([*notes, *_listed(ring.get("problems"))])


def _minion(name: typing.Any, minion: typing.Any) -> _Row:
    """A minion below its phase and the reason; beside it what it changed and lacks."""
    facts = _mapping(minion)
    counts = {"changed": _count(facts.get("changed")), "held back": _count(facts.get("held_back"))}
    notes = [f"{number} {word}" for word, number in counts.items() if number]
    patches = _listed(facts.get("patches"))
    notes += [f"not compliant: {_some(patches)}"] if patches else []
    seconds = "" if facts.get("seconds") is None else f"for {facts['seconds']} s"
    group = ": ".join(str(facts[key]) for key in ("phase", "reason") if facts.get(key))
    return (name, seconds), group, "; ".join([*notes, *_listed(facts.get("warnings"))])


def _forecast(forecast: Mapping[str, typing.Any]) -> Iterator[_Part]:
    headings = ("ring", "begins", "minions", "batches", "soak")
    yield "table", "Rings", "CYAN", [_ahead(ring) for ring in forecast["rings"]], headings
    changes = _mapping(forecast.get("changes"))
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, planned in changes.items():
        if isinstance(planned, Mapping):
            alike.setdefault(_planned(planned), []).append(str(name))
    rows = [(row, ", ".join(names), "") for rows, names in alike.items() for row in rows]
    yield "table", "Changes", "LIGHT_GREEN", rows, ()
    problems = [((name,), str(said), "") for name, said in changes.items() if not isinstance(said, Mapping)]
    yield "table", "Problems", "LIGHT_RED", problems, ()
    yield from _ends(forecast)


def _planned(planned: Mapping[str, typing.Any]) -> tuple[tuple[str, str], ...]:
    rows = [(str(package), str(change)) for package, change in _mapping(planned.get("changes")).items()]
    rows += [(blocked, "blocked") for blocked in _listed(planned.get("blocked"))]
    return tuple(rows) or (("nothing to install", ""),)


def _ahead(ring: Mapping[str, typing.Any]) -> _Row:
    gate = _mapping(ring.get("gate"))
    notes = [f"{key} {gate[key]}" for key in ("min_compliant", "max_failures") if gate.get(key)]
    notes += [f"checks {', '.join(checks)}"] if (checks := _listed(gate.get("checks"))) else []
    waiting = sum(len(_mapping(batch.get("waiting"))) for batch in ring["batches"])
    notes += [f"{waiting} wait for their own windows"] if waiting else []
    soak = f"{ring['soak']} s" if ring.get("soak") else ""
    return (*map(ring.get, ("name", "begins", "minions")), len(ring["batches"]), soak), "", "; ".join(notes)


def _all_mappings(value: typing.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _mapping(value: typing.Any) -> Mapping[typing.Any, typing.Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: typing.Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _count(value: typing.Any) -> int:
    return value if isinstance(value, int) else 0


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more
