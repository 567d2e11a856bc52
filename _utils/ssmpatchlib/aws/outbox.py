# SPDX-License-Identifier: Apache-2.0
"""Reports that wait to be sent to AWS: one file per kind, so that a newer one takes an older one's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import fields, files
from ..paths import Place, root_key, state_file
from .items import COMMAND, PATCH_POLICY, InventoryItems

DIRECTORY = "upload-queue"
VERSION = 1

#: The kinds: what PutInventory takes, and what PutComplianceItems takes for an association.
INVENTORY = "inventory"
ASSOCIATION = "association"

_FIELDS: Mapping[str, fields.Check] = {
    "association_id": fields.is_text,
    "baseline_name": fields.is_text,
    "execution_type": lambda value: value in (COMMAND, PATCH_POLICY),
    "summary": fields.is_text_mapping,
    "compliance": lambda value: isinstance(value, list) and all(map(fields.is_text_mapping, value)),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A report that is to be sent; for ``association_id`` if it is not empty."""

    items: InventoryItems
    association_id: str = ""

    @property
    def kind(self) -> str:
        """Of each kind only the newest is worth sending."""
        return f"{ASSOCIATION}-{self.association_id}" if self.association_id else INVENTORY


def put(place: Place, waiting: Waiting) -> None:
    """Keep a report until it is sent, in place of an older one of its kind.

    Raises:
        Unwritable: it could not be stored.
    """
    files.write_json(_path(place, waiting.kind), _document(waiting))


def waiting(place: Place) -> tuple[list[Waiting], tuple[str, ...]]:
    """What waits, oldest first, and warnings about damaged files, which were set aside."""
    found: list[Waiting] = []
    warnings: tuple[str, ...] = ()
    for path in sorted((place.state_dir / DIRECTORY).glob(f"*-{root_key(place.root)}.json")):
        document, said = files.read_json(path, shape=_problem, now=place.now)
        warnings += said
        if document is not None:
            found.append(_waiting(document))
    return sorted(found, key=lambda each: (each.items.ended, each.kind)), warnings


def done(place: Place, sent: Waiting) -> None:
    """Forget a report that was sent, unless a newer one has taken its place meanwhile.

    Raises:
        Unwritable: it could not be deleted; it will be sent once more.
    """
    path = _path(place, sent.kind)
    document, _ = files.read_json(path, shape=_problem, now=place.now)
    if document is not None and _waiting(document) == sent:
        files.remove(path)


def _path(place: Place, kind: str) -> Path:
    return state_file(place.state_dir / DIRECTORY, kind, place.root)


def _document(waiting: Waiting) -> dict[str, Any]:
    return {
        "version": VERSION,
        "association_id": waiting.association_id,
        "baseline_name": waiting.items.baseline_name,
        "execution_type": waiting.items.execution_type,
        "summary": dict(waiting.items.summary),
        "compliance": [dict(row) for row in waiting.items.compliance],
    }


def _waiting(document: Mapping[str, Any]) -> Waiting:
    items = InventoryItems(
        summary=document["summary"],
        compliance=tuple(document["compliance"]),
        baseline_name=document["baseline_name"],
        execution_type=document.get("execution_type", COMMAND),
    )
    return Waiting(items, document["association_id"])


def _problem(document: object) -> str:
    if isinstance(document, dict):
        # Reports that wait since before there was such a field are of no patch policy.
        document = {"execution_type": COMMAND, **document}
    wrong = fields.check_fields(document, VERSION, _FIELDS)
    if wrong or not isinstance(document, dict):
        return wrong
    missing = {"BaselineId", "OperationStartTime", "OperationEndTime"} - set(document["summary"])
    return f"summary without {sorted(missing)[0]}" if missing else ""
