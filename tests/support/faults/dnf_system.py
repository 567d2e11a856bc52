# SPDX-License-Identifier: Apache-2.0
"""A Red Hat root with pending updates, made of real rpms with scripts, on which real dnf works."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from support.faults import rpm_systems
from support.rpm_build import Spec
from support.rpm_root import put


def build(root: Path, packages: Sequence[Spec], *, old: str, repositories: str) -> None:
    """Make a root in which each package is installed in version ``old`` and a repository offers it as given."""
    rpm_systems.build(root, packages, old=old, repositories=repositories)
    put(root / "etc/dnf/dnf.conf", "[main]\nmodule_platform_id=platform:el8\n")
    put(root / "etc/os-release", 'NAME="Rocky Linux"\nID=rocky\nVERSION_ID="8.9"\nPLATFORM_ID="platform:el8"\n')
    put(root / "etc/dnf/plugins/versionlock.list", "nobody-0:1-1.*\n")
    add_repository(root, rpm_systems.UPDATES, f"baseurl=file://{root}/{repositories}/{rpm_systems.UPDATES}")


def add_repository(root: Path, name: str, location: str, *more: str) -> None:
    """Configure a repository: where it is, and further lines of its section."""
    rpm_systems.configure_repository(root / "etc/yum.repos.d", name, location, *more)


def settings(root: Path) -> dict[str, Any]:
    """Approve everything."""
    return rpm_systems.settings(
        root, "dnf", operating_system="REDHAT_ENTERPRISE_LINUX", product="RedhatEnterpriseLinux8.9"
    )


def hold_lock(root: Path) -> AbstractContextManager[None]:
    """The lock under which dnf changes packages is the number of a living process in a file."""
    return rpm_systems.hold_number(root / "var/lib/dnf/rpmdb_lock.pid")
