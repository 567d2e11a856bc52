# SPDX-License-Identifier: Apache-2.0
"""Debian's version order: hand-picked pairs, the laws of an order, and 100,000 random pairs against dpkg itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.versions import sort_key as key_of
from ssmpatchlib.versions.deb import sort_key

PAIRS = 100_000
FORKED_PAIRS = 200
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this host")

VERSIONS = st.from_regex(r"(?:[0-9]{1,2}:)?[0-9][0-9a-zA-Z.+~]{0,8}(?:-[0-9a-zA-Z.+~]{1,6}){0,2}", fullmatch=True)


def order(one: str, other: str) -> int:
    return (sort_key(one) > sort_key(other)) - (sort_key(one) < sort_key(other))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1.0-1", "1.0-1", 0),
        ("0:1.0-1", "1.0-1", 0),
        ("1:1.0-1", "2.0-1", 1),
        ("1.0~rc1-1", "1.0-1", -1),
        ("1.0~~-1", "1.0~-1", -1),
        ("1.0~~a-1", "1.0~~-1", 1),
        ("1.0-1~bpo12+1", "1.0-1", -1),
        ("1.0-1+deb12u10", "1.0-1+deb12u9", 1),
        ("1.0-1+b1", "1.0-1", 1),
        ("1.0-0", "1.0", 0),
        ("1.0-", "1.0", 0),
        ("1.010", "1.10", 0),
        ("1.0a", "1.0+", -1),
        ("1.0a", "1.0.1", -1),
        ("1.0Z", "1.0a", -1),
        ("1.0+", "1.0.", -1),
        ("1.0-1-1", "1.0-1", 1),
        ("1:2:3-1", "1:2.3-1", 1),
        ("0", "00", 0),
        ("1." + "9" * 5000, "1." + "8" * 5000, 1),
    ],
)
def test_order_of_known_pairs(one: str, other: str, expected: int) -> None:
    assert order(one, other) == expected
    assert order(other, one) == -expected
    assert key_of("deb") is sort_key


@given(VERSIONS, VERSIONS, VERSIONS)
def test_keys_are_a_total_order_that_ignores_padding(one: str, two: str, three: str) -> None:
    lowest, middle, highest = sorted((one, two, three), key=sort_key)
    assert sort_key(lowest) <= sort_key(middle) <= sort_key(highest)
    epoch, colon, rest = one.partition(":")
    padded = f"0{epoch}:{rest}" if colon else f"0:{one}"
    assert sort_key(padded) == sort_key(one)


@given(VERSIONS)
def test_a_tilde_suffix_sorts_before_and_any_other_after(version: str) -> None:
    assert sort_key(version + "~") < sort_key(version) < sort_key(version + "+a")


@needs_dpkg
def test_random_pairs_agree_with_dpkg(tmp_path: Path) -> None:
    pairs = list(random_pairs(random.Random(20260101), PAIRS))
    wanted = merged_orders(pairs, tmp_path)
    wrong = [(one, other, want) for (one, other), want in zip(pairs, wanted, strict=True) if order(one, other) != want]
    assert not wrong, f"{len(wrong)} of {len(pairs)} pairs differ from dpkg, such as {wrong[:5]}"
    assert all(wanted.count(answer) > PAIRS // 20 for answer in (-1, 0, 1)), "the pairs are too one-sided to tell"
    for (one, other), want in zip(pairs[:FORKED_PAIRS], wanted, strict=False):
        assert forked_order(one, other) == want


def merged_orders(pairs: Sequence[tuple[str, str]], directory: Path) -> list[int]:
    """Let dpkg order all pairs in four runs: ``--merge-avail`` replaces an entry unless its version would go down."""
    kept = [merged(pairs, directory / "forth"), merged([(b, a) for a, b in pairs], directory / "back")]
    return [(not forth) - (not back) for forth, back in zip(*kept, strict=True)]


def merged(pairs: Sequence[tuple[str, str]], directory: Path) -> list[bool]:
    """Return for each pair whether dpkg let the second version replace the first."""
    database = directory / "dpkg"
    (database / "info").mkdir(parents=True)
    (database / "updates").mkdir()
    (database / "info/format").write_text("1\n")
    (database / "status").touch()
    for side, name in enumerate(("first", "second")):
        path = directory / name
        path.write_text(
            "\n".join(
                f"Package: p{number}\nMaintainer: {name}\nArchitecture: all\nVersion: {pair[side]}\nDescription: x\n"
                for number, pair in enumerate(pairs)
            )
        )
        subprocess.run(
            ["dpkg", "--force-not-root", f"--admindir={database}", "--merge-avail", path],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    paragraphs = (database / "available").read_text().split("\n\n")
    fields = (dict(line.split(": ", 1) for line in text.splitlines()) for text in paragraphs if text.strip())
    replaced = {entry["Package"]: entry["Maintainer"] == "second" for entry in fields}
    return [replaced[f"p{number}"] for number in range(len(pairs))]


def forked_order(one: str, other: str) -> int:
    def holds(operator: str) -> bool:
        return subprocess.run(["dpkg", "--compare-versions", one, operator, other], check=False).returncode == 0

    return holds("gt") - holds("lt")


def random_pairs(rng: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of versions that dpkg accepts, most of them close to each other."""
    for _ in range(count):
        one = random_version(rng)
        yield one, one if rng.random() < 0.05 else mutated(rng, one) if rng.random() < 0.8 else random_version(rng)


def random_version(rng: random.Random) -> str:
    def part(alphabet: str, longest: int) -> str:
        return "".join(rng.choices(alphabet, k=rng.randint(0, longest)))

    dense, wide = "0019.+~abZ", "0123456789abczABCZ.+~"
    epoch = rng.choice(("", "", "", "0:", "1:", "2:", "10:"))
    alphabet = rng.choice((dense, wide)) + rng.choice(("", "-")) + (":" if epoch else "")
    upstream = rng.choice("0012") + part(alphabet, 8)
    revision = rng.choice("0019ab~+.") + part(dense, 5)
    # A hyphen of the upstream version needs a revision after it.
    return epoch + upstream + (f"-{revision}" if "-" in upstream or rng.random() < 0.6 else "")


def mutated(rng: random.Random, version: str) -> str:
    """Return the version with one small change that keeps it acceptable to dpkg."""
    epoch, colon, rest = version.rpartition(":") if version[:3].find(":") > 0 else ("", "", version)
    if ":" in epoch:
        epoch, _, rest = version.partition(":")
    head, tail = rest[:1], rest[1:]
    at = rng.randint(0, len(tail))
    match rng.randrange(5):
        case 0:
            tail = tail[:at] + rng.choice("0019.+~aZ") + tail[at:]
        case 1 if tail[at : at + 1] not in ("-", ""):
            tail = tail[:at] + tail[at + 1 :]
        case 2:
            head = "0" + head
        case 3:
            epoch, colon = rng.choice((("", ""), ("0", ":"), ("1", ":"))) if ":" not in tail else (epoch, colon)
        case _:
            tail += rng.choice(("~", "+b1", "0", ".0", "-0" if "-" not in tail else "0"))
    return f"{epoch}{colon}{head}{tail}" + ("0" if tail.endswith("-") else "")
