# SPDX-License-Identifier: Apache-2.0
"""Files are whole or absent, whatever happens to the process, the disk or the content."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import files
from ssmpatchlib.errors import SsmpatchError
from support.store import SPOILERS, as_nobody, environment, fill, remount_read_only, tmpfs

NOW = 1_795_471_200.0  # 2026-11-23T22:00:00Z


def shape(document: object) -> str:
    return "" if isinstance(document, dict) and document.get("version") == 1 else "not a version 1 document"


def read(path: Path, **arguments: object) -> tuple[object, tuple[str, ...]]:
    return files.read_json(path, shape=shape, now=NOW, **arguments)


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "deeper" / "file.json"
    files.write_json(path, {"version": 1, "word": "Öl \udc80"})
    assert read(path) == ({"version": 1, "word": "Öl \udc80"}, ())
    assert names(path.parent) == ["file.json"]


def test_content_is_on_disk_before_its_name_and_its_name_before_the_return(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else os.fstat(handle).st_size)
        fsync(handle)

    def noted_replace(source: str, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    files.write_text(tmp_path / "file", "12345")
    assert steps == [5, "rename", "directory"]
    files.remove(tmp_path / "file")
    assert steps[3:] == ["directory"]


def test_modes_are_private_whatever_the_umask(tmp_path):
    old = os.umask(0)
    try:
        files.write_json(tmp_path / "state" / "file.json", {})
        files.write_text(tmp_path / "state" / "public", "x", mode=0o644)
    finally:
        os.umask(old)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "state", *(tmp_path / "state").iterdir()]
    }
    assert modes == {"state": 0o700, "file.json": 0o600, "public": 0o644}


def test_a_new_directory_and_its_parent_are_private_and_what_is_above_is_not(tmp_path):
    files.ensure_directory(tmp_path / "var" / "lib" / "state" / "work")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("var/lib/state/work", "var/lib/state")}
    assert set(modes.values()) == {0o700}
    assert stat.S_IMODE((tmp_path / "var" / "lib").stat().st_mode) == 0o777 & ~_umask()


def test_an_existing_directory_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    files.ensure_directory(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_missing_file_is_nothing(tmp_path):
    assert read(tmp_path / "none.json") == (None, ())
    assert read(tmp_path / "no" / "directory.json") == (None, ())


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_file_is_set_aside_with_its_content(tmp_path, spoil):
    path = tmp_path / "file.json"
    spoil(path)
    content = path.read_bytes()
    document, warnings = read(path)
    assert document is None
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: damaged (")
    assert warnings[0].endswith("); set aside as file.json.damaged-20261123T220000Z")
    assert names(tmp_path) == ["file.json.damaged-20261123T220000Z"]
    assert (tmp_path / "file.json.damaged-20261123T220000Z").read_bytes() == content
    assert read(path) == (None, ())


def _symlink_loop(path: Path) -> None:
    path.symlink_to(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _symlink_loop, _socket])
def test_what_is_no_file_is_set_aside_without_waiting(tmp_path, make, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    make(Path("file.json"))
    document, warnings = read(Path("file.json"))
    assert document is None
    assert warnings == ("file.json: damaged (not a regular file); set aside as file.json.damaged-20261123T220000Z",)


def test_a_file_beyond_the_size_limit_is_not_read(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"version": 1}' + " " * 100)
    assert read(path, max_bytes=114) == ({"version": 1}, ())
    assert "damaged (larger than 113 bytes)" in read(path, max_bytes=113)[1][0]


def test_only_the_last_few_damaged_files_are_kept(tmp_path):
    path = tmp_path / "file.json"
    for number in range(8):
        path.write_text(str(number))
        files.read_json(path, shape=shape, now=NOW + number)
    assert [file.read_text() for file in sorted(tmp_path.iterdir())] == ["3", "4", "5", "6", "7"]


def test_two_damages_within_a_second_are_both_kept(tmp_path):
    path = tmp_path / "file.json"
    for text in ("one", "two"):
        path.write_text(text)
        read(path)
    assert {file.read_text() for file in tmp_path.iterdir()} == {"one", "two"}


@given(st.binary(max_size=60))
def test_no_content_makes_reading_fail(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "file.json"
    path.write_bytes(content)
    document, warnings = read(path)
    assert (document is None) == bool(warnings)


@pytest.mark.root
def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path):
    with tmpfs(tmp_path / "disk") as disk:
        path = disk / "file.json"
        files.write_json(path, {"version": 1})
        fill(disk)
        with pytest.raises(SsmpatchError) as caught:
            files.write_json(path, {"version": 1, "more": "x" * 10_000})
        assert str(caught.value) == (
            f"{path}: could not be written: no space left on device; free some space there and try again; "
            "what was stored before is unchanged"
        )
        assert read(path) == ({"version": 1}, ())
        assert names(disk) == ["ballast", "file.json"]


@pytest.mark.root
def test_a_read_only_directory_is_said_on_writing_removing_and_setting_aside(tmp_path):
    with tmpfs(tmp_path / "disk") as disk:
        path = disk / "file.json"
        path.write_text("damaged")
        remount_read_only(disk)
        for change in (lambda: files.write_json(path, {}), lambda: files.remove(path)):
            with pytest.raises(SsmpatchError, match="could not be written: read-only file system; make it writable or"):
                change()
        document, warnings = read(path)
        assert document is None
        assert warnings == (
            f"{path}: damaged (not a JSON document) and ignored; it could not be set aside: read-only file system",
        )
        assert path.read_text() == "damaged"


@pytest.mark.root
def test_without_the_right_to_write_or_read_the_remedy_is_named(tmp_path):
    path = tmp_path / "state" / "file.json"
    files.write_json(path, {"version": 1})
    code = (
        "path = pathlib.Path(sys.argv[1])\n"
        "print(files.read_json(path, shape=lambda value: '', now=0))\n"
        "try: files.write_json(path, {})\n"
        "except files.Unwritable as exc: print(exc)\n"
    )
    lines = as_nobody("import sys, pathlib; from ssmpatchlib import files", code, path).splitlines()
    assert lines[0] == f"(None, ('{path}: cannot be read: permission denied',))"
    assert lines[1].startswith(f"{path.parent}: could not be written: permission denied; run as root or choose")


def test_a_file_where_a_directory_is_needed_is_named(tmp_path):
    (tmp_path / "state").write_text("")
    for path in (tmp_path / "state", tmp_path / "state" / "lower"):
        with pytest.raises(files.Unwritable, match="move away the file that stands where a directory is needed"):
            files.ensure_directory(path)


def test_a_directory_where_the_file_is_needed_is_set_aside(tmp_path):
    (tmp_path / "file.json").mkdir()
    files.write_json(tmp_path / "file.json", {})
    assert (tmp_path / "file.json").read_text().strip() == "{}"
    aside = [path for path in tmp_path.iterdir() if path.name != "file.json"]
    assert [path.is_dir() and path.name.startswith("file.json.damaged-") for path in aside] == [True]


def test_removing_what_is_not_there_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    files.remove(tmp_path / "file")
    files.remove(tmp_path / "file")
    assert names(tmp_path) == []


def test_what_killed_writers_left_is_swept_and_what_live_writers_hold_is_not(tmp_path):
    old, young, foreign = (tmp_path / name for name in (".file.json.a.tmp", ".file.json.b.tmp", ".other.json.c.tmp"))
    for path in (old, young, foreign):
        path.write_text("")
    for path in (old, foreign):
        os.utime(path, (1, 1))
    files.write_json(tmp_path / "file.json", {})
    assert names(tmp_path) == [".file.json.b.tmp", ".other.json.c.tmp", "file.json"]


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03])
def test_a_killed_writer_leaves_a_whole_file(tmp_path, after):
    path = tmp_path / "file.json"
    files.write_json(path, {"version": 1, "number": -1})
    code = (
        "import sys, pathlib\n"
        "from ssmpatchlib import files\n"
        "print('ready', flush=True)\n"
        "for number in range(10**9):\n"
        "    files.write_json(pathlib.Path(sys.argv[1]), {'version': 1, 'number': number, 'filler': 'x' * 200_000})\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment(), stdout=subprocess.PIPE)
    with writer:
        writer.stdout.readline()
        time.sleep(after)
        writer.kill()
    document, warnings = read(path)
    assert warnings == ()
    assert isinstance(document["number"], int)
    assert json.loads(path.read_text()) == document


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
