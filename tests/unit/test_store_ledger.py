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
DAY = 86400.0
A, B = "a.amd64:1", "b.amd64:2"


def seen(state_dir: Path, ids: list[str], now: float) -> dict[str, float]:
    found, warnings = first_seen(ids, Place(state_dir, ROOT, now))
    assert warnings == ()
    return found


def test_an_id_keeps_its_first_time_and_loses_it_with_its_offer(tmp_path):
    assert seen(tmp_path, [A], NOW + 10) == {A: NOW + 10}
    assert seen(tmp_path, [B, A, A], NOW + 20) == {A: NOW + 10, B: NOW + 20}
    assert seen(tmp_path, [B], NOW + 30) == {B: NOW + 20}
    assert seen(tmp_path, [A, B], NOW + 40) == {A: NOW + 40, B: NOW + 20}
    assert seen(tmp_path, [], NOW + 50) == {}


def test_a_clock_set_back_makes_no_time_of_the_future(tmp_path):
    seen(tmp_path, [A], NOW)
    assert seen(tmp_path, [A], NOW - 3600) == {A: NOW - 3600}
    assert seen(tmp_path, [A], NOW + 3600) == {A: NOW - 3600}


def doubted(state_dir: Path, ids: list[str], now: float) -> dict[str, float]:
    """What was seen, by a clock that is not believed."""
    found, warnings = first_seen(ids, Place(state_dir, ROOT, now))
    assert len(warnings) == 1 and warnings[0].startswith("approval delays do not count from what is seen now: ")
    assert "set the clock" in warnings[0]
    return found


@pytest.mark.parametrize("past", [0.0, NOW - 30 * DAY])
def test_a_clock_in_the_past_makes_nothing_look_old(tmp_path, past):
    seen(tmp_path, [A], NOW)
    assert doubted(tmp_path, [A, B], past) == {A: past, B: past}
    assert seen(tmp_path, [A, B], NOW + 60) == {A: NOW, B: NOW + 60}


def test_a_first_run_with_a_clock_that_was_never_set_is_not_recorded(tmp_path):
    assert doubted(tmp_path, [A], 60.0) == {A: 60.0}
    assert seen(tmp_path, [A], NOW) == {A: NOW}


def test_times_before_there_was_this_program_are_not_believed(tmp_path):
    (tmp_path / "first-seen-system.json").write_text(
        f'{{"version": 1, "seen": {{"{A}": 0, "{B}": {NOW - 9}}}, "latest": 0, "behind": 0}}'
    )
    assert seen(tmp_path, [A, B], NOW) == {A: NOW, B: NOW - 9}
    assert seen(tmp_path, [A, B], NOW + 30 * DAY) == {A: NOW, B: NOW - 9}


def test_a_clock_that_stays_where_it_was_set_back_to_is_believed_after_a_day(tmp_path):
    seen(tmp_path, [A], NOW + 900 * DAY)
    for hours in (0, 12, 23.9):
        assert doubted(tmp_path, [A], NOW + hours * 3600) == {A: NOW + hours * 3600}
    assert seen(tmp_path, [A, B], NOW + DAY) == {A: NOW + DAY, B: NOW + DAY}
    assert seen(tmp_path, [A, B], NOW + 9 * DAY) == {A: NOW + DAY, B: NOW + DAY}


def test_the_day_of_a_clock_in_the_past_begins_anew_when_it_was_right_between(tmp_path):
    seen(tmp_path, [A], NOW)
    doubted(tmp_path, [A], NOW - 90 * DAY)
    seen(tmp_path, [A], NOW)
    doubted(tmp_path, [A], NOW - 80 * DAY)
    assert seen(tmp_path, [A], NOW + 60) == {A: NOW}


def test_nothing_is_written_when_nothing_is_new(tmp_path):
    seen(tmp_path, [A], NOW + 10)
    path = tmp_path / "first-seen-system.json"
    before = path.stat().st_ino
    seen(tmp_path, [A], NOW + 20)
    assert path.stat().st_ino == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_IDS", 2)
    ids = [f"p.amd64:{number}" for number in range(3)]
    assert seen(tmp_path, ids, NOW + 10) == dict.fromkeys(ids, NOW + 10)
    assert seen(tmp_path, ids, NOW + 20) == {ids[0]: NOW + 10, ids[1]: NOW + 10, ids[2]: NOW + 20}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_ledger_is_set_aside_and_begun_anew(tmp_path, spoil):
    seen(tmp_path, [A], NOW + 10)
    path = tmp_path / "first-seen-system.json"
    spoil(path)
    found, warnings = first_seen([A], Place(tmp_path, ROOT, NOW + 20))
    assert found == {A: NOW + 20}
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: damaged (")
    assert seen(tmp_path, [A], NOW + 30) == {A: NOW + 20}


@pytest.mark.parametrize("times", ["[]", '{"a": "x"}', '{"a": -1}', '{"a": NaN}', '{"a": true}'])
def test_foreign_times_are_not_believed(tmp_path, times):
    (tmp_path / "first-seen-system.json").write_text(f'{{"version": 1, "seen": {times}, "latest": 0, "behind": 0}}')
    found, warnings = first_seen([A], Place(tmp_path, ROOT, NOW + 20))
    assert found == {A: NOW + 20}
    assert "'seen' has a wrong value" in warnings[0]


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_the_answer_is_careful_and_a_warning_says_so(tmp_path, spoil):
    with tmpfs(tmp_path / "disk") as disk:
        seen(disk, [A], NOW + 10)
        spoil(disk)
        ids = [A, *(f"{B}{number}" for number in range(999))]
        found, warnings = first_seen(ids, Place(disk, ROOT, NOW + 20))
        assert found == {A: NOW + 10, **dict.fromkeys(ids[1:], NOW + 20)}
        assert len(warnings) == 1
        assert warnings[0].startswith("approval delays may take longer: ")


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.floats(0, 1e9)), max_size=6))
def test_no_time_is_ever_later_than_the_moment_of_the_question(tmp_path_factory, runs):
    state_dir = tmp_path_factory.mktemp("ledger")
    for ids, now in runs:
        found, _ = first_seen(ids, Place(state_dir, ROOT, NOW + now))
        assert set(found) == ids and all(NOW <= time <= NOW + now for time in found.values())


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.floats(0, DAY - 1)), max_size=6))
def test_no_time_is_ever_later_than_any_moment_it_was_on_offer(tmp_path_factory, runs):
    state_dir = tmp_path_factory.mktemp("ledger")
    expected: dict[str, float] = {}
    for ids, now in runs:
        expected = {name: min(expected.get(name, NOW + now), NOW + now) for name in ids}
        assert seen(state_dir, sorted(ids), NOW + now) == expected
