# SPDX-License-Identifier: Apache-2.0
"""A system of yum 3 with pending updates: rpm and its transactions are real, yum itself is ``support.yum_program``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from support.faults import rpm_systems
from support.rpm_build import Spec
from support.rpm_root import put
from support.yum_program import LOCK


def build(root: Path, packages: Sequence[Spec], *, old: str, repositories: str) -> None:
    """Make a root in which each package is installed in version ``old`` and a repository offers it as given."""
    rpm_systems.build(root, packages, old=old, repositories=repositories)
    put(root / "etc/yum.conf", "[main]\ncachedir=/var/cache/yum/$basearch/$releasever\nplugins=1\n")
    put(root / "etc/os-release", 'NAME="Amazon Linux"\nID=amzn\nVERSION_ID="2"\n')
    put(root / "etc/yum/pluginconf.d/versionlock.conf", "[main]\nenabled = 1\n")
    put(root / "etc/yum/pluginconf.d/versionlock.list", "0:nobody-1-1.*\n")
    add_repository(root, rpm_systems.UPDATES, f"baseurl=file://{root}/{repositories}/{rpm_systems.UPDATES}")


def add_repository(root: Path, name: str, location: str, *more: str) -> None:
    """Configure a repository: where it is, and further lines of its section."""
    rpm_systems.configure_repository(root / "etc/yum.repos.d", name, location, *more)


def settings(root: Path) -> dict[str, Any]:
    """Approve everything."""
    return rpm_systems.settings(root, "yum", operating_system="AMAZON_LINUX_2", product="AmazonLinux2")


def hold_lock(root: Path) -> AbstractContextManager[None]:
    """yum's lock is the number of a living process in a file."""
    return rpm_systems.hold_number(root / LOCK)
