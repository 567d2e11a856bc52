# SPDX-License-Identifier: Apache-2.0
"""Sessions and transactions as plain data for the journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..baseline.export import to_pillar
from ..baseline.parse import parse_baseline
from ..config import REBOOT_OPTIONS
from ..errors import InvalidInput
from ..fields import check_fields, is_mapping, is_text, is_text_mapping
from ..model import Baseline, FrozenSet, InstallOverrideList, OverrideEntry, Target, Transaction
from ..names import is_deb, is_rpm
from .session import Session


@dataclass(frozen=True, slots=True)
class Begun:
    """What an interrupted operation had decided when it began; ``blocked`` are reasons by ``name.arch``."""

    baseline: Baseline
    overridden: bool
    frozen: FrozenSet | None
    override_list: InstallOverrideList | None
    reboot_option: str
    snapshot_id: str
    patch_group: str
    targets: tuple[Target, ...]
    blocked: Mapping[str, str]


def from_session(session: Session) -> dict[str, Any]:
    """Return the part of a session that is needed to finish its operation, as plain data."""
    override = session.override_list
    entries = [asdict(entry) for entry in override.entries] if override else []
    return {
        "baseline": to_pillar(session.baseline),
        "name": session.baseline.name,
        "origin": session.baseline.origin,
        "overridden": session.overridden,
        "frozen": _frozen_form(session.frozen),
        "override_list": None
        if override is None
        else {"location": override.location, "entries": entries, "lifts_rejected": override.lifts_rejected},
        "reboot_option": session.settings.reboot.option,
        "snapshot_id": session.snapshot_id,
        "patch_group": session.patch_group,
    }


def _frozen_form(frozen: FrozenSet | None) -> dict[str, Any] | None:
    return None if frozen is None else {"versions": dict(frozen.versions), "origin": frozen.origin}


def from_transaction(transaction: Transaction) -> dict[str, Any]:
    """Return the part of a transaction that is needed to finish it, as plain data."""
    return {
        "targets": [asdict(target) for target in transaction.targets],
        "blocked": {b.target.id: b.reason for b in transaction.blocked},
    }


def read_begun(settings: Mapping[str, Any], transaction: Mapping[str, Any], *, operating_system: str) -> Begun:
    """Return what was decided, from the plain data of ``from_session`` and ``from_transaction``.

    Raises:
        ValueError: the data have another form; the text says which.
    """
    problem = check_fields(settings, None, _SETTINGS) or check_fields(transaction, None, _TRANSACTION)
    if problem:
        raise ValueError(problem)
    try:
        baseline = parse_baseline(
            settings["baseline"],
            origin=settings["origin"],
            name=settings["name"],
            operating_system=operating_system,
        )
    except InvalidInput as exc:
        raise ValueError(f"its baseline cannot be used: {exc}") from exc
    return Begun(
        baseline=baseline,
        overridden=settings["overridden"],
        frozen=None if settings["frozen"] is None else FrozenSet(**settings["frozen"]),
        override_list=_override_list(settings["override_list"]),
        reboot_option=settings["reboot_option"],
        snapshot_id=settings["snapshot_id"],
        patch_group=settings["patch_group"],
        targets=tuple(Target(**target) for target in transaction["targets"]),
        blocked=transaction["blocked"],
    )


def _override_list(data: Mapping[str, Any] | None) -> InstallOverrideList | None:
    if data is None:
        return None
    entries = tuple(OverrideEntry(**entry) for entry in data["entries"])
    return InstallOverrideList(entries, data["location"], data["lifts_rejected"])


def _is_frozen(value: object) -> bool:
    return value is None or not check_fields(value, None, {"versions": is_text_mapping, "origin": is_text})


def _is_override_list(value: object) -> bool:
    checks = {"location": is_text, "entries": _are_entries, "lifts_rejected": lambda value: isinstance(value, bool)}
    return value is None or not check_fields(value, None, checks)


def _are_entries(value: object) -> bool:
    checks = {"id": is_text, "title": lambda title: title is None or is_text(title)}
    return isinstance(value, list) and not any(check_fields(item, None, checks) for item in value)


def _are_targets(value: object) -> bool:
    names = {item.name for item in fields(Target)}
    return isinstance(value, list) and all(
        is_text_mapping(item) and set(item) == names and _is_package(item) for item in value
    )


def _is_package(target: Mapping[str, str]) -> bool:
    """Return whether a package manager could have a package of this name; nothing else is installed."""
    words = target["name"], target["version"], target["arch"]
    return is_rpm(*words) or is_deb(*words)


_SETTINGS = {
    "baseline": is_mapping,
    "name": is_text,
    "origin": is_text,
    "overridden": lambda value: isinstance(value, bool),
    "frozen": _is_frozen,
    "override_list": _is_override_list,
    "reboot_option": lambda value: value in REBOOT_OPTIONS,
    "snapshot_id": is_text,
    "patch_group": is_text,
}
_TRANSACTION = {"targets": _are_targets, "blocked": is_text_mapping}
