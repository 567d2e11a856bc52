# SPDX-License-Identifier: Apache-2.0
"""What libzypp's log says of problems, and which targets cannot be installed together by that."""

from __future__ import annotations

import pytest

from ssmpatchlib.backends.zypper import solverlog
from ssmpatchlib.backends.zypper.answer import Problem
from ssmpatchlib.backends.zypper.clashes import clashes_of
from ssmpatchlib.model import Target
from ssmpatchlib.patching.isolate import Clash

PLACE = "2026-01-01 00:00:00 <1> host(7) [zypp::solver] ./zypp/solver/detail/SATResolver.cc(problems):17 "
OTHER = "2026-01-01 00:00:00 <1> host(7) [libsolv++] ./zypp/sat/detail/PoolImpl.cc(logSat):125 done solving."
TWICE = """\
Encountered problems! Here are the solutions:

Problem 1:
====================================
a-2-1.noarch conflicts with keep provided by keep-1-1.noarch
------------------------------------
deinstallation of keep-1-1.noarch
------------------------------------
do not install a-2-1.noarch
do not install b-2-1.noarch
------------------------------------
Problem 2:
====================================
nothing provides nix needed by helper-1-1.noarch
------------------------------------
do not install c-2-1.noarch
------------------------------------
ignore some dependencies of U__s_(227)helper-1-1.noarch(updates)
------------------------------------
"""


def log(*blocks):
    return "\n".join(f"{PLACE}{line}\n{OTHER}" for block in blocks for line in block.splitlines())


def test_the_log_has_every_problem_with_what_solves_it():
    old = TWICE.replace("nix", "nothing").replace("Problem 2", "Problem 3")
    assert solverlog.read_problems(log(old, TWICE)) == (
        Problem(
            "a-2-1.noarch conflicts with keep provided by keep-1-1.noarch",
            (("a-2-1.noarch", "b-2-1.noarch"),),
        ),
        Problem("nothing provides nix needed by helper-1-1.noarch", (("c-2-1.noarch",),)),
    )


@pytest.mark.parametrize("text", ["", OTHER, log("Resolver::problems()"), log("Encountered problems!", "Problem 1:")])
def test_a_log_without_problems(text, tmp_path):
    assert solverlog.read_problems(text) == ()
    assert solverlog.read_log(tmp_path / "none") == solverlog.read_log(None) == ()


def test_what_is_known_in_more_words_keeps_them(tmp_path):
    path = solverlog.begin(tmp_path)
    path.write_text(log(TWICE))
    known = Problem("nothing provides nix needed by helper-1-1.noarch; not installable providers: nix-1-1")
    first, second = solverlog.read_log(path, known=[known])
    assert (second.words, second.solutions) == (known.words, (("c-2-1.noarch",),))
    assert first.words == "a-2-1.noarch conflicts with keep provided by keep-1-1.noarch"


def test_a_log_of_another_run_is_never_read(tmp_path):
    (tmp_path / solverlog.LOG).write_text(log(TWICE))
    assert solverlog.read_log(solverlog.begin(tmp_path)) == ()
    (tmp_path / "file").write_text("")
    assert solverlog.begin(tmp_path / "file" / "below") is None


def clashes(words, *solutions):
    names = "abcd"
    problem = Problem(words, tuple(tuple(f"{name}-2-1.noarch" for name in solution) for solution in solutions))
    found = clashes_of(problem, [Target(name, "noarch", "0:2-1") for name in names], "why")
    return [("".join(sorted(id_[0] for id_ in clash.ids)), clash.certain) for clash in found]


@pytest.mark.parametrize(
    ("solutions", "expected"),
    [
        (["a"], [("a", True)]),
        (["a", "b"], [("ab", True)]),
        (["a", "b", "c"], [("abc", True)]),
        (["abc"], [("a", False), ("b", False), ("c", False)]),
        (["ac", "bc"], [("c", False), ("ab", True)]),
        (["a", "bc"], [("ab", False), ("ac", False)]),
        (["a", "abc"], [("a", False)]),
        (["ax", "b"], [("b", True)]),
        (["x"], []),
        ([], []),
    ],
)
def test_one_of_each_solution_has_to_go(solutions, expected):
    """``x`` is no target: a solution that leaves it out is none."""
    assert clashes("anything", *solutions) == expected


def test_without_a_solution_the_words_tell():
    assert clashes("a-2-1.noarch conflicts with b") == [("a", True)]


def test_who_is_not_spoken_of_is_told_so():
    targets = [Target(name, "noarch", "0:2-1") for name in "ab"]
    words = "a-2-1.noarch conflicts with keep"
    found = clashes_of(Problem(words, (("a-2-1.noarch", "b-2-1.noarch"),)), targets, words)
    assert list(found) == [
        Clash(frozenset({"a.noarch"}), words, certain=False),
        Clash(frozenset({"b.noarch"}), f"what zypper says of another package holds for it: {words}", certain=False),
    ]
