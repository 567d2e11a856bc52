# SPDX-License-Identifier: Apache-2.0
"""What every package manager tells of vulnerabilities: what is published, who owns a file, which kernels there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import config
from ssmpatchlib.backends import PackageManager
from ssmpatchlib.model import Kernels
from ssmpatchlib.operation import session
from support.faults.children import built, run
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, Manager, Update

pytestmark = pytest.mark.root


def opened(settings: Mapping[str, Any]) -> PackageManager:
    """The package manager of a root."""
    return session.open_session(config.load(minion=settings), host=FaultHost(), caller=quiet_surface()).backend


def test_what_the_repositories_publish_of_a_vulnerability(manager: Manager, tmp_path: Path) -> None:
    cves = ("CVE-2024-1", "CVE-2024-2")
    _, settings = built(manager, tmp_path, Update("alpha", cves=cves), Update("beta", cves=("CVE-2024-20",)))
    assert opened(settings).published(["CVE-2024-1"]) == (), "nothing is refreshed"
    run("scan", settings)
    found = opened(settings)
    named = found.published(["cve-2024-1", "CVE-1999-1", ""])
    told = [(each.id, each.version, each.advisory.cves) for each in named]
    assert told == ([(f"alpha.{manager.architecture}", manager.full(NEW), cves)] if manager.publishes else [])
    assert all(found.published([each.advisory.id.lower()]) == named for each in named)
    assert found.published([]) == found.published(["CVE-1999-1"]) == ()
    run("install", settings)
    assert opened(settings).published(["CVE-2024-1"]) == named, "also of what is installed"


def test_who_owns_a_file(manager: Manager, tmp_path: Path) -> None:
    _, settings = built(manager, tmp_path, Update("alpha"), Update("beta"))
    found = opened(settings)
    owned = {f"/usr/share/{name}/version": f"{name}.{manager.architecture}" for name in ("alpha", "beta")}
    strange = (
        "/usr/share/nobody",
        "",
        "/",
        "relative",
        "/a\nb",
        "-f",
        "/usr/share/../share/alpha/version",
        "/*",
        "/\udcff",
    )
    assert found.owners([*owned, *strange]) == owned
    assert found.owners(()) == found.owners(strange) == {}


def test_a_host_without_kernels_has_none(manager: Manager, tmp_path: Path) -> None:
    _, settings = built(manager, tmp_path, Update("alpha"))
    assert opened(settings).kernels() == Kernels()
