# SPDX-License-Identifier: Apache-2.0
"""What /proc and systemd say of processes, of any content: names that can be shown, and units that are names."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.names import one_line
from ssmpatchlib.processes.old_code import Facts, old_code, units_of
from ssmpatchlib.processes.proc import read_processes

MAPPED = st.sampled_from(
    [
        b"7f00-7f01 r-xp 00001000 08:01 77 /usr/lib/a.so (deleted)\n", b"7f00-7f01 r-xp 0001 08:01 77 ", b"7f00-7f01 ",
        b"r-xp ", b"/usr/lib/a.so", b"/usr/", b" (deleted)", b"\n",
        b"\x1b[31m", b"\xff", b";5f3a1b2c", b"/usr/lib/\\012x (deleted)\n",
    ]
)  # fmt: skip
GROUPS = st.sampled_from(
    [
        b"0::", b"1:name=systemd:", b":", b"\n", b"/", b"..", b".slice", b".service", b".scope", b"system", b"user-0",
        b"user@0", b"--force", b"\x00", b"\xff", b"\\x2d", b"docker-1", b"init", b" ",
    ]
)  # fmt: skip


def content(words: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(words | st.binary(max_size=4), max_size=30).map(b"".join)


@given(content(MAPPED), content(GROUPS), content(GROUPS), st.booleans(), st.booleans())
def test_what_proc_says_is_read_whatever_it_is(maps: bytes, first: bytes, group: bytes, root: bool, user: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name in ("self", "1", "7"):
            place = Path(directory, name)
            (place / "ns").mkdir(parents=True)
            (place / "ns/pid").symlink_to("pid:[1]")
            (place / "ns/user").symlink_to(f"user:[{user and name == '7'}]")
            (place / "root").symlink_to("/usr" if root and name == "7" else "/")
            (place / "exe").symlink_to("/usr/bin/x\x1b")
            (place / "maps").write_bytes(maps if name == "7" else b"")
            (place / "cgroup").write_bytes(first if name == "1" else group)
        processes = read_processes(Path(directory))
    units = units_of(processes)
    assert all(re.fullmatch(r"[\w:][\w:.\\@-]*\.service", unit, re.ASCII) for unit in units)
    found = old_code(processes, facts=dict.fromkeys(units, Facts()), user=str, shown=one_line)
    names = [*found.units, *found.sessions, *found.processes, *found.containers, *found.reboot]
    assert len(names) == len(processes)
    for name, files in found.files.items():
        assert all(text.isprintable() and len(text) <= 200 for text in (name, *files))
