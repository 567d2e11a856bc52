# SPDX-License-Identifier: Apache-2.0
"""The pages that lead to others: the index by task, and the glossary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.examples import blocks, pages

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / "docs"
INDEX = (DOCS / "index.md").read_text()
#: What people who are new to Salt, to AWS or to this have asked for.
WORDS = (
    *("minion", "master", "pillar", "grain", "highstate", "beacon", "runner", "sync"),
    *("patch baseline", "rule 0", "patch group", "compliance level", "level UNSPECIFIED"),
    *("ring", "gate", "soak", "window", "frozen set", "hold", "pin"),
    *("advisory", "CVE", "DSA, DLA", "feed", "KEV", "OSV", "USN"),
)


def terms() -> list[str]:
    """The words of the glossary, in its order."""
    return re.findall(r"^(\S.*)\n: ", (DOCS / "glossary.md").read_text(), re.MULTILINE)


def test_the_index_has_a_task_for_every_page() -> None:
    table = "\n".join(line for line in INDEX.splitlines() if line.startswith("|"))
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", table)}
    known = {str(page.relative_to(DOCS)) for page in pages(REPO) if DOCS in page.parents} - {"index.md"}
    assert linked == known


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_has_the_word(word: str) -> None:
    assert word in terms()


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    found = [term.lower() for term in terms()]
    assert found == sorted(set(found))


@pytest.mark.parametrize("page", ["index.md", "getting-started.md", "../README.md"])
def test_the_glossary_is_found(page: str) -> None:
    assert "glossary.md)" in (DOCS / page).read_text()


def test_the_pages_that_name_file_roots_have_one_block_of_them() -> None:
    """Two would look as if both counted; Salt takes the last that it reads."""
    for page in pages(REPO):
        named = [block for block in blocks(page) if "\nfile_roots:" in f"\n{block.text}"]
        assert len(named) <= 1, page.name
