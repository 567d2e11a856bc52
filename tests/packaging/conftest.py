# SPDX-License-Identifier: Apache-2.0
"""The wheel of the checkout, which both the tests of a release and those of an installed package look at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.packages import copy_checkout, run_line


@pytest.fixture(scope="session")
def wheel(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean, with the build tools of the tests."""
    source = copy_checkout(repo, tmp_path_factory.mktemp("wheel") / "checkout")
    run_line(f"{sys.executable} -m build --wheel --no-isolation", source)
    (built,) = (source / "dist").glob("*.whl")
    return built
