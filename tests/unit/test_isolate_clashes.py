# SPDX-License-Identifier: Apache-2.0
"""Isolation with a solver that says which targets do not go together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.backends.answers import Clash
from ssmpatchlib.model import Target
from ssmpatchlib.patching.isolate import Answer, isolate


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
    good, answer, words = isolate(wanted, solve=solver, max_runs=60)
    assert answer.possible
    assert solver.holds(good)
    assert {target.id for target in good} | words.keys() == {target.id for target in wanted}
    assert all(words.values())
    for target in wanted:
        assert target in good or not solver.holds([*good, target])


class Terse(Solver):
    """Like libsolv it names clashes that have no target in common, one after the other."""

    def __call__(self, targets):
        answer = super().__call__(targets)
        named, clashes = set(), []
        for clash in answer.clashes:
            if not clash.ids & named:
                named |= clash.ids
                clashes.append(clash)
        return replace(answer, clashes=tuple(clashes))


@settings(max_examples=300)
@given(impossible=st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), max_size=9))
def test_twelve_runs_find_all_that_can_be_installed(impossible):
    """Whatever is left out could not be added: asked one by one, which takes a run for each."""
    solver = Terse(impossible)
    wanted = targets(12)
    good, answer, words = isolate(wanted, solve=solver, max_runs=12)
    assert answer.possible and solver.holds(good) and solver.runs <= 12
    assert not [target.name for target in wanted if target not in good and solver.holds([*good, target])]
    assert {target.id for target in good} | words.keys() == {target.id for target in wanted}


@settings(max_examples=150)
@given(impossible=GROUPS, limit=st.integers(1, 12))
def test_at_the_bound_what_is_left_holds(impossible, limit):
    solver = Solver(impossible)
    wanted = targets(12)
    good, answer, words = isolate(wanted, solve=solver, max_runs=limit)
    assert answer.possible and solver.holds(good)
    assert {target.id for target in good} | words.keys() == {target.id for target in wanted}
    assert all(words.values())
    assert solver.runs <= limit + 1


def test_at_the_bound_what_nothing_was_said_against_is_kept():
    """Of a hundred impossible ones the answers say only that one of them has to go."""
    solver = Chatty([{number} for number in range(100)])
    good, answer, words = isolate(targets(150), solve=solver, max_runs=12)
    assert {target.name for target in good} == {f"t{number}" for number in range(100, 150)}
    assert solver.runs <= 12


class Chatty(Solver):
    """It names what is impossible together with others of it, so that one at a time gives way."""

    def __call__(self, targets):
        answer = super().__call__(targets)
        named = frozenset(id_ for clash in answer.clashes for id_ in clash.ids)
        return replace(answer, clashes=(Clash(named, "none of these"),)) if named else answer


def test_runs_for_one_answer_count():
    calls = []

    def solve(targets):
        calls.append(len(targets))
        return Answer(words="no", clashes=(Clash(ids(targets), "no"),), runs=4)

    good, _answer, words = isolate(targets(9), solve=solve, max_runs=12)
    assert (len(good), len(words), len(calls)) == (0, 9, 3)


def ids(some):
    return frozenset(target.id for target in some)


def test_a_clash_that_is_not_certain_is_tried_again():
    """The first answer says that t1 cannot be installed; it can when t0, which cannot either, is left out."""

    def solve(targets):
        if "t0.noarch" not in ids(targets):
            return Answer()
        others = [Clash(frozenset({name}), "with t0", certain=False) for name in ids(targets) - {"t0.noarch"}]
        return Answer(words="no", clashes=(Clash(frozenset({"t0.noarch"}), "never"), *others[:1]))

    good, answer, words = isolate(targets(2), solve=solve, max_runs=60)
    assert ([target.name for target in good], words) == (["t1"], {"t0.noarch": "never"})
    assert answer.possible


def test_a_clash_that_is_not_certain_ends_when_nothing_else_is_left():
    def solve(targets):
        clashes = tuple(Clash(frozenset({id_}), "no", certain=False) for id_ in ids(targets) - {"t0.noarch"})
        return Answer(words="no", clashes=clashes) if clashes else Answer()

    good, _, words = isolate(targets(4), solve=solve, max_runs=60)
    assert [target.name for target in good] == ["t0"]
    assert words == dict.fromkeys(("t1.noarch", "t2.noarch", "t3.noarch"), "no")


def test_hundreds_that_never_can_take_three_runs():
    solver = Solver([{number} for number in range(200)])
    good, _, words = isolate(targets(220), solve=solver, max_runs=60)
    assert (len(good), len(words), solver.runs) == (20, 200, 3)
    assert words["t7.noarch"] == "not ['t7.noarch']"


def test_of_each_clash_one_gives_way():
    solver = Solver([{number, number + 100} for number in range(100)])
    good, _, words = isolate(targets(200), solve=solver, max_runs=60)
    assert {target.name for target in good} == {f"t{number}" for number in range(100)}
    assert solver.runs == 3


def test_what_gave_way_in_vain_comes_back():
    """The last of a clash gives way to one that turns out to be impossible by itself."""
    solver = Solver([{0, 1}], silent=[])
    solver.impossible.append(frozenset({"t0.noarch"}))
    good, _, words = isolate(targets(2), solve=solver, max_runs=60)
    assert [target.name for target in good] == ["t1"]
    assert words.keys() == {"t0.noarch"}
