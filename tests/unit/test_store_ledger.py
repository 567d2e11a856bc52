# SPDX-License-Identifier: Apache-2.0
"""First seen stays first seen while it is on offer, through damage, clock steps and full disks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.paths import Place
from ssmpatchlib.store import ledger
from ssmpatchlib.store.ledger import first_seen
from support.store import SPOILERS, fill, remount_read_only, tmpfs

ROOT = Path("/")
NOW = 1_795_471_200.0
A, B = "a.amd64:1", "b.amd64:2"


def seen(state_dir: Path, ids: list[str], now: float) -> dict[str, float]:
    found, warnings = first_seen(ids, Place(state_dir, ROOT, now))
    assert warnings == ()
    return found


def test_an_id_keeps_its_first_time_and_loses_it_with_its_offer(tmp_path):
    assert seen(tmp_path, [A], 10.0) == {A: 10.0}
    assert seen(tmp_path, [B, A, A], 20.0) == {A: 10.0, B: 20.0}
    assert seen(tmp_path, [B], 30.0) == {B: 20.0}
    assert seen(tmp_path, [A, B], 40.0) == {A: 40.0, B: 20.0}
    assert seen(tmp_path, [], 50.0) == {}


def test_a_clock_set_back_makes_no_time_of_the_future(tmp_path):
    seen(tmp_path, [A], NOW)
    assert seen(tmp_path, [A], NOW - 3600) == {A: NOW - 3600}
    assert seen(tmp_path, [A], NOW + 3600) == {A: NOW - 3600}


def test_nothing_is_written_when_nothing_is_new(tmp_path):
    seen(tmp_path, [A], 10.0)
    path = tmp_path / "first-seen-system.json"
    before = path.stat().st_ino
    seen(tmp_path, [A], 20.0)
    assert path.stat().st_ino == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_IDS", 2)
    ids = [f"p.amd64:{number}" for number in range(3)]
    assert seen(tmp_path, ids, 10.0) == dict.fromkeys(ids, 10.0)
    assert seen(tmp_path, ids, 20.0) == {ids[0]: 10.0, ids[1]: 10.0, ids[2]: 20.0}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_ledger_is_set_aside_and_begun_anew(tmp_path, spoil):
    seen(tmp_path, [A], 10.0)
    path = tmp_path / "first-seen-system.json"
    spoil(path)
    found, warnings = first_seen([A], Place(tmp_path, ROOT, 20.0))
    assert found == {A: 20.0}
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: damaged (")
    assert seen(tmp_path, [A], 30.0) == {A: 20.0}


@pytest.mark.parametrize("times", ["[]", '{"a": "x"}', '{"a": -1}', '{"a": NaN}', '{"a": true}'])
def test_foreign_times_are_not_believed(tmp_path, times):
    (tmp_path / "first-seen-system.json").write_text(f'{{"version": 1, "seen": {times}}}')
    found, warnings = first_seen([A], Place(tmp_path, ROOT, 20.0))
    assert found == {A: 20.0}
    assert "'seen' has a wrong value" in warnings[0]


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_the_answer_is_careful_and_a_warning_says_so(tmp_path, spoil):
    with tmpfs(tmp_path / "disk") as disk:
        seen(disk, [A], 10.0)
        spoil(disk)
        ids = [A, *(f"{B}{number}" for number in range(999))]
        found, warnings = first_seen(ids, Place(disk, ROOT, 20.0))
        assert found == {A: 10.0, **dict.fromkeys(ids[1:], 20.0)}
        assert len(warnings) == 1
        assert warnings[0].startswith("approval delays may take longer: ")


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.floats(0, 1e9)), max_size=6))
def test_no_time_is_ever_later_than_any_moment_it_was_on_offer(tmp_path_factory, runs):
    state_dir = tmp_path_factory.mktemp("ledger")
    expected: dict[str, float] = {}
    for ids, now in runs:
        expected = {name: min(expected.get(name, now), now) for name in ids}
        assert seen(state_dir, sorted(ids), now) == expected
