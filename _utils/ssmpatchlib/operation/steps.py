# SPDX-License-Identifier: Apache-2.0
"""Steps that scan, install and resume share: events, refresh, hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import report
from ..errors import SsmpatchError
from ..host import CommandTimeout
from ..model import Inventory, UnreadSource
from ..store.lock import OperationLock, operation_lock
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


def refresh_index(session: Session, *, wanted: bool) -> Freshness:
    """Refresh the package index where that is wanted and allowed, and say what it is worth."""
    max_age = session.settings.refresh_max_age
    try:
        done = session.backend.refresh(max_age=max_age) if wanted else None
    except CommandTimeout as exc:
        # One repository that does not answer keeps nobody from seeing what is known of all.
        return Freshness(unread=(UnreadSource(session.backend.name, str(exc), session.backend.index_age()),))
    if done is not None and done.done:
        return Freshness(unread=done.unread)
    age = session.backend.index_age()
    words = "its age is not known" if age is None else f"it is {report.duration(age)} old"
    warnings = []
    if done is not None and done.note:
        warnings.append(f"{done.note}; {words}")
    elif age is None or age > max(max_age, _HOUR):
        warnings.append(f"the package index was not refreshed; {words}")
    return Freshness(stale=age is None or age > max(max_age, _DAY), warnings=tuple(warnings))


@contextlib.contextmanager
def locked_operation(session: Session, name: str, *, optional: bool = False) -> Iterator[OperationLock]:
    """Hold the operation's lock and tell the master when it starts and when it fails."""
    settings = session.settings
    with operation_lock(
        state_dir=settings.state_dir,
        root=settings.root,
        operation=name,
        run_id=session.run_id,
        timeout=settings.lock_timeout,
        host=session.host,
        aws_dir=settings.aws_dir,
        optional=optional,
    ) as lock:
        fire(session, name, "start", {"run_id": session.run_id})
        try:
            yield lock
        except Exception as exc:
            code = exc.code if isinstance(exc, SsmpatchError) else 1
            fire(session, name, "failed", {"run_id": session.run_id, "error": str(exc), "code": code})
            raise


def fire(session: Session, operation: str, step: str, data: Mapping[str, Any]) -> None:
    """Send ``ssmpatch/<minion>/<operation>/<step>``; an event that cannot be sent stops nothing."""
    _send(session, f"ssmpatch/<id>/{operation}/{step}", data)


def fire_progress(session: Session, data: Mapping[str, Any]) -> None:
    """Send ``salt/ssmpatch/<minion>/install/progress``."""
    _send(session, "salt/ssmpatch/<id>/install/progress", data)


def _send(session: Session, tag: str, data: Mapping[str, Any]) -> None:
    try:
        session.caller.fire(tag, data)
    except Exception as exc:  # noqa: BLE001 - whatever the bus says, patching goes on
        session.caller.log.warning("ssmpatch: event %s could not be sent: %s", tag, exc)


def run_hooks(session: Session, name: str) -> str:
    """Run the Salt functions of one hook in order; return what failed first, ``""`` when nothing did."""
    for hook in session.settings.hooks.get(name, ()):
        if session.caller.call is None:
            return f"hook {name}: {hook.function} cannot be run: there is no Salt here"
        try:
            value = session.caller.call(hook.function, hook.args, dict(hook.kwargs))
        except Exception as exc:  # noqa: BLE001 - a hook is foreign code; what it raises is its failure
            return f"hook {name}: {hook.function} failed: {exc}"
        if _says_failed(value):
            return f"hook {name}: {hook.function} answered {_shortened(value)}"
    return ""


def _says_failed(value: Any) -> bool:
    """False is a failure, as is a state run with a failed state, or the list of errors Salt returns instead of one."""
    if value is False:
        return True
    if isinstance(value, Mapping):
        return any(isinstance(item, Mapping) and item.get("result") is False for item in value.values())
    return (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value) and _is_refusal(value)
    )


def _is_refusal(value: list[str]) -> bool:
    return any("is running as PID" in item or "Rendering SLS" in item or "No matching sls" in item for item in value)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
