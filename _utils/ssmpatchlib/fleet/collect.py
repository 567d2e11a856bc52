# SPDX-License-Identifier: Apache-2.0
"""Asks the fleet for its stored reports, remembers them, and writes the report where it is wanted."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import InvalidInput, SsmpatchError
from ..files import Unwritable
from ..input_errors import either, near_word, show
from . import history
from .export import csv_text, json_text
from .fleetreport import FleetReport, make_report
from .gate import make_plan
from .hosts import GRAIN_NAMES, GRAINS, REPORT, SCAN, STATUS
from .html import html_text
from .metrics import prometheus_text
from .salt_client import Call, Salt, ask, keywords
from .settings import FleetSettings
from .standing import last_rollout
from .text_table import table_text
from .untrusted import clean

#: Of how many minions the master's cache is asked for the names of grains that there are.
_GRAINS_OF = 20
FORMATS = ("table", "json", "csv", "html", "prometheus")
#: The format that may have a line for every patch instead of every host.
DETAILED = "csv"


def collect(
    settings: FleetSettings,
    salt: Salt,
    *,
    tgt: str | Sequence[str],
    tgt_type: str,
    rescan: bool,
    group_by: str,
    timeout: float,
    remember: bool = True,
) -> FleetReport:
    """Ask the minions that match for their stored reports (or to scan) and add them up, with the trends.

    Raises:
        InvalidInput: no accepted minion matches.
    """
    expected = salt.expand(tgt, tgt_type)
    if not expected:
        raise InvalidInput(f"tgt: no accepted minion matches {show(tgt)} ({tgt_type})")
    names = tuple(dict.fromkeys((*GRAIN_NAMES, *([group_by] if group_by else []))))
    call = Call((SCAN if rescan else REPORT, STATUS, GRAINS), (() if rescan else keywords(details=False), (), names))
    shown = tgt if isinstance(tgt, str) else ", ".join(tgt)
    report = make_report(
        ask(salt, expected, call, timeout=timeout),
        expected=expected,
        target=shown if tgt_type in ("glob", "list") else f"{shown} ({tgt_type})",
        clock=salt.now,
        stale_after=settings.stale_after,
        group_by=group_by,
        rings=_rings(settings, salt),
    )
    if group_by and not report.totals.by_group:
        report = dataclasses.replace(report, warnings=(*report.warnings, *_no_such_grain(report, salt, group_by)))
    report = _with_rollout(report, settings.state_dir)
    return with_trends(report, settings.state_dir, scope=f"{tgt_type}:{shown}") if remember else report


def _rings(settings: FleetSettings, salt: Salt) -> dict[str, str]:
    """The ring of each minion, by id: the first that matches, as in a rollout."""
    matched = [salt.expand(ring.tgt, ring.tgt_type) for ring in settings.rings]
    return {name: planned.ring.name for planned in make_plan(settings.rings, matched) for name in planned.minions}


def _no_such_grain(report: FleetReport, salt: Salt, group_by: str) -> list[str]:
    """The warning that nobody has the grain to group by; none where nobody has told grains."""
    answered = [host.id for host in report.hosts if host.platform]
    if not answered:
        return []
    known = salt.grains(answered[:_GRAINS_OF])
    names = {clean(name) for each in known.values() if isinstance(each, Mapping) for name in each}
    near = near_word(group_by, sorted(names))
    return [f"group_by: no host that answered has the grain {clean(group_by)}{'; ' * bool(near)}{near}"]


def _with_rollout(report: FleetReport, state_dir: Path) -> FleetReport:
    """Return the report with how the last rollout stands; where its journal cannot be read it says so."""
    try:
        return dataclasses.replace(report, rollout=last_rollout(state_dir, now=report.made))
    except SsmpatchError as exc:
        return dataclasses.replace(report, warnings=(*report.warnings, str(exc)))


def with_trends(report: FleetReport, state_dir: Path, *, scope: str) -> FleetReport:
    """Record the report in the history and return it with the trends; without a history it says why."""
    try:
        trends = history.update(
            state_dir / history.FILE, scope=scope, hosts=report.hosts, totals=report.totals, now=report.made
        )
    except SsmpatchError as exc:
        return dataclasses.replace(report, warnings=(*report.warnings, str(exc)))
    return dataclasses.replace(report, trends=trends)


def render(report: FleetReport, *, format: str, details: bool) -> Iterator[str]:
    """The report in one of the formats, in pieces.

    Raises:
        InvalidInput: there is no such format.
    """
    if format == "table":
        return iter((table_text(report),))
    if format == "csv":
        return csv_text(report, details=details)
    if format == "json":
        return json_text(report)
    if format == "html":
        return html_text(report)
    if format == "prometheus":
        return prometheus_text(report)
    raise InvalidInput(f"format: {format!r} is not allowed; use {either(FORMATS)}")


def write(pieces: Iterable[str], path: Path) -> None:
    """Replace a file by a text in pieces: it is whole or not touched, and readable by who may read its directory.

    Raises:
        InvalidInput: the path is not absolute.
        Unwritable: it cannot be written.
    """
    if not path.is_absolute():
        raise InvalidInput(f"output: {str(path)!r} is not allowed; use an absolute path")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with open(handle, "w", encoding="utf-8", newline="") as stream:
                os.fchmod(stream.fileno(), 0o644)
                for piece in pieces:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise Unwritable(path, exc) from exc
