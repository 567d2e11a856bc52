# SPDX-License-Identifier: Apache-2.0
"""SUSE hosts in a directory, for tests that let real zypper work on them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import operations, rpm_build, rpm_root
from support.operations import EVERYTHING, Operations
from support.rpm_build import Spec
from support.rpm_repo import package

#: zypper's system check wants a glibc; shell scripts want their interpreter.
GLIBC = {"name": "glibc", "version": "2.31", "release": "1", "arch": "x86_64", "provides": ["/bin/sh"]}


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
        updates = rpm_build.build_updates(root, specs, advisories)
    else:
        updates["packages"] = [package(p) for p in packages]
    case = {
        "os": {"operating_system": "SUSE", "releasever": "15.3", "product": "Suse15.3"},
        "installed": [GLIBC, *(package(p) for p in installed)],
        "repositories": [*([updates] if specs or packages else []), *repositories],
        "excludes": list(locks),
    }
    return rpm_root.build(case, root)


_OPERATIONS = Operations({"baseline": EVERYTHING, "operating_system": "SUSE", "product": "Suse15.3"})
settings, scan, plan, install = _OPERATIONS.settings, _OPERATIONS.scan, _OPERATIONS.plan, _OPERATIONS.install


def states(report: dict[str, Any]) -> dict[str, str]:
    """The patch states by Id, without the package that every root has."""
    return {id_: state for id_, state in operations.states(report).items() if id_ != "glibc.x86_64"}


def zypper(root: Path, *arguments: str, check: bool = True) -> str:
    """What zypper itself says about a root; with ``check`` it must not fail."""
    argv = ["zypper", "--root", str(root), "--non-interactive", "--no-refresh", *arguments]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "ZYPP_LOGFILE": f"{root}/var/log/zypper.log"}
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, check=check
    ).stdout


class RecordingHost(operations.RecordingHost):
    """This machine; it remembers what zypper was asked for."""

    @property
    def solver_runs(self) -> int:
        """How often zypper was asked what an installation would do."""
        return sum("--dry-run" in argv for argv in self.commands)

    @property
    def installs(self) -> list[list[str]]:
        """What the runs of zypper that installed something were to install."""
        runs = [argv for argv in self.commands if "install" in argv and "--dry-run" not in argv]
        return [[word for word in argv if "=" in word and not word.startswith("-")] for argv in runs]
