# SPDX-License-Identifier: Apache-2.0
"""The Debian system of these tests, built once; $SSMPATCH_TEST_CACHE names a directory that keeps it between runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import real_root
from support.real_root import RealRoot


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRoot]:
    """The release without its security updates; not to be changed."""
    real_root.require()
    cache = os.environ.get("SSMPATCH_TEST_CACHE")
    directory = Path(cache) if cache else tmp_path_factory.mktemp("system")
    yield real_root.build(directory)
    if not cache:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def make_root(system: RealRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RealRoot]]:
    """Make a system that a test may change, with the minion's Python in it. They are large and not kept."""
    made = []

    def make() -> RealRoot:
        root = real_root.copy(system, tmp_path_factory.mktemp("root") / "root")
        made.append(root.path)
        real_root.add_libraries(root)
        return root

    yield make
    for path in made:
        shutil.rmtree(path)
