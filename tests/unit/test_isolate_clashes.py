# SPDX-License-Identifier: Apache-2.0
"""Isolation with a solver that says which targets do not go together."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.backends.isolate import Answer, Clash, isolate
from ssmpatchlib.model import Target


class Solver:
    """Sets of targets that cannot be installed together; ``silent`` ones are refused without being named."""

    def __init__(self, impossible, silent=()):
        self.impossible = [frozenset(f"t{n}.noarch" for n in group) for group in impossible]
        self.silent = [frozenset(f"t{n}.noarch" for n in group) for group in silent]
        self.runs = 0

    def holds(self, targets):
        ids = {target.id for target in targets}
        return not any(group <= ids for group in (*self.impossible, *self.silent))

    def __call__(self, targets):
        self.runs += 1
        ids = {target.id for target in targets}
        clashes = tuple(Clash(group, f"not {sorted(group)}") for group in self.impossible if group <= ids)
        return Answer() if self.holds(targets) else Answer(words="impossible", clashes=clashes)


def targets(count):
    return [Target(f"t{number}", "noarch", "0:2-1") for number in range(count)]


GROUPS = st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), max_size=6)


@settings(max_examples=150)
@given(impossible=GROUPS, silent=st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=2), max_size=2))
def test_what_is_left_holds_and_nothing_more_would(impossible, silent):
    solver = Solver(impossible, silent)
    wanted = targets(12)
    good, answer, words = isolate(wanted, solve=solver)
    assert answer.possible
    assert solver.holds(good)
    assert {target.id for target in good} | words.keys() == {target.id for target in wanted}
    assert all(words.values())
    for target in wanted:
        assert target in good or not solver.holds([*good, target])


def test_hundreds_that_never_can_take_three_runs():
    solver = Solver([{number} for number in range(200)])
    good, _, words = isolate(targets(220), solve=solver)
    assert (len(good), len(words), solver.runs) == (20, 200, 3)
    assert words["t7.noarch"] == "not ['t7.noarch']"


def test_of_each_clash_one_gives_way():
    solver = Solver([{number, number + 100} for number in range(100)])
    good, _, words = isolate(targets(200), solve=solver)
    assert {target.name for target in good} == {f"t{number}" for number in range(100)}
    assert solver.runs == 3


def test_what_gave_way_in_vain_comes_back():
    """The last of a clash gives way to one that turns out to be impossible by itself."""
    solver = Solver([{0, 1}], silent=[])
    solver.impossible.append(frozenset({"t0.noarch"}))
    good, _, words = isolate(targets(2), solve=solver)
    assert [target.name for target in good] == ["t1"]
    assert words.keys() == {"t0.noarch"}
