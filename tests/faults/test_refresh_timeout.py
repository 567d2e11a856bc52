# SPDX-License-Identifier: Apache-2.0
"""A repository that answers a byte at a time: only it counts as unread, and nothing is left when the caller ends."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support.dripping import Dripping, dripping_server
from support.faults.children import PATIENCE, built, result_of, start, wait_for, workers
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, OLD, Manager, Update

pytestmark = pytest.mark.root


@pytest.fixture
def dripping() -> Iterator[str]:
    with dripping_server() as url:
        yield url


def add_repository(manager: Manager, root: Path, url: str) -> None:
    if manager.name == "apt":
        with open(root / "etc/apt/sources.list", "a") as sources:
            sources.write(f"deb [trusted=yes] {url}/slow stable main\n")
        # apt's own, in place of the one that roots of tests have.
        with open(root / "etc/apt/apt.conf", "a") as configuration:
            configuration.write('Dir::Bin::Methods::http "/usr/lib/apt/methods/http";\n')
        return
    folder = "etc/zypp/repos.d" if manager.name == "zypper" else "etc/yum.repos.d"
    # dnf itself gives up for fewer bytes in a second than minrate.
    text = f"[slow]\nname=slow\nbaseurl={url}/slow\nenabled=1\ngpgcheck=0\nminrate=1\ntimeout=600\n"
    if manager.name == "zypper":
        text = f"[slow]\nname=slow\nbaseurl={url}/slow\nenabled=1\ngpgcheck=0\nautorefresh=1\ntype=rpm-md\n"
    (root / folder / "slow.repo").write_text(text)


@pytest.fixture
def slow(manager: Manager, tmp_path: Path, dripping: str) -> tuple[Manager, Path, dict[str, Any]]:
    """A root with an update in a good repository, and a second one that drips."""
    if manager.name in ("toy", "yum"):
        pytest.skip("it is played, and asks no server")
    root, settings = built(manager, tmp_path, Update("alpha"))
    add_repository(manager, root, dripping)
    # zypper and dnf go on with the others, one after the other, for as long again.
    return manager, root, {**settings, "refresh_timeout": 4 if manager.name == "apt" else 8}


def test_only_what_was_not_read_counts_as_unread(slow: tuple[Manager, Path, dict[str, Any]]) -> None:
    manager, root, settings = slow
    report = api.scan(config.load(minion=settings), caller=quiet_surface(), host=FaultHost())
    assert Dripping.asked, "the slow repository was not asked"
    assert report["compliance"] == "NON_COMPLIANT"
    unread = [text for text in report["warnings"] if "could not be read" in text]
    assert any("slow" in text.partition(":")[0] or "/slow" in text for text in unread), report["warnings"]
    assert any(re.search(r"no end after \d", text) for text in unread), unread
    assert len(unread) == 1, unread
    assert {row["Id"].partition(".")[0]: row["PatchState"] for row in report["patches"]} == {"alpha": "Missing"}
    assert manager.versions(root) == {"alpha": OLD}


def test_an_install_takes_what_the_other_repositories_have(slow: tuple[Manager, Path, dict[str, Any]]) -> None:
    manager, root, settings = slow
    process = start("install", settings)
    try:
        report = result_of(process)
    finally:
        process.kill()
    assert Dripping.asked, "the slow repository was not asked"
    assert manager.versions(root) == {"alpha": NEW}, report["warnings"]
    assert any("slow" in text and "could not be read" in text for text in report["warnings"]), report["warnings"]


def test_nothing_goes_on_when_the_caller_ends(slow: tuple[Manager, Path, dict[str, Any]]) -> None:
    manager, root, settings = slow
    process = start("scan", {**settings, "refresh_timeout": 300})
    wait_for(lambda: Dripping.asked, "a request")
    process.send_signal(signal.SIGKILL if manager.name == "apt" else signal.SIGTERM)
    process.wait(timeout=PATIENCE)
    wait_for(lambda: not workers(root), "the end of all programs")
    settings |= {"lock_timeout": 5, "refresh_timeout": 1}
    assert api.scan(config.load(minion=settings), caller=quiet_surface(), host=FaultHost())
