# SPDX-License-Identifier: Apache-2.0
"""One operation at a time: between processes and threads, after kills, with rights and without."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssmpatchlib.errors import Busy
from ssmpatchlib.files import Unwritable
from ssmpatchlib.host import Host
from ssmpatchlib.paths import state_file
from ssmpatchlib.store.lock import AWS_LOCK_NAME, OperationLock, current, operation_lock
from support.store import as_nobody, environment, fill, remount_read_only, tmpfs

ROOT = Path("/")
HOLDER = """
import pathlib, sys, time
from ssmpatchlib.host import Host
from ssmpatchlib.store.lock import operation_lock
with operation_lock(state_dir=pathlib.Path(sys.argv[1]), root=pathlib.Path("/"), operation="install",
                    run_id="run-1", timeout=0, host=Host()) as lock:
    lock.phase("downloading")
    lock.phase("installing")
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
time.sleep(60)
"""


class PatientHost(Host):
    """A host whose clock is stepped back at every sleep, so that only counting can end the waiting."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.clock = 1_795_471_200.0

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.clock -= 3600


def lock(state_dir: Path, *, timeout: float = 0, host: Host | None = None, root: Path = ROOT, **more: object):
    arguments = {"operation": "scan", "run_id": "run-2", **more}
    return operation_lock(state_dir=state_dir, root=root, timeout=timeout, host=host or Host(), **arguments)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it gets a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_nobody_holds_it_before_and_after(tmp_path):
    assert current(tmp_path, ROOT) is None
    with lock(tmp_path) as held:
        assert held.locked
        assert held.warning == ""
    assert not held.locked
    assert current(tmp_path, ROOT) is None


def test_the_holder_is_described(tmp_path, holder):
    described = current(tmp_path, ROOT)
    assert described.pop("since") == pytest.approx(time.time(), abs=60)
    assert described == {
        "pid": holder.pid,
        "operation": "install",
        "run_id": "run-1",
        "phase": "installing",
        "boot_id": Host().boot_id(),
    }


def test_a_second_process_waits_and_then_names_the_first(tmp_path, holder):
    host = PatientHost()
    with pytest.raises(Busy) as caught, lock(tmp_path, timeout=600, host=host):
        pytest.fail("two holders")
    pattern = (
        rf"busy: install since 20\d\d-\d\d-\d\dT[\d:]{{8}}Z, pid {holder.pid}, phase installing; waited 600 s for it"
    )
    assert re.match(pattern, str(caught.value))
    assert caught.value.code == 4
    assert caught.value.info["busy"]["run_id"] == "run-1"
    assert 600 <= host.slept < 601


def test_a_waiting_process_gets_it_when_the_first_is_done(tmp_path, holder):
    threading.Timer(0.3, lambda: (holder.stdin.write("\n"), holder.stdin.flush())).start()
    with lock(tmp_path, timeout=30) as held:
        assert held.locked
        assert holder.stdout.readline() == "released\n"
        assert current(tmp_path, ROOT)["operation"] == "scan"


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path, holder):
    assert current(tmp_path, ROOT)["pid"] == holder.pid
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert '"installing"' in state_file(tmp_path, "lock", ROOT, ".lock").read_text()
    assert current(tmp_path, ROOT) is None
    with lock(tmp_path) as held:
        assert held.locked
        assert current(tmp_path, ROOT)["phase"] == "starting"


def test_two_threads_exclude_each_other(tmp_path):
    inside, most = [], []

    def work() -> None:
        with lock(tmp_path, timeout=30):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_it_is_released_when_the_operation_fails(tmp_path):
    with pytest.raises(RuntimeError), lock(tmp_path):
        raise RuntimeError
    assert current(tmp_path, ROOT) is None


def test_a_forked_or_started_child_does_not_keep_it(tmp_path):
    with lock(tmp_path):
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        started = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert current(tmp_path, ROOT) is None
        with lock(tmp_path) as held:
            assert held.locked
    finally:
        for pid in (child, started.pid):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(child, 0)
        started.wait()


def test_a_started_child_outlives_its_killed_parent_without_the_lock(tmp_path):
    code = HOLDER.replace(
        'print("held", flush=True)', 'import subprocess; print(subprocess.Popen(["sleep", "60"]).pid, flush=True)'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        try:
            assert current(tmp_path, ROOT) is None
        finally:
            os.kill(child, signal.SIGKILL)


def test_asking_does_not_make_an_operation_busy(tmp_path):
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.001):
            current(tmp_path, ROOT)

    with lock(tmp_path):
        pass
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with lock(tmp_path) as held:
                assert held.locked
    finally:
        stop.set()
        asking.join()


def test_a_finished_lock_writes_nothing_any_more(tmp_path):
    with lock(tmp_path) as held:
        pass
    with lock(tmp_path):
        held.phase("installing")
        held.release()
        assert current(tmp_path, ROOT)["phase"] == "starting"


def test_each_root_has_its_own_lock_under_every_spelling(tmp_path):
    root = tmp_path / "image"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    with lock(tmp_path), lock(tmp_path, root=root):
        assert current(tmp_path, tmp_path / "link")["operation"] == "scan"
        with pytest.raises(Busy), lock(tmp_path, root=tmp_path / "x" / ".." / "link"):
            pytest.fail("two holders")


def test_a_deleted_lock_file_is_nobodys_lock(tmp_path):
    path = state_file(tmp_path, "lock", ROOT, ".lock")
    with lock(tmp_path):
        path.unlink()
        with lock(tmp_path) as second:
            assert second.locked
            assert current(tmp_path, ROOT) is not None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\0", b"[1]", b'{"pid": "x", "since": 1e99, "phase": 5}', b"[" * 60000, b'{"since": NaN}']
)
def test_a_holder_whose_words_cannot_be_read_is_busy_all_the_same(tmp_path, content):
    path = state_file(tmp_path, "lock", ROOT, ".lock")
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert set(current(tmp_path, ROOT).values()) == {None}
        with pytest.raises(Busy, match="^busy: another operation; waited 0 s for it"), lock(tmp_path):
            pytest.fail("two holders")


def test_the_lock_file_is_private(tmp_path):
    with lock(tmp_path / "new"):
        path = state_file(tmp_path / "new", "lock", ROOT, ".lock")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path):
    state_file(tmp_path, "lock", ROOT, ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Unwritable), lock(tmp_path):
        pytest.fail("followed")
    assert not (tmp_path / "victim").exists()


@pytest.mark.root
def test_a_full_disk_does_not_keep_it_from_excluding(tmp_path):
    with tmpfs(tmp_path / "disk") as disk:
        fill(disk)
        with lock(disk) as held:
            held.phase("installing")
            assert set(current(disk, ROOT).values()) == {None}
            with pytest.raises(Busy), lock(disk):
                pytest.fail("two holders")


@pytest.mark.root
def test_in_a_read_only_directory_it_fails_clearly_or_is_done_without(tmp_path):
    with tmpfs(tmp_path / "disk") as disk:
        remount_read_only(disk)
        with pytest.raises(Unwritable, match="could not be written: read-only file system"), lock(disk / "state"):
            pytest.fail("locked")
        with lock(disk / "state", optional=True) as held:
            held.phase("scanning")
            assert not held.locked
            assert held.warning.startswith("running without a lock, another operation may run meanwhile: ")


@pytest.mark.root
def test_an_ordinary_user_scans_without_the_lock(tmp_path):
    with lock(tmp_path):
        pass
    code = (
        "state_dir, root = pathlib.Path(sys.argv[1]), pathlib.Path('/')\n"
        "arguments = dict(state_dir=state_dir, root=root, operation='scan', run_id='r', timeout=0, host=Host())\n"
        "with operation_lock(optional=True, **arguments) as lock: print(lock.locked, lock.warning)\n"
        "for call in (operation_lock(**arguments).__enter__, lambda: current(state_dir, root)):\n"
        "    try: call()\n"
        "    except SsmpatchError as exc: print(exc)\n"
    )
    imports = (
        "import sys, pathlib\nfrom ssmpatchlib.host import Host\nfrom ssmpatchlib.errors import SsmpatchError\n"
        "from ssmpatchlib.store.lock import current, operation_lock"
    )
    lines = as_nobody(imports, code, tmp_path).splitlines()
    assert lines[0].startswith("False running without a lock, another operation may run meanwhile: ")
    assert len(lines) == 3
    assert all("permission denied; run as root" in line for line in lines)


def test_a_busy_lock_is_busy_for_those_who_could_do_without(tmp_path, holder):
    with pytest.raises(Busy), lock(tmp_path, optional=True):
        pytest.fail("two holders")


def test_the_agents_lock_is_waited_for_and_held_but_never_made(tmp_path):
    agent = tmp_path / AWS_LOCK_NAME
    aws_dir = tmp_path / "patch-configuration"
    with lock(tmp_path / "state", aws_dir=aws_dir):
        assert not agent.exists()
    agent.write_text("the agent's own words")
    with open(agent) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        waiting = lock(tmp_path / "state", aws_dir=aws_dir, timeout=5, host=PatientHost())
        with pytest.raises(Busy, match="busy: the AWS Systems Manager agent is patching") as caught, waiting:
            pytest.fail("ran beside the agent")
        assert str(agent) in str(caught.value)
        assert current(tmp_path / "state", ROOT) is None
        fcntl.flock(stream, fcntl.LOCK_UN)
        with lock(tmp_path / "state", aws_dir=aws_dir), pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert agent.read_text() == "the agent's own words"


def test_no_handle_is_left_open(tmp_path, holder):
    (tmp_path / AWS_LOCK_NAME).write_text("")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        current(tmp_path, ROOT)
        with pytest.raises(Busy), lock(tmp_path):
            pytest.fail("two holders")
        with lock(tmp_path / "state", aws_dir=tmp_path / "aws") as held:
            assert isinstance(held, OperationLock)
    # Fewer where a handle of another test was collected meanwhile.
    assert len(os.listdir("/proc/self/fd")) <= before
