# SPDX-License-Identifier: Apache-2.0
"""Cuts a report down to what PutInventory takes, before it is sent, and says what was cut. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence

from ..model import INSTALLED, INSTALLED_OTHER
from .items import InventoryItems, Row

#: AWS's limits (API model 2014-11-06 and the quotas of Systems Manager).
MAX_ROWS = 10_000
MAX_ATTRIBUTES = 50
MAX_NAME = 64
MAX_VALUE = 4096
#: All items of one call together: "1 MB"; less than a binary megabyte, for what the envelope and AWS's count add.
MAX_BYTES = 1_000_000

CVES = "CVEIds"
#: What may go when a report is too large, first what says least. What is wrong with the host goes last.
_DISPENSABLE: tuple[tuple[str, Callable[[Row], bool]], ...] = (
    (INSTALLED_OTHER, lambda row: row.get("PatchState") == INSTALLED_OTHER),
    (INSTALLED, lambda row: row.get("PatchState") == INSTALLED),
    ("non-compliant", lambda row: True),
)


def fit(items: InventoryItems, *, max_bytes: int = MAX_BYTES) -> tuple[InventoryItems, tuple[str, ...]]:
    """The items that AWS takes of ``items``, and a warning for each kind of loss.

    First values are cut to their length, then CVE lists are shortened as little as fits, then rows are left out:
    InstalledOther ones, Installed ones, others. The counts of the summary stay what they were.
    """
    warnings: list[str] = []
    summary = _cut((items.summary,), "AWS:PatchSummary", warnings)[0]
    rows = _cut(items.compliance, "AWS:ComplianceItem", warnings)
    room = max_bytes - _size(summary) - 2
    rows = _shorten_cves(rows, room, warnings)
    rows = _leave_out(rows, room, warnings)
    return dataclasses.replace(items, summary=summary, compliance=tuple(rows)), tuple(warnings)


def without_details(items: InventoryItems) -> InventoryItems:
    """The least that still says what is wrong: no CVE lists, no InstalledOther rows."""
    rows = (row for row in items.compliance if row.get("PatchState") != INSTALLED_OTHER)
    return dataclasses.replace(items, compliance=tuple(_with_cves(row, 0) for row in rows))


def _cut(rows: Iterable[Row], what: str, warnings: list[str]) -> list[Row]:
    """The rows with every value and name of an allowed length and at most the allowed number of attributes."""
    result: list[Row] = []
    keys: dict[str, int] = {}
    for row in rows:
        cut: dict[str, str] = {}
        for key, value in row.items():
            if len(cut) == MAX_ATTRIBUTES or len(key) > MAX_NAME:
                keys[key] = keys.get(key, 0) + 1
                continue
            if len(value) > MAX_VALUE:
                keys[key] = keys.get(key, 0) + 1
                value = _first_ids(value, _ids_within(value, MAX_VALUE)) if key == CVES else value[:MAX_VALUE]
            cut[key] = value
        result.append(cut)
    for key, number in keys.items():
        warnings.append(
            f"{what}: {key[:MAX_NAME]} was cut in {number} row(s): AWS takes {MAX_ATTRIBUTES} attributes of "
            f"{MAX_VALUE} characters"
        )
    return result


def _shorten_cves(rows: Sequence[Row], room: int, warnings: list[str]) -> list[Row]:
    """The rows with at most so many CVE ids in each as make all of them fit; with none where even that is too large."""
    if _rows_size(rows) <= room:
        return list(rows)
    longest = max((_count(row) for row in rows), default=0)
    if longest == 0:
        return list(rows)
    low, high = 0, longest - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _rows_size([_with_cves(row, middle) for row in rows]) <= room:
            low = middle
        else:
            high = middle - 1
    shortened = sum(_count(row) > low for row in rows)
    how = f"shortened to {low} id(s)" if low else "left out"
    warnings.append(
        f"AWS:ComplianceItem: too large for AWS (1 MB): the CVE lists of {shortened} row(s) were {how}; "
        "the stored report has them all"
    )
    return [_with_cves(row, low) for row in rows]


def _leave_out(rows: Sequence[Row], room: int, warnings: list[str]) -> list[Row]:
    sizes = [_size(row) + 2 for row in rows]
    kept = [True] * len(rows)
    total, number = sum(sizes), len(rows)
    for name, may_go in _DISPENSABLE:
        gone = 0
        for index in reversed(range(len(rows))):
            if total <= room and number <= MAX_ROWS:
                break
            if kept[index] and may_go(rows[index]):
                kept[index] = False
                total -= sizes[index]
                number -= 1
                gone += 1
        if gone:
            warnings.append(
                f"AWS:ComplianceItem: too large for AWS (1 MB, {MAX_ROWS} rows): {gone} {name} row(s) were left out; "
                "the counts and the stored report have them"
            )
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def _size(value: object) -> int:
    """Bytes of a value as it is sent."""
    return len(json.dumps(value))


def _rows_size(rows: Sequence[Row]) -> int:
    return sum(_size(row) + 2 for row in rows)


def _count(row: Row) -> int:
    cves = row.get(CVES, "")
    return cves.count(",") + 1 if cves else 0


def _with_cves(row: Row, most: int) -> Row:
    if _count(row) <= most:
        return row
    if most == 0:
        return {key: value for key, value in row.items() if key != CVES}
    return {**row, CVES: _first_ids(row[CVES], most)}


def _first_ids(cves: str, most: int) -> str:
    return ",".join(cves.split(",")[:most])


def _ids_within(cves: str, length: int) -> int:
    """How many of the ids fit into ``length`` characters."""
    return len(cves[: length + 1].split(",")) - 1
