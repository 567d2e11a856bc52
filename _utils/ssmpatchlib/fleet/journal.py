# SPDX-License-Identifier: Apache-2.0
"""The journal of a rollout on the master: every step is in it before it is taken, so that a killed runner can go on."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import files
from ..errors import InvalidInput, SsmpatchError
from ..fields import Check, check_fields, is_count, is_text, is_text_list, is_text_mapping, is_time
from ..input_errors import show
from . import settings
from .gate import PlannedRing
from .minion_states import PHASES, TESTED, Minion
from .untrusted import clean

VERSION = 1
DIRECTORY = "rollouts"
KEPT = 50

RUNNING = "running"
SUCCEEDED = "succeeded"
INCOMPLETE = "incomplete"
FAILED = "failed"
ABORTED = "aborted"

_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
STATUSES = frozenset({RUNNING, SUCCEEDED, INCOMPLETE, FAILED, ABORTED})
_DEFAULTS = {item.name: item.default for item in dataclasses.fields(Minion)}


@dataclass(slots=True)
class Progress:
    """How far one ring is. ``spent`` is the seconds each batch took; times are epoch seconds."""

    status: str = "waiting"
    batch: int = 0
    started: float = 0
    ended: float = 0
    soak_until: float = 0
    spent: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Rollout:
    """A rollout and everything that is known of it.

    ``frozen`` maps a system to the location of its frozen set; ``warnings`` say what the frozen ring disagreed on.
    """

    id: str
    created: float
    plan: tuple[PlannedRing, ...]
    freeze: bool
    minions: dict[str, Minion]
    progress: list[Progress]
    status: str = RUNNING
    reason: str = ""
    ring: int = 0
    frozen: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    updated: float = 0


def path_of(state_dir: Path, rollout: str) -> Path:
    """The journal's file."""
    return state_dir / DIRECTORY / f"{rollout}.json"


def save(state_dir: Path, rollout: Rollout, *, now: float) -> None:
    """Write the journal.

    Raises:
        Unwritable: it cannot be written.
    """
    rollout.updated = now
    document = {
        "version": VERSION,
        **{name: getattr(rollout, name) for name in _PLAIN},
        "rings": settings.ring_data([planned.ring for planned in rollout.plan]),
        "members": [{"minions": planned.minions, "elsewhere": planned.elsewhere} for planned in rollout.plan],
        "progress": [dataclasses.asdict(progress) for progress in rollout.progress],
        "minions": {name: _minion_data(minion) for name, minion in rollout.minions.items()},
    }
    files.write_json(path_of(state_dir, rollout.id), document)


def _minion_data(minion: Minion) -> dict[str, Any]:
    values = ((name, getattr(minion, name)) for name in _DEFAULTS)
    return {name: value for name, value in values if value != _DEFAULTS[name]}


def latest(state_dir: Path) -> str:
    """The id of the newest rollout, ``""`` when there is none."""
    names = (path.stem for path in (state_dir / DIRECTORY).glob("*.json"))
    return max(filter(_ID.fullmatch, names), default="")


def load(state_dir: Path, rollout: str, *, now: float) -> Rollout:
    """Read a journal.

    Raises:
        InvalidInput: there is no such rollout.
        SsmpatchError: the journal is damaged; it was set aside.
    """
    if not _ID.fullmatch(rollout):
        raise InvalidInput(f"rollout: {show(rollout)} is no id of a rollout; see ssmpatch.rollout_status")
    document, warnings = files.read_json(path_of(state_dir, rollout), shape=_problem, now=now)
    if warnings:
        raise SsmpatchError("; ".join(warnings))
    if document is None:
        raise InvalidInput(f"rollout: there is no rollout {rollout}; see ssmpatch.rollout_status")
    rings = settings.parse_rings(document["rings"])
    return Rollout(
        plan=tuple(
            PlannedRing(ring, tuple(members["minions"]), members["elsewhere"])
            for ring, members in zip(rings, document["members"], strict=True)
        ),
        minions={name: _minion(data) for name, data in document["minions"].items()},
        progress=[Progress(**data) for data in document["progress"]],
        **{name: document[name] for name in _PLAIN},
    )


def _minion(data: Mapping[str, Any]) -> Minion:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return Minion(**fields)


#: The fields of a rollout that the journal has as they are, with what each has to be.
_PLAIN: dict[str, Check] = {
    "id": lambda value: isinstance(value, str) and _ID.fullmatch(value) is not None,
    "created": is_time,
    "freeze": lambda value: isinstance(value, bool),
    "status": lambda value: isinstance(value, str) and value in STATUSES,
    "reason": is_text,
    "ring": is_count,
    "frozen": is_text_mapping,
    "warnings": is_text_list,
    "updated": is_time,
}
_PARTS: dict[str, Check] = {
    "rings": lambda value: isinstance(value, list),
    "members": lambda value: isinstance(value, list) and all(not check_fields(each, None, _MEMBERS) for each in value),
    "progress": lambda value: isinstance(value, list) and all(not _misfit(each, Progress()) for each in value),
    "minions": lambda value: isinstance(value, dict) and all(not _misfit(each, Minion()) for each in value.values()),
}
_MEMBERS: dict[str, Check] = {"minions": is_text_list, "elsewhere": is_count}
_TYPES: dict[str, Check] = {
    "str": is_text,
    "int": is_count,
    "float": is_time,
    "tuple[str, ...]": is_text_list,
    "list[str]": is_text_list,
    "list[float]": lambda value: isinstance(value, list) and all(map(is_time, value)),
}


def _misfit(data: Any, like: Any) -> str:
    """What is wrong with the stored fields of a dataclass's value, of which those may lack that are as in ``like``."""
    empty = {
        name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(like).items()
    }
    checks = {item.name: _TYPES[str(item.type)] for item in dataclasses.fields(like)}
    return check_fields({**empty, **data} if isinstance(data, dict) else data, None, checks)


def _problem(document: Any) -> str:
    """What keeps a document from being read as a journal; it is read once to find out."""
    problem = check_fields(document, VERSION, {**_PLAIN, **_PARTS})
    if problem:
        return problem
    try:
        rings = settings.parse_rings(document["rings"])
    except Exception as exc:
        return f"field 'rings' has a wrong value: {str(exc)[:200]}"
    return _contradiction(document, rings)


def _contradiction(document: Mapping[str, Any], rings: Sequence[settings.Ring]) -> str:
    members, minions = document["members"], document["minions"]
    names = [name for each in members for name in each["minions"]]
    if not len(rings) == len(members) == len(document["progress"]) or sorted(names) != sorted(minions):
        return "rings and minions do not fit together"
    if document["ring"] >= len(rings) or not all(each["minions"] for each in members):
        return "there is no such ring"
    for ring, each in zip(rings, members, strict=True):
        for name in each["minions"]:
            minion = _minion(minions[name])
            if minion.phase not in PHASES or (minion.phase in TESTED and minion.tested >= len(ring.gate.checks)):
                return f"{name[:40]!r} is in no phase that there is"
    return ""


def prune(state_dir: Path) -> None:
    """Delete the oldest journals beyond the last fifty."""
    paths = sorted(path for path in (state_dir / DIRECTORY).glob("*.json") if _ID.fullmatch(path.stem))
    for path in paths[:-KEPT]:
        files.remove(path)


def request_abort(state_dir: Path, rollout: str, reason: str) -> None:
    """Ask the runner of a rollout to stop before its next batch."""
    files.write_text(_abort_path(state_dir, rollout), json.dumps(reason))


def abort_requested(state_dir: Path, rollout: str) -> str:
    """Why the rollout is to stop, ``""`` when it is not."""
    path = _abort_path(state_dir, rollout)
    if not os.path.lexists(path):
        return ""
    return clean(files.recall(path, lambda reason: reason), 500) or "an abort was requested"


def clear_abort(state_dir: Path, rollout: str) -> None:
    """Forget a request to stop."""
    files.remove(_abort_path(state_dir, rollout))


def _abort_path(state_dir: Path, rollout: str) -> Path:
    return state_dir / DIRECTORY / f"{rollout}.abort"
