# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, read off the source: who imports whom, headers, sizes, documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ssmpatchlib

REPO = Path(__file__).resolve().parents[2]
ENGINE = REPO / "_utils" / "ssmpatchlib"
LOADERS = ("_modules", "_states", "_runners", "_beacons", "_output")
OURS = ("_utils", *LOADERS, "tests", "benchmarks", "tools", "docs", ".ci", "changelog")
NOT_OURS = {"__pycache__", "_build", ".hypothesis", ".pytest_cache"}

# What decides must not look at the world: no files, no programs, no clock.
PURE = ("advisories", "evaluate", "patterns", "report", "report_form", "rules", "times", "versions", "model", "errors")
WORLD = {"os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "time", "urllib"}


def sources(*directories: str) -> list[Path]:
    """Every Python file below ``directories``."""
    return sorted(path for each in directories for path in (REPO / each).rglob("*.py") if ours(path))


def ours(path: Path) -> bool:
    """Whether the project owns the file: not a cache, not a build result, not a directory of no concern."""
    return path.is_file() and not NOT_OURS & set(path.parts)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, in full, and whether that happens when the file is loaded."""
    tree = ast.parse(path.read_text(), str(path))
    package = ["ssmpatchlib", *path.relative_to(ENGINE).parts[:-1]] if ENGINE in path.parents else []
    for node, deferred in walk(tree, deferred=False):
        if isinstance(node, ast.Import):
            yield from ((alias.name, not deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((f"{module}.{alias.name}", not deferred) for alias in node.names)


def walk(node: ast.AST, *, deferred: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs later than at load time (in a function, or for the type checker only)."""
    for child in ast.iter_child_nodes(node):
        later = deferred or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        later = later or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield child, later
        yield from walk(child, deferred=later)


def room(path: Path) -> str:
    """The engine room of a file: its first package or module name."""
    return path.relative_to(ENGINE).with_suffix("").parts[0]


def relative(path: Path) -> str:
    return str(path.relative_to(REPO))


ENGINE_FILES = sources("_utils")
LOADER_FILES = sources(*LOADERS)


def test_the_engine_is_found() -> None:
    assert {"model", "host", "errors"} <= {room(path) for path in ENGINE_FILES}


@pytest.mark.parametrize("path", ENGINE_FILES, ids=relative)
def test_the_engine_does_not_know_salt(path: Path) -> None:
    assert not [name for name, _ in imports(path) if name.partition(".")[0] == "salt"]
    dunders = {"__salt__", "__opts__", "__pillar__", "__grains__", "__context__"}
    assert not dunders & {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", ENGINE_FILES, ids=relative)
def test_the_engine_loads_with_the_standard_library_alone(path: Path) -> None:
    import sys

    roots = {name.partition(".")[0] for name, at_load in imports(path) if at_load}
    assert roots <= set(sys.stdlib_module_names) | {"ssmpatchlib"}


@pytest.mark.parametrize("path", ENGINE_FILES + LOADER_FILES, ids=relative)
def test_only_the_aws_room_talks_to_aws(path: Path) -> None:
    libraries = {name.partition(".")[0] for name, _ in imports(path)} & {"boto3", "botocore"}
    assert not libraries or (ENGINE in path.parents and room(path) == "aws")


@pytest.mark.parametrize("path", [path for path in ENGINE_FILES if room(path) in PURE], ids=relative)
def test_what_decides_does_not_look_at_the_world(path: Path) -> None:
    assert not {name.partition(".")[0] for name, _ in imports(path)} & WORLD


@pytest.mark.parametrize("path", [path for path in ENGINE_FILES if room(path) == "backends"], ids=relative)
def test_backends_do_not_know_what_is_done_with_their_answers(path: Path) -> None:
    above = {"evaluate", "report", "report_form", "operation", "patching", "store", "aws", "config", "reboot"}
    names = [name for name, _ in imports(path) if name.startswith("ssmpatchlib.")]
    rooms = {name.split(".")[1] for name in names}
    assert not rooms & above


@pytest.mark.parametrize("path", ENGINE_FILES, ids=relative)
def test_stored_json_is_read_in_one_place(path: Path) -> None:
    # What is in a file may be anything; `files` knows what its reading can raise, `documents` what users write.
    assert room(path) in {"files", "documents"} or not re.search(r"json\.loads?\(|JSONDecoder", path.read_text())


@pytest.mark.parametrize("path", [path for path in ENGINE_FILES if room(path) in PURE], ids=relative)
def test_what_decides_does_not_know_who_asks(path: Path) -> None:
    above = {"backends", "patching", "operation", "store", "aws", "config", "host", "fetch", "locations"}
    rooms = {name.split(".")[1] for name, _ in imports(path) if name.startswith("ssmpatchlib.")}
    assert not rooms & above


@pytest.mark.parametrize("path", ENGINE_FILES, ids=relative)
def test_only_report_form_knows_the_keys_of_a_report(path: Path) -> None:
    # The fleet reads what minions return, and aws what was put into AWS's form.
    assert room(path) in {"report_form", "aws", "fleet"} or not re.search(
        r'"(PatchState|Title|summary)"', path.read_text()
    )


@pytest.mark.parametrize("path", sources("_beacons"), ids=relative)
def test_beacons_import_no_engine_code(path: Path) -> None:
    # A beacon runs in the minion's parent process: what it imports there stays old until the minion restarts.
    assert not [name for name, _ in imports(path) if name.partition(".")[0] == "ssmpatchlib"]


def test_loader_directories_are_no_packages() -> None:
    assert not [relative(path) for path in LOADER_FILES if path.name == "__init__.py"]


@pytest.mark.parametrize("path", [path for path in LOADER_FILES if path.parent.name != "_output"], ids=relative)
def test_public_functions_show_how_to_call_them(path: Path) -> None:
    missing = []
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        text = ast.get_docstring(node) or ""
        wanted = "CLI Example:" if path.parent.name in ("_modules", "_runners") else ""
        if not text or wanted not in text:
            missing.append(node.name)
    assert not missing


@pytest.mark.parametrize("path", [path for path in LOADER_FILES if path.parent.name != "_output"], ids=relative)
def test_what_is_public_says_since_which_version(path: Path) -> None:
    added = re.compile(r"^\.\. versionadded:: (\d+)\.(\d+)\.(\d+)$", re.MULTILINE)
    newest = tuple(map(int, ssmpatchlib.__version__.split(".")))
    documented = ast.parse(path.read_text())
    if path.parent.name != "_beacons":
        public = [node for node in documented.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    else:
        public = [documented]
    for node in public:
        found = added.search(ast.get_docstring(node) or "")
        name = getattr(node, "name", path.name)
        assert found, f"{name}: write `.. versionadded:: {ssmpatchlib.__version__}` into its docstring"
        assert tuple(map(int, found.groups())) <= newest, name


# Salt hands outputters whatever its programs know.
@pytest.mark.parametrize("path", [path for path in LOADER_FILES if path.parent.name != "_output"], ids=relative)
def test_no_argument_is_swallowed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.args.kwarg:
            assert node.args.kwarg.arg in {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}, node.name


@pytest.mark.parametrize("path", sources(*OURS), ids=relative)
def test_every_file_names_its_licence(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not lines or "# SPDX-License-Identifier: Apache-2.0" in lines[:2]


@pytest.mark.parametrize("path", ENGINE_FILES + LOADER_FILES, ids=relative)
def test_a_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)]
    assert len(text.splitlines()) - sum(len(each.splitlines()) for each in docstrings if each) <= 400


def texts() -> list[Path]:
    """Every text of the project: what is written in it is public."""
    kinds = {
        ".py",
        ".md",
        ".sls",
        ".yaml",
        ".yml",
        ".cfg",
        ".toml",
        ".sh",
        ".j2",
        ".jinja",
        ".txt",
        ".html",
        ".example",
        "",
    }
    top = [path for path in REPO.iterdir() if path.is_file() and path.name != ".git"]
    below = [path for each in OURS for path in (REPO / each).rglob("*")]
    return sorted(path for path in top + below if ours(path) and path.suffix in kinds and path.name != "LICENSE")


def test_no_text_names_a_machine_of_ours() -> None:
    # Spelt in parts, so that this file does not name them either.
    machine = ("/" + "work/", "/" + "tmp/w/", "sha" + "red/spec", "sha" + "red/design", "sha" + "red/conformance")
    pattern = re.compile("|".join(map(re.escape, (*machine, "TO" + "DO", "FIX" + "ME"))))
    found = []
    for path in texts():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()[:120]}")
    assert not found


def test_change_log_entries_have_a_kind() -> None:
    kinds = "breaking|security|removed|deprecated|changed|fixed|added"
    names = [path.name for path in (REPO / "changelog").iterdir() if path.name != ".gitignore"]
    assert not [name for name in names if not re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({kinds})\.md", name)]


TESTS = REPO / "tests"
TEST_FILES = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*")) if ours(path)]


def test_what_is_no_test_lies_in_test_support() -> None:
    elsewhere = [path for path in TEST_FILES if path.parts[0] not in ("support", "data", "conformance")]
    assert not [str(path) for path in elsewhere if not re.fullmatch(r"test_\w+\.py|conftest\.py", path.name)]


def test_the_map_of_the_project_names_every_folder_of_tests() -> None:
    page = (REPO / "docs" / "development.md").read_text()
    table = page.partition("## Where things are")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `tests/(\w+)` \| \S", table, re.M)
    assert sorted(named) == sorted({path.parts[0] for path in TEST_FILES if len(path.parts) > 1})


def test_no_two_files_of_tests_have_the_same_name() -> None:
    """pytest takes them for one module, and reads only the first."""
    places: dict[str, list[str]] = {}
    for path in sources("tests"):
        if path.name.startswith("test_"):
            places.setdefault(path.name, []).append(str(path.relative_to(REPO)))
    assert [where for where in places.values() if len(where) > 1] == []
