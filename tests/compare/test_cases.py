# SPDX-License-Identifier: Apache-2.0
"""Generated cases come again: what a failure names runs the same case."""

from __future__ import annotations

import pytest

from support.generated import Cases


@pytest.mark.cases(3)
def test_a_case_depends_on_its_number_only(cases: Cases) -> None:
    drawn = [(number, random.random()) for number, random in cases]

    assert drawn == [(number, cases.random(number).random()) for number in cases.numbers]
    assert len({value for _, value in drawn}) == len(cases)
    assert f"--case {cases.numbers[-1]}" in cases.again(cases.numbers[-1])
