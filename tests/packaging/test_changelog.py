# SPDX-License-Identifier: Apache-2.0
"""The change log: made of the fragments by towncrier, with the version of the engine, and nothing lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ssmpatchlib
from support.packages import copy_checkout, release_commands, run_line

START = "<!-- towncrier release notes start -->\n"


def flat(text: str) -> str:
    """A text in one line, since a list breaks and indents it."""
    return " ".join(text.split())


def fragments(repo: Path) -> dict[str, str]:
    """What the fragments say, by their names."""
    return {path.name: flat(path.read_text()) for path in sorted((repo / "changelog").glob("*.md"))}


def headings(repo: Path) -> dict[str, str]:
    """The heading of each kind of change, by its name in the fragments' names."""
    kind = r'^\[\[tool\.towncrier\.type\]\]\ndirectory = "(.+)"\nname = "(.+)"$'
    return dict(re.findall(kind, (repo / "pyproject.toml").read_text(), re.MULTILINE))


def test_the_change_log_says_where_unreleased_changes_are(repo: Path) -> None:
    introduction, found, _ = (repo / "CHANGELOG.md").read_text().partition(START)
    assert found, f"towncrier puts a new section below the line {START!r}"
    assert "`changelog/`" in introduction
    assert "`./run-tests --python -m towncrier build --draft`" in introduction


@pytest.fixture(scope="module")
def unreleased(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with one more change of each kind, so that there is something to release."""
    copy = copy_checkout(repo, tmp_path_factory.mktemp("unreleased") / "checkout")
    for kind in headings(repo):
        (copy / "changelog" / f"+one-more.{kind}.md").write_text(f"One more that is {kind}.\n")
    return copy


@pytest.fixture(scope="module")
def released(repo: Path, unreleased: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the command of the page about releases."""
    copy = copy_checkout(unreleased, tmp_path_factory.mktemp("released") / "checkout")
    for line in release_commands(repo, "test_a_release_puts_every_change_into_the_change_log"):
        run_line(line, copy)
    return copy


def test_a_release_puts_every_change_into_the_change_log(repo: Path, unreleased: Path, released: Path) -> None:
    before = (repo / "CHANGELOG.md").read_text()
    introduction, _, sections = (released / "CHANGELOG.md").read_text().partition(START)
    assert introduction == before.partition(START)[0]
    assert re.match(rf"\n*## {re.escape(ssmpatchlib.__version__)} \(\d{{4}}-\d\d-\d\d\)\n", sections)
    assert sections.endswith(before.partition(START)[2])
    by_heading = {}
    for part in sections.removesuffix(before.partition(START)[2]).split("\n### ")[1:]:
        heading, _, text = part.partition("\n")
        by_heading[heading] = flat(text)
    for name, text in fragments(unreleased).items():
        assert f"- {text}" in by_heading[headings(repo)[name.split(".")[-2]]], name


def test_a_release_leaves_no_fragment(released: Path) -> None:
    assert [path.name for path in (released / "changelog").iterdir()] == [".gitignore"]


def test_a_draft_shows_every_change_and_writes_nothing(repo: Path, unreleased: Path) -> None:
    (command,) = release_commands(repo, "test_a_release_puts_every_change_into_the_change_log")
    before = fragments(unreleased)
    draft = flat(run_line(command.replace("--yes", "--draft"), unreleased))
    assert not [name for name, text in before.items() if f"- {text}" not in draft]
    assert fragments(unreleased) == before
    assert (unreleased / "CHANGELOG.md").read_text() == (repo / "CHANGELOG.md").read_text()
