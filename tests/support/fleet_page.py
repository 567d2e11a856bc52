# SPDX-License-Identifier: Apache-2.0
"""What people do with the fleet's page in a browser, and what nobody should have to bear there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser, browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    with browser() as found:
        yield found


def click(chromium: Browser, selector: str) -> None:
    """Click on the first element that a selector finds."""
    chromium.run(f"document.querySelector({selector!r}).click()")


def search(chromium: Browser, words: str) -> None:
    """Type words into the field for searching, and wait until they count."""
    chromium.run("document.querySelector('#search').select(), document.querySelector('#search').focus()")
    chromium.type_text(words)
    chromium.run("new Promise(done => setTimeout(done, 300))")


def sticking_out(chromium: Browser, width: int) -> list[str]:
    """What is wider than the window, its card or the dialog: one would have to scroll sideways."""
    return list(
        chromium.run(
            f"[...document.querySelectorAll('html, .card, dialog, .inside, table')].filter(e => e.clientWidth)"
            f".filter(e => e.scrollWidth > Math.min(e.clientWidth, {width})"
            " || e.getBoundingClientRect().right > innerWidth + 1"
            " || e.tagName === 'TABLE'"
            " && e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right)"
            ".map(e => e.outerHTML.slice(0, 120))"
        )
    )


def violations(chromium: Browser, *dialogs: str) -> dict[str, list[str]]:
    """What axe-core finds (names of controls, contrast, landmarks, tables): on the page, and in each dialog opened."""
    axe = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js").read_text()
    chromium.run(f"{axe};0")
    found = {}
    for opener in ("", *dialogs):
        if opener:
            click(chromium, opener)
        found[opener or "the page"] = chromium.run(
            f"axe.run({'document.querySelector(`dialog`)' if opener else 'document'}, {{resultTypes: ['violations']}})"
            ".then(r => r.violations.map(v => `${v.impact} ${v.id}: ${v.nodes[0].html.slice(0, 200)}`))"
        )
    return found
