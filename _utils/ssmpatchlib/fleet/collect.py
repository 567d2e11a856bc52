# SPDX-License-Identifier: Apache-2.0
"""Asks the fleet for its stored reports, remembers them, and writes the report where it is wanted."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import InvalidInput, SsmpatchError
from ..files import Unwritable
from ..input_errors import either, show
from . import history
from .export import csv_text, json_text, prometheus_text
from .fleetreport import FleetReport, make_report
from .hosts import GRAIN_NAMES, GRAINS, REPORT, SCAN, STATUS
from .html import html_text
from .salt_client import Call, Salt, ask, keywords
from .settings import FleetSettings
from .text_table import table_text

FORMATS = ("table", "json", "csv", "html", "prometheus")


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
    )
    return with_trends(report, settings.state_dir, scope=f"{tgt_type}:{shown}") if remember else report


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
