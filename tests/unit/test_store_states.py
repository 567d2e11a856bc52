# SPDX-License-Identifier: Apache-2.0
"""The files shared with the AWS agent: its format to the letter, and whatever damage they are found in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import files
from ssmpatchlib.store.states import (
    SAVED_STATES,
    STATES_FILE,
    SUMMARY_FILE,
    PatchStates,
    SavedPatch,
    read_states,
    write_states,
    write_summary,
)
from support.store import SPOILERS, fill, remount_read_only, tmpfs

NOW = 1_795_471_200.0
PENDING = "InstalledPendingReboot"
BASH = {"id": "bash.amd64", "installedTime": 1700000000.25, "state": "Installed"}
LATEST = "lastNoRebootInstallOperationTime"


def store(aws_dir: Path, document: object) -> None:
    (aws_dir / STATES_FILE).write_text(document if isinstance(document, str) else json.dumps(document))


def read(aws_dir: Path) -> tuple[PatchStates, tuple[str, ...]]:
    return read_states(aws_dir, now=NOW)


def test_without_a_file_nothing_is_known(tmp_path):
    assert read(tmp_path / "none") == (PatchStates({}, 0.0), ())


def test_what_is_above_the_directory_is_not_ours_alone(tmp_path):
    old = os.umask(0o022)
    try:
        write_states(tmp_path / "amazon/ssm/states", PatchStates({}, 0.0))
        write_summary(tmp_path / "other/ssm/states", {})
    finally:
        os.umask(old)
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in tmp_path.rglob("ssm*")}
    assert modes == {"amazon/ssm": 0o755, "other/ssm": 0o755}


def test_the_file_is_as_the_agent_writes_it(tmp_path):
    patches = {
        "curl.amd64:7.68.0-1ubuntu2.7": SavedPatch("curl.amd64", PENDING, 1700000000.25),
        "bash.amd64:5.1-6": SavedPatch("bash.amd64", "Installed"),
    }
    write_states(tmp_path, PatchStates(patches, 1700001000.0))
    assert json.loads((tmp_path / STATES_FILE).read_text()) == {
        "patchStates": {
            "bash.amd64:5.1-6": {"id": "bash.amd64", "installedTime": None, "state": "Installed"},
            "curl.amd64:7.68.0-1ubuntu2.7": {"id": "curl.amd64", "installedTime": 1700000000.25, "state": PENDING},
        },
        "lastNoRebootInstallOperationTime": 1700001000.0,
    }
    assert (tmp_path / STATES_FILE).stat().st_mode & 0o777 == 0o600
    assert read(tmp_path) == (PatchStates(patches, 1700001000.0), ())


def test_only_installed_states_are_kept(tmp_path):
    states = ("Missing", "Failed", "NotApplicable", *SAVED_STATES)
    write_states(
        tmp_path,
        PatchStates({f"p.amd64:{number}": SavedPatch("p.amd64", state) for number, state in enumerate(states)}),
    )
    assert [patch.state for patch in read(tmp_path)[0].patches.values()] == list(SAVED_STATES)


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_times_do_not_drift_with_the_time_zone(tmp_path, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        states = PatchStates({"bash.amd64:5": SavedPatch("bash.amd64", PENDING, 1700000500.5)}, 1700001000.0)
        for _ in range(3):
            write_states(tmp_path, states)
            assert read(tmp_path) == (states, ())
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("document", [{}, {"patchStates": {}}, {LATEST: 0}, {LATEST: None}])
def test_a_file_that_says_little_is_sound(tmp_path, document):
    store(tmp_path, document)
    assert read(tmp_path) == (PatchStates({}, 0.0), ())


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_file_is_set_aside(tmp_path, spoil):
    spoil(tmp_path / STATES_FILE)
    states, warnings = read(tmp_path)
    assert states == PatchStates({}, 0.0)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{tmp_path / STATES_FILE}: damaged (")
    assert [path.name for path in tmp_path.iterdir()] == [f"{STATES_FILE}.damaged-20261123T220000Z"]


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (None, "patchStates: None is not an object"),
        ([], "patchStates: [] is not an object"),
        ("x", "patchStates: 'x' is not an object"),
        ({"bash": BASH}, "patchStates: 'bash' is not name.arch:version"),
        ({"bash.amd64:5": None}, "patchStates.bash.amd64:5: None has no known state"),
        ({"bash.amd64:5": ["Installed"]}, "patchStates.bash.amd64:5: ['Installed'] has no known state"),
        ({"bash.amd64:5": {"state": "Missing"}}, "patchStates.bash.amd64:5: {'state': 'Missing'} has no known state"),
        ({"bash.amd64:5": {"state": ["x"]}}, "patchStates.bash.amd64:5: {'state': ['x']} has no known state"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_named_and_the_rest_is_kept(tmp_path, found, problem):
    good = {"acl.amd64:2": {**BASH, "id": "acl.amd64"}} if isinstance(found, dict) else {}
    store(tmp_path, {"patchStates": {**found, **good} if good else found, LATEST: 1700001000})
    states, warnings = read(tmp_path)
    assert states.patches == ({"acl.amd64:2": SavedPatch("acl.amd64", "Installed", 1700000000.25)} if good else {})
    assert states.last_no_reboot == 1700001000.0
    assert warnings == (f"{tmp_path / STATES_FILE}: ignored {problem}",)
    assert (tmp_path / STATES_FILE).exists()


@pytest.mark.parametrize("value", ["yesterday", [1], True, -1, 1e300, float("nan"), float("-inf")])
def test_a_wrong_installed_time_is_left_out_and_its_state_kept(tmp_path, value):
    store(tmp_path, {"patchStates": {"bash.amd64:5": {**BASH, "state": PENDING, "installedTime": value}}})
    states, warnings = read(tmp_path)
    assert states.patches == {"bash.amd64:5": SavedPatch("bash.amd64", PENDING)}
    assert "ignored patchStates.bash.amd64:5.installedTime: " in warnings[0]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, "-1 is not a time"),
        ("1700001000", "'1700001000' is not a time"),
        ([], "[] is not a time"),
        (True, "True is not a time"),
        (4102444800, "4102444800 is in the future"),
        (NOW + 367 * 86400, f"{NOW + 367 * 86400} is in the future"),
    ],
)
def test_a_wrong_last_time_is_left_out(tmp_path, value, problem):
    store(tmp_path, {"patchStates": {"bash.amd64:5": BASH}, LATEST: value})
    states, warnings = read(tmp_path)
    assert states.last_no_reboot == 0.0
    assert len(states.patches) == 1
    assert warnings == (f"{tmp_path / STATES_FILE}: ignored {LATEST}: {problem}",)


@pytest.mark.parametrize("ahead", [1, 3600, 116 * 86400])
def test_a_time_that_the_clock_has_not_reached_yet_counts_as_now(tmp_path, ahead):
    """The clock has been set back since: what waits for a reboot does so until the next boot."""
    store(tmp_path, {"patchStates": {"bash.amd64:5": {**BASH, "state": PENDING}}, LATEST: NOW + ahead})
    states, warnings = read(tmp_path)
    assert (states.last_no_reboot, warnings) == (NOW, ())


@pytest.mark.parametrize(
    "title",
    [
        "libc6.i386:2.36-9",
        "bash.amd64:9:5.8.10",
        "java-1.8.0.x86_64:1:1.8.0.392.b08-2.el8",
    ],
)
def test_titles_are_name_arch_and_version(tmp_path, title):
    store(tmp_path, {"patchStates": {title: {"id": "as.the:agent", "state": PENDING}}})
    assert read(tmp_path) == (PatchStates({title: SavedPatch(title.partition(":")[0], PENDING)}), ())


@pytest.mark.parametrize("title", ["libc6:i386.i386:2.36-9", "libpython3.11:arm64.arm64:1:3.11.2-6"])
def test_the_agents_spelling_of_foreign_architectures_is_left_out_in_silence(tmp_path, title):
    store(tmp_path, {"patchStates": {title: {"id": "as.the:agent", "state": PENDING}}})
    assert read(tmp_path) == (PatchStates({}), ())


def test_many_problems_are_summed_up_in_one_warning(tmp_path):
    store(tmp_path, {"patchStates": {f"p{number}": BASH for number in range(50)}})
    warnings = read(tmp_path)[1]
    assert len(warnings) == 1
    assert warnings[0].endswith("; patchStates: 'p2' is not name.arch:version and 47 more")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
TITLES = st.sampled_from(["bash.amd64:5", "libc6:i386.i386:2.36-9", "libc6.i386:2.36-9", "x"]) | st.text(max_size=10)
ENTRIES = JSON | st.fixed_dictionaries(
    {},
    optional={"id": JSON, "state": st.sampled_from([*SAVED_STATES, "Missing"]) | JSON, "installedTime": JSON},
)
DOCUMENTS = JSON | st.fixed_dictionaries(
    {}, optional={"patchStates": JSON | st.dictionaries(TITLES, ENTRIES, max_size=4), LATEST: JSON}
)


@given(DOCUMENTS)
def test_any_document_gives_usable_states_that_are_stable_once_written(tmp_path_factory, document):
    aws_dir = tmp_path_factory.mktemp("aws")
    store(aws_dir, document)
    states, _ = read(aws_dir)
    assert 0 <= states.last_no_reboot <= NOW
    for title, patch in states.patches.items():
        assert title.startswith(f"{patch.id}:")
        assert patch.state in SAVED_STATES
        assert patch.installed_time is None or patch.installed_time >= 0
    write_states(aws_dir, states)
    assert read(aws_dir) == (states, ())


TITLE = st.from_regex(
    r"[a-z0-9][a-z0-9+.-]{1,8}\.(amd64|i386|x86_64|noarch):([0-9]:)?[0-9][A-Za-z0-9.+~^-]{0,6}", fullmatch=True
)
STATES = st.builds(
    PatchStates,
    st.dictionaries(TITLE, st.sampled_from(SAVED_STATES), max_size=5).map(
        lambda found: {title: SavedPatch(title.partition(":")[0], state, 1.5) for title, state in found.items()}
    ),
    st.floats(0, NOW),
)


@given(STATES)
def test_what_is_written_is_read(tmp_path_factory, states):
    aws_dir = tmp_path_factory.mktemp("aws")
    write_states(aws_dir, states)
    assert read(aws_dir) == (states, ())


def test_the_summary_is_indented_like_the_agents(tmp_path):
    item = {"TypeName": "AWS:PatchSummary", "Content": [{"BaselineId": "pb-1", "InstalledCount": "198"}]}
    write_summary(tmp_path / "new", item)
    assert (tmp_path / "new" / SUMMARY_FILE).read_text() == (
        '{\n    "TypeName": "AWS:PatchSummary",\n    "Content": [\n        {\n'
        '            "BaselineId": "pb-1",\n            "InstalledCount": "198"\n        }\n    ]\n}\n'
    )


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_the_old_states_stay(tmp_path, spoil):
    old = PatchStates({"bash.amd64:5": SavedPatch("bash.amd64", PENDING)}, 5.0)
    new = PatchStates({f"p.amd64:{number}": SavedPatch("p.amd64", PENDING) for number in range(500)}, 6.0)
    with tmpfs(tmp_path / "disk") as disk:
        write_states(disk, old)
        spoil(disk)
        with pytest.raises(files.Unwritable, match=STATES_FILE):
            write_states(disk, new)
        with pytest.raises(files.Unwritable, match=SUMMARY_FILE):
            write_summary(disk, {"x": "y" * 10_000})
        assert read(disk) == (old, ())
