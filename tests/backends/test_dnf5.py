# SPDX-License-Identifier: Apache-2.0
"""The tests of the dnf backend with dnf 5, rpm 6 and the Python of Debian unstable, run inside of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from support import real_root, unpacked_root
from support.unpacked_root import UnpackedRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow]

#: rpm 6 takes no package that calls itself gpg-pubkey.
IMPOSSIBLE = "tests/backends/test_conformance_dnf.py::test_scan[q-dnf-gpgpubkey]"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnpackedRoot]:
    """Debian unstable: dnf 5 and rpm 6."""
    real_root.require_archive()
    directory = tmp_path_factory.mktemp("sid")
    root = unpacked_root.build(directory, "sid", "dnf5")
    # As Fedora has it.
    (root.path / "usr/bin/dnf").symlink_to("dnf5")
    yield root
    shutil.rmtree(directory)


def test_it_has_dnf_5(system: UnpackedRoot) -> None:
    assert system.run("dnf", "--version").stdout.startswith("dnf5 version 5.")
    assert system.run("rpm", "--version").stdout.startswith("RPM version 6.")


@pytest.mark.parametrize("name", ["dnf_transactions", "dnf_kills", "dnf_candidates", "conformance_dnf", "dnf_keys"])
def test_dnf_5(system: UnpackedRoot, name: str) -> None:
    done = system.pytest(f"tests/backends/test_{name}.py", f"--deselect={IMPOSSIBLE}")
    assert done.returncode == 0, done.stdout


def test_dnf_5_and_advisories(system: UnpackedRoot) -> None:
    names = (
        "backends/test_advisories",
        "backends/test_vanished_fixes",
        "compare/test_dnf_updates",
        "compare/test_dnf_locks",
    )
    done = system.pytest(*(f"tests/{name}.py" for name in names))
    assert done.returncode == 0, done.stdout
