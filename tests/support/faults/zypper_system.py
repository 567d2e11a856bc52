# SPDX-License-Identifier: Apache-2.0
"""A SUSE root with pending updates, made of real rpms with scripts."""

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
    # zypper wants an installed glibc unless it is told otherwise.
    put(root / "etc/zypp/zypp.conf", "[main]\nsolver.checkSystemFile = /etc/zypp/nothing\n")
    put(root / "etc/os-release", 'NAME="SLES"\nID=sles\nVERSION_ID="15.6"\n')
    put(root / "etc/zypp/locks", "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nobody\n")
    add_repository(root, rpm_systems.UPDATES, f"baseurl=file://{root}/{repositories}/{rpm_systems.UPDATES}")


def add_repository(root: Path, name: str, location: str, *more: str) -> None:
    """Configure a repository: where it is, and further lines of its section."""
    rpm_systems.configure_repository(root / "etc/zypp/repos.d", name, location, *more)


def settings(root: Path) -> dict[str, Any]:
    """Approve everything."""
    return rpm_systems.settings(root, "zypper", operating_system="SUSE", product="Suse15.6")


def hold_lock(root: Path) -> AbstractContextManager[None]:
    """zypper's lock is the number of a living process in a file."""
    return rpm_systems.hold_number(root / "run/zypp.pid", "{} (python3)\n")
