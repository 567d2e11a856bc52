# SPDX-License-Identifier: Apache-2.0
"""The tests of zypper and dnf 4 with newer versions of them, and of rpm and Python: run inside of Debian 13."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from support import real_root, unpacked_root
from support.unpacked_root import UnpackedRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow(270)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnpackedRoot]:
    """Debian 13: zypper 1.14.89, dnf 4.23 and rpm 4.20."""
    real_root.require_archive()
    directory = tmp_path_factory.mktemp("trixie")
    yield unpacked_root.build(directory, "trixie", "zypper", "dnf")
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["zypper_transactions", "zypper_isolation", "zypper_index", "conformance_zypper"])
def test_zypper(system: UnpackedRoot, name: str) -> None:
    done = system.pytest(f"tests/backends/test_{name}.py")
    assert done.returncode == 0, done.stdout


def test_dnf_4(system: UnpackedRoot) -> None:
    done = system.pytest("tests/backends/test_dnf_transactions.py", "-k", "story or modules or obsoletes or scriptlet")
    assert done.returncode == 0, done.stdout
