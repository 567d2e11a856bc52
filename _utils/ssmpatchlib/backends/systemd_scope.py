# SPDX-License-Identifier: Apache-2.0
"""A systemd scope for a package manager, so that it survives a stop or upgrade of the service that started it."""

from __future__ import annotations

from . import Context


def scope(context: Context) -> list[str]:
    """Return the prefix that puts a command into a systemd scope of its own, where systemd runs."""
    if not (context.unit and context.host.has_systemd() and context.host.is_root()):
        return []
    return ["systemd-run", "--scope", "--quiet", "--collect", f"--unit={context.unit}", "--"]
