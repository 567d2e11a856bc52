# SPDX-License-Identifier: Apache-2.0
"""Whether a version is affected: a compiled and read entry against OSV's own algorithm with dpkg's comparison."""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import cache
from random import Random

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.compiler import Compiler
from support import osv
from support.generated import Cases

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this host")
PARTS = ("1", "2", "1.0", "1.1", "1.0~rc1", "1.0~", "1.0+deb12u1", "1.0+deb12u10", "1.0a", "0~0", "0")
REVISIONS = ("", "-0", "-1", "-1~deb12u1", "-1+deb12u1", "-1+b1", "-1.1")


def version(random: Random) -> str:
    """A version out of few parts, so that equal and neighbouring ones meet often."""
    return random.choice(("", "", "0:", "1:")) + random.choice(PARTS) + random.choice(REVISIONS)


@cache
def compares(one: str, word: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False).returncode == 0


def affected_by(own: str, ranges: list[list[tuple[str, str]]], listed: list[str]) -> bool:
    """OSV's evaluation (ossf.github.io/osv-schema, "Evaluation"), with the events in the order of dpkg."""
    for events in ranges:
        vulnerable = False
        for name, bound in ordered(events):
            if name == "introduced" and (bound == "0" or compares(own, "ge", bound)):
                vulnerable = True
            elif (name == "fixed" and compares(own, "ge", bound)) or (
                name == "last_affected" and compares(own, "gt", bound)
            ):
                vulnerable = False
        if vulnerable:
            return True
    return not ranges and any(compares(own, "eq", each) for each in listed)


def ordered(events: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """By insertion; an event goes before those whose version is greater, ``introduced: 0`` before all."""
    found: list[tuple[str, str]] = []
    for event in events:
        place = len(found)
        while place and lower(event, found[place - 1]):
            place -= 1
        found.insert(place, event)
    return found


def lower(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if other == ("introduced", "0"):
        return False
    return one == ("introduced", "0") or compares(one[1], "lt", other[1])


def ranges_of(random: Random) -> list[list[tuple[str, str]]]:
    ranges = []
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        events = [("introduced", "0" if random.random() < 0.6 else version(random))]
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            events.append((random.choice(("fixed", "fixed", "introduced", "last_affected")), version(random)))
        random.shuffle(events)
        ranges.append(events)
    return ranges


@pytest.mark.cases(60)
def test_an_entry_affects_the_versions_that_dpkg_finds_in_it(cases: Cases) -> None:
    answers = set()
    for number, random in cases:
        ranges, listed = ranges_of(random), [version(random) for _ in range(random.randint(1, 3))]
        said = {
            **osv.affected("Debian:12", "tool"),
            "ranges": [{"type": "ECOSYSTEM", "events": [{n: v} for n, v in events]} for events in ranges],
            "versions": listed,
        }
        compiler = Compiler(["DEBIAN-12"], exploited={}, until="2026-11-20T00:00:00Z")
        compiler.add(osv.record("DEBIAN-CVE-2026-0001", said))
        data = compact.write(compiler.header("DEBIAN-12"), compiler.lines("DEBIAN-12"))
        (entry,) = compact.read(io.BytesIO(data), release="DEBIAN-12", sources=["tool"]).packages["tool"]
        bounds = [bound for events in ranges for _, bound in events if bound != "0"] + listed
        for own in {version(random), version(random), *random.sample(bounds, min(2, len(bounds)))}:
            expected = affected_by(own, ranges, listed)
            assert entry.is_affected(own, order="deb") is expected, f"{cases.again(number)}: {own} in {said}"
            answers.add(expected)
    assert answers == {True, False} or len(cases) < 10
