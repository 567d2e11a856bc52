# SPDX-License-Identifier: Apache-2.0
"""Numbers of things, in the singular and the plural."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ssmpatchlib.wording import amount


@pytest.mark.parametrize(
    ("number", "what", "does", "said"),
    [
        (0, "package", "", "0 packages"),
        (1, "package", "", "1 package"),
        (12000, "host", "", "12,000 hosts"),
        (1, "patch", "are", "1 patch is"),
        (2, "patch", "are", "2 patches are"),
        (1, "package", "take", "1 package takes"),
        (2, "advisory", "have", "2 advisories have"),
        (3, "dependency", "", "3 dependencies"),
    ],
)
def test_amount(number: int, what: str, does: str, said: str) -> None:
    assert amount(number, what, does) == said


def test_no_number_is_written_before_a_plural(repo: Path) -> None:
    """A text such as ``1 packages``: after a number stands the word of ``amount``, or one that has no plural."""
    number, things = (
        r"\{(?:len\(\w+\)|number|count|total|[\w.]*\.count)[^}]*\}",
        "packages|minions|hosts|updates|patches",
    )
    wrong = re.compile(rf"{number} (?:\w+ )?(?:{things})\b")
    found = [
        f"{path.name}: {match}"
        for room in ("_utils", "_states", "_modules", "_runners", "_beacons")
        for path in (repo / room).rglob("*.py")
        for match in wrong.findall(path.read_text())
    ]
    assert found == []
