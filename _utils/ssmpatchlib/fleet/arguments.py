# SPDX-License-Identifier: Apache-2.0
"""The arguments of the runner's functions, checked before any minion is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..arguments import Reader, flag, read_arguments, some_text, words
from ..config_reader import Section
from ..input_errors import refuse
from ..signatures import handed_everything
from . import advisory_settings
from .collect import DETAILED, FORMATS
from .cve_text import FORMATS as CVE_FORMATS
from .settings import DAY, GRAIN, NAME, TGT_TYPES, Ring, parse_rings
from .untrusted import ID

#: A minion's id: Salt makes file names and tags of it.
_MINION = r"[^\0/\\*?\[\]\s]{1,253}"
#: What says something only beside another argument; and what a rollout that goes on has had from its beginning.
_ONLY_WITH = MappingProxyType({"rollout": "resume", "plan": "dry_run", "timeout": "dry_run"})
_OF_A_NEW_ROLLOUT = ("rings", "freeze", "dry_run")
#: How many CVEs and advisories are asked for at once.
MOST_IDS = 100
_ID = re.compile(ID)
_REASON = r"[^\0]{1,1000}"


def of_runner(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function of the runner by their names, each checked.

    Raises:
        InvalidInput: ``problems`` names every argument that is wrong, missing or none of the function's.
    """
    return read_arguments(function, args, kwargs, _READERS)


def check_rollout(given: Mapping[str, Any], *, dry_run: bool, resume: bool) -> None:
    """Refuse the arguments of a rollout that mean nothing beside the others: who gave them wanted something else.

    Args:
        given: the arguments by name, None for one that was left out.

    Raises:
        InvalidInput: ``problems`` names each of them.
    """
    modes = {"resume": resume, "dry_run": dry_run}
    problems = []
    for name in (name for name, value in given.items() if value is not None):
        mode = _ONLY_WITH.get(name)
        if mode and not modes[mode]:
            problems.append(f"{name}: only with {mode}=True; add that, or leave it out")
        elif resume and name in _OF_A_NEW_ROLLOUT:
            problems.append(f"{name}: not with resume=True; leave it out")
    if problems:
        refuse("rollout", problems)


def check_report(*, format: str, details: bool) -> None:
    """Refuse details in a format that has no place for them.

    Raises:
        InvalidInput: ``problems`` names the argument.
    """
    if details and format != DETAILED:
        refuse("report", [f"details: only with format={DETAILED}, not with {format}; add that, or leave it out"])


def _tgt(given: Section, name: str) -> Any:
    value = words(given, name)
    tgt_type = given.raw("tgt_type") or "glob"
    if isinstance(value, (list, tuple)) and tgt_type in TGT_TYPES and tgt_type != "list":
        given.problem(name, value, "text, or a list of minions with tgt_type list")
    return value


def _tgt_type(given: Section, name: str) -> str:
    return given.choice(name, TGT_TYPES, "")


def _format(given: Section, name: str) -> str:
    return given.choice(name, FORMATS, "")


def _cve_format(given: Section, name: str) -> str:
    return given.choice(name, CVE_FORMATS, "")


def _ids(given: Section, name: str) -> tuple[str, ...]:
    """Ids of CVEs and advisories: one, a list, or text with commas between them."""
    value = words(given, name)
    items = value.split(",") if isinstance(value, str) else value or ()
    found = tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    strange = [item for item in found if not _ID.fullmatch(item)]
    if strange or (value is not None and not found):
        given.problem(
            name,
            strange[0] if strange and len(found) > 1 else value,
            "ids such as CVE-2026-1234, USN-6000-1 or DSA-5000-1",
        )
    elif len(found) > MOST_IDS:
        given.problem(name, f"{len(found)} ids", f"at most {MOST_IDS} ids")
    return found


def _output(given: Section, name: str) -> Path:
    before = len(given.problems)
    path = given.directory(name, Path("/"))
    if len(given.problems) > before:
        return path
    if path.is_dir():
        given.problem(name, str(path), "the path of a file; this is a directory")
    elif (path.exists() and not path.is_file()) or path.is_relative_to("/dev") or path.is_relative_to("/proc"):
        # The file is replaced, which would take a device away from everybody.
        given.problem(name, str(path), "the path of a file; leave it out for the text itself")
    elif not path.parent.is_dir():
        given.problem(name, str(path), f"another path or make the directory {path.parent}, which does not exist")
    return path


def _group_by(given: Section, name: str) -> str:
    return given.text(name, pattern=f"(?:{GRAIN})?", allowed="the name of a grain")


def _timeout(given: Section, name: str) -> int:
    return given.seconds(name, 1, low=1, high=DAY)


def _rings(given: Section, name: str) -> tuple[Ring, ...]:
    return parse_rings(given.raw(name))


def _name(given: Section, name: str) -> str:
    return given.text(name, pattern=NAME, allowed="letters, digits or _.-")


def _reason(given: Section, name: str) -> str:
    return given.text(name, pattern=_REASON, allowed="at most 1000 characters")


def _minion(given: Section, name: str) -> str:
    return given.text(name, pattern=_MINION, allowed="the id of one minion")


_READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "details": flag,
        "dry_run": flag,
        "exploited": advisory_settings.location,
        "force": flag,
        "cve.format": _cve_format,
        "format": _format,
        "freeze": flag,
        "group_by": _group_by,
        "ids": _ids,
        "minion": _minion,
        "name": _name,
        "output": _output,
        "plan": flag,
        "reason": _reason,
        "rescan": flag,
        "reset": flag,
        "releases": advisory_settings.releases,
        "resume": flag,
        "rings": _rings,
        "rollout": some_text,
        "sources": advisory_settings.locations,
        "tgt": _tgt,
        "tgt_type": _tgt_type,
        "timeout": _timeout,
    }
)

__all__ = ["check_report", "check_rollout", "handed_everything", "of_runner"]
