# SPDX-License-Identifier: Apache-2.0
"""A package manager that refuses everything is told from one that refuses some packages without naming them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from ssmpatchlib.backends.answers import InstallRun
from ssmpatchlib.backends.apt import Apt
from ssmpatchlib.host import Host
from ssmpatchlib.model import ExecutionResult, Target, Transaction
from ssmpatchlib.patching import runner
from ssmpatchlib.patching.isolate import Answer, isolate
from ssmpatchlib.patching.refusal import REFUSED
from support.generated import Cases
from support.played_manager import PlayedManager, target

WORDS = "E: Sub-process /usr/bin/hook returned an error code (1)"


def named(count: int) -> list[Target]:
    return [target(f"p{number}") for number in range(count)]


def install(
    place: Path, targets: Sequence[Target], bad: set[str], *, words: str = WORDS
) -> tuple[ExecutionResult, int]:
    """Install with a manager that refuses every set with a bad target in it; return the result and the runs."""

    def run(wanted: Sequence[Target]) -> InstallRun:
        if any(each.name in bad for each in wanted):
            return InstallRun(said=words.format(runs=len(manager.runs)))
        return manager.bring_in(wanted)

    manager = PlayedManager(place, install=run, limits=Apt.limits)
    done = runner.execute(
        manager,
        Transaction(tuple(targets), (tuple(targets),), ()),
        host=Host(),
        output=place,
        on_progress=lambda _: None,
        may_start_batch=lambda: True,
    )
    return done, len(manager.runs)


@pytest.mark.parametrize("count", [4, 5, 8, 13, 24, 40, 400])
@pytest.mark.parametrize("words", [WORDS, "E: the hook ({runs}) refuses"])
def test_a_refusal_of_everything_ends_soon_and_is_said_once(tmp_path: Path, count: int, words: str) -> None:
    done, runs = install(tmp_path, named(count), {each.name for each in named(count)}, words=words)
    assert runs <= 12
    (warning,) = done.warnings
    assert warning.startswith(f"played refuses every package: {words.partition(' ({')[0]}")
    assert done.failures == {each.id: REFUSED for each in named(count)}


def test_two_that_are_not_named_take_no_other_with_them(tmp_path: Path) -> None:
    most = 0
    for pair in itertools.combinations(range(40), 2):
        bad = {f"p{number}" for number in pair}
        done, runs = install(tmp_path, named(40), bad)
        assert done.failures == {f"{name}.x86_64": WORDS for name in bad} and done.warnings == ()
        most = max(most, runs)
    assert most <= 25


@pytest.mark.parametrize("bad", [3, 4])
def test_a_few_that_are_not_named_take_no_other_with_them(tmp_path: Path, bad: int) -> None:
    random = Random(1)
    for _ in range(100):
        chosen = {each.name for each in random.sample(named(40), bad)}
        done, runs = install(tmp_path, named(40), chosen)
        assert done.failures == {f"{name}.x86_64": WORDS for name in chosen} and runs <= Apt.limits.rounds


@pytest.mark.cases(200)
def test_what_can_be_installed_is_never_said_to_be_refused(cases: Cases, tmp_path: Path) -> None:
    for number, random in cases:
        count = random.randint(1, 60)
        bad = {each.name for each in random.sample(named(count), random.randint(0, count // 3))}
        done, _ = install(tmp_path, named(count), bad)
        assert REFUSED not in done.failures.values(), cases.again(number)


@pytest.mark.parametrize("count", [5, 40, 500])
def test_a_solver_that_refuses_everything_is_asked_a_few_times(count: int) -> None:
    asked = []

    def solve(some: Sequence[Target]) -> Answer:
        asked.append(len(some))
        return Answer(words=f"E: Unmet dependencies ({len(some)})")

    good, answer, words = isolate(named(count), solve=solve, max_runs=60)
    assert (good, answer.warnings) == ([], (f"the solver refuses every package: E: Unmet dependencies ({asked[-1]})",))
    assert words == {each.id: REFUSED for each in named(count)}
    assert len(asked) <= 13
