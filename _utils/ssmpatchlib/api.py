# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host: the functions that Salt's execution module calls.

Each is loaded when it is first asked for, so that showing a stored report loads no package manager.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import Unusable

if TYPE_CHECKING:
    from .config import Settings

#: The room of each function.
_HOMES = {
    "Caller": "operation.caller",
    "amount": "wording",
    "baseline": "operation.baseline",
    "brief": "report_form",
    "cve": "operation.cve",
    "explain": "operation.explain",
    "freeze": "operation.freeze",
    "handed_everything": "signatures",
    "history": "operation.report",
    "install": "operation.install",
    "of_operation": "arguments",
    "plan": "operation.install",
    "reboot": "operation.reboot",
    "report": "operation.report",
    "restarts": "operation.restarts",
    "resume": "operation.resume",
    "return_code": "report_form",
    "scan": "operation.scan",
    "status": "operation.report",
    "upload": "operation.upload",
    "validate": "operation.baseline",
    "version": "operation.version",
}


def __getattr__(name: str) -> Any:
    """Load a function by its name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_HOMES[name]}", __package__), name)
    if _HOMES[name].startswith("operation.") and not isinstance(found, type):
        found = _told(found)
    globals()[name] = found
    return found


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a file that the system refuses, wherever that happens, be an error that names it and what helps."""

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except OSError as exc:
            raise Unusable(exc) from exc

    return operation


def load_settings(
    minion: Mapping[str, Any] | None, pillar: Mapping[str, Any] | None, arguments: Mapping[str, Any]
) -> Settings:
    """Merge and check the configuration of a call.

    Raises:
        InvalidInput: something in it is wrong.
    """
    from . import config

    return config.load(minion=minion, pillar=pillar, arguments=arguments)


__all__ = ["load_settings", *_HOMES]
