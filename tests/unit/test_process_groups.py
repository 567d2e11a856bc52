# SPDX-License-Identifier: Apache-2.0
"""Programs end with the process that started them, with all that they have started; those that install go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandTimeout, Host

ENGINE = Path(__file__).resolve().parents[2] / "_utils"
#: A program like apt-get: it starts another one, which starts a third, and waits for them.
FAMILY = """
import os, subprocess, sys, time
pids = [os.getpid()]
if sys.argv[2] != "0":
    child = subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1], str(int(sys.argv[2]) - 1), sys.argv[3]])
with open(sys.argv[1], "a") as place:
    place.write(f"{os.getpid()}\\n")
print("begun", flush=True)
time.sleep(300)
"""
CALLER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ssmpatchlib.host import Host
output = Path(sys.argv[2]) if sys.argv[2] else None
Host().run(sys.argv[4:], slow=sys.argv[3] == "slow", output=output)
"""
#: In a process of its own, because the process of the tests has children of other tests' fixtures.
MANY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib.host import Host
before = len(os.listdir("/proc/self/fd"))
for slow in (True, False):
    results = [Host().run(["sh", "-c", "sleep 0.15; echo out; echo err >&2"], slow=slow) for _ in range(3)]
    assert [(r.code, r.stdout, r.stderr) for r in results] == [(0, "out\\n", "err\\n")] * 3
assert Host().run(["cat"], stdin="words", slow=True).stdout == "words"
assert Host().run(["sh", "-c", "sleep 0.2; cat"], stdin="words").stdout == "words"
assert len(os.listdir("/proc/self/fd")) == before
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no descriptor and no child is left")
"""


def family(place: Path) -> list[str]:
    return [sys.executable, "-c", FAMILY, str(place), "2", FAMILY]


def pids(place: Path) -> list[int]:
    return [int(line) for line in place.read_text().split()] if place.exists() else []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: bool | object, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def call(place: Path, *, slow: bool, output: Path | None = None) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", CALLER, str(ENGINE), str(output or ""), "slow" if slow else "", *family(place)]
    caller = subprocess.Popen(argv, start_new_session=True)
    assert until(lambda: len(pids(place)) == 3)
    return caller


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("slow", [True, False])
def test_they_end_with_the_caller(tmp_path: Path, number: signal.Signals, slow: bool) -> None:
    caller = call(tmp_path / "pids", slow=slow)
    if not slow:
        time.sleep(0.3)
    caller.send_signal(number)
    caller.wait(timeout=20)
    assert until(lambda: not any(map(is_running, pids(tmp_path / "pids"))))


def test_what_installs_goes_on(tmp_path: Path) -> None:
    caller = call(tmp_path / "pids", slow=False, output=tmp_path / "log")
    found = pids(tmp_path / "pids")
    caller.terminate()
    caller.wait(timeout=20)
    time.sleep(1.5)
    assert all(map(is_running, found))
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def test_all_of_them_end_when_they_are_late(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout) as caught:
        Host().run(family(tmp_path / "pids"), timeout=1, slow=True)
    assert caught.value.late == "no end after 1 s; it was stopped"
    assert caught.value.said.splitlines()[0] == "begun"
    assert until(lambda: not any(map(is_running, pids(tmp_path / "pids"))))


def test_nothing_is_left_of_many_programs() -> None:
    ran = subprocess.run([sys.executable, "-c", MANY, str(ENGINE)], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "no descriptor and no child is left\n", "")


def test_where_there_is_no_room_for_the_watcher_nobody_else_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    other = subprocess.Popen(["true"])
    monkeypatch.setattr(os, "fork", refuse)
    assert Host().run(["sh", "-c", "sleep 0.3; echo out"], slow=True).stdout == "out\n"
    assert os.waitpid(other.pid, 0)[0] == other.pid


def test_a_program_that_complains_at_length_is_read_to_its_end() -> None:
    complaining = "head -c 300000 /dev/zero | tr '\\0' x >&2; echo out; exit $0"
    assert b"".join(Host().stream(["sh", "-c", complaining, "0"])) == b"out\n"
    with pytest.raises(SsmpatchError) as caught:
        list(Host().stream(["sh", "-c", complaining, "3"]))
    assert len(str(caught.value)) < 3000
