# SPDX-License-Identifier: Apache-2.0
"""The last report, its outline and the history: complete, private, bounded, and readable after any damage."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ssmpatchlib import files
from ssmpatchlib.paths import Place
from ssmpatchlib.report_form import from_plain
from ssmpatchlib.store import reports
from ssmpatchlib.store.reports import append_history, load_report, read_history, save_report
from support.store import SPOILERS, fill, remount_read_only, tmpfs

NOW = 1_795_471_200.0


def row(id_: str, state: str, status: str) -> dict[str, str]:
    empty = dict.fromkeys(("Severity", "PatchSeverity", "Classification", "InstalledTime"), "")
    return {"Id": id_, "Title": f"{id_}:1", "PatchState": state, "Status": status, "reason": "Öl", **empty}


REPORT = from_plain(
    {
        "compliance": "NON_COMPLIANT",
        "summary": {"InstalledCount": "1", "MissingCount": "1", "OperationType": "Scan", "BaselineId": "pb-1"},
        "patches": [
            row("a.amd64", "Installed", "COMPLIANT"),
            row("c.amd64", "Missing", "NON_COMPLIANT"),
            row("b.amd64", "InstalledPendingReboot", "NON_COMPLIANT"),
        ],
        "baseline": {"name": "default"},
        "reboot": {"option": "NoReboot"},
        "warnings": [],
        "run": {"id": "run-1", "duration": 1.5},
    }
)


def place(state_dir: Path, root: Path = Path("/"), now: float = NOW) -> Place:
    return Place(state_dir, root, now)


def history(state_dir: Path, limit: int = 20) -> tuple[list[object], tuple[str, ...]]:
    operations, warnings = read_history(place(state_dir), limit=limit)
    return [operation["id"] for operation in operations], warnings


def test_before_the_first_operation_there_is_nothing(tmp_path):
    assert load_report(place(tmp_path)) == (None, ())
    assert history(tmp_path) == ([], ())


def test_the_report_comes_back_whole(tmp_path):
    save_report(REPORT, place(tmp_path / "state"))
    assert load_report(place(tmp_path / "state", now=NOW + 9)) == (REPORT, ())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}


def test_the_outline_says_what_monitoring_needs_without_the_engine(tmp_path):
    save_report(REPORT, place(tmp_path))
    assert json.loads((tmp_path / "last-system.json").read_text()) == {
        "version": 1,
        "saved_at": NOW,
        "run_id": "run-1",
        "operation": "Scan",
        "compliance": "NON_COMPLIANT",
        "counts": {"InstalledCount": "1", "MissingCount": "1"},
        "noncompliant": ["b.amd64", "c.amd64"],
        "reboot_pending": ["b.amd64"],
        "held_back": [],
    }


def test_each_root_has_its_own_report(tmp_path):
    (tmp_path / "image").mkdir()
    other = dataclasses.replace(REPORT, compliance="COMPLIANT")
    save_report(REPORT, place(tmp_path))
    save_report(other, place(tmp_path, tmp_path / "image"))
    assert load_report(place(tmp_path))[0] == REPORT
    assert load_report(place(tmp_path, tmp_path / "image"))[0] == other


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_report_is_set_aside(tmp_path, spoil):
    save_report(REPORT, place(tmp_path))
    path = tmp_path / "report-system.json"
    spoil(path)
    report, warnings = load_report(place(tmp_path))
    assert report is None
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: damaged (")
    save_report(REPORT, place(tmp_path))
    assert load_report(place(tmp_path)) == (REPORT, ())


def test_history_is_newest_first_and_limited(tmp_path):
    for number in range(5):
        assert (
            append_history({"id": str(number), "changes": {"bash": {"old": "1\n", "new": "2"}}}, place(tmp_path)) == ()
        )
    assert history(tmp_path) == (["4", "3", "2", "1", "0"], ())
    assert history(tmp_path, limit=2) == (["4", "3"], ())
    assert history(tmp_path, limit=0) == ([], ())


def test_history_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "MAX_OPERATIONS", 3)
    for number in range(5):
        append_history({"id": str(number)}, place(tmp_path))
    assert history(tmp_path, limit=99) == (["4", "3", "2"], ())
    assert len((tmp_path / "history-system.jsonl").read_text().splitlines()) == 3


def test_one_bad_line_costs_one_operation_and_the_file_is_kept(tmp_path):
    for number in range(3):
        append_history({"id": str(number)}, place(tmp_path))
    path = tmp_path / "history-system.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-3], "[1]", lines[2]]))
    damaged = path.read_text()
    assert history(tmp_path) == (["2", "0"], (f"{path}: 2 unreadable lines were left out",))
    assert append_history({"id": "3"}, place(tmp_path)) == (
        f"{path}: damaged (2 unreadable lines); set aside as {path.name}.damaged-20261123T220000Z",
    )
    assert history(tmp_path) == (["3", "2", "0"], ())
    assert path.with_name(f"{path.name}.damaged-20261123T220000Z").read_text() == damaged


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_history_goes_on_after_any_damage(tmp_path, spoil):
    append_history({"id": "0"}, place(tmp_path))
    spoil(tmp_path / "history-system.jsonl")
    append_history({"id": "1"}, place(tmp_path))
    assert history(tmp_path) == (["1"], ())


@pytest.mark.root
@pytest.mark.parametrize("spoil", [fill, remount_read_only])
def test_without_room_what_is_stored_stays(tmp_path, spoil):
    with tmpfs(tmp_path / "disk") as disk:
        save_report(REPORT, place(disk))
        append_history({"id": "0"}, place(disk))
        spoil(disk)
        with pytest.raises(files.Unwritable, match="report-system.json"):
            save_report(dataclasses.replace(REPORT, warnings=("x" * 10_000,)), place(disk))
        with pytest.raises(files.Unwritable, match="history-system.jsonl"):
            append_history({"id": "1", "changes": "x" * 10_000}, place(disk))
        assert load_report(place(disk)) == (REPORT, ())
        assert history(disk) == (["0"], ())
