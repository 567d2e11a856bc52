# SPDX-License-Identifier: Apache-2.0
"""The drawing in docs/architecture.md against the imports: every room, every arrow, and all of them point down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
ENGINE = REPO / "_utils" / "ssmpatchlib"
PAGE = (REPO / "docs" / "architecture.md").read_text()
#: What every room may import; the table does not repeat it.
EVERYWHERE = {"errors", "model"}


def module_of(path: Path) -> str:
    """The dotted name of a file of the engine."""
    parts = path.relative_to(ENGINE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in ENGINE.rglob("*.py")}


def imports(module: str) -> Iterator[str]:
    """The engine's modules that a module imports, whenever it does, and those that it names in a table."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict) and module == "ssmpatchlib.api":
            named = {f"ssmpatchlib.{ast.literal_eval(value)}" for value in node.values}
            assert named <= MODULES.keys()
            yield from named
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            for name in node.names:
                found = f"{origin}.{name.name}" if f"{origin}.{name.name}" in MODULES else origin
                if found in MODULES:
                    yield found


def room_of(module: str) -> str:
    """The room of a module: its first name, but each package manager and what they share is one of its own."""
    parts = module.split(".")[1:]
    inside = len(parts) > 1 and parts[0] == "backends" and (ENGINE / "backends" / parts[1]).is_dir()
    return "" if not parts else parts[1] if inside else parts[0]


ROOMS = sorted({room_of(module) for module in MODULES} - {""})
ARROWS = {
    room: {
        room_of(found) for module in MODULES if room_of(module) == room for found in imports(module) if found != module
    }
    - {room, ""}
    for room in ROOMS
}


def drawn() -> list[set[str]]:
    """The rooms of each line of the drawing, from top to bottom, below the loaders."""
    text = re.search(r"```text\n(.*?)```", PAGE, re.S)
    assert text
    lines = text[1].split("───\n", 1)[1].splitlines()
    return [found for line in lines if (found := set(line[21:].split()) - {"│"})]


def table() -> dict[str, set[str]]:
    """The rooms of the table with what each imports."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|([^|]*)\|$", PAGE, re.M)
    return {room: set(re.findall(r"\w+", imported)) for room, imported in rows}


def test_the_drawing_has_every_room_once_and_imports_point_down() -> None:
    lines = drawn()
    assert sorted(room for line in lines for room in line) == ROOMS
    height = {room: -number for number, line in enumerate(lines) for room in line}
    assert [(room, other) for room in ROOMS for other in ARROWS[room] if height[other] >= height[room]] == []


def test_the_table_has_every_arrow_and_no_other() -> None:
    assert table() == {room: arrows - EVERYWHERE for room, arrows in ARROWS.items()}


def test_no_room_is_named_after_what_it_is_not() -> None:
    """The words that the rooms once had, which nobody could guess, do not come back."""
    old = {"surface", "steps", "plain", "actions", "stored", "outcome", "kept_out", "scope", "section", "problems"}
    assert not old & {part for module in MODULES for part in module.split(".")}


def test_no_module_imports_in_a_circle() -> None:
    graph = {module: set(imports(module)) - {module, "ssmpatchlib"} for module in MODULES}
    while leaves := {module for module, others in graph.items() if not others & graph.keys()}:
        graph = {module: others for module, others in graph.items() if module not in leaves}
    assert sorted(graph) == []


@pytest.mark.parametrize(
    ("loader", "rooms"),
    [
        ("_modules", {"api", "errors"}),
        ("_runners", {"fleet", "errors"}),
        ("_states", {"api", "errors"}),
        ("_beacons", set()),
        ("_output", set()),
    ],
)
def test_loaders_reach_the_engine_by_one_door(loader: str, rooms: set[str]) -> None:
    text = "".join(path.read_text() for path in sorted((REPO / loader).glob("*.py")))
    found = re.findall(r"(?:from|import) ssmpatchlib\.(\w+)", text)
    found += [name for names in re.findall(r"from ssmpatchlib import (.+)", text) for name in names.split(", ")]
    assert set(found) == rooms
