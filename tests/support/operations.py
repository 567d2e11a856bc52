# SPDX-License-Identifier: Apache-2.0
"""The engine's operations on roots: settings, baselines to judge by, a host that remembers, and what reports say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssmpatchlib import api, config
from ssmpatchlib.host import CommandResult, Host, Running


def approving(classification: str, **rule: Any) -> dict[str, Any]:
    """A baseline of one rule, which approves what has the classification at once."""
    filters = [{"key": "CLASSIFICATION", "values": [classification]}]
    return {"approvalRules": {"rules": [{"filterGroup": {"filters": filters}, "approveAfterDays": 0, **rule}]}}


EVERYTHING = approving("*", complianceLevel="HIGH", enableNonSecurity=True)
SECURITY = approving("Security", complianceLevel="CRITICAL")


@dataclass(frozen=True)
class Operations:
    """Operations on roots of one kind. ``given`` are the settings of that kind; every operation takes others."""

    given: Mapping[str, Any]

    def settings(self, root: Path, **more: Any) -> config.Settings:
        """The settings of a root."""
        common = {"root": str(root), "lock_timeout": 20, "reboot": {"option": "NoReboot"}}
        return config.load(minion={**common, **self.given, **more})

    def scan(self, root: Path, *, host: Host | None = None, refresh: bool = True, **more: Any) -> dict[str, Any]:
        """Scan a root."""
        settings = self.settings(root, **more)
        return api.scan(settings, caller=api.Caller(), host=host or Host(), refresh=refresh, upload="never")

    def plan(self, root: Path, *, host: Host | None = None, override: Any = None, **more: Any) -> dict[str, Any]:
        """Plan an install, refreshing first."""
        settings = self.settings(root, **more)
        return api.plan(settings, caller=api.Caller(), host=host or Host(), install_override_list=override)

    def freeze(self, root: Path, **more: Any) -> dict[str, Any]:
        """Freeze the approved versions of a root, by its indexes as they are."""
        return api.freeze(self.settings(root, **more), caller=api.Caller(), host=Host())

    def install(
        self, root: Path, *, host: Host | None = None, refresh: bool = True, override: Any = None, **more: Any
    ) -> dict[str, Any]:
        """Install into a root."""
        return api.install(
            self.settings(root, **more),
            caller=api.Caller(),
            host=host or Host(),
            install_override_list=override,
            refresh=refresh,
            upload="never",
        )


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A report's rows by Id."""
    return {row["Id"]: row for row in report["patches"]}


def states(report: dict[str, Any]) -> dict[str, str]:
    """The patch states by Id."""
    return {id_: row["PatchState"] for id_, row in rows(report).items()}


class RecordingHost(Host):
    """This machine; it remembers which commands were run."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        """Run a command and remember it."""
        self.commands.append(list(argv))
        return super().run(argv, **more)

    def start(self, argv: Sequence[str], **more: Any) -> Running:
        """Start a command and remember it."""
        self.commands.append(list(argv))
        return super().start(argv, **more)
