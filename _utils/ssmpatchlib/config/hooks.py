# SPDX-License-Identifier: Apache-2.0
"""The Salt functions that an operation calls before and after its steps, as the settings name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..config_reader import Section
from ..input_errors import show

HOOKS = ("pre_install", "post_install", "on_exit", "pre_reboot", "after_reboot")
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.\w+)+")


@dataclass(frozen=True, slots=True)
class Hook:
    """One Salt function to call, with its arguments."""

    function: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def read_hooks(hooks: Section) -> Mapping[str, tuple[Hook, ...]]:
    """Return the hooks by their step."""
    result = {}
    for name in HOOKS:
        items = hooks.raw(name)
        if items is None:
            items = []
        elif isinstance(items, (str, Mapping)):
            items = [items]
        elif not isinstance(items, (list, tuple)):
            hooks.problem(name, items, "a list of Salt functions such as {test.ping: []}")
            items = []
        paths = (f"{hooks.at(name)}[{index}]" for index in range(len(items)))
        calls = (_calls(item, path, hooks.problems) for item, path in zip(items, paths, strict=True))
        result[name] = tuple(hook for found in calls for hook in found)
    hooks.finish()
    return MappingProxyType(result)


def _calls(item: Any, path: str, found: list[str]) -> list[Hook]:
    if isinstance(item, str):
        item = {item: None}
    if not isinstance(item, Mapping) or not item:
        found.append(f"{path}: {show(item)} is not allowed; use a Salt function such as {{test.ping: []}}")
        return []
    result = []
    for function, arguments in item.items():
        if not isinstance(function, str) or not FUNCTION.fullmatch(function):
            found.append(f"{path}: {show(function)} is no Salt function; use module.function")
            continue
        result.append(_call(function, arguments))
    return result


def _call(function: str, arguments: Any) -> Hook:
    """As ``module.run`` reads arguments: of a list, mappings are keyword arguments and the rest positional."""
    if arguments is None:
        return Hook(function)
    parts = arguments if isinstance(arguments, (list, tuple)) else [arguments]
    kwargs = {
        key if isinstance(key, str) else show(key): value
        for part in parts
        if isinstance(part, Mapping)
        for key, value in part.items()
    }
    return Hook(function, tuple(part for part in parts if not isinstance(part, Mapping)), MappingProxyType(kwargs))
