# SPDX-License-Identifier: Apache-2.0
"""What every test shares: the checkout, the test profile of hypothesis, and the skips that a host's limits ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.generated import Cases

REPO = Path(__file__).resolve().parent.parent

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options stand here because pytest reads options before it finds the folders of the tests."""
    parser.addoption(
        "--rewrite-examples", action="store_true", help="put what the documentation's commands print onto its pages"
    )
    parser.addoption("--cases", type=int, help="how many cases each test of tests/compare and tests/fuzz generates")
    parser.addoption("--seed", type=int, default=1, help="what the cases of tests/compare are generated from (1)")
    parser.addoption(
        "--machine",
        choices=("nspawn", "qemu"),
        default="nspawn",
        help="what boots the machines of tests/machine (nspawn)",
    )
    parser.addoption("--case", type=int, help="generate only the case of this number")


def pytest_configure(config: pytest.Config) -> None:
    """Let `--cases` count for hypothesis too."""
    if config.option.cases:
        settings.register_profile("counted", parent=settings.get_profile("default"), max_examples=config.option.cases)
        settings.load_profile("counted")


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Cases:
    """The generated cases of a test marked `@pytest.mark.cases(how_many)`; `--cases` overrides the number."""
    marker = request.node.get_closest_marker("cases")
    one, count = request.config.option.case, request.config.option.cases or marker.args[0]
    numbers = range(count) if one is None else range(one, one + 1)
    return Cases(request.node.name, request.config.option.seed, numbers)


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, let files that share what takes long to build be of one process."""
    if config.option.dist != "loadfile":
        return None
    from support.scheduling import WholeFiles

    return WholeFiles(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that take longest first, so that no process ends long before the others; skip what needs root.

    With `--machine=qemu` only tests on emulated machines are run, which are left out otherwise.
    For tests/unit and the like the order stays. Processes of pytest-xdist follow it with --no-loadscope-reorder.
    """
    emulated = config.option.machine == "qemu"
    left_out = [item for item in items if bool(item.get_closest_marker("qemu")) != emulated]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if bool(item.get_closest_marker("qemu")) == emulated]
    seconds: dict[Path, int] = {}
    for item in items:
        slow = item.get_closest_marker("slow")
        if slow:
            seconds[item.path] = max(seconds.get(item.path, 0), *slow.args, 10)
    items.sort(key=lambda item: -seconds.get(item.path, 0))
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
