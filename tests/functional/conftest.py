# SPDX-License-Identifier: Apache-2.0
"""Salt's loaders over the checkout, once for all tests here, and roots to patch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging
from saltfactories.utils.functional import Loaders

from support import loader_minion
from support.loader_minion import LoaderMinion


def _engine() -> dict[str, Any]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ssmpatchlib"}


@pytest.fixture(scope="package")
def loaders(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaders]:
    """The loaders of a minion that has synced the checkout.

    Loading the module forgets the engine that this process has imported. The other tests get theirs back.
    """
    # Until logging is set up, Salt keeps its messages for a stream that pytest has closed by then.
    salt._logging.shutdown_temp_handler()
    before, paths = _engine(), list(sys.path)
    directory = tmp_path_factory.mktemp("minion")
    files = loader_minion.file_root(repo, directory / "files")
    yield Loaders(loader_minion.minion_opts(directory, files))
    for name in _engine():
        del sys.modules[name]
    sys.modules.update(before)
    sys.path[:] = paths


@pytest.fixture
def make_minion(loaders: Loaders, tmp_path: Path) -> Callable[..., LoaderMinion]:
    """Make a minion for a root that is built from a case."""

    def make(case: dict[str, Any], *, pillar: dict[str, Any] | None = None, **configuration: Any) -> LoaderMinion:
        root = loader_minion.build_root(case, tmp_path / "root")
        return LoaderMinion(loaders, root, configuration, pillar or {})

    return make
