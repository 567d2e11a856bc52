# SPDX-License-Identifier: Apache-2.0
"""The last report of a root, its outline for monitoring, and the history of operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import files, report_form
from ..fields import can_be_sent, check_fields, is_time
from ..paths import Place
from ..report import Report

VERSION = 1
MAX_OPERATIONS = 200


def save_report(report: Report, place: Place) -> None:
    """Store the full report (every row) as the last one, and its outline, ``last-<root key>.json``.

    The outline is for readers that do not load the engine (the beacon): ``version``, ``saved_at``, ``run_id``,
    ``operation``, ``compliance``, ``counts`` (the summary's ``...Count`` values), ``noncompliant`` (the ids, sorted)
    and ``reboot_pending`` (the ids that wait for a reboot).

    Raises:
        Unwritable: a file cannot be written; its earlier content is still there.
    """
    document = {"version": VERSION, "saved_at": place.now, "report": report_form.to_plain(report)}
    files.write_json(place.file("report"), document)
    last = {"version": VERSION, "saved_at": place.now, **report_form.outline(report)}
    files.write_json(place.file("last"), last)


def load_report(place: Place) -> tuple[Report | None, tuple[str, ...]]:
    """Return the last report, None when there is none, and warnings; a damaged report is set aside."""
    document, warnings = files.read_json(place.file("report"), shape=_problem, now=place.now)
    return report_form.from_plain(document["report"]) if document else None, warnings


def append_history(operation: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    """Add an operation, plain data with an ``id``, to the history of the last 200 operations; return warnings.

    An entry with the same ``id``, of an operation that was killed later and finished again, is replaced. A history with
    unreadable lines is set aside, and the new one has the readable lines.

    Raises:
        Unwritable: the history cannot be written; its earlier content is still there.
    """
    path = place.file("history", ".jsonl")
    operations, bad, warnings = _read_history(path, place.now)
    if bad:
        warnings = (*warnings, files.set_aside(path, f"{bad} unreadable lines", now=place.now))
    others = [item for item in operations if item["id"] != operation.get("id")]
    kept = [*others, dict(operation)][-MAX_OPERATIONS:]
    files.write_text(path, "".join(f"{json.dumps(item, allow_nan=False)}\n" for item in kept))
    return warnings


def read_history(place: Place, *, limit: int) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """Return the last ``limit`` operations, newest first, and warnings."""
    path = place.file("history", ".jsonl")
    operations, bad, warnings = _read_history(path, place.now)
    if bad:
        warnings = (*warnings, f"{path}: {bad} unreadable lines were left out")
    return tuple(reversed(operations))[: max(0, limit)], warnings


def _read_history(path: Path, now: float) -> tuple[list[dict[str, Any]], int, tuple[str, ...]]:
    text, warnings = files.read_text(path, now=now)
    lines = [line for line in (text or "").split("\n") if line.strip()]
    operations = [operation for line in lines if (operation := _parsed(line)) is not None]
    return operations, len(lines) - len(operations), warnings


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = files.parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("id"), str) and can_be_sent(value) else None


def _problem(document: Any) -> str:
    return check_fields(document, VERSION, {"saved_at": is_time, "report": report_form.is_report})
