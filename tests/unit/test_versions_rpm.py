# SPDX-License-Identifier: Apache-2.0
"""rpm's version order: hand-picked pairs, the laws of an order, and 100,000 random pairs against rpm itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.versions.rpm import compare_evr, satisfies, sort_key, split_evr

PAIRS = 100_000

EVRS = st.from_regex(r"(?:[0-9]{1,2}:)?[0-9a-zA-Z.~^_+]{1,12}-[0-9a-zA-Z.~^_+]{1,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0:1.0-1", "0:1.0-1", 0),
        ("1.0-1", "0:1.0-1", 0),
        ("1:1.0-1", "0:2.0-1", 1),
        ("1.0~rc1-1", "1.0-1", -1),
        ("1.0~rc1~a-1", "1.0~rc1-1", -1),
        ("1.0^-1", "1.0-1", 1),
        ("1.0^git1-1", "1.0.1-1", -1),
        ("1.0^git1~pre-1", "1.0^git1-1", -1),
        ("1.0.010-1", "1.0.10-1", 0),
        ("1.0a-1", "1.0-1", 1),
        ("1.0a-1", "1.0.1-1", -1),
        ("1_0-1", "1.0-1", 0),
        ("1.0.-1", "1.0-1", 0),
        ("1.0-10.el8", "1.0-9.el8_4", 1),
        ("1.0-1", "1.0-1.1", -1),
        ("1." + "9" * 5000 + "-1", "1." + "8" * 5000 + "-1", 1),
    ],
)
def test_order_of_known_pairs(one: str, other: str, expected: int) -> None:
    assert compare_evr(one, other) == expected
    assert compare_evr(other, one) == -expected


@given(EVRS, EVRS)
def test_comparison_agrees_with_keys(one: str, other: str) -> None:
    assert compare_evr(one, other) == (sort_key(one) > sort_key(other)) - (sort_key(one) < sort_key(other))
    assert compare_evr(one, other) == -compare_evr(other, one)


@pytest.mark.parametrize(
    ("evr", "parts"),
    [("1:2-3", (1, "2", "3")), ("2-3", (0, "2", "3")), ("2", (0, "2", "")), ("x:2-3", (0, "2", "3"))],
)
def test_split(evr: str, parts: tuple[int, str, str]) -> None:
    assert split_evr(evr) == parts


@pytest.mark.parametrize(
    ("evr", "operator", "wanted", "expected"),
    [
        ("0:1-1", "", "", True),
        ("0:1-1", "LT", "2", True),
        ("0:2-1", "LT", "2", False),
        ("0:2-1", "LE", "2", True),
        ("0:2-5", "EQ", "2", True),
        ("0:2-5", "EQ", "2-4", False),
        ("0:2-5", "GT", "2-4", True),
        ("0:2-5", "GE", "1:1", False),
        ("1:1-1", "GT", "0:9-9", True),
    ],
)
def test_dependency_ranges(evr: str, operator: str, wanted: str, expected: bool) -> None:
    assert satisfies(evr, operator, wanted) is expected


def _random_part(rng: random.Random) -> str:
    pieces = [
        rng.choice(("", ".", "~", "^", "_", "+", "a", "el", "rc", "Z", "git", "0", "1", "9", "10", "007"))
        for _ in range(rng.randint(1, 6))
    ]
    return "".join(pieces) or "0"


def _random_evr(rng: random.Random) -> str:
    epoch = rng.choice(("", "", "0:", "1:", "2:"))
    return f"{epoch}{_random_part(rng)}-{_random_part(rng)}"


def _near(rng: random.Random, evr: str) -> str:
    """A version that differs from ``evr`` in one place, or not at all in meaning."""
    place = rng.randrange(len(evr) + 1)
    return evr[:place] + rng.choice(("", "0", ".", "~", "^", "a", "1")) + evr[place + rng.randint(0, 1) :]


def _accepted(evr: str) -> bool:
    epoch, colon, rest = evr.partition(":")
    if colon and not epoch.isdecimal():
        return False
    version, hyphen, release = (rest if colon else evr).partition("-")
    return bool(version and hyphen and release)


@pytest.mark.skipif(not shutil.which("rpm"), reason="needs rpm")
def test_random_pairs_against_rpm(tmp_path: Path) -> None:
    rng = random.Random(20240615)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < PAIRS:
        one = _random_evr(rng)
        other = _near(rng, one) if rng.random() < 0.6 else _random_evr(rng)
        if _accepted(one) and _accepted(other):
            pairs.append((one, other))
    batch = tmp_path / "pairs"
    batch.write_text("".join(f"{one} {other}\n" for one, other in pairs))
    script = (
        f'%{{lua: for line in io.lines("{batch}") do '
        'local a, b = line:match("(%S+) (%S+)"); print(rpm.vercmp(a, b) .. "\\n") end}'
    )
    answer = subprocess.run(["rpm", "--eval", script], check=True, capture_output=True, text=True)
    judged = [int(word) for word in answer.stdout.split()]
    assert len(judged) == PAIRS
    wrong = [
        (one, other, rpm, compare_evr(one, other))
        for (one, other), rpm in zip(pairs, judged, strict=True)
        if compare_evr(one, other) != rpm
    ]
    assert wrong == []
    assert {-1, 0, 1} == set(judged)
