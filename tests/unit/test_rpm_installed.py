# SPDX-License-Identifier: Apache-2.0
"""The rpm database is read by one run of rpm, and again only after something has changed it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.rpm.installed import Database, InstalledPackage
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult, Host

ROW = "foo\tx86_64\t0:{}-1\t1700000000\t1600000000\tVendor\tfoo-1-1.src.rpm\n"


class Rpm(Host):
    """Answers as rpm does, and counts how often it is asked."""

    def __init__(self) -> None:
        self.answer = ROW.format(1)
        self.runs = 0

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        self.runs += 1
        return CommandResult(tuple(argv), 0 if self.answer else 1, self.answer, "" if self.answer else "error: broken")


@pytest.fixture(params=["usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    path.parent.mkdir(parents=True)
    path.write_text("database")
    return path


def test_a_database_is_read_once(tmp_path: Path, file: Path) -> None:
    rpm = Rpm()
    database = Database(rpm, tmp_path)
    assert database.read() == database.read()
    (file.parent / "rpmdb.sqlite-wal").touch()
    (file.parent / "rpmdb.sqlite-shm").write_text("whoever reads writes here")
    (file.parent / ".rpm.lock").touch()
    assert [package.evr for package in database.read()] == ["0:1-1"]
    assert rpm.runs == 1


@pytest.mark.parametrize("change", ["longer", "same size", "another file", "written ahead"])
def test_a_change_is_seen(tmp_path: Path, file: Path, change: str) -> None:
    rpm = Rpm()
    database = Database(rpm, tmp_path)
    database.read()
    state = file.stat()
    if change == "longer":
        file.write_text("a database with more in it")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    elif change == "same size":
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    elif change == "another file":
        (file.parent / "new").write_text("database")
        os.utime(file.parent / "new", ns=(state.st_atime_ns, state.st_mtime_ns))
        (file.parent / "new").replace(file)
    else:
        (file.parent / "rpmdb.sqlite-wal").write_text("what is not in the database yet")
    rpm.answer = ROW.format(2)
    assert [package.evr for package in database.read()] == ["0:2-1"]


def test_what_changes_while_rpm_reads_is_read_again(tmp_path: Path, file: Path) -> None:
    class Slow(Rpm):
        def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
            answer = super().run(argv, **more)
            if self.runs == 1:
                file.write_text("a database with more in it")
            return answer

    rpm = Slow()
    database = Database(rpm, tmp_path)
    assert [package.evr for package in database.read()] == ["0:1-1"]
    rpm.answer = ROW.format(2)
    assert [package.evr for package in database.read()] == ["0:2-1"]


def test_an_error_is_not_remembered(tmp_path: Path, file: Path) -> None:
    rpm = Rpm()
    rpm.answer = ""
    database = Database(rpm, tmp_path)
    with pytest.raises(SsmpatchError, match="broken"):
        database.read()
    rpm.answer = ROW.format(1)
    assert database.read()


def test_a_database_that_is_elsewhere_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rpm = Rpm()
    database = Database(rpm, Path("/"))
    monkeypatch.setattr(Database, "_stamp", lambda self: ())
    database.read()
    database.read()
    assert rpm.runs == 2


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("openssl-1_1-1.1.1l-150500.17.15.1.src.rpm", ("openssl-1_1", "2:1.1.1l-150500.17.15.1")),
        ("kernel-5.14.0-427.el9.nosrc.rpm", ("kernel", "2:5.14.0-427.el9")),
        ("", ("", "")),
        ("(none)", ("", "")),
        ("foo.src.rpm", ("", "")),
        ("foo-1.src.rpm", ("", "")),
        ("foo-1-1", ("", "")),
        ("bad name-1-1.src.rpm", ("", "")),
    ],
)
def test_the_source_follows_from_the_name_of_its_file(name: str, source: tuple[str, str]) -> None:
    assert InstalledPackage("foo", "x86_64", "2:1-1", 0, 0, "", name).source == source
