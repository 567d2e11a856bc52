# SPDX-License-Identifier: Apache-2.0
"""The tests of the dnf backend with dnf 5, rpm 6 and the Python of Debian unstable, run inside of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from support import real_root, unpacked_root
from support.unpacked_root import UnpackedRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow(400)]

#: rpm 6 takes no package that calls itself gpg-pubkey.
IMPOSSIBLE = "tests/backends/test_conformance_dnf.py::test_scan[q-dnf-gpgpubkey]"

#: Seconds.
_LIMIT, _LIMIT_OF_A_CASE = 900, 10


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


@pytest.mark.parametrize(
    "name", ["dnf_transactions", "dnf_kills", "dnf_candidates", "conformance_dnf", "dnf_keys", "dnf_modules"]
)
def test_dnf_5(system: UnpackedRoot, name: str) -> None:
    done = system.pytest(f"tests/backends/test_{name}.py", f"--deselect={IMPOSSIBLE}")
    assert done.returncode == 0, done.stdout


def test_dnf_5_and_advisories(system: UnpackedRoot) -> None:
    done = system.pytest("tests/backends/test_advisories.py", "tests/backends/test_vanished_fixes.py")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["dnf_updates", "dnf_locks", "rpm_plans"])
def test_generated_cases_with_dnf_5(system: UnpackedRoot, name: str, request: pytest.FixtureRequest) -> None:
    given = {key: request.config.getoption(key) for key in ("cases", "seed", "case")}
    options = [f"--{key}={value}" for key, value in given.items() if value is not None]
    limit = _LIMIT + _LIMIT_OF_A_CASE * (given["cases"] or 0)
    done = system.pytest(f"tests/compare/test_{name}.py", *options, timeout=limit)
    assert done.returncode == 0, done.stdout
