# SPDX-License-Identifier: Apache-2.0
"""The page "Add a package manager": its lists are whole, and every package manager stands wherever they say."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from ssmpatchlib.backends import PackageManager
from ssmpatchlib.baseline import schema
from ssmpatchlib.model import Family
from ssmpatchlib.package_managers import PACKAGE_MANAGERS
from support import toy
from support.faults.managers import MANAGERS

REPO = Path(__file__).resolve().parents[2]
PAGE = (REPO / "docs" / "package-managers.md").read_text()
MEMBERS = {name for name in {*PackageManager.__annotations__, *vars(PackageManager)} if not name.startswith("_")}
CHECKLIST = re.findall(r"^- \[ \] `([^`]+)`", PAGE, re.M)

every = pytest.mark.parametrize("name", PACKAGE_MANAGERS)


def class_of(name: str) -> type:
    """The class that knows a package manager."""
    entry = PACKAGE_MANAGERS[name]
    found: type = getattr(importlib.import_module(entry.module), entry.name)
    return found


def test_the_page_names_every_member() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.M) != []
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) == MEMBERS


def test_the_page_names_places_that_exist() -> None:
    assert len(CHECKLIST) >= 9
    assert [place for place in CHECKLIST if not (REPO / place).exists()] == []


@pytest.mark.parametrize("found", [*map(class_of, PACKAGE_MANAGERS), toy.Toy], ids=lambda found: found.__name__)
def test_a_package_manager_has_every_member_and_shows_no_other(found: type) -> None:
    assert {name for name in vars(found) if not name.startswith("_")} == MEMBERS
    assert isinstance(vars(found)["family"], Family)


@every
def test_it_is_in_every_table(name: str) -> None:
    entry = PACKAGE_MANAGERS[name]
    assert class_of(name).name == name and entry.module.endswith(f".{name}")  # type: ignore[attr-defined]
    assert entry.programs and entry.traces
    assert MANAGERS[name].name == name
    assert (REPO / "tests" / "backends" / f"test_conformance_{name}.py").exists()
    assert re.search(rf"package_manager:.*\b{name}\b", (REPO / "pillar.example").read_text())
    assert re.search(rf"^\| {name}\b", (REPO / "docs" / "platforms.md").read_text(), re.M)
    assert re.search(rf"^\| `{name}` \|", (REPO / "docs" / "architecture.md").read_text(), re.M)
    assert class_of(name).family.version_order in schema.VERSION_ORDERS.values()  # type: ignore[attr-defined]


def test_the_tests_know_no_other() -> None:
    assert set(MANAGERS) == set(PACKAGE_MANAGERS)


def test_the_toy_is_short() -> None:
    assert len(Path(toy.__file__).read_text().splitlines()) <= 180


def test_the_command_of_the_page_runs_the_contract(request: pytest.FixtureRequest) -> None:
    command = re.search(r"```sh\n\./run-tests (\S+) -k (\w+)\n```", PAGE)
    assert command and Path(__file__).parent == REPO / command[1]
    assert command[2] == toy.Toy.name
