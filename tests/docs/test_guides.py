# SPDX-License-Identifier: Apache-2.0
"""The pages from nothing to a patched fleet, followed to the letter with a real master and real minions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import demo_host, guide
from support.examples import blocks
from support.guide import Machine
from support.salt_fleet import REPO, make_root, offer, package

pytestmark = [pytest.mark.root, pytest.mark.slow(250)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which nothing but Salt is installed, and the repository behind its address."""
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        guide.repository(Path(work))
        found = Machine(Path(work))
        yield found
        found.stop()


@pytest.fixture(autouse=True)
def minions_go(machine: Machine) -> Iterator[None]:
    """No minion of one page is there on the next."""
    yield
    machine.stop()
    shutil.rmtree(machine.work / "etc/salt/pki", ignore_errors=True)


def code_by_gitfs() -> str:
    """The master's configuration of the first page."""
    found = blocks(REPO / "docs" / "getting-started.md")
    return next(each.text for each in found if each.words[1:] == ("/etc/salt/master.d/ssmpatch.conf",))


def test_getting_started(machine: Machine, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    page = REPO / "docs" / "getting-started.md"
    guide.place_included_files(page, machine)
    archive = demo_host.build_archive(tmp_path / "archive")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="") as root:
        assert len(root) == len(demo_host.SHOWN_ROOT)
        host = demo_host.build_host(Path(root), tmp_path / "host", archive, None)
        machine.configure(ssmpatch=host.options)
        lines = guide.follow(
            page,
            machine,
            "test_getting_started",
            rewrite=request.config.getoption("--rewrite-examples"),
            places={root: demo_host.SHOWN_ROOT},
        )
    assert lines[-1].startswith("salt '*' state.apply")


def test_the_guide(machine: Machine, request: pytest.FixtureRequest) -> None:
    for name in ("canary1", "prod1"):
        root = make_root(machine.work / "roots" / name)
        offer(root, package("2.0", name="tool"))
        system = {"operating_system": "DEBIAN", "product": "Debian12", "package_manager": "apt"}
        machine.configure(name, ssmpatch={"root": str(root), **system})
    machine.write("/etc/salt/master.d/ssmpatch.conf", code_by_gitfs())
    machine.write("/etc/salt/master.d/open.conf", "auto_accept: true\n")
    machine.start("salt-master")
    for name in ("canary1", "prod1"):
        machine.start("salt-minion", machine.work / name / "etc/salt")
    machine.wait(lambda: machine.answers("canary1", "prod1"))
    rewrite = request.config.getoption("--rewrite-examples")
    guide.follow(REPO / "docs" / "fleet" / "1-guide.md", machine, "test_the_guide", rewrite=rewrite)
    assert "<html" in (machine.work / "srv/www/patch.html").read_text()
