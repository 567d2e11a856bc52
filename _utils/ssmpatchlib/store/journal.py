# SPDX-License-Identifier: Apache-2.0
"""The journal of one operation: what it will do and how far it got, so that a killed run can be finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import files
from ..errors import SsmpatchError
from ..fields import check_fields, is_count, is_mapping, is_requests, is_text, is_text_mapping, is_time
from ..masking import masked_plain
from ..paths import Place
from ..reboot import RebootRequests, requests_of

VERSION = 1

PLANNED = "planned"
DOWNLOADING = "downloading"
INSTALLING = "installing"
INSTALLED = "installed"
REPORTED = "reported"
REBOOT_REQUESTED = "reboot_requested"
VERIFIED = "verified"
CLOSED = "closed"

#: The phases that may follow each phase of an open journal; a phase may also be written again with new fields.
NEXT_PHASES: Mapping[str, tuple[str, ...]] = {
    PLANNED: (DOWNLOADING, INSTALLING, REPORTED, REBOOT_REQUESTED),
    DOWNLOADING: (INSTALLING, REPORTED),
    INSTALLING: (INSTALLED,),
    INSTALLED: (REPORTED,),
    REPORTED: (REBOOT_REQUESTED, VERIFIED),
    REBOOT_REQUESTED: (VERIFIED,),
    VERIFIED: (),
}


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """How far the operation ``run_id`` got: ``phase``, and while installing, ``batch`` of ``batches``.

    ``settings`` and ``transaction`` are plain data from which the caller can finish the operation. ``before`` maps
    ``name.arch`` to the version installed before the operation, ``failures`` maps ``name.arch`` to what went wrong.
    """

    path: Path
    run_id: str
    operation: str
    root: str
    started: float
    boot_id: str
    phase: str
    settings: Mapping[str, Any]
    transaction: Mapping[str, Any]
    before: Mapping[str, str]
    failures: Mapping[str, str] = field(default_factory=dict)
    batch: int = 0
    batches: int = 0
    reboot: RebootRequests = RebootRequests()


def begin(
    place: Place,
    *,
    run_id: str,
    operation: str,
    boot_id: str,
    settings: Mapping[str, Any],
    transaction: Mapping[str, Any],
    before: Mapping[str, str],
) -> JournalEntry:
    """Open the journal of an operation that began at ``place.now``, in phase ``planned``, before it acts.

    Raises:
        SsmpatchError: the journal of an earlier operation is still open.
        Unwritable: the journal cannot be written; the operation must not start.
    """
    earlier, _ = load_open(place)
    if earlier is not None:
        raise SsmpatchError(
            f"{earlier.path}: {earlier.operation} {earlier.run_id} was interrupted in phase {earlier.phase}; "
            "finish it first with ssmpatch.resume"
        )
    entry = JournalEntry(
        path=place.file("journal"),
        run_id=run_id,
        operation=operation,
        root=str(place.root.resolve()),
        started=place.now,
        boot_id=boot_id,
        phase=PLANNED,
        settings=settings,
        transaction=transaction,
        before=before,
    )
    return _written(entry)


def advance(entry: JournalEntry, phase: str, **fields: Any) -> JournalEntry:
    """Record durably that ``phase`` is reached, with new values for the given fields.

    Args:
        fields: any of ``batch``, ``batches``, ``failures``, ``before``, ``transaction``, ``settings``, ``reboot``.

    Raises:
        SsmpatchError: ``phase`` cannot follow the entry's phase.
        Unwritable: the journal cannot be written; it still holds the old phase.
    """
    allowed = (entry.phase, *NEXT_PHASES[entry.phase]) if entry.phase in NEXT_PHASES else ()
    if phase not in allowed:
        known = ", ".join(allowed) or "none"
        raise SsmpatchError(f"{entry.path}: phase {phase!r} cannot follow {entry.phase!r}; allowed: {known}")
    return _written(dataclasses.replace(entry, phase=phase, **fields))


def close(entry: JournalEntry) -> JournalEntry:
    """Delete the journal of an operation that is finished or given up; report and history have its result.

    Raises:
        Unwritable: the journal cannot be deleted.
    """
    files.remove(entry.path)
    return dataclasses.replace(entry, phase=CLOSED)


def load_open(place: Place) -> tuple[JournalEntry | None, tuple[str, ...]]:
    """Return the journal that an interrupted operation on the root left, if any, and warnings.

    A damaged journal is set aside with a warning.
    """
    path, root = place.file("journal"), str(place.root.resolve())
    document, warnings = files.read_json(path, shape=lambda value: _problem(value, root), now=place.now)
    if document is None:
        return None, warnings
    fields = {key: value for key, value in document.items() if key != "version"}
    return JournalEntry(path=path, **{**fields, "reboot": requests_of(fields["reboot"])}), warnings


def _written(entry: JournalEntry) -> JournalEntry:
    document = {item.name: getattr(entry, item.name) for item in dataclasses.fields(entry) if item.name != "path"}
    document["reboot"] = dataclasses.asdict(entry.reboot)
    for key in ("settings", "before"):
        document[key] = dict(document[key])
    for key in ("transaction", "failures"):
        document[key] = masked_plain(document[key])
    files.write_json(entry.path, {"version": VERSION, **document})
    return entry


def _problem(document: Any, root: str) -> str:
    problem = check_fields(document, VERSION, _FIELDS)
    if problem:
        return problem
    if document["phase"] not in NEXT_PHASES:
        return f"unknown phase {document['phase'][:40]!r}"
    if document["root"] != root:
        return f"of another root, {document['root'][:200]}"
    return ""


_FIELDS = {
    "run_id": is_text,
    "operation": is_text,
    "root": is_text,
    "started": is_time,
    "boot_id": is_text,
    "phase": is_text,
    "settings": is_mapping,
    "transaction": is_mapping,
    "before": is_text_mapping,
    "failures": is_text_mapping,
    "batch": is_count,
    "batches": is_count,
    "reboot": is_requests,
}
