# SPDX-License-Identifier: Apache-2.0
"""Real processes whose files are replaced under them, as package managers do, and what /proc says of them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssmpatchlib.processes.old_code import owner
from ssmpatchlib.processes.proc import Process, own_group, read_processes

pytestmark = pytest.mark.root
#: A library that sleep does not have by itself.
LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/libz.so.1"))), Path("/usr/lib64/libz.so.1"))


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory where packages have code."""
    with tempfile.TemporaryDirectory(dir="/opt", prefix="ssmpatch-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextlib.contextmanager
def running(*argv: str, ready: Callable[[int], bool], **variables: str) -> Iterator[int]:
    """A process that runs until the end; its id."""
    with subprocess.Popen(argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **variables}) as process:
        try:
            deadline = time.monotonic() + 20
            while not ready(process.pid):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process.pid
        finally:
            process.kill()


def maps(pid: int, path: Path) -> bool:
    return f" {path}\n" in Path(f"/proc/{pid}/maps").read_text()


def like_dpkg(path: Path) -> None:
    """Replace a file: the new one gets the name of the old one."""
    new = path.with_name(f"{path.name}.dpkg-new")
    shutil.copy(path, new)
    new.rename(path)


def like_rpm(path: Path) -> None:
    """Replace a file that is in use: it is renamed before it is deleted."""
    old = path.with_name(f"{path.name};5f3a1b2c")
    path.rename(old)
    shutil.copy(old, path)
    old.unlink()


def read(pid: int) -> Process | None:
    return {process.pid: process for process in read_processes()}.get(pid)


@pytest.mark.parametrize("replace", [like_dpkg, like_rpm, Path.unlink])
def test_a_program_that_was_replaced_is_found(place: Path, replace: Callable[[Path], None]) -> None:
    program = Path(shutil.copy("/usr/bin/sleep", place / "daemon"))
    with running(str(program), "60", ready=lambda pid: maps(pid, program)) as pid:
        assert read(pid) is None
        replace(program)
        assert read(pid) == Process(pid, str(program), own_group(), (str(program),))
    assert read(pid) is None


@pytest.mark.parametrize("replace", [like_dpkg, like_rpm])
def test_a_library_that_was_replaced_is_found(place: Path, replace: Callable[[Path], None]) -> None:
    library = Path(shutil.copy(LIBRARY, place / "libz.so.1"))
    with running("sleep", "60", ready=lambda pid: maps(pid, library), LD_PRELOAD=str(library)) as pid:
        assert read(pid) is None
        replace(library)
        found = read(pid)
        assert found is not None
        assert (os.path.basename(found.program), found.files) == ("sleep", (str(library),))


def test_a_program_in_a_container_is_known_as_such(place: Path) -> None:
    for name in ("usr", "bin", "lib", "lib64"):
        target = Path("/", name).resolve()
        if target.exists():
            (place / name).mkdir()
    program = Path(shutil.copy("/usr/bin/sleep", place / "daemon"))
    script = (
        'for name in usr bin lib lib64; do [ -d "$0/$name" ] && mount --rbind "/$name" "$0/$name"; done; '
        'exec chroot "$0" /daemon 60'
    )
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(place)]

    def child(pid: int) -> str:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def started(pid: int) -> bool:
        with contextlib.suppress(OSError):
            return "daemon" in os.readlink(f"/proc/{child(pid)}/exe")
        return False

    with running(*argv, ready=started) as pid:
        inside = int(child(pid))
        like_dpkg(program)
        found = read(inside)
        assert found is not None
        assert found.other_pids and found.other_root
        assert not found.other_users
        assert found.files == (str(program),)


def test_a_program_with_user_ids_of_its_own_is_known_as_such(place: Path) -> None:
    program = Path(shutil.copy("/usr/bin/sleep", place / "daemon"))
    argv = ["unshare", "--user", "--map-root-user", str(program), "60"]
    with running(*argv, ready=lambda pid: maps(pid, program)) as pid:
        like_dpkg(program)
        found = read(pid)
        assert found is not None
        assert (found.other_pids, found.other_root, found.other_users) == (False, False, True)


def test_a_file_that_is_a_users_own_is_no_update(place: Path) -> None:
    """Below /opt and /usr/local there are directories of users, and what they mount has any path."""
    program = Path(shutil.copy("/usr/bin/sleep", place / "daemon"))
    os.chown(program, 65534, 65534)
    with running(str(program), "60", ready=lambda pid: maps(pid, program)) as pid:
        like_dpkg(program)
        assert program.stat().st_uid == 0
        assert read(pid) is None


@pytest.mark.parametrize("directory", ["/tmp", "/var/tmp"])
def test_what_a_program_made_itself_is_no_update(directory: str) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as made:
        program = Path(shutil.copy("/usr/bin/sleep", made))
        with running(str(program), "60", ready=lambda pid: maps(pid, program)) as pid:
            program.unlink()
            assert read(pid) is None


def maps_text(*paths: str, permissions: str = "r-xp", inode: int = 77) -> str:
    return "".join(f"7f00-7f01 {permissions} 00001000 08:01 {inode}    {path}\n" for path in paths)


@pytest.fixture
def proc(tmp_path: Path) -> Callable[..., Path]:
    """Make a /proc of a few processes: the text of ``maps`` by process id."""

    def make(**processes: str) -> Path:
        for name, text in {"self": "", "p1": "", **processes}.items():
            process = tmp_path / name.removeprefix("p")
            (process / "ns").mkdir(parents=True)
            (process / "ns/pid").symlink_to("pid:[1]")
            (process / "ns/user").symlink_to("user:[1]")
            (process / "root").symlink_to("/")
            (process / "exe").symlink_to("/usr/sbin/daemon (deleted)")
            (process / "cgroup").write_text("0::/init.scope\n" if name == "p1" else "0::/system.slice/x.service\n")
            (process / "maps").write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize(
    "path",
    [
        "/memfd:doublemapper", "/memfd:a/b", "/SYSV00000000", "/[aio]", "/drm mm object", "/i915", "/anon_hugepage",
        "/dev/zero", "/dev/shm/x/y", "/run/user/1/x", "/home/a/app", "/root/app", "/var/lib/app/x.so", "/snap/core/1/x",
        "/media/a/app", "/mnt/app", "/scratch/a/app", "/usr", "/lib", "/library/a",
        "/usr/lib/ffiAbC123", "/usr/share/#12345", "/opt/jna1234.tmp", "/opt/orcexec.Ab12Cd",
    ],
)  # fmt: skip
def test_mappings_that_no_update_explains_are_left_out(proc: Callable[..., Path], path: str) -> None:
    assert read_processes(proc(p7=maps_text(f"{path} (deleted)"))) == ()


@pytest.mark.parametrize(
    "text",
    [
        maps_text("/usr/lib/a.so"),
        maps_text("/usr/lib/a.so (deleted)", permissions="r--p"),
        maps_text("/usr/lib/a.so (deleted)", inode=0),
        "",
        "nonsense (deleted)\n",
    ],
)
def test_only_code_of_deleted_files_counts(proc: Callable[..., Path], text: str) -> None:
    assert read_processes(proc(p7=text)) == ()


@pytest.mark.parametrize(("code", "counts"), [(errno.EPERM, True), (errno.ENOENT, True), (errno.EACCES, False)])
def test_a_file_whose_owner_is_not_told_counts_unless_a_user_hides_it(
    proc: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, code: int, counts: bool
) -> None:
    place, stat = proc(p7=maps_text("/usr/lib/a.so (deleted)")), os.stat

    def told(path: Path) -> os.stat_result:
        if "map_files" in str(path):
            assert str(path).endswith("7/map_files/7f00-7f01")
            raise OSError(code, "no")
        return stat(path)

    monkeypatch.setattr("ssmpatchlib.processes.proc.os.stat", told)
    assert bool(read_processes(place)) is counts


def test_names_from_processes_are_printable_and_bounded(proc: Callable[..., Path]) -> None:
    text = maps_text("/usr/lib/\x1b[31mred.so (deleted)", *(f"/usr/lib/{n:03}{'x' * 300} (deleted)" for n in range(50)))
    (found,) = read_processes(proc(p7=text))
    assert len(found.files) == 20
    assert all(name.isprintable() and len(name) <= 200 for name in found.files)
    assert found.program == "/usr/sbin/daemon"


def test_a_process_that_vanishes_while_it_is_read_is_left_out(proc: Callable[..., Path]) -> None:
    text = maps_text("/usr/lib/a.so (deleted)")
    place = proc(p7=text, p8=text, p9=text, p10=text)
    (place / "7/exe").unlink()
    (place / "8/maps").unlink()
    (place / "9/ns/pid").unlink()
    assert [process.pid for process in read_processes(place)] == [10]


def test_a_process_that_the_kernel_lets_nobody_read_holds_nobody_up(proc: Callable[..., Path]) -> None:
    """The memory map of one that is stuck in a file system may be locked for good, as a FIFO without a writer is."""
    text = maps_text("/usr/lib/a.so (deleted)")
    place = proc(p7=text, p8=text, p9=text, p10=text, p11=text, p12=text)
    stuck = [place / pid / "maps" for pid in ("8", "10", "11")]
    for path in stuck:
        path.unlink()
        os.mkfifo(path)
    begun = time.monotonic()
    assert [process.pid for process in read_processes(place, patience=0.5)] == [7, 9, 12]
    assert time.monotonic() - begun < 10
    # Of so many that are stuck the rest is not looked at.
    assert [process.pid for process in read_processes(place, patience=0.1, most_stuck=1)] == [7]
    for path in stuck:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize(
    ("first", "other", "group"),
    [
        ("0::/init.scope\n", "0::/system.slice/x.service\n", "/system.slice/x.service"),
        ("0::/m.slice/m.scope/init.scope\n", "0::/m.slice/m.scope/system.slice/x.service\n", "/system.slice/x.service"),
        (
            "5:pids:/init.scope\n1:name=systemd:/init.scope\n0::/\n",
            "5:pids:/\n1:name=systemd:/system.slice/x.service\n0::/elsewhere\n",
            "/system.slice/x.service",
        ),
        # A container of the second version on a host that has the first one too.
        ("1:name=systemd:/\n0::/init.scope\n", "1:name=systemd:/\n0::/x.slice/x.service\n", "/x.slice/x.service"),
        ("1:name=systemd:/\n", "1:name=systemd:/system.slice/x:y.service\n", "/system.slice/x:y.service"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_the_control_group_is_systemds(proc: Callable[..., Path], first: str, other: str, group: str) -> None:
    place = proc(p7=maps_text("/usr/lib/a.so (deleted)"))
    (place / "1/cgroup").write_text(first)
    (place / "7/cgroup").write_text(other)
    assert [process.cgroup for process in read_processes(place)] == [group]


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x1c", "\x85", "\r"])
def test_a_user_cannot_name_a_control_group_so_that_it_is_a_services(proc: Callable[..., Path], separator: str) -> None:
    """Below a group of their own users make groups of any name; the kernel refuses only the line feed."""
    group = f"/user.slice/user-9.slice/user@9.service/x{separator}0::/system.slice/ssh.service"
    place = proc(p7=maps_text("/usr/lib/a.so (deleted)"))
    (place / "7/cgroup").write_bytes(f"0::{group}\n".encode())
    (found,) = read_processes(place)
    assert owner(found) == ("session", "9")
