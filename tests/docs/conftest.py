# SPDX-License-Identifier: Apache-2.0
"""The demo host of the documentation's examples."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.demo_host import SHOWN_ROOT, DemoHost, build_archive, build_host


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives that demo hosts install from."""
    return build_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def host(archive: Path, repo: Path, tmp_path: Path) -> Iterator[DemoHost]:
    """A fresh demo host. Its path is as long as the one on the pages, so that lines break at the same words."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="") as root:
        assert len(root) == len(SHOWN_ROOT)
        yield build_host(Path(root), tmp_path, archive, repo)
