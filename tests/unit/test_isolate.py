# SPDX-License-Identifier: Apache-2.0
"""Isolation of targets that cannot be installed, against solvers that know the answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.model import Target
from ssmpatchlib.patching.isolate import Answer, isolate

#: As many as apt's solver is run.
MAX_RUNS = 60


def targets(count):
    return [Target(f"p{number}", "amd64", "2") for number in range(count)]


class Solver:
    """A solver that refuses every set with a bad target in it, and blames what it is told to blame."""

    def __init__(self, bad, blame=None):
        self.bad, self.blame, self.runs = set(bad), blame, 0

    def __call__(self, some):
        self.runs += 1
        found = [t.id for t in some if t.id in self.bad]
        if not found:
            return Answer()
        blamed = {name: f"{name} : Depends: nothing" for name in (found if self.blame is None else self.blame(some))}
        return Answer(words="; ".join(f"{name} is bad" for name in found), blame=blamed)


def test_everything_goes_in_one_run():
    solver = Solver([])
    good, answer, words = isolate(targets(50), solve=solver, max_runs=MAX_RUNS)
    assert (len(good), answer.possible, words, solver.runs) == (50, True, {}, 1)


def test_nothing_to_do_asks_nothing():
    solver = Solver([])
    assert isolate([], solve=solver, max_runs=MAX_RUNS)[0] == []
    assert solver.runs == 0


def test_what_the_solver_blames_is_set_aside_and_named_with_its_words():
    solver = Solver(["p3.amd64"])
    good, _, words = isolate(targets(10), solve=solver, max_runs=MAX_RUNS)
    assert [t.id for t in good] == [t.id for t in targets(10) if t.id != "p3.amd64"]
    assert words == {"p3.amd64": "p3.amd64 : Depends: nothing"}
    assert solver.runs == 3


def test_targets_that_were_blamed_for_nothing_are_taken_back():
    wide = Solver(["p3.amd64"], blame=lambda some: [t.id for t in some])
    good, _, words = isolate(targets(8), solve=wide, max_runs=MAX_RUNS)
    assert {t.id for t in good} == {t.id for t in targets(8)} - {"p3.amd64"}
    assert set(words) == {"p3.amd64"}


def test_one_is_blamed_after_the_other():
    slow = Solver(
        ["p3.amd64", "p7.amd64"], blame=lambda some: [t.id for t in some if t.id in ("p3.amd64", "p7.amd64")][:1]
    )
    good, _, words = isolate(targets(10), solve=slow, max_runs=MAX_RUNS)
    assert {t.id for t in good} == {t.id for t in targets(10)} - {"p3.amd64", "p7.amd64"}
    assert set(words) == {"p3.amd64", "p7.amd64"}


@given(st.sets(st.integers(0, 15)), st.booleans())
def test_exactly_the_bad_ones_are_left_out(bad, blames):
    names = {f"p{number}.amd64" for number in bad}
    solver = Solver(names, blame=None if blames else lambda some: [])
    good, answer, words = isolate(targets(16), solve=solver, max_runs=MAX_RUNS)
    assert {t.id for t in good} == {t.id for t in targets(16)} - names
    assert set(words) == names and all(words.values())
    assert answer.possible


def test_a_solver_that_blames_nobody_is_not_asked_without_end():
    everything = [t.id for t in targets(500)]
    solver = Solver(everything, blame=lambda some: [])
    good, _, words = isolate(targets(500), solve=solver, max_runs=MAX_RUNS)
    assert good == [] and set(words) == set(everything) and all(words.values())
    assert solver.runs <= MAX_RUNS + 1
