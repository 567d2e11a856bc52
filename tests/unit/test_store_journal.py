# SPDX-License-Identifier: Apache-2.0
"""The journal says after any interruption what was meant and how far it got."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import files
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.masking import harmless, masked
from ssmpatchlib.paths import Place
from ssmpatchlib.reboot import RebootRequests
from ssmpatchlib.store.journal import JournalEntry, advance, begin, close, load_open
from support.store import SPOILERS, environment, fill, remount_read_only, tmpfs

NOW = 1_795_471_200.0
ROOT = Path("/")


def start(state_dir: Path, *, root: Path = ROOT) -> JournalEntry:
    return begin(
        Place(state_dir, root, NOW),
        run_id="run-1",
        operation="install",
        boot_id="boot-1",
        settings={"reboot": {"option": "NoReboot"}, "deep": [1, {"two": None}]},
        transaction={"targets": [["bash", "amd64", "5.2-1"]]},
        before={"bash.amd64": "5.1-1"},
    )


def opened(state_dir: Path) -> tuple[JournalEntry | None, tuple[str, ...]]:
    return load_open(Place(state_dir, ROOT, NOW))


def test_without_a_journal_there_is_nothing_to_finish(tmp_path):
    assert opened(tmp_path) == (None, ())


def test_every_step_of_an_operation_is_read_back(tmp_path):
    entry = start(tmp_path)
    assert entry.phase == "planned"
    steps = [
        ("downloading", {}),
        ("installing", {"batch": 1, "batches": 2}),
        ("installing", {"batch": 2, "failures": {"bash.amd64": "post-installation script failed"}}),
        ("installed", {}),
        ("reported", {}),
        ("reboot_requested", {"reboot": RebootRequests(1, NOW + 5, "boot-1")}),
        ("reboot_requested", {"reboot": RebootRequests(2, NOW + 9, "boot-1")}),
        ("verified", {}),
    ]
    assert opened(tmp_path) == (entry, ())
    for phase, fields in steps:
        entry = advance(entry, phase, **fields)
        assert entry.phase == phase
        assert opened(tmp_path) == (entry, ())
    assert (entry.batch, entry.batches, entry.failures, entry.before) == (
        2,
        2,
        {"bash.amd64": "post-installation script failed"},
        {"bash.amd64": "5.1-1"},
    )
    assert close(entry).phase == "closed"
    assert opened(tmp_path) == (None, ())
    assert list(tmp_path.iterdir()) == []


# Backwards is never allowed; what was installed is always recorded and reported; closing is not a mere step.
FOLLOWING = {
    "planned": {"planned", "downloading", "installing", "reported", "reboot_requested"},
    "downloading": {"downloading", "installing", "reported"},
    "installing": {"installing", "installed"},
    "installed": {"installed", "reported"},
    "reported": {"reported", "reboot_requested", "verified"},
    "reboot_requested": {"reboot_requested", "verified"},
    "verified": {"verified"},
    "closed": set(),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(FOLLOWING, [*FOLLOWING, "done"])))
def test_phases_follow_each_other_in_order(tmp_path, old, new):
    entry = dataclasses.replace(start(tmp_path), phase=old)
    if new in FOLLOWING[old]:
        assert advance(entry, new).phase == opened(tmp_path)[0].phase == new
    else:
        with pytest.raises(SsmpatchError, match=f"phase '{new}' cannot follow '{old}'; allowed: "):
            advance(entry, new)
        assert opened(tmp_path)[0].phase == "planned"


def test_an_unknown_field_is_an_error_and_changes_nothing(tmp_path):
    entry = start(tmp_path)
    with pytest.raises(TypeError):
        advance(entry, "downloading", colour="red")
    assert opened(tmp_path) == (entry, ())


def test_an_open_journal_is_not_overwritten(tmp_path):
    entry = advance(start(tmp_path), "installing", batch=1, batches=1)
    with pytest.raises(SsmpatchError) as caught:
        start(tmp_path)
    assert str(caught.value) == (
        f"{entry.path}: install run-1 was interrupted in phase installing; finish it first with ssmpatch.resume"
    )
    assert opened(tmp_path) == (entry, ())


def test_each_root_has_its_own_journal(tmp_path):
    (tmp_path / "image").mkdir()
    entry, other = start(tmp_path), start(tmp_path, root=tmp_path / "image")
    assert entry.path != other.path
    close(entry)
    assert load_open(Place(tmp_path, tmp_path / "image", NOW)) == (other, ())


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_journal_is_set_aside_and_the_next_operation_starts(tmp_path, spoil):
    entry = start(tmp_path)
    spoil(entry.path)
    damaged, warnings = opened(tmp_path)
    assert damaged is None
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{entry.path}: damaged (")
    assert start(tmp_path).phase == "planned"
    assert len(list(tmp_path.iterdir())) == 2


WRONG = {
    "phase": ["done", "closed", None],
    "root": ["/srv/image", 1],
    "before": [{"bash.amd64": 5}, []],
    "failures": [{"bash.amd64": None}],
    "batch": [-1, 1.5, True],
    "started": [-1, "now", float("nan"), 1e300],
    "reboot": [None, {}, {"attempts": 1}, {"attempts": -1, "requested_at": 0, "boot_id": ""}],
    "settings": [[], "x"],
    "transaction": [None],
    "version": [2, "1", None],
    "run_id": [5],
    "colour": ["red"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_foreign_value_is_never_taken_for_ours(tmp_path, name, value):
    entry = start(tmp_path)
    document = json.loads(entry.path.read_text())
    entry.path.write_text(json.dumps({**document, name: value}))
    damaged, warnings = opened(tmp_path)
    assert damaged is None
    assert len(warnings) == 1
    assert "set aside" in warnings[0]


@pytest.mark.parametrize("name", ["run_id", "phase", "before", "reboot", "version"])
def test_a_missing_field_is_never_made_up(tmp_path, name):
    entry = start(tmp_path)
    document = json.loads(entry.path.read_text())
    del document[name]
    entry.path.write_text(json.dumps(document))
    assert opened(tmp_path)[0] is None


TEXT = st.text(max_size=8).filter(lambda text: masked(harmless(text)) == text)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    settings=st.dictionaries(st.text(), PLAIN, max_size=4),
    before=st.dictionaries(st.text(), TEXT, max_size=4),
    failures=st.dictionaries(st.text(), TEXT, max_size=4),
)
def test_any_plain_data_comes_back_as_it_went(tmp_path_factory, settings, before, failures):
    state_dir = tmp_path_factory.mktemp("journal")
    entry = begin(
        Place(state_dir, ROOT, NOW),
        run_id="r",
        operation="install",
        boot_id="",
        settings=settings,
        transaction=settings,
        before=before,
    )
    entry = advance(entry, "installing", failures=failures)
    assert opened(state_dir) == (entry, ())


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_the_operation_does_not_start_and_a_running_one_keeps_its_phase(tmp_path, spoil):
    with tmpfs(tmp_path / "disk") as disk:
        entry = start(disk)
        spoil(disk)
        with pytest.raises(files.Unwritable, match="could not be written: (no space left|read-only)"):
            advance(entry, "downloading", before={str(number): "x" * 100 for number in range(100)})
        assert opened(disk) == (entry, ())
        with pytest.raises(files.Unwritable):
            start(disk, root=tmp_path)


def test_after_a_kill_at_any_moment_the_journal_is_whole_and_not_ahead(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from ssmpatchlib.store import journal\n"
        "from ssmpatchlib.paths import Place\n"
        "entry = journal.begin(Place(pathlib.Path(sys.argv[1]), pathlib.Path('/'), 1.0), run_id='r',\n"
        "    operation='install', boot_id='b', settings={}, transaction={},\n"
        "    before={str(number): 'x' * 200 for number in range(200)})\n"
        "for number in range(1, 10**9):\n"
        "    entry = journal.advance(entry, 'installing', batch=number, batches=10**9)\n"
        "    print(number, flush=True)\n"
    )
    for lines in (1, 20, 45):
        state_dir = tmp_path / str(lines)
        command = [sys.executable, "-c", code, str(state_dir)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
            for _ in range(lines):
                process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
            said = [lines, *(int(line) for line in process.stdout.read().split())][-1]
        entry, warnings = opened(state_dir)
        assert warnings == ()
        assert entry.phase == "installing"
        assert said <= entry.batch <= said + 1
