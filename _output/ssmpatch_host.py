# SPDX-License-Identifier: Apache-2.0
"""
Print what a host says of itself besides its verdicts
=====================================================

Used by the ``ssmpatch`` outputter for the returns of ``ssmpatch.status``, ``restarts``, ``history``, ``freeze`` and
``validate``, and for empty lists. Anything else is printed by Salt's ``nested`` outputter.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

if typing.TYPE_CHECKING:
    __opts__: dict[str, typing.Any]
    __salt__: dict[str, typing.Any]
    _Parts = Iterator[tuple[typing.Any, ...]]
    _Row = tuple[tuple[typing.Any, ...], str, str]

__virtualname__ = "ssmpatch_host"

_NAMES = 6
_FILES = 2
_NOTHING = {
    "ssmpatch.explain": "no package of this host has such a name",
    "ssmpatch.history": "no operation yet",
}


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text for ``{minion: return}``."""
    blocks = []
    for minion, returned in data.items():
        tell = _teller(returned)
        if tell is None:
            blocks.append(str(__salt__["ssmpatch_page"]({minion: returned}, **kwargs)).rstrip("\n"))
        else:
            blocks.append(str(__salt__["ssmpatch_page"]({"title": f"{minion}:", "parts": list(tell(returned))})))
    return "\n\n".join(blocks) + "\n"


def _teller(returned: typing.Any) -> Callable[[typing.Any], _Parts] | None:
    """The function that tells a return of this shape, or None when no table fits it."""
    if isinstance(returned, Mapping):
        if {"running", "last", "reboot_pending", "journal"} <= set(returned):
            return _status
        if {*_OLD_CODE, "files", "required_hints"} <= set(returned):
            return _restarts
        return _frozen if "ssmpatch_frozen" in returned and isinstance(returned.get("packages"), Mapping) else None
    if not isinstance(returned, list):
        return None
    if not returned and __opts__.get("fun") in _NOTHING:
        return _nothing
    if all(isinstance(problem, str) for problem in returned):
        return _problems
    return _history if all(isinstance(entry, Mapping) and set(entry) >= _HISTORY for entry in returned) else None


def _nothing(_: typing.Any) -> _Parts:
    yield "field", "Nothing", [_NOTHING[__opts__["fun"]]], ""


def _problems(problems: Sequence[str]) -> _Parts:
    if not problems:
        yield "field", "Valid", ["configuration and baseline; no problem was found"], "GREEN"
    yield "list", "1 problem" if len(problems) == 1 else f"{len(problems)} problems", "LIGHT_RED", problems


# --- status --------------------------------------------------------------------------------------


def _status(status: Mapping[str, typing.Any]) -> _Parts:
    yield "field", "Running", [_work(status.get("running")) or "nothing"], ""
    yield "field", "Interrupted", [_work(status.get("journal"))], "LIGHT_YELLOW"
    yield "field", "Last", [_last(status.get("last")) or "no operation yet"], ""
    pending = status.get("reboot_pending")
    yield "field", "Reboot", _pending(pending), "LIGHT_YELLOW" if pending else ""
    opens = status.get("next_open")
    yield "field", "Window", [f"closed, opens {opens}" if opens else "open: an install may begin now"], ""
    yield "list", "Warnings", "LIGHT_YELLOW", _listed(status.get("warnings"))


def _work(work: typing.Any) -> str:
    """An operation that runs or was interrupted, ``""`` for none."""
    facts = _mapping(work)
    words = [facts.get("operation"), facts.get("phase")]
    words += [f"batch {facts.get('batch')} of {facts['batches']}"] if facts.get("batches") else []
    words += [f"since {began}"] if (began := facts.get("since") or facts.get("started")) else []
    words += [f"pid {facts['pid']}"] if facts.get("pid") else []
    return ", ".join(str(word) for word in words if word)


def _last(last: typing.Any) -> str:
    facts = _mapping(last)
    counts = _mapping(facts.get("counts"))
    words = [facts.get(key) for key in ("operation", "time", "outcome")]
    words += [f"{counts[key]} {word}" for key, word in _COUNTED.items() if key in counts]
    return ", ".join(str(word) for word in words if word)


def _pending(pending: typing.Any) -> list[str]:
    if not isinstance(pending, Mapping):
        return ["nothing waits for one"]
    packages = _listed(pending.get("packages"))
    since = f" since {pending['since']}" if pending.get("since") else ""
    tried = f", tried {pending['attempts']} times" if pending.get("attempts") else ""
    return [f"pending{since}{tried}", ", ".join(packages), str(pending.get("problem") or "")]


# --- code that still runs though it was replaced ---------------------------------------------------

_OLD_CODE = {
    "units": "Services to restart",
    "sessions": "Users to log in again",
    "processes": "Programs",
    "containers": "Containers",
    "reboot": "Until a reboot",
}


def _restarts(found: Mapping[str, typing.Any]) -> _Parts:
    hints, files = _listed(found["required_hints"]), _mapping(found["files"])
    if not any(_listed(found[key]) for key in _OLD_CODE):
        yield "field", "Old code", ["none: no program runs what an update replaced"], "GREEN"
    yield "field", "Reboot", [f"asked for by: {'; '.join(hints)}" if hints else ""], "LIGHT_YELLOW"
    for key, title in _OLD_CODE.items():
        names = _listed(found[key])
        yield "table", title, "LIGHT_YELLOW", [((name, _some(files.get(name))), "", "") for name in names], ()


def _some(files: typing.Any) -> str:
    names = _listed(files)
    return ", ".join(names[:_FILES]) + (f" and {len(names) - _FILES} more" if len(names) > _FILES else "")


# --- history -------------------------------------------------------------------------------------

_HISTORY = {"operation", "time", "outcome", "counts"}
_COUNTED = {"MissingCount": "missing", "FailedCount": "failed"}


def _history(entries: Sequence[Mapping[str, typing.Any]]) -> _Parts:
    headings = ("time", "operation", "outcome", *_COUNTED.values(), "changed")
    yield "table", "Operations", "", [_operation(entry) for entry in entries], headings


def _operation(entry: Mapping[str, typing.Any]) -> _Row:
    counts, names = _mapping(entry["counts"]), [str(name) for name in _mapping(entry.get("changes"))]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    words = [entry[key] for key in ("time", "operation", "outcome")]
    return (*words, *map(counts.get, _COUNTED), len(names)), "", ", ".join(names[:_NAMES]) + more


# --- frozen sets ---------------------------------------------------------------------------------


def _frozen(frozen: Mapping[str, typing.Any]) -> _Parts:
    words = [frozen.get(key) for key in ("operating_system", "product")]
    created = f", made {frozen['created']}" if frozen.get("created") else ""
    yield "field", "Frozen set", [" ".join(str(word) for word in words if word) + created], ""
    yield "field", "Baseline", [frozen.get("baseline")], ""
    yield "field", "As data", ["--out=json prints the document that the setting frozen takes"], ""
    yield "table", "Packages", "CYAN", [(item, "", "") for item in frozen["packages"].items()], ()


def _mapping(value: typing.Any) -> Mapping[typing.Any, typing.Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: typing.Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
