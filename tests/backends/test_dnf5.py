# SPDX-License-Identifier: Apache-2.0
"""The tests of the dnf backend with dnf 5, rpm 6 and the Python of Debian unstable, run inside of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from support import real_root, sid_root
from support.sid_root import SidRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow]

#: rpm 6 takes no package that calls itself gpg-pubkey.
IMPOSSIBLE = "tests/backends/test_conformance_dnf.py::test_scan[q-dnf-gpgpubkey]"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidRoot]:
    """The system with dnf 5."""
    real_root.require_archive()
    directory = tmp_path_factory.mktemp("sid")
    yield sid_root.build(directory)
    shutil.rmtree(directory)


def test_it_is_dnf_5(system: SidRoot) -> None:
    assert system.run("dnf", "--version").stdout.startswith("dnf5 version 5.")
    assert system.run("rpm", "--version").stdout.startswith("RPM version 6.")


@pytest.mark.parametrize("name", ["transactions", "candidates"])
def test_dnf_5(system: SidRoot, name: str) -> None:
    done = system.pytest(f"tests/backends/test_dnf_{name}.py")
    assert done.returncode == 0, done.stdout


def test_conformance_with_dnf_5(system: SidRoot) -> None:
    done = system.pytest("tests/backends/test_conformance_dnf.py", f"--deselect={IMPOSSIBLE}")
    assert done.returncode == 0, done.stdout
