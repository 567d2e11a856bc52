# SPDX-License-Identifier: Apache-2.0
"""Sessions and transactions as plain data for the journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..baseline.export import to_pillar
from ..model import InstallOverrideList, OverrideEntry, Target, Transaction
from .session import Session


def from_session(session: Session) -> dict[str, Any]:
    """Return what is needed to finish an operation as it was begun."""
    override = session.override_list
    return {
        "baseline": to_pillar(session.baseline),
        "origin": session.baseline.origin,
        "overridden": session.overridden,
        "override_list": None if override is None else {"location": override.location, "entries": _entries(override)},
        "reboot_option": session.settings.reboot.option,
        "snapshot_id": session.snapshot_id,
        "patch_group": session.patch_group,
    }


def _entries(override: InstallOverrideList) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in override.entries]


def override_list(data: Mapping[str, Any] | None) -> InstallOverrideList | None:
    """Return the override list that ``from_session`` wrote."""
    if data is None:
        return None
    return InstallOverrideList(tuple(OverrideEntry(**entry) for entry in data["entries"]), data["location"])


def from_transaction(transaction: Transaction) -> dict[str, Any]:
    """Return the part of a transaction that finishing it needs."""
    return {
        "targets": [asdict(target) for target in transaction.targets],
        "blocked": {b.target.id: b.reason for b in transaction.blocked},
    }


def targets(data: Mapping[str, Any]) -> tuple[Target, ...]:
    """Return the targets that ``from_transaction`` wrote."""
    return tuple(Target(**target) for target in data["targets"])
