# SPDX-License-Identifier: Apache-2.0
"""Who waits for a reboot: by boot id, through clock steps, and by the AWS agent's rule for what only it knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import files
from ssmpatchlib.model import Boot
from ssmpatchlib.paths import Place
from ssmpatchlib.reboot import RebootRequests
from ssmpatchlib.store.pending import PendingReboot, add_pending, load_pending, save_pending, still_pending
from ssmpatchlib.store.states import PatchStates, SavedPatch
from support.store import SPOILERS, fill, remount_read_only, tmpfs

NOW = 1_795_471_200.0
ROOT = Path("/")
BASH, CURL = "bash.amd64:5.2", "curl.amd64:8"
RECORD = PendingReboot((BASH,), NOW, "boot-1", RebootRequests(1, NOW + 5, "boot-1"))
NOTHING = PatchStates()
BOOT, OTHER_BOOT = Boot("boot-1", NOW - 86400), Boot("boot-2", NOW - 86400)


def agent(*titles: str, last: float = NOW, state: str = "InstalledPendingReboot") -> PatchStates:
    return PatchStates({title: SavedPatch(title.partition(":")[0], state) for title in titles}, last)


def pending(
    record: PendingReboot | None,
    states: PatchStates = NOTHING,
    *,
    installed: tuple[str, ...] = (BASH, CURL),
    boot: Boot = BOOT,
) -> tuple[str, ...]:
    return still_pending(record, states, installed=installed, boot=boot)


def test_nothing_known_is_nothing_pending():
    assert pending(None) == ()


@pytest.mark.parametrize("boot_time", [0.0, NOW - 1, NOW, NOW + 1e8, None])
def test_within_the_boot_it_waits_whatever_the_clock_says(boot_time):
    assert pending(RECORD, boot=Boot("boot-1", boot_time)) == (BASH,)
    assert pending(RECORD, agent(BASH), boot=Boot("boot-1", boot_time)) == (BASH,)


@pytest.mark.parametrize("boot_time", [0.0, NOW - 1, NOW + 1e8, None])
def test_after_another_boot_it_waits_no_more_whatever_the_clock_says(boot_time):
    assert pending(RECORD, boot=Boot("boot-2", boot_time)) == ()
    assert pending(RECORD, agent(BASH), boot=Boot("boot-2", boot_time)) == ()


@pytest.mark.parametrize(("boot_time", "waits"), [(NOW - 1, True), (NOW, False), (NOW + 1, False), (None, True)])
def test_where_the_kernel_gives_no_boot_id_the_boot_time_decides(boot_time, waits):
    assert bool(pending(PendingReboot((BASH,), NOW, ""), boot=Boot("boot-1", boot_time))) is waits
    assert bool(pending(RECORD, boot=Boot("", boot_time))) is waits


@pytest.mark.parametrize(
    ("states", "boot_time", "waiting"),
    [
        (agent(BASH, CURL), NOW - 1, (BASH, CURL)),
        (agent(BASH, CURL), NOW, ()),
        (agent(BASH, CURL), NOW + 1, ()),
        (agent(BASH, CURL), None, (BASH, CURL)),
        (agent(BASH, last=0.0), NOW - 1, ()),
        (agent(BASH, last=0.0), None, ()),
        (agent(BASH, state="Installed"), NOW - 1, ()),
    ],
)
def test_the_agents_file_alone_is_judged_by_its_own_rule(states, boot_time, waiting):
    assert pending(None, states, boot=Boot("boot-1", boot_time)) == waiting


def test_ours_and_the_agents_add_up():
    assert pending(RECORD, agent(CURL)) == (BASH, CURL)
    assert pending(RECORD, agent(BASH, CURL), boot=OTHER_BOOT) == (CURL,)


def test_what_was_changed_since_waits_no_more():
    assert pending(RECORD, agent(CURL), installed=("bash.amd64:5.3",)) == ()


def test_packages_are_added_within_a_boot_and_a_new_boot_begins_anew():
    facts = {"now": NOW + 9, "boot": BOOT}
    assert add_pending(None, [CURL], **facts) == PendingReboot((CURL,), NOW + 9, "boot-1")
    assert add_pending(RECORD, [CURL], **facts) == PendingReboot((BASH, CURL), NOW, "boot-1", RECORD.requests)
    assert add_pending(RECORD, [CURL], now=NOW + 9, boot=OTHER_BOOT) == PendingReboot((CURL,), NOW + 9, "boot-2")


@given(
    steps=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4),
    boots=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_no_sequence_of_clock_steps_confuses_the_boot_id(steps, boots):
    clock, boot = NOW, 0
    record = add_pending(None, [BASH], now=clock, boot=Boot("0", clock - 100))
    for step, booted in zip(steps, boots, strict=False):
        clock += step
        boot += booted
        waiting = pending(record, agent(BASH, last=NOW), boot=Boot(str(boot), clock - 50))
        assert waiting == (() if boot else (BASH,))


def test_the_record_is_kept_and_dropped(tmp_path):
    place = Place(tmp_path / "state", ROOT, NOW)
    assert load_pending(place) == (None, ())
    save_pending(RECORD, place)
    assert load_pending(place) == (RECORD, ())
    save_pending(None, place)
    save_pending(None, place)
    assert load_pending(place) == (None, ())
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_record_is_set_aside(tmp_path, spoil):
    place = Place(tmp_path, ROOT, NOW)
    save_pending(RECORD, place)
    path = tmp_path / "pending-system.json"
    spoil(path)
    record, warnings = load_pending(place)
    assert record is None
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: damaged (")


@pytest.mark.parametrize(
    ("name", "value"),
    [("titles", "bash"), ("titles", [1]), ("since", -1), ("boot_id", None), ("requests", {"attempts": 1}), ("more", 1)],
)
def test_a_foreign_value_is_never_taken_for_ours(tmp_path, name, value):
    place = Place(tmp_path, ROOT, NOW)
    save_pending(RECORD, place)
    path = tmp_path / "pending-system.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    record, warnings = load_pending(place)
    assert record is None
    assert repr(name) in warnings[0]


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_the_old_record_stays(tmp_path, spoil):
    with tmpfs(tmp_path / "disk") as disk:
        place = Place(disk, ROOT, NOW)
        save_pending(RECORD, place)
        spoil(disk)
        with pytest.raises(files.Unwritable):
            save_pending(PendingReboot(tuple(f"{BASH}{number}" for number in range(999)), NOW, ""), place)
        assert load_pending(place) == (RECORD, ())
