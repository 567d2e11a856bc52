# SPDX-License-Identifier: Apache-2.0
"""Red Hat hosts in a directory, for tests that let real dnf work on them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import operations, rpm_build, rpm_root
from support.operations import SECURITY, Operations
from support.rpm_build import Spec
from support.rpm_repo import modules_yaml, package

SYSTEM = {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6", "releasever": "8"}


def advisory(id_: str, *packages: str, **more: Any) -> dict[str, Any]:
    """An important security advisory, issued long ago."""
    return {
        "id": id_,
        "type": "security",
        "severity": "Important",
        "issued": "2024-01-01 00:00:00",
        "references": [{"type": "cve", "id": f"CVE-{id_}"}],
        "packages": list(packages),
        **more,
    }


def build(
    root: Path,
    *,
    installed: Sequence[str | dict[str, Any]],
    packages: Sequence[str | dict[str, Any]] = (),
    advisories: Sequence[dict[str, Any]] | None = None,
    specs: Sequence[Spec] = (),
    repositories: Sequence[dict[str, Any]] = (),
    **case: Any,
) -> Path:
    """Build a root with a repository ``updates``; without ``advisories`` one of them names all its packages.

    ``specs`` are built by rpmbuild, ``packages`` have headers only; ``case`` are further keys of a case.
    """
    offered = [package(entry) for entry in packages]
    if advisories is None:
        names = [
            *(spec.nevra for spec in specs),
            *(f"{p['name']}-{p.get('epoch') or 0}:{p['version']}-{p['release']}.{p['arch']}" for p in offered),
        ]
        advisories = [advisory("RHSA-1", *names)] if names else []
    updates: dict[str, Any] = {
        "id": "updates",
        "packages": offered,
        "advisories": advisories,
        **case.pop("updates", {}),
    }
    if specs:
        updates = rpm_build.build_updates(root, specs, advisories)
    whole = {
        "os": SYSTEM,
        "installed": [package(entry) for entry in installed],
        "repositories": [updates, *repositories],
        **case,
    }
    return rpm_root.build(whole, root)


def keep_fail_safe(root: Path, *modules: dict[str, Any]) -> None:
    """Keep copies of module builds as dnf 4 does for streams that are enabled."""
    for module in modules:
        name = f"{module['name']}:{module['stream']}:{module.get('arch', 'x86_64')}.yaml"
        rpm_root.put(root / "var/lib/dnf/modulefailsafe" / name, modules_yaml([module]))


_OPERATIONS = Operations(
    {
        "baseline": SECURITY,
        "operating_system": SYSTEM["operating_system"],
        "product": SYSTEM["product"],
        "package_manager": "dnf",
    }
)
settings, scan, plan, install = _OPERATIONS.settings, _OPERATIONS.scan, _OPERATIONS.plan, _OPERATIONS.install


#: The words of programs, for tests that read them.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


def dnf(root: Path, *arguments: str) -> str:
    """What dnf itself says about a root."""
    argv = ["dnf", "-q", f"--installroot={root}", *arguments]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


class RecordingHost(operations.RecordingHost):
    """This machine; it remembers what dnf was asked for."""

    @property
    def solver_runs(self) -> int:
        """How often dnf was asked what an installation would do."""
        return sum("--assumeno" in argv or "-y" not in argv for argv in self.upgrades)

    @property
    def installs(self) -> list[list[str]]:
        """What the runs of dnf that install without a question were to install."""
        return [argv[argv.index("upgrade") + 1 :] for argv in self.upgrades if "-y" in argv]

    @property
    def upgrades(self) -> list[list[str]]:
        """All runs of dnf that were to upgrade something."""
        return [argv for argv in self.commands if "upgrade" in argv]
