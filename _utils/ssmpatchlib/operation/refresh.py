# SPDX-License-Identifier: Apache-2.0
"""Refreshes the package index before it is judged, and says how far the index can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from ..host import CommandTimeout
from ..model import Inventory, UnreadSource
from ..times import duration
from .session import Session

_DAY = 86400.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the package index can be trusted; ``stale`` forbids the verdict COMPLIANT."""

    unread: tuple[UnreadSource, ...] = ()
    stale: bool = False
    warnings: tuple[str, ...] = ()

    def with_inventory(self, inventory: Inventory) -> tuple[UnreadSource, ...]:
        """Return these unread sources and those that the inventory names, each once."""
        by_name = {source.name: source for source in (*inventory.unread, *self.unread)}
        return tuple(by_name.values())


def refresh_index(
    session: Session, *, wanted: bool, import_keys: bool = False, however_young: bool = False
) -> Freshness:
    """Refresh the package index where that is wanted and needed; return how far the index can be trusted.

    With ``import_keys`` the signing keys that repositories' own configuration names may be imported. A young index
    needs no refresh unless it counts ``however_young``.
    """
    max_age = session.settings.refresh_max_age
    try:
        needed = wanted and (however_young or not _is_young(session, max_age))
        done = session.backend.refresh(import_keys=import_keys) if needed else None
    except CommandTimeout as exc:
        # When one repository does not answer, the host is still judged by the copies of all.
        return Freshness(unread=(UnreadSource(session.backend.name, str(exc), session.backend.index_age()),))
    if done is not None and done.done:
        return Freshness(unread=done.unread, warnings=done.warnings)
    age = session.backend.index_age()
    words = "its age is not known" if age is None else f"it is {duration(age)} old"
    warnings = []
    if done is not None and done.note:
        warnings.append(f"{done.note}; {words}")
    elif age is None or age > max(max_age, _HOUR):
        warnings.append(f"the package index was not refreshed; {words}")
    return Freshness(stale=age is None or age > max(max_age, _DAY), warnings=tuple(warnings))


def _is_young(session: Session, max_age: float) -> bool:
    age = session.backend.index_age() if max_age else None
    return age is not None and age < max_age
