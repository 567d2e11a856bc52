# SPDX-License-Identifier: Apache-2.0
"""Columns of a terminal, compared with what a terminal makes of them."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.fleet import grid, text_table
from ssmpatchlib.fleet.columns import cut, padded, width, wrapped
from ssmpatchlib.fleet.fleetreport import make_report
from support.reports import NOW, fleet
from support.screens import lines_of

TEXT = st.text(st.sampled_from("ab -é京都한ｗ。"), max_size=60)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("東京", 4), ("tokyo-東京", 10), ("한국", 4), ("ｗ", 2), ("e\u0301", 1), ("…", 1)],
)
def test_how_many_columns_a_text_takes(text: str, columns: int) -> None:
    assert width(text) == columns
    terminal = pyte.Screen(80, 1)
    pyte.Stream(terminal).feed(text)
    assert terminal.cursor.x == columns
    assert padded(text, 12) == text + " " * (12 - columns)
    assert padded(text, 12, right=True) == " " * (12 - columns) + text


@given(text=TEXT, columns=st.integers(2, 30))
def test_what_is_cut_fits(text: str, columns: int) -> None:
    found = cut(text, columns)
    assert width(found) <= columns
    assert found == text if width(text) <= columns else text.startswith(found[:-1]) and found[-1] == "…"
    assert width(text) <= columns or width(found) >= columns - 1


@given(text=TEXT, columns=st.integers(8, 30))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(text: str, columns: int) -> None:
    lines = wrapped(text, columns, first="  ", rest="    ")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= columns for line in lines)
    assert len(lines_of("\n".join(lines), columns=columns)) == len(lines)


def test_a_table_with_wide_names_stands_in_straight_columns() -> None:
    rows = [("東京のサーバー", "1", "x"), ("osaka", "20", "y")]
    assert grid.grid("By site", ("", "hosts", ""), rows, numbers=2) == [
        "",
        "  By site",
        "                    hosts",
        "    東京のサーバー      1  x",
        "    osaka              20  y",
    ]


def test_a_report_with_wide_names_is_as_wide_as_a_terminal() -> None:
    pairs = [(f"東京の大きなサーバー{number}号", returned) for number, (_, returned) in enumerate(fleet(30))]
    expected = [*(name for name, _ in pairs), *(f"大阪{number}" for number in range(40))]
    made = make_report(pairs, expected=expected, target="*", clock=lambda: NOW, stale_after=1)
    lines = text_table.table_text(made).splitlines()
    assert max(map(width, lines)) <= grid.WIDTH
    assert len(lines_of("\n".join(lines), columns=grid.WIDTH)) == len(lines)
