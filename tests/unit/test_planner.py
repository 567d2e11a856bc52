# SPDX-License-Identifier: Apache-2.0
"""Plans: what no install may do is refused or hidden, whichever package manager proposes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ssmpatchlib.backends import Limits
from ssmpatchlib.backends.answers import Clash, Solution, Step
from ssmpatchlib.model import Offer, Package, Target, Transaction, Version
from ssmpatchlib.patching.planner import make_plan
from support.played_manager import PlayedManager, everything, inventory, package, steps, target, version

APP, LIB = package("app", "0:1-1", "0:2-1"), package("lib", "0:1-1", "0:2-1", "0:3-1")


def plan(manager: PlayedManager, targets: Sequence[Target], *packages: Package, blocked: str = "") -> Transaction:
    """Plan with everything of the package ``blocked`` rejected with BLOCK."""

    def forbidden(package: Package, version: Version) -> str:
        return "rejected (BLOCK)" if package.name == blocked else ""

    return make_plan(manager, targets, inventory=inventory(*packages), forbidden=forbidden if blocked else None)


def why(transaction: Transaction) -> dict[str, str]:
    return {each.target.name: each.reason for each in transaction.blocked}


def with_more(*more: Step, unless_hidden: str = "") -> object:
    """A solver that does more than it was asked for, unless it does not see something."""

    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if unless_hidden in {offer.name for offer in hidden}:
            return Solution(left_out={each.id: f"nothing provides {unless_hidden}" for each in targets})
        return Solution((*steps(targets), *more))

    return solve


def test_what_fits_is_one_question_and_one_batch(tmp_path: Path) -> None:
    manager = PlayedManager(tmp_path)
    transaction = plan(manager, [target("app"), target("lib")], APP, LIB)
    assert [[each.name for each in batch] for batch in transaction.batches] == [["app", "lib"]]
    assert [(c.id, c.old, c.new, c.target) for c in transaction.changes] == [
        ("app.x86_64", "0:1-1", "0:2-1", True),
        ("lib.x86_64", "0:1-1", "0:2-1", True),
    ]
    assert manager.questions == [(["app", "lib"], [])] and transaction.blocked == ()


def test_without_targets_nothing_is_asked(tmp_path: Path) -> None:
    manager = PlayedManager(tmp_path)
    assert plan(manager, []).batches == () and manager.questions == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (Step("other", "x86_64", None), "would remove other.x86_64 0:1-1"),
        (Step("lib", "x86_64", "0:0-1"), "would downgrade lib.x86_64 from 0:1-1 to 0:0-1"),
        (Step("lib", "x86_64", "0:2-1", objection="would change the vendor of lib.x86_64"), "vendor of lib"),
    ],
)
@pytest.mark.parametrize("hiding_runs", [1, 4])
def test_what_must_never_happen_keeps_only_that_target_out(
    tmp_path: Path, more: Step, words: str, hiding_runs: int
) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        return Solution((*steps(targets), *([more] if any(each.name == "app" for each in targets) else [])))

    manager = PlayedManager(tmp_path, solve=solve, limits=Limits(runs=20, hiding_runs=hiding_runs, rounds=4))
    others = [package(name, "0:1-1", "0:2-1") for name in ("a", "b", "c", "other")]
    transaction = plan(manager, [target("app"), *map(target, ("a", "b", "c"))], APP, LIB, *others)
    assert why(transaction).keys() == {"app"} and words in why(transaction)["app"]
    assert {change.name for change in transaction.changes} == {"a", "b", "c"}


def test_a_target_that_would_be_downgraded_is_refused(tmp_path: Path) -> None:
    newer = package("app", "0:3-1", "0:2-1")
    assert why(plan(PlayedManager(tmp_path), [target("app")], newer)) == {
        "app": "would downgrade app.x86_64 from 0:3-1 to 0:2-1"
    }


def test_what_is_rejected_is_hidden_in_every_version_and_the_solver_asked_again(tmp_path: Path) -> None:
    solve = with_more(Step("lib", "x86_64", "0:2-1"), unless_hidden="lib")
    manager = PlayedManager(tmp_path, solve=solve)  # type: ignore[arg-type]
    transaction = plan(manager, [target("app")], APP, LIB, blocked="lib")
    assert why(transaction) == {
        "app": "needs lib-2-1.x86_64: rejected (BLOCK); needs lib-3-1.x86_64: rejected (BLOCK); nothing provides lib"
    }
    hidden = ["lib-0:2-1.x86_64", "lib-0:3-1.x86_64"]
    assert manager.questions == [(["app"], []), (["app"], hidden)]
    assert [str(offer) for offer in transaction.hidden] == hidden


def test_where_nothing_can_be_hidden_the_target_is_refused(tmp_path: Path) -> None:
    solve = with_more(Step("lib", "x86_64", "0:2-1"))
    manager = PlayedManager(tmp_path, solve=solve, limits=Limits(runs=20, hiding_runs=1, rounds=4))  # type: ignore[arg-type]
    assert why(plan(manager, [target("app")], APP, LIB, blocked="lib")) == {
        "app": "needs lib.x86_64 0:2-1: rejected (BLOCK)"
    }


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (package("app", "0:1-1", "0:2-1", locked="locked by the administrator"), "locked by the administrator"),
        (package("app", "0:1-1", "0:2-1", blocked="excluded"), "excluded"),
        (package("app", "0:2-1", "0:2-1", broken="half-configured"), "half-configured"),
    ],
)
def test_what_the_administrator_keeps_is_not_asked_for(tmp_path: Path, kept: Package, words: str) -> None:
    manager = PlayedManager(tmp_path)
    assert why(plan(manager, [target("app"), target("lib")], kept, LIB)) == {"app": words}
    assert manager.questions == [(["lib"], [])]


def test_a_locked_dependency_does_not_come_in(tmp_path: Path) -> None:
    locked = package("lib", "0:1-1", "0:2-1", locked="locked by the administrator")
    solve = with_more(Step("lib", "x86_64", "0:2-1"), unless_hidden="lib")
    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("app")], APP, locked)  # type: ignore[arg-type]
    assert "locked by the administrator" in why(transaction)["app"]


def test_the_version_of_a_target_may_be_rejected_as_a_dependency(tmp_path: Path) -> None:
    """What was asked for is judged by the baseline, not by what may come in with others."""
    assert why(plan(PlayedManager(tmp_path), [target("app")], APP, blocked="app")) == {}


@pytest.mark.parametrize("told", [True, False])
def test_what_is_replaced_is_not_removed(tmp_path: Path, told: bool) -> None:
    old = Package("old", "x86_64", version("old", "0:1-1"), versions=(version("new", "0:2-1"),))

    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if told:
            return Solution((Step("new", "x86_64", "0:2-1", replaces=("old.x86_64",)),))
        return Solution((Step("new", "x86_64", "0:2-1"), Step("old", "x86_64", None)), removes_replaced=True)

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("new", replaces="old.x86_64")], old)
    assert [(c.id, c.old, c.new, c.replaced_by) for c in transaction.changes] == [
        ("new.x86_64", None, "0:2-1", ""),
        ("old.x86_64", "0:1-1", None, "new.x86_64"),
    ]


def test_a_removal_that_the_solver_does_not_call_a_replacement_is_one(tmp_path: Path) -> None:
    old = Package("old", "x86_64", version("old", "0:1-1"), versions=(version("new", "0:2-1"),))
    solve = with_more(Step("old", "x86_64", None))
    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("new", replaces="old.x86_64")], old)  # type: ignore[arg-type]
    assert why(transaction) == {"new": "would remove old.x86_64 0:1-1"}


def test_a_removal_that_is_told_is_one_whatever_else_takes_its_place(tmp_path: Path) -> None:
    """A solver that names what is replaced names a removal beside it because something is lost."""
    gone = (Step("lib", "i686", None), Step("lib", "x86_64", "0:2-1", replaces=("lib.i686",)))

    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        return Solution(gone)

    other = Package("lib", "i686", version("lib", "0:1-1", arch="i686"))
    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("lib")], LIB, other)
    assert why(transaction) == {"lib": "would remove lib.i686 0:1-1"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("package app-2-1.x86_64 requires lib >= 2, but none of the providers can be installed", True),
        ("nothing provides 'lib >= 2' needed by app-2-1.x86_64", True),
        ("Package: app-2-1.x86_64 (updates) Requires: lib.so.2()(64bit)", True),
        ("package lib-2-1.x86_64 from updates is filtered out", True),
        ("not installable providers: lib-0:2-1.x86_64[updates]", True),
        ("conflicts with lib-2-1 of yours", True),
        ("requires lib-extra", False),
        ("requires extra-lib", False),
        ("package lib-2-10.x86_64 is broken", False),
        ("package lib-2-1.el8.x86_64 is broken", False),
        ("a lib that nobody knows", False),
    ],
)
def test_words_are_explained_by_what_they_name(tmp_path: Path, words: str, named: bool) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if hidden:
            return Solution(left_out={each.id: words for each in targets})
        return Solution((*steps(targets), Step("lib", "x86_64", "0:2-1")))

    only = package("lib", "0:1-1", "0:2-1")
    found = why(plan(PlayedManager(tmp_path, solve=solve), [target("app")], APP, only, blocked="lib"))["app"]
    assert found == (f"needs lib-2-1.x86_64: rejected (BLOCK); {words}" if named else words)


def test_a_lock_explains_what_is_filtered_out_and_nothing_else(tmp_path: Path) -> None:
    locked = package("lib", "0:1-1", "0:2-1", locked="locked by versionlock")
    for words, explained in (
        ("package lib-2-1.x86_64 from updates is filtered out by exclude filtering", True),
        ("package app-2-1.x86_64 conflicts with lib provided by lib-1-1.x86_64 from @System", False),
    ):

        def solve(targets: Sequence[Target], hidden: Mapping[Offer, str], words: str = words) -> Solution:
            return Solution(left_out={each.id: words for each in targets})

        found = why(plan(PlayedManager(tmp_path, solve=solve), [target("app")], APP, locked))["app"]
        assert found == (f"needs lib-2-1.x86_64: locked by versionlock; {words}" if explained else words)


@pytest.mark.parametrize(("names", "dropped"), [(("app", "lib"), 0), (("app", "salt-minion"), 1), (("app", "lost"), 1)])
def test_what_cannot_be_installed_as_it_waits_is_let_go(tmp_path: Path, names: tuple[str, str], dropped: int) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        lost = {each.id: "no" for each in targets if each.name == "lost"}
        return Solution(steps([each for each in targets if each.id not in lost]), left_out=lost)

    manager = PlayedManager(tmp_path, solve=solve)
    everything_here = inventory(*(package(name, "0:1-1", "0:2-1") for name in names))
    make_plan(manager, list(map(target, names)), inventory=everything_here, forbidden=None, hold=True)
    assert manager.dropped == dropped


def test_two_versions_of_an_install_only_package_are_two_changes(tmp_path: Path) -> None:
    more = Step("kernel", "x86_64", "0:3-1")
    solve = with_more(more)
    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("kernel")], package("kernel", "0:1-1", "0:2-1"))  # type: ignore[arg-type]
    assert [(change.id, change.new) for change in transaction.changes] == [
        ("kernel.x86_64", "0:2-1"),
        ("kernel.x86_64", "0:3-1"),
    ]


def test_what_the_solver_leaves_out_is_not_asked_for_again(tmp_path: Path) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        lost = {each.id: "nothing provides libz" for each in targets if each.name == "app"}
        return Solution(steps([each for each in targets if each.id not in lost]), left_out=lost)

    manager = PlayedManager(tmp_path, solve=solve)
    assert why(plan(manager, [target("app"), target("lib")], APP, LIB)) == {"app": "nothing provides libz"}
    assert [names for names, _ in manager.questions] == [["app", "lib"], ["lib"]]


def test_what_was_asked_for_in_vain_and_comes_in_with_another_target_is_not_left_out(tmp_path: Path) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if any(each.name == "lib" for each in targets):
            return Solution(blame={"lib.x86_64": "left out"}, words="left out")
        return Solution((*steps(targets), Step("lib", "x86_64", "0:3-1")))

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("app"), target("lib")], APP, LIB)
    assert {change.name: change.new for change in transaction.changes} == {"app": "0:2-1", "lib": "0:3-1"}
    assert why(transaction) == {}


def test_of_a_clash_one_gives_way(tmp_path: Path) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        ids = frozenset(each.id for each in targets)
        if len(ids) < 2:
            return everything(targets, hidden)
        return Solution(words="app conflicts with lib", clashes=(Clash(ids, "app conflicts with lib"),))

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("app"), target("lib")], APP, LIB)
    assert why(transaction) == {"lib": "app conflicts with lib"}


def test_a_culprit_on_offer_is_hidden(tmp_path: Path) -> None:
    """A solver may insist on a newer dependency that cannot be installed although an older one would do."""
    culprit = Offer("lib", "x86_64", "0:3-1")

    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if culprit in hidden:
            return everything(targets, hidden)
        return Solution(words="lib-3-1 requires what nothing provides", culprits={culprit: "lib-3-1 is impossible"})

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("app")], APP, LIB)
    assert transaction.blocked == () and transaction.hidden == (culprit,)


def test_the_solver_is_not_asked_without_end(tmp_path: Path) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        return Solution(words="no")

    manager = PlayedManager(tmp_path, solve=solve, limits=Limits(runs=12, hiding_runs=4, rounds=4))
    names = [f"p{number}" for number in range(100)]
    transaction = plan(manager, list(map(target, names)), *(package(name, "0:1-1", "0:2-1") for name in names))
    assert len(transaction.blocked) == 100 and len(manager.questions) <= 13


def test_what_is_hidden_here_is_told_by_its_reason_and_not_as_the_administrators_exclude(tmp_path: Path) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        if hidden:
            words = (
                "package app-2-1.x86_64 requires lib >= 2; package lib-2-1.x86_64 is filtered out by exclude filtering"
            )
            return Solution(left_out={"app.x86_64": words})
        return Solution((*steps(targets), Step("lib", "x86_64", "0:2-1")))

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("app")], APP, LIB, blocked="lib")
    found = why(transaction)["app"]
    assert found.startswith("needs lib-2-1.x86_64: rejected (BLOCK); ")
    assert found.endswith("; package app-2-1.x86_64 requires lib >= 2; package lib-2-1.x86_64 is filtered out")


FONT, TOOL = package("font", "0:1-1"), package("tool", "0:1-1", locked="locked")
NEWER, OLDER = (target("both", f"0:{n}-1", replaces=f"{name}.x86_64") for n, name in ((3, "font"), (2, "app")))


def test_a_lock_on_what_one_version_would_replace_keeps_out_no_other_version(tmp_path: Path) -> None:
    newer = target("both", "0:3-1", replaces="tool.x86_64")
    transaction = plan(PlayedManager(tmp_path), [newer, OLDER], TOOL, APP)
    assert [each.target for each in transaction.blocked] == [newer]
    assert transaction.batches == ((OLDER,),)


@pytest.mark.parametrize(("fits", "installed"), [((NEWER, OLDER), NEWER), ((OLDER,), OLDER), ((), None)])
def test_of_two_versions_of_a_replacement_the_newest_that_fits_comes_in(
    tmp_path: Path, fits: Sequence[Target], installed: Target | None
) -> None:
    def solve(targets: Sequence[Target], hidden: Mapping[Offer, str]) -> Solution:
        assert len({each.id for each in targets}) == len(targets)
        left = {each.id: "does not fit" for each in targets if each.name == "both" and each not in fits}
        return Solution(steps([each for each in targets if each.id not in left]), left_out=left)

    transaction = plan(PlayedManager(tmp_path, solve=solve), [target("lib"), NEWER, OLDER], LIB, FONT, APP)
    assert transaction.batches == ((target("lib"), *([installed] if installed else [])),)
    assert {each.target for each in transaction.blocked} == {NEWER, OLDER} - {*fits}
