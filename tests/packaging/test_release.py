# SPDX-License-Identifier: Apache-2.0
"""What is released: sdist and wheel as the page about releases builds them, complete, clean, and one like the other."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import ssmpatchlib
from support.packages import copy_checkout, files_of, release_commands, run_line

# What lies about in a checkout that somebody works in, and belongs into no package.
RUBBISH = (
    "_modules/__pycache__/ssmpatch.cpython-311.pyc",
    "_utils/ssmpatchlib/.api.py.swp",
    "_utils/ssmpatchlib/api.py~",
    "_utils/ssmpatchlib/api.pyc",
    "docs/.DS_Store",
    "docs/_build/html/index.html",
    "tests/__pycache__/conftest.cpython-311.pyc",
    ".env",
    ".git/config",
    ".hypothesis/examples",
    ".mypy_cache/3.10/x.json",
    ".pytest_cache/v/x",
    ".ruff_cache/x",
    ".venv/bin/python",
    "artifacts/log",
)
HIDDEN = (".ci/run", ".gitignore", ".pre-commit-config.yaml", ".salt-lint", "changelog/.gitignore")
# What setuptools adds.
EGG_INFO = (
    "PKG-INFO",
    "SOURCES.txt",
    "dependency_links.txt",
    "entry_points.txt",
    "not-zip-safe",
    "requires.txt",
    "top_level.txt",
)
BUILD = f"salt-ssmpatch-{ssmpatchlib.__version__}"


@dataclass(frozen=True)
class Release:
    """What the commands of the page made, and what they were made from."""

    source: dict[str, bytes] = field(repr=False)
    printed: str = field(repr=False)
    sdist: dict[str, bytes] = field(repr=False)
    modes: dict[str, int] = field(repr=False)
    wheel: dict[str, bytes] = field(repr=False)


@pytest.fixture(scope="module")
def release(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Both packages, from a checkout in which somebody has worked."""
    checkout = copy_checkout(repo, tmp_path_factory.mktemp("release") / "checkout")
    source = files_of(checkout)
    for name in RUBBISH:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("rubbish")
    commands = release_commands(repo, "test_the_release_commands_build_and_check_both_packages")
    printed = "".join(run_line(line, checkout) for line in commands)
    with tarfile.open(checkout / "dist" / f"{BUILD}.tar.gz") as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
        sdist = {each.name: archive.extractfile(each).read() for each in members if each.isfile()}  # type: ignore[union-attr]
        modes = {each.name: each.mode for each in members}
    (wheel,) = (checkout / "dist").glob("*.whl")
    return Release(source, printed, sdist, modes, unpacked(wheel))


def unpacked(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_release_commands_build_and_check_both_packages(release: Release) -> None:
    assert release.printed.count("PASSED") == 2, release.printed
    assert "WARNING" not in release.printed and "warning" not in release.printed.partition("Checking")[2]


def test_the_sdist_is_the_checkout(release: Release) -> None:
    made = {"PKG-INFO", "setup.cfg", *(f"salt_ssmpatch.egg-info/{name}" for name in EGG_INFO)}
    assert sorted(release.sdist) == sorted(f"{BUILD}/{name}" for name in {*release.source, *made})
    differing = {name for name, content in release.source.items() if release.sdist[f"{BUILD}/{name}"] != content}
    assert differing <= {"setup.cfg"}, "a build adds a section to setup.cfg, and changes nothing else"


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "pillar.example",
        "pyproject.toml",
        "setup.py",
        "_beacons/ssmpatch.py",
        "_modules/ssmpatch.py",
        "_output/ssmpatch.py",
        "_runners/ssmpatch.py",
        "_states/ssmpatch.py",
        "_utils/ssmpatchlib/api.py",
        "_utils/ssmpatchlib/py.typed",
        "changelog/.gitignore",
        "docs/conf.py",
        "docs/examples/states/patching.sls",
        "docs/iam-policy.json",
        "run-tests",
        "quickstart",
        "tests/conftest.py",
        "tests/support/packages.py",
        "tests/conformance/README.md",
        "tools/setup.sh",
    ],
)
def test_the_sdist_has_what_builds_tests_and_documentation_need(release: Release, name: str) -> None:
    assert release.sdist[f"{BUILD}/{name}"] == release.source[name]


def test_the_sdist_has_no_rubbish(release: Release) -> None:
    assert not {name for name in RUBBISH if f"{BUILD}/{name}" in release.sdist}
    hidden = {name for name in release.sdist if "/." in name}
    assert hidden == {f"{BUILD}/{name}" for name in HIDDEN}


def test_the_sdist_has_no_links_and_keeps_who_may_run_what(release: Release) -> None:
    assert sorted(release.modes) == sorted(release.sdist), "only plain files"
    executable = {name.partition("/")[2] for name, mode in release.modes.items() if mode & 0o111}
    assert {"quickstart", "run-tests", ".ci/run"} <= executable


def test_the_wheel_has_the_engine_and_what_salt_loads_and_no_more(release: Release) -> None:
    information = f"salt_ssmpatch-{ssmpatchlib.__version__}.dist-info/"
    code = {name for name in release.wheel if not name.startswith(information)}
    assert {name.partition("/")[0] for name in code} == {"ssmpatchlib"}
    assert {Path(name).suffix for name in code} == {".py", ".typed"}
    rest = {Path(name).name for name in release.wheel if name.startswith(information)}
    assert rest == {"LICENSE", "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"}


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_checkout(release: Release, wheel: Path) -> None:
    from_checkout = unpacked(wheel)
    assert sorted(release.wheel) == sorted(from_checkout)
    assert not {name for name in from_checkout if from_checkout[name] != release.wheel[name]}
