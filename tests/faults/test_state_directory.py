# SPDX-License-Identifier: Apache-2.0
"""Whose the state directory is, and what stands in it: root acts on nothing that others may write, and never hangs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config, files
from ssmpatchlib.errors import SsmpatchError
from support.faults.children import built
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import MANAGERS, Manager, Update

pytestmark = pytest.mark.root

ENGINE = Path(__file__).resolve().parents[2] / "_utils"
OPERATIONS = (
    "scan", "install", "plan", "resume", "reboot", "explain", "baseline", "freeze", "report", "status", "history",
)  # fmt: skip


def call(name: str, settings: dict[str, Any]) -> Any:
    more = {"name": "*"} if name == "explain" else {"dry_run": True} if name == "reboot" else {}
    return getattr(api, name)(config.load(minion=settings), caller=quiet_surface(), host=FaultHost(), **more)


def modes(*places: Path) -> set[int]:
    return {stat.S_IMODE(place.stat().st_mode) for place in places}


def test_it_is_private_with_every_package_manager(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"))
    state = tmp_path / "not there" / "state"
    call("scan", {**settings, "state_dir": str(state)})
    assert modes(state, *state.glob("work-*")) == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) & 0o022 for path in state.rglob("*")} == {0}


def chowned(path: Path) -> None:
    os.chown(path, 12345, -1)


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "of another user": (chowned, "belongs to the user 12345, .* chown 0 "),
    "writable by its group": (
        lambda path: path.chmod(0o770),
        r"may be written by others \(mode 0770\), .* chmod 0700 ",
    ),
    "writable by all": (lambda path: path.chmod(0o1777), r"may be written by others \(mode 1777\), .* chmod 0700"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", ["state", "work"])
def test_one_that_others_may_write_is_refused(any_manager: Manager, tmp_path: Path, wrong: str, place: str) -> None:
    root, settings = built(any_manager, tmp_path, Update("alpha"))
    state = tmp_path / "state"
    settings = {**settings, "state_dir": str(state)}
    call("scan", settings)
    directory = state if place == "state" else next(state.glob("work-*"))
    damage, said = WRONG[wrong]
    damage(directory)
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*")}
    for name in OPERATIONS if place == "state" else OPERATIONS[:-3]:
        with pytest.raises(SsmpatchError, match=f"{directory}: {said}.*ssmpatch:state_dir"):
            call(name, settings)
    assert {path: path.stat().st_mtime_ns for path in state.rglob("*")} == before


STRANGE: dict[str, Callable[[Path], Any]] = {
    "a FIFO": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a directory": Path.mkdir,
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_stands_in_place_of_a_file_stops_nothing(any_manager: Manager, tmp_path: Path, strange: str) -> None:
    survives(any_manager, tmp_path, STRANGE[strange])


def test_a_fifo_in_place_of_a_file_stops_nothing(manager: Manager, tmp_path: Path) -> None:
    survives(manager, tmp_path, os.mkfifo)


@pytest.mark.parametrize("name", ["apt-again.json", "apt-words.json", "apt-targets.json", "apt-refresh.json"])
def test_a_fifo_in_place_of_a_file_that_was_never_written_stops_nothing(tmp_path: Path, name: str) -> None:
    root, settings = built(MANAGERS["apt"], tmp_path, Update("alpha"))
    settings = {**settings, "state_dir": str(tmp_path / "state")}
    call("scan", settings)
    place = next((tmp_path / "state").glob("work-*")) / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    assert call("install", settings)["compliance"] == "COMPLIANT"


def survives(manager: Manager, place: Path, make: Callable[[Path], Any]) -> None:
    """Put something else in place of each file of the state directory, and find that all goes on."""
    root, settings = built(manager, place, Update("alpha"))
    state = place / "state"
    settings = {**settings, "state_dir": str(state)}
    call("scan", settings)
    call("plan", settings)
    for path in [each for each in state.rglob("*") if each.is_file() and each.suffix != ".lock"]:
        path.unlink()
        make(path)
    assert call("scan", settings)["compliance"] == "NON_COMPLIANT"
    assert call("install", settings)["compliance"] == "COMPLIANT"
    assert call("report", settings)["compliance"] == "COMPLIANT"


def test_a_small_file_needs_little_memory(tmp_path: Path) -> None:
    files.write_json(tmp_path / "small.json", {"a": 1})
    script = f"""
import resource, sys
sys.path.insert(0, {str(ENGINE)!r})
from pathlib import Path
from ssmpatchlib import fetch, files
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), used + (4 << 20)))
path = Path({str(tmp_path / "small.json")!r})
for _ in range(3):
    print(files.read_json(path, shape=lambda value: "", now=0))
print(fetch.Fetcher().text(str(path), max_bytes=1 << 28, timeout=5))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "({'a': 1}, ())\n" * 3 + '{"a": 1}\n\n'), done.stderr


def test_too_few_file_handles_are_an_error_in_words() -> None:
    script = f"""
import resource, sys
sys.path.insert(0, {str(ENGINE)!r})
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import Host
Host().run(["true"])
resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
for call in (lambda: Host().run(["true"]), lambda: list(Host().stream(["true"]))):
    try:
        call()
    except SsmpatchError as exc:
        print(exc)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    said = "true: could not be started: too many open files; raise the limits of this process on open files, "
    assert [line[: len(said)] for line in done.stdout.splitlines()] == [said] * 2, done.stderr


def test_a_file_of_any_size_is_read_whole(tmp_path: Path) -> None:
    for size in (0, 1, 65535, 65536, 65537, 1 << 20):
        (tmp_path / "file").write_bytes(b"x" * size)
        assert files.read_bytes(tmp_path / "file") == b"x" * size
        assert files.read_bytes(tmp_path / "file", max_bytes=size) == b"x" * size
    with pytest.raises(ValueError, match="larger than 1048575 bytes"):
        files.read_bytes(tmp_path / "file", max_bytes=(1 << 20) - 1)
    assert files.read_bytes(Path("/proc/self/cmdline"))
