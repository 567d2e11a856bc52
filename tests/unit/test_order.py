# SPDX-License-Identifier: Apache-2.0
"""The order of batches: the package management first where it can be, Salt last, whatever it is called."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ssmpatchlib.model import Change, Target
from ssmpatchlib.patching.isolate import Answer
from ssmpatchlib.patching.order import is_salt, make_batches
from support.played_manager import target


def changes(targets: Sequence[Target], *more: str) -> Answer:
    names = [*(each.name for each in targets), *more]
    return Answer(tuple(Change(name, "x86_64", "0:1-1", "0:2-1", True) for name in names))


def batches(names: Sequence[str], *, needs: dict[str, str] | None = None, more: Sequence[str] = ()) -> list[list[str]]:
    """The batches of some targets; libzypp and zypper are to be first, and do ``more`` when they are alone."""
    targets = [target(name) for name in names]

    def solve(some: Sequence[Target]) -> Answer:
        needed = [(needs or {})[each.name] for each in some if each.name in (needs or {})]
        return changes(some, *needed, *more)

    found = make_batches(targets, changes(targets), first={"zypper", "libzypp"}, solve=solve)
    return [[each.name for each in batch] for batch in found]


def test_the_update_stack_is_first_and_salt_last() -> None:
    assert batches(["salt-minion", "app", "zypper"]) == [["zypper"], ["app"], ["salt-minion"]]


def test_what_the_update_stack_needs_comes_with_it() -> None:
    assert batches(["app", "lib", "zypper"], needs={"zypper": "lib"}) == [["lib", "zypper"], ["app"]]


def test_where_it_would_do_something_else_alone_it_does_not_go_first() -> None:
    assert batches(["app", "zypper"], more=["stranger"]) == [["app", "zypper"]]


def test_only_the_update_stack_is_one_batch() -> None:
    assert batches(["zypper", "libzypp"]) == [["zypper", "libzypp"]]


@pytest.mark.parametrize(
    "name",
    ["salt", "salt-minion", "salt-common", "salt-master", "salt-api", "salt-ssh", "salt-syndic", "salt-cloud"]
    + ["venv-salt-minion", "python3-salt", "python311-salt"],
)
def test_salt_by_any_name(name: str) -> None:
    assert is_salt(name)
    assert batches([name, "app"]) == [["app"], [name]]


@pytest.mark.parametrize("name", ["saltwater", "basalt", "python3-saltx", "salt-lint", "libsalt"])
def test_not_salt(name: str) -> None:
    assert not is_salt(name)
