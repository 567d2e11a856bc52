# SPDX-License-Identifier: Apache-2.0
"""What apt-get and dpkg say that they would do, and that failed."""

from __future__ import annotations

import pytest

from ssmpatchlib.backends.apt import failures
from ssmpatchlib.backends.apt.answer import Change, listed_steps, simulated_steps
from ssmpatchlib.model import Target

LISTS = """\
Reading package lists...
Building dependency tree...
Reading state information...
The following packages were automatically installed and are no longer required:
   libold (1.0-1)
Use 'apt autoremove' to remove it.
The following additional packages will be installed:
   libnew (1:2.0-1)
Suggested packages:
   apt-doc (2.6.2)
   | synaptic (0.91.3)
The following packages will be REMOVED:
   goner (0.9)
   purged* (0.8)
The following NEW packages will be installed:
   libnew (1:2.0-1)
The following held packages will be changed:
   held (1 => 2)
The following packages have been kept back:
   other (1 => 3)
The following packages will be upgraded:
   curl (7.88.1-10+deb12u8 => 7.88.1-10+deb12u14)
   held (1 => 2)
   libc6:i386 (2.36-9 => 2.36-9+deb12u1)
The following packages will be DOWNGRADED:
   back (2.0 => 1.0~rc1)
3 upgraded, 1 newly installed, 1 downgraded, 2 to remove and 1 not upgraded.
Need to get 0 B/8902 kB of archives.
'https://archive.example/pool/libn/libnew_2.0-1_amd64.deb' libnew_1%3a2.0-1_amd64.deb 1000 SHA256:00
"""
STEPS: tuple[Change, ...] = (
    ("goner", "amd64", "0.9", None),
    ("purged", "amd64", "0.8", None),
    ("libnew", "amd64", None, "1:2.0-1"),
    ("curl", "amd64", "7.88.1-10+deb12u8", "7.88.1-10+deb12u14"),
    ("held", "amd64", "1", "2"),
    ("libc6", "i386", "2.36-9", "2.36-9+deb12u1"),
    ("back", "amd64", "2.0", "1.0~rc1"),
)


def test_lists_are_read_where_they_are_complete() -> None:
    assert listed_steps(LISTS, "amd64") == STEPS


def test_nothing_to_do_is_an_answer_too() -> None:
    text = "curl is already the newest version.\n0 upgraded, 0 newly installed, 0 to remove and 9 not upgraded.\n"
    assert listed_steps(text, "amd64") == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("   curl (7.88.1-10+deb12u8 => 7.88.1-10+deb12u14)\n", ""),
        ("   curl (7.88.1-10+deb12u8 => 7.88.1-10+deb12u14)\n", "   curl\n"),
        ("   curl (7.88.1-10+deb12u8 => 7.88.1-10+deb12u14)\n", "  curl (7.88.1-10+deb12u8 => 7.88.1-10+deb12u14)\n"),
        ("The following NEW packages will be installed:", "Installing:"),
        ("The following packages will be REMOVED:", "Removing:"),
        ("3 upgraded, 1 newly", "2 upgraded, 2 newly"),
        ("3 upgraded, 1 newly installed, 1 downgraded, 2 to remove", "Summary: 7"),
        ("1 newly installed, 1 downgraded", "1 newly installed, 1 reinstalled"),
    ],
)
def test_lists_that_do_not_add_up_are_no_answer(old: str, new: str) -> None:
    assert old in LISTS
    assert listed_steps(LISTS.replace(old, new), "amd64") is None


def test_a_simulation_names_every_step() -> None:
    text = """\
Remv goner [0.9]
Purg purged [0.8]
Inst libnew (1:2.0-1 Debian:12.11/oldstable [amd64])
Inst curl [7.88.1-10+deb12u8] (7.88.1-10+deb12u14 Debian-Security:12/oldstable-security [amd64]) []
Inst held [1] (2 Debian:12.11/oldstable [all])
Inst libc6:i386 [2.36-9] (2.36-9+deb12u1 Debian:12.11/oldstable [i386])
Conf libnew (1:2.0-1 Debian:12.11/oldstable [amd64])
Inst back [2.0] (1.0~rc1 Debian:12.11/oldstable [amd64])
"""
    assert simulated_steps(text, "amd64") == STEPS


def test_an_archive_without_a_name_is_nobodys_failure() -> None:
    said = "dpkg: error processing archive /tmp/x/_ (--unpack):\n broken\n"
    target = Target("alpha", "amd64", "1")
    assert failures.read_failures(said, [target], {}).packages == {}
