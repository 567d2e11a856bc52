# SPDX-License-Identifier: Apache-2.0
"""The functions that the caller lends to the engine: events, Salt functions, the file server, a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any


def _silent(tag: str, data: Mapping[str, Any]) -> None:
    """Fire no event."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The functions and the log that the caller lends to the engine.

    ``fire(tag, data)`` sends an event. ``call(function, args, kwargs)`` runs a Salt function; None if hooks cannot run.
    ``functions`` has the names of the Salt functions; None if they are not known. Walking through it loads every module
    of Salt's. ``next_installs()`` returns when Salt's schedule begins installs next: epoch seconds by the job's name;
    None where there is no schedule. ``salt_file(location)`` returns the text of a ``salt://`` file; None if there is no
    file server. ``salt_path(location)`` returns where Salt's file cache has such a file, fetched where it changed.
    """

    fire: Callable[[str, Mapping[str, Any]], None] = _silent
    call: Callable[..., Any] | None = None
    functions: Container[str] | None = None
    next_installs: Callable[[], Mapping[str, float]] | None = None
    salt_file: Callable[[str], str] | None = None
    salt_path: Callable[[str], str] | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("ssmpatch"))
