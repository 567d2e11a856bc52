# SPDX-License-Identifier: Apache-2.0
"""Installations: what fails fails alone, what can go on goes on, and there is an end to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ssmpatchlib.backends import Limits
from ssmpatchlib.backends.answers import InstallRun
from ssmpatchlib.errors import Busy
from ssmpatchlib.files import Unwritable
from ssmpatchlib.host import Host
from ssmpatchlib.model import Blocked, ExecutionResult, Offer, Target, Transaction
from ssmpatchlib.patching import progress, runner
from ssmpatchlib.patching.progress import Progress
from support.played_manager import PlayedManager, target

ABC = [target(name) for name in "abc"]


def transaction(*batches: Sequence[Target], download: int = 0) -> Transaction:
    found = tuple(tuple(batch) for batch in batches)
    return Transaction(sum(found, ()), found, (), download_size=download)


def execute(
    manager: PlayedManager,
    todo: Transaction,
    *,
    sent: list[Progress] | None = None,
    may_start: Callable[[], bool] = lambda: True,
) -> ExecutionResult:
    told = [] if sent is None else sent
    return runner.execute(
        manager, todo, host=Host(), output=manager.place, on_progress=told.append, may_start_batch=may_start
    )


def playing(
    place: Path, *runs: Callable[[PlayedManager, Sequence[Target]], InstallRun], **more: object
) -> PlayedManager:
    """A manager whose runs go like this, the last one ever again."""
    left = list(runs)

    def install(wanted: Sequence[Target]) -> InstallRun:
        run = left.pop(0) if len(left) > 1 else left[0]
        return run(manager, wanted)

    manager = PlayedManager(place, install=install, **more)  # type: ignore[arg-type]
    return manager


def all_of_it(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
    return manager.bring_in(wanted)


def first_only(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
    """Progress without a word about what did not come in."""
    manager.bring_in(wanted[:1])
    return InstallRun(said="it ended early")


def failing(*names: str) -> Callable[[PlayedManager, Sequence[Target]], InstallRun]:
    def run(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        manager.bring_in([each for each in wanted if each.name not in names])
        return InstallRun({f"{name}.x86_64": f"script of {name} failed" for name in names}, said="failed")

    return run


def silent(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
    return InstallRun(said="it refuses")


def test_batches_follow_each_other(tmp_path: Path) -> None:
    manager = PlayedManager(tmp_path)
    assert execute(manager, transaction(ABC[:2], ABC[2:])).failures == {}
    assert [names for names, _ in manager.runs] == [["a", "b"], ["c"]]


def test_progress_without_words_goes_on(tmp_path: Path) -> None:
    manager = playing(tmp_path, first_only)
    assert execute(manager, transaction(ABC)).failures == {}
    assert [names for names, _ in manager.runs] == [["a", "b", "c"], ["b", "c"], ["c"]]


def test_each_run_is_watched_with_what_is_left(tmp_path: Path) -> None:
    sent: list[Progress] = []
    execute(playing(tmp_path, first_only), transaction(ABC, [target("d")]), sent=sent)
    assert [(p.batch, p.batches, p.detail) for p in sent] == [
        (1, 2, "3 packages"),
        (1, 2, "2 packages"),
        (1, 2, "1 package"),
        (2, 2, "1 package"),
    ]


def test_what_fails_is_named_and_hidden_and_the_rest_installed(tmp_path: Path) -> None:
    def stopping(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        return InstallRun({"b.x86_64": "script of b failed"}, said="stopped at b")

    manager = playing(tmp_path, stopping, all_of_it)
    assert execute(manager, transaction(ABC)).failures == {"b.x86_64": "script of b failed"}
    assert manager.runs == [(["a", "b", "c"], []), (["a", "c"], ["b-0:2-1.x86_64"])]


def test_a_dependency_that_failed_is_hidden(tmp_path: Path) -> None:
    culprit = Offer("lib", "x86_64", "0:2-1")

    def stopping(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        return InstallRun(said="lib failed", culprits=(culprit,))

    manager = playing(tmp_path, stopping, all_of_it)
    assert execute(manager, transaction(ABC)).failures == {}
    assert manager.runs[1] == (["a", "b", "c"], ["lib-0:2-1.x86_64"])


def test_without_halvings_a_silent_failure_is_the_end(tmp_path: Path) -> None:
    manager = playing(tmp_path, silent)
    assert execute(manager, transaction(ABC)).failures == {each.id: "it refuses" for each in ABC}
    assert len(manager.runs) == 1


def test_halving_finds_the_one_that_is_not_named(tmp_path: Path) -> None:
    def run(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        return silent(manager, wanted) if any(each.name == "p6" for each in wanted) else manager.bring_in(wanted)

    targets = [target(f"p{number}") for number in range(8)]
    manager = playing(tmp_path, run, limits=Limits(runs=20, hiding_runs=1, rounds=24, halvings=12))
    assert execute(manager, transaction(targets)).failures == {"p6.x86_64": "it refuses"}
    assert len(manager.runs) == 7


def test_halving_has_an_end(tmp_path: Path) -> None:
    targets = [target(f"p{number}") for number in range(100)]
    manager = playing(tmp_path, silent, limits=Limits(runs=20, hiding_runs=1, rounds=24, halvings=12))
    assert len(execute(manager, transaction(targets)).failures) == 100
    assert len(manager.runs) <= 24


def test_rounds_have_an_end(tmp_path: Path) -> None:
    targets = [target(f"p{number}") for number in range(9)]
    failures = execute(playing(tmp_path, first_only), transaction(targets)).failures
    assert failures == {
        f"p{number}.x86_64": "not installed after several attempts: it ended early" for number in range(4, 9)
    }


def test_what_failed_first_and_came_in_later_has_not_failed(tmp_path: Path) -> None:
    def both(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        manager.bring_in(ABC)
        return InstallRun()

    stopping = failing("b")
    assert (
        execute(
            playing(tmp_path, lambda m, w: InstallRun(stopping(m, w[:0]).failures), both), transaction(ABC)
        ).failures
        == {}
    )


def test_a_stop_ends_all_of_it(tmp_path: Path) -> None:
    def stopped(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        manager.bring_in(wanted[:1])
        return InstallRun(stopped="stopped by a signal")

    manager = playing(tmp_path, stopped)
    failures = execute(manager, transaction(ABC, [target("d")])).failures
    assert failures == dict.fromkeys(("b.x86_64", "c.x86_64", "d.x86_64"), "stopped by a signal")
    assert len(manager.runs) == 1


def test_a_lock_that_is_held_fails_what_is_left(tmp_path: Path) -> None:
    def busy(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        raise Busy("busy: apt-get holds the lock")

    manager = playing(tmp_path, first_only, busy)
    failures = execute(manager, transaction(ABC, [target("d")])).failures
    assert failures == dict.fromkeys(("b.x86_64", "c.x86_64", "d.x86_64"), "busy: apt-get holds the lock")
    assert len(manager.runs) == 2, "the lock was waited for once"


@pytest.mark.parametrize("error", [Busy("busy: rpm"), Unwritable(Path("/log"), OSError(28, "No space left"))])
def test_what_stops_later_is_said_and_not_what_was_said_before(tmp_path: Path, error: Exception) -> None:
    def broken(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        raise error

    limits = Limits(runs=20, hiding_runs=1, rounds=24, halvings=12)
    failures = execute(playing(tmp_path, silent, broken, limits=limits), transaction(ABC)).failures
    assert failures == dict.fromkeys(("a.x86_64", "b.x86_64", "c.x86_64"), str(error))


def test_a_disk_that_is_full_after_a_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "output_problem", lambda place: "no space left at /var")
    failures = execute(playing(tmp_path, silent), transaction(ABC[:1])).failures
    assert failures == {"a.x86_64": "it refuses; no space left at /var"}


def test_what_waits_is_let_go_when_it_may_not_start(tmp_path: Path) -> None:
    manager = PlayedManager(tmp_path)
    execute(manager, transaction(ABC), may_start=lambda: False)
    assert manager.dropped == 1


def test_a_batch_outside_of_the_window_is_not_started(tmp_path: Path) -> None:
    answers = [True, False]
    manager = PlayedManager(tmp_path)
    failures = execute(manager, transaction(ABC, [target("d")]), may_start=lambda: answers.pop(0)).failures
    assert failures == {"d.x86_64": "not started: the maintenance window has closed"} and len(manager.runs) == 1


def test_too_little_room_stops_before_the_download(tmp_path: Path) -> None:
    manager = PlayedManager(tmp_path)
    failures = execute(manager, transaction(ABC, download=1 << 60)).failures
    assert manager.runs == [] and all("not enough disk space" in words for words in failures.values())


def test_no_room_for_the_output_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "output_problem", lambda place: "no space left")
    manager = PlayedManager(tmp_path)
    assert set(execute(manager, transaction(ABC, [target("d")])).failures.values()) == {"no space left"}
    assert manager.versions == {} and len(manager.runs) == 1


def test_what_was_blocked_stays_failed_and_warnings_are_said_once(tmp_path: Path) -> None:
    def warning(manager: PlayedManager, wanted: Sequence[Target]) -> InstallRun:
        manager.bring_in(wanted)
        return InstallRun(warnings=("lib: its script failed",), reboot_hints=("a patch needs a reboot",))

    blocked = (Blocked(target("z"), "held"),)
    todo = Transaction((*ABC, target("z")), (tuple(ABC[:1]), tuple(ABC[1:])), (), blocked)
    result = execute(playing(tmp_path, warning), todo)
    assert result == ExecutionResult({"z.x86_64": "held"}, ("lib: its script failed",), ("a patch needs a reboot",))
