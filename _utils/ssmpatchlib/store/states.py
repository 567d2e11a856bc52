# SPDX-License-Identifier: Apache-2.0
"""The two files shared with the AWS agent: the patch states of the last run, and its summary.

The formats are the agent's (``/var/log/amazon/ssm/patch-configuration``). Times are epoch seconds, UTC, and are never
converted, so that they do not drift with the time zone.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import files
from ..fields import is_time
from ..model import INSTALLED, INSTALLED_OTHER, INSTALLED_PENDING_REBOOT, INSTALLED_REJECTED

STATES_FILE = "patch-states-configuration.json"
SUMMARY_FILE = "patch-inventory-from-last-operation.json"
SAVED_STATES = (INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED, INSTALLED_PENDING_REBOOT)

_PATCHES = "patchStates"
_LAST_NO_REBOOT = "lastNoRebootInstallOperationTime"
# A time ahead of now was written before the clock was set back, and counts as now; one further ahead is ignored.
_MAX_AHEAD_SECONDS = 366 * 86400
_SHOWN_PROBLEMS = 3

# What the agent writes for a foreign architecture: libc6:i386.i386:2.36-9.
_FOREIGN_TITLE = re.compile(r"([^\s:]+):([^\s:.]+)\.\2:(\S+)")


@dataclass(frozen=True, slots=True)
class SavedPatch:
    """The state of one title in the last run; ``id`` is ``name.arch``, ``installed_time`` epoch seconds if known."""

    id: str
    state: str
    installed_time: float | None = None


@dataclass(frozen=True, slots=True)
class PatchStates:
    """Installed patches by title (``name.arch:version``), and when an install with NoReboot last ended, 0 if never."""

    patches: Mapping[str, SavedPatch] = field(default_factory=dict)
    last_no_reboot: float = 0.0


def read_states(aws_dir: Path, *, now: float) -> tuple[PatchStates, tuple[str, ...]]:
    """Return the states in ``aws_dir`` and warnings; values that cannot be used are left out and named.

    A file that holds nothing usable is set aside. Entries in the agent's spelling of foreign architectures
    (``libc6:i386.i386:2.36-9``), which is no Title of ours, are left out without a warning.
    """
    path = aws_dir / STATES_FILE
    document, warnings = files.read_json(path, shape=_problem, now=now)
    if document is None:
        return PatchStates(), warnings
    problems: list[str] = []
    patches = _patches(document.get(_PATCHES, {}), problems)
    last = _last_no_reboot(document.get(_LAST_NO_REBOOT), now, problems)
    if problems:
        more = f" and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        warnings = (*warnings, f"{path}: ignored {'; '.join(problems[:_SHOWN_PROBLEMS])}{more}")
    return PatchStates(patches, last), warnings


def write_states(aws_dir: Path, states: PatchStates) -> None:
    """Replace the states in ``aws_dir``; only the four installed states are kept there.

    Raises:
        Unwritable: the file cannot be written.
    """
    patches = {
        title: {"id": patch.id, "installedTime": patch.installed_time, "state": patch.state}
        for title, patch in sorted(states.patches.items())
        if patch.state in SAVED_STATES
    }
    files.ensure_parents(aws_dir)
    files.write_json(aws_dir / STATES_FILE, {_PATCHES: patches, _LAST_NO_REBOOT: states.last_no_reboot})


def write_summary(aws_dir: Path, item: Mapping[str, Any]) -> None:
    """Replace the AWS:PatchSummary item of the last operation in ``aws_dir``.

    Raises:
        Unwritable: the file cannot be written.
    """
    files.ensure_parents(aws_dir)
    files.write_json(aws_dir / SUMMARY_FILE, dict(item), indent=4)


def _problem(document: object) -> str:
    if not isinstance(document, dict):
        return "not a JSON object"
    if document and not {_PATCHES, _LAST_NO_REBOOT} & set(document):
        return f"neither {_PATCHES} nor {_LAST_NO_REBOOT} in it"
    return ""


def _patches(found: object, problems: list[str]) -> dict[str, SavedPatch]:
    if not isinstance(found, dict):
        problems.append(f"{_PATCHES}: {_shown(found)} is not an object")
        return {}
    patches: dict[str, SavedPatch] = {}
    for title, value in found.items():
        if _FOREIGN_TITLE.fullmatch(title):
            continue
        id_ = _id_of(title)
        if not id_:
            problems.append(f"{_PATCHES}: {_shown(title)} is not name.arch:version")
        elif not isinstance(value, dict) or value.get("state") not in SAVED_STATES:
            problems.append(f"{_PATCHES}.{title}: {_shown(value)} has no known state")
        else:
            time = value.get("installedTime")
            if time is not None and not is_time(time):
                problems.append(f"{_PATCHES}.{title}.installedTime: {_shown(time)} is not a time")
                time = None
            patches[title] = SavedPatch(id_, value["state"], None if time is None else float(time))
    return patches


def _id_of(title: str) -> str:
    """Return the ``name.arch`` of a title ``name.arch:version``, ``""`` for a text of another form."""
    id_, _, version = title.partition(":")
    name, _, arch = id_.rpartition(".")
    return id_ if name and arch and version and title.split() == [title] else ""


def _last_no_reboot(value: object, now: float, problems: list[str]) -> float:
    if value is None:
        return 0.0
    if not isinstance(value, (int, float)) or not is_time(value):
        problems.append(f"{_LAST_NO_REBOOT}: {_shown(value)} is not a time")
        return 0.0
    if value > now + _MAX_AHEAD_SECONDS:
        problems.append(f"{_LAST_NO_REBOOT}: {_shown(value)} is in the future")
        return 0.0
    return min(float(value), now)


def _shown(value: object) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short.repr(value)
