# SPDX-License-Identifier: Apache-2.0
"""SUSE hosts in a directory, for tests that let real zypper work on them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssmpatchlib import api, config
from ssmpatchlib.host import CommandResult, Host

from . import rpm_build, rpm_root
from .rpm_build import Spec
from .rpm_repo import parse_nevra

#: zypper's system check wants a glibc; shell scripts want their interpreter.
GLIBC = {"name": "glibc", "version": "2.31", "release": "1", "arch": "x86_64", "provides": ["/bin/sh"]}
EVERYTHING = {
    "approvalRules": {
        "rules": [
            {
                "filterGroup": {"filters": [{"key": "CLASSIFICATION", "values": ["*"]}]},
                "complianceLevel": "HIGH",
                "enableNonSecurity": True,
                "approveAfterDays": 0,
            }
        ]
    }
}


def package(nevra: str, **more: Any) -> dict[str, Any]:
    """``name-version-release.arch`` as a package of a case."""
    return {**parse_nevra(nevra), **more}


def patch(id_: str, *packages: str, **more: Any) -> dict[str, Any]:
    """An important security patch, issued long ago."""
    return {
        "id": id_,
        "type": "security",
        "severity": "important",
        "status": "stable",
        "issued": "1704067200",
        "references": [],
        "packages": list(packages),
        **more,
    }


def build(
    root: Path,
    *,
    installed: Sequence[str | dict[str, Any]],
    packages: Sequence[str | dict[str, Any]] = (),
    advisories: Sequence[dict[str, Any]] = (),
    specs: Sequence[Spec] = (),
    repositories: Sequence[dict[str, Any]] = (),
    locks: Sequence[str] = (),
) -> Path:
    """Build a root. ``specs`` are built by rpmbuild, other packages are header-only; all are in repository updates."""
    updates: dict[str, Any] = {"id": "updates", "advisories": list(advisories)}
    if specs:
        work = root.parent / f"{root.name}-build"
        made = rpm_build.build_repository(work / "updates", specs, advisories=advisories, work=work)
        updates = {"id": "updates", "path": str(made)}
    else:
        updates["packages"] = [package(p) if isinstance(p, str) else p for p in packages]
    case = {
        "os": {"operating_system": "SUSE", "releasever": "15.3", "product": "Suse15.3"},
        "installed": [GLIBC, *(package(p) if isinstance(p, str) else p for p in installed)],
        "repositories": [*([updates] if specs or packages else []), *repositories],
        "excludes": list(locks),
    }
    return rpm_root.build(case, root)


def settings(root: Path, **more: Any) -> config.Settings:
    """Settings that judge a root by a baseline that approves everything, unless told otherwise."""
    given = {
        "baseline": EVERYTHING,
        "operating_system": "SUSE",
        "product": "Suse15.3",
        "root": str(root),
        "lock_timeout": 20,
        "reboot": {"option": "NoReboot"},
        **more,
    }
    return config.load(minion=given)


def scan(root: Path, *, host: Host | None = None, **more: Any) -> dict[str, Any]:
    """Scan a root, refreshing first."""
    return api.scan(settings(root, **more), caller=api.Caller(), host=host or Host(), upload=False)


def plan(root: Path, *, host: Host | None = None, **more: Any) -> dict[str, Any]:
    """Plan an install, refreshing first."""
    return api.plan(settings(root, **more), caller=api.Caller(), host=host or Host())


def install(root: Path, *, host: Host | None = None, refresh: bool = True, **more: Any) -> dict[str, Any]:
    """Install into a root."""
    return api.install(settings(root, **more), caller=api.Caller(), host=host or Host(), refresh=refresh, upload=False)


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A report's rows by Id."""
    return {row["Id"]: row for row in report["patches"]}


def states(report: dict[str, Any]) -> dict[str, str]:
    """The patch states by Id, without the package that every root has."""
    return {id_: row["PatchState"] for id_, row in rows(report).items() if id_ != "glibc.x86_64"}


def zypper(root: Path, *arguments: str, check: bool = True) -> str:
    """What zypper itself says about a root; with ``check`` it must not fail."""
    argv = ["zypper", "--root", str(root), "--non-interactive", "--no-refresh", *arguments]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "ZYPP_LOGFILE": f"{root}/var/log/zypper.log"}
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, check=check
    ).stdout


def database_is_sound(root: Path) -> bool:
    """What rpm says of its database."""
    argv = ["rpmdb", "--root", str(root), "--dbpath", "/var/lib/rpm", "--verifydb"]
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode == 0


class RecordingHost(Host):
    """This machine; it remembers which zypper commands were run."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        """Run a command and remember it."""
        self.commands.append(list(argv))
        return super().run(argv, **more)

    @property
    def solver_runs(self) -> int:
        """How often zypper was asked what an installation would do."""
        return sum("--dry-run" in argv for argv in self.commands)

    @property
    def installs(self) -> list[list[str]]:
        """What the runs of zypper that installed something were to install."""
        runs = [argv for argv in self.commands if "install" in argv and "--dry-run" not in argv]
        return [[word for word in argv if "=" in word and not word.startswith("-")] for argv in runs]
