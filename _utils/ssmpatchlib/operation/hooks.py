# SPDX-License-Identifier: Apache-2.0
"""The Salt functions that run before and after an install and a reboot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import KEY
from ..config.hooks import Hook
from ..input_errors import show
from .caller import Caller
from .session import Session

_LONGEST = 300


def run_hooks(session: Session, name: str) -> str:
    """Run the Salt functions of one hook in order; return the first failure, after which none runs, or ``""``."""
    for hook in session.settings.hooks.get(name, ()):
        if session.caller.call is None:
            return f"hook {name}: {hook.function} cannot be run: there is no Salt here"
        try:
            value = session.caller.call(hook.function, hook.args, dict(hook.kwargs))
        except Exception as exc:  # noqa: BLE001 - a hook is foreign code; what it raises is its failure
            return f"hook {name}: {hook.function} failed: {str(exc)[:_LONGEST]}"
        if _says_failed(value):
            return f"hook {name}: {hook.function} answered {show(value, _LONGEST)}"
    return ""


def unknown_hooks(caller: Caller, hooks: Mapping[str, Sequence[Hook]]) -> list[str]:
    """Return the hooks whose Salt function is not there, as ``path: problem`` lines."""
    known = caller.functions
    return [
        f"{KEY}:hooks:{name}: {hook.function} is no Salt function of this minion; correct the name, or see "
        "sys.list_functions"
        for name, calls in hooks.items()
        for hook in calls
        if known is not None and hook.function not in known
    ]


def _says_failed(value: Any) -> bool:
    """Return whether a function's value is a failure: False, a failed state run, or Salt's list of errors for one."""
    if value is False:
        return True
    if isinstance(value, Mapping):
        return any(isinstance(item, Mapping) and item.get("result") is False for item in value.values())
    return (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value) and _is_refusal(value)
    )


def _is_refusal(value: list[str]) -> bool:
    return any("is running as PID" in item or "Rendering SLS" in item or "No matching sls" in item for item in value)
