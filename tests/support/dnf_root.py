# SPDX-License-Identifier: Apache-2.0
"""Red Hat hosts in a directory, for tests that let real dnf work on them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssmpatchlib import api, config
from ssmpatchlib.host import CommandResult, Host, Running

from . import rpm_build, rpm_root
from .rpm_build import Spec
from .rpm_repo import parse_nevra

SYSTEM = {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6", "releasever": "8"}
SECURITY = {
    "approvalRules": {
        "rules": [
            {
                "filterGroup": {"filters": [{"key": "CLASSIFICATION", "values": ["Security"]}]},
                "complianceLevel": "CRITICAL",
                "approveAfterDays": 0,
            }
        ]
    }
}


def package(nevra: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """``name-version-release.arch`` as a package of a case."""
    return {**parse_nevra(nevra), **more}


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
        work = root.parent / f"{root.name}-build"
        made = rpm_build.build_repository(work / "updates", specs, advisories=advisories, work=work)
        updates = {"id": "updates", "path": str(made)}
    whole = {
        "os": SYSTEM,
        "installed": [package(entry) for entry in installed],
        "repositories": [updates, *repositories],
        **case,
    }
    return rpm_root.build(whole, root)


def settings(root: Path, **more: Any) -> config.Settings:
    """Settings that judge a root by a baseline that approves security updates, unless told otherwise."""
    given = {
        "baseline": SECURITY,
        "operating_system": SYSTEM["operating_system"],
        "product": SYSTEM["product"],
        "package_manager": "dnf",
        "root": str(root),
        "lock_timeout": 20,
        "reboot": {"option": "NoReboot"},
        **more,
    }
    return config.load(minion=given)


def scan(root: Path, *, host: Host | None = None, refresh: bool = True, **more: Any) -> dict[str, Any]:
    """Scan a root."""
    return api.scan(settings(root, **more), caller=api.Caller(), host=host or Host(), refresh=refresh, upload=False)


def plan(root: Path, *, host: Host | None = None, override: Any = None, **more: Any) -> dict[str, Any]:
    """Plan an install, refreshing first."""
    return api.plan(settings(root, **more), caller=api.Caller(), host=host or Host(), install_override_list=override)


def install(
    root: Path, *, host: Host | None = None, refresh: bool = True, override: Any = None, **more: Any
) -> dict[str, Any]:
    """Install into a root."""
    return api.install(
        settings(root, **more),
        caller=api.Caller(),
        host=host or Host(),
        install_override_list=override,
        refresh=refresh,
        upload=False,
    )


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A report's rows by Id."""
    return {row["Id"]: row for row in report["patches"]}


def states(report: dict[str, Any]) -> dict[str, str]:
    """The patch states by Id."""
    return {id_: row["PatchState"] for id_, row in rows(report).items()}


def dnf(root: Path, *arguments: str) -> str:
    """What dnf itself says about a root."""
    argv = ["dnf", "-q", f"--installroot={root}", *arguments]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def database_is_sound(root: Path) -> bool:
    """What rpm says of its database."""
    argv = ["rpmdb", "--root", str(root), "--dbpath", "/var/lib/rpm", "--verifydb"]
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode == 0


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
