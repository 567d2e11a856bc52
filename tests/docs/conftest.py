# SPDX-License-Identifier: Apache-2.0
"""The demo host of the documentation's examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_host import DemoHost, build_archive, build_host


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives that demo hosts install from."""
    return build_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def host(archive: Path, repo: Path, tmp_path: Path) -> Iterator[DemoHost]:
    """A fresh demo host."""
    yield build_host(tmp_path, archive, repo)
