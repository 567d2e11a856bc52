# SPDX-License-Identifier: Apache-2.0
"""Reads from /proc which processes still run code of files that are deleted, as a package manager leaves the old ones.

Only root sees all of them. A process that ends meanwhile is left out, and so is what a program wrote and deleted by
itself: packages have their code in some directories, in files of root's, and no user can feign an update for which a
host restarts services or reboots.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from ..names import one_line

PROC = Path("/proc")

#: The most that is read of one process's mappings: about 300,000 of them.
_MOST_BYTES = 1 << 25
_MOST_FILES = 20
#: The most mappings of one file whose owner is looked up.
_MOST_MAPPINGS = 100
#: Seconds for one process, and how many may take longer.
_PATIENCE = 10.0
_MOST_STUCK = 6
#: A mapping that may be executed, of a file with an inode that has no name any more. Rule: proc(5), maps.
_DELETED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ..x. [0-9a-f]+ \S+ [1-9][0-9]* +(/[^\n]+) \(deleted\)$", re.MULTILINE)
#: Where packages have code. Rule: Filesystem Hierarchy Standard 3.0.
_PACKAGED = re.compile(rb"/(?:bin|etc|lib(?:32|64|x32)?|opt|sbin|usr)/")
#: Programs that are compiled while they run: of libffi, Java Native Access and orc, and files that never had a name.
_COMPILED = re.compile(rb".*/(?:#[0-9]+|ffi[A-Za-z0-9]{6}|jna[0-9]+\.tmp|orcexec\.\w+)$")
#: rpm renames a file that is in use before it deletes it.
_RENAMED = re.compile(r";[0-9a-f]{8,}$")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs old code.

    ``cgroup`` is its control group in systemd's hierarchy, below the one that PID 1 began in; ``files`` are the deleted
    files. ``other_pids``, ``other_root`` and ``other_users`` say whether it sees other process ids, another root and
    other user ids than this process.
    """

    pid: int
    program: str
    cgroup: str
    files: tuple[str, ...]
    other_pids: bool = False
    other_root: bool = False
    other_users: bool = False


def read_processes(
    proc: Path = PROC, *, patience: float = _PATIENCE, most_stuck: int = _MOST_STUCK
) -> tuple[Process, ...]:
    """Return the processes that run code of deleted files, by process id; those that cannot be read are left out.

    Args:
        patience: seconds for one process. Nobody can read the memory map of one that changes it and is stuck in the
            kernel, as in a file system that does not answer.
        most_stuck: how many processes may take longer; what comes after them is left out too.
    """
    pids = sorted(int(name) for name in os.listdir(proc) if name.isdecimal())
    look = _Look(proc)
    found: list[Process] = []
    done = 0
    for _ in range(most_stuck):
        answers: SimpleQueue[Process | BaseException | None] = SimpleQueue()
        stopped = Event()
        # A system call that waits in the kernel can only be left behind.
        Thread(target=_read_each, args=(pids[done:], look, answers, stopped), daemon=True).start()
        try:
            while done < len(pids):
                answer = answers.get(timeout=patience)
                done += 1
                if isinstance(answer, BaseException):
                    raise answer
                found += filter(None, (answer,))
            break
        except Empty:
            stopped.set()
            done += 1
    return tuple(found)


def _read_each(
    pids: Sequence[int], look: _Look, answers: SimpleQueue[Process | BaseException | None], stopped: Event
) -> None:
    """Answer for each process, until it is ``stopped``; an error is an answer."""
    for pid in pids:
        if stopped.is_set():
            return
        try:
            answers.put(look.at(pid))
        except BaseException as exc:  # noqa: BLE001 - raised where the answer is read
            answers.put(exc)


def own_group(proc: Path = PROC) -> str:
    """Return the control group of this process, as ``Process.cgroup`` has it."""
    return _Groups(proc).of(proc / "self")


def _deleted(process: Path) -> Iterator[str]:
    """Yield the deleted files whose code a process runs, each once."""
    with open(process / "maps", "rb") as maps:
        text = maps.read(_MOST_BYTES)
    places: dict[bytes, list[str]] = {}
    for begin, end, path in _DELETED.findall(text) if b" (deleted)\n" in text else ():
        places.setdefault(path, []).append(f"{int(begin, 16):x}-{int(end, 16):x}")
    updated = [path for path in places if _PACKAGED.match(path) and not _COMPILED.match(path)]
    whose = (path for path in sorted(updated) if any(_is_roots(process, at) for at in places[path][:_MOST_MAPPINGS]))
    for path in islice(whose, _MOST_FILES):
        yield one_line(_RENAMED.sub("", path.decode(errors="replace")))


def _is_roots(process: Path, mapping: str) -> bool:
    """Return whether a mapped file is root's, as those of packages are; also where the kernel does not let us know.

    Users may own directories below /opt and /usr/local, and mount what they like in name spaces of their own: only a
    file system of theirs (FUSE) denies root the access.
    """
    try:
        return os.stat(process / "map_files" / mapping).st_uid == 0
    except OSError as exc:
        return exc.errno != errno.EACCES


class _Look:
    """Looks at one process after the other, as this process sees them."""

    def __init__(self, proc: Path) -> None:
        self._proc, self._groups, self._own = proc, _Groups(proc), _view(proc / "self")

    def at(self, pid: int) -> Process | None:
        """Return a process; None where it runs no code of deleted files, or cannot be read."""
        place = self._proc / str(pid)
        try:
            if not (files := tuple(_deleted(place))):
                return None
            program = one_line(os.readlink(place / "exe").removesuffix(" (deleted)"))
            group = self._groups.of(place)
            others = (theirs != ours for theirs, ours in zip(_view(place), self._own, strict=True))
            return Process(pid, _RENAMED.sub("", program), group, files, *others)
        except OSError:
            return None


class _Groups:
    """The control groups in systemd's hierarchy: of the second version where PID 1 has a group of its own in it.

    Those of systemd are below the group that it was started in; PID 1 is there, or in ``init.scope`` below it.
    """

    def __init__(self, proc: Path) -> None:
        first = _hierarchies(proc / "1")
        self._name = "" if first.get("", "").endswith("/init.scope") or "name=systemd" not in first else "name=systemd"
        self._base = first.get(self._name, "").removesuffix("/init.scope").rstrip("/")

    def of(self, process: Path) -> str:
        """Return a process's group, ``""`` where there is none."""
        return _hierarchies(process).get(self._name, "").removeprefix(self._base)


def _hierarchies(process: Path) -> dict[str, str]:
    """Return a process's control group by hierarchy; that of the second version has no name. Rule: cgroups(7).

    A user may give a group any name without a line feed, also with what Python takes for the end of a line.
    """
    try:
        lines = (process / "cgroup").read_bytes().decode(errors="replace").split("\n")
    except OSError:
        return {}
    parts = (line.split(":", 2) for line in lines if line.count(":") > 1)
    return {controllers: path for _number, controllers, path in parts}


def _view(process: Path) -> tuple[str, tuple[int, int], str]:
    """Return which process ids, which root and which user ids a process sees."""
    root = os.stat(process / "root")
    return os.readlink(process / "ns/pid"), (root.st_dev, root.st_ino), os.readlink(process / "ns/user")
