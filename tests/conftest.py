# SPDX-License-Identifier: Apache-2.0
"""What every test shares: the checkout, the test profile of hypothesis, and the skips that a host's limits ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

REPO = Path(__file__).resolve().parent.parent

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The documentation's option stands here because pytest reads options before it finds tests/docs."""
    parser.addoption(
        "--rewrite-examples", action="store_true", help="put what the documentation's commands print onto its pages"
    )


@pytest.fixture(autouse=True)
def engine_stays() -> Iterator[None]:
    """Give every test the engine that its module imported: Salt's loaders forget it and import another."""
    before = _engine()
    yield
    if _engine().get("ssmpatchlib") is not before.get("ssmpatchlib") and before:
        for name in _engine():
            del sys.modules[name]
        sys.modules.update(before)


def _engine() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ssmpatchlib"}


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout: a Salt file root and the source of the package."""
    return REPO


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what only root can do when run by somebody else."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
