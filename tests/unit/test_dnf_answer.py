# SPDX-License-Identifier: Apache-2.0
"""What dnf 4.14 and dnf 5.4 print about a transaction, and what is read from it."""

from __future__ import annotations

import pytest

from ssmpatchlib.backends.dnf import answer
from ssmpatchlib.backends.dnf.answer import Row

DNF4 = """Last metadata expiration check: 0:00:20 ago on Mon Nov 23 22:28:30 2026.
Dependencies resolved.
================================================================================
 Package         Architecture    Version                 Repository        Size
================================================================================
Installing:
 kernel          x86_64          4.18.0-11.el8           updates          1.1 k
 new             x86_64          2-1                     updates          1.1 k
     replacing  old.x86_64 1-1
Upgrading:
 good            x86_64          1:2-1                   updates           12 M
 a-name-that-is-so-long-that-the-rest-of-its-line-has-no-room-beside-it
                 noarch          2-1                     updates          980
Installing dependencies:
 lib             x86_64          2.0~rc1^git-1           @commandline      20 k
Removing:
 kernel          x86_64          4.18.0-1.el8            @System            0
Downgrading:
 down            x86_64          1-1                     updates          1.1 k
Enabling module streams:
 mod                             2
Skipping packages with conflicts:
(add '--best --allowerasing' to command line to force their upgrade):
 a               x86_64          2-1                     updates          1.1 k
Skipping packages with broken dependencies:
 bad             x86_64          2-1                     updates          1.1 k

Transaction Summary
================================================================================
Install  3 Packages
Upgrade  2 Packages
Remove   1 Package
Skip     2 Packages

Total download size: 12 M
Installed size: 20 M
"""
DNF4_ERRORS = """No match for argument: gone-0:2-1.x86_64
All matches were filtered out by exclude filtering for argument: kept-1:2-1.x86_64

 Problem 1: conflicting requests
  - nothing provides missing >= 1 needed by bad-2-1.x86_64
 Problem 2: problem with installed package c-1-1.x86_64
  - package a-2-1.x86_64 conflicts with c provided by c-1-1.x86_64
  - conflicting requestsOperation aborted.
"""
DNF5 = """Package                  Arch   Version         Repository      Size
Removing:
 kernel                  x86_64 0:4.18.0-1.el8  <unknown>    0.0   B
Installing:
 kernel                  x86_64 0:4.18.0-11.el8 updates      0.0   B
 new                     x86_64 0:2-1           updates      0.0   B
   replacing old         x86_64 0:1-1           <unknown>    0.0   B
Upgrading:
 good                    x86_64 1:2-1           updates    121.5 KiB
   replacing good        x86_64 1:1-1           <unknown>    0.0   B
Changing reason:
 ok                      noarch 0:2-1           @System      0.0   B
   External User -> User
Skipping packages with broken dependencies:
 bad                     x86_64 2-1             updates      0.0   B

Transaction Summary:
 Upgrading:          1 package
 Replacing:          2 packages
"""
DNF5_ERRORS = """Updating and loading repositories:
Repositories loaded.
No match for argument: gone-0:2-1.x86_64
Argument 'kept-1:2-1.x86_64' matches only excluded packages.
Argument 'locked-0:2-1.x86_64' matches only packages excluded by versionlock.
Problem: conflicting requests
  - nothing provides missing >= 1 needed by bad-2-1.x86_64 from updates

Total size of inbound packages is 3 KiB. Need to download 2 KiB.
After this operation, 0 B extra will be used (install 0 B, remove 0 B).
Operation aborted by the user.
"""


def test_what_dnf_4_would_do() -> None:
    reply = answer.read_reply(DNF4, DNF4_ERRORS)
    assert reply.rows == (
        Row("install", "kernel", "x86_64", "0:4.18.0-11.el8"),
        Row("install", "new", "x86_64", "0:2-1", ("old.x86_64 0:1-1",)),
        Row("upgrade", "good", "x86_64", "1:2-1"),
        Row("upgrade", "a-name-that-is-so-long-that-the-rest-of-its-line-has-no-room-beside-it", "noarch", "0:2-1"),
        Row("install", "lib", "x86_64", "0:2.0~rc1^git-1"),
        Row("remove", "kernel", "x86_64", "0:4.18.0-1.el8"),
        Row("downgrade", "down", "x86_64", "0:1-1"),
        Row("skip", "a", "x86_64", "0:2-1"),
        Row("skip", "bad", "x86_64", "0:2-1"),
    )
    assert reply.problems == (
        "conflicting requests; nothing provides missing >= 1 needed by bad-2-1.x86_64",
        "problem with installed package c-1-1.x86_64; package a-2-1.x86_64 conflicts with c provided by c-1-1.x86_64; "
        "conflicting requests",
    )
    assert reply.unmatched == {
        "gone-0:2-1.x86_64": "No match for argument: gone-0:2-1.x86_64",
        "kept-1:2-1.x86_64": "All matches were filtered out by exclude filtering for argument: kept-1:2-1.x86_64",
    }
    assert reply.download_size == 12 << 20


def test_what_dnf_5_would_do() -> None:
    reply = answer.read_reply(DNF5, DNF5_ERRORS)
    assert reply.rows == (
        Row("remove", "kernel", "x86_64", "0:4.18.0-1.el8"),
        Row("install", "kernel", "x86_64", "0:4.18.0-11.el8"),
        Row("install", "new", "x86_64", "0:2-1", ("old.x86_64 0:1-1",)),
        Row("upgrade", "good", "x86_64", "1:2-1"),
        Row("skip", "bad", "x86_64", "0:2-1"),
    )
    assert reply.problems == (
        "conflicting requests; nothing provides missing >= 1 needed by bad-2-1.x86_64 from updates",
    )
    assert set(reply.unmatched) == {"gone-0:2-1.x86_64", "kept-1:2-1.x86_64", "locked-0:2-1.x86_64"}
    assert reply.download_size == 2048


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("Total download size: 1.1 k", 1126),
        ("Total size: 1.1 k", 0),
        ("Total size of inbound packages is 5 KiB. Need to download 0 B.", 0),
        ("nothing of the kind", None),
    ],
)
def test_download_size(words: str, size: int | None) -> None:
    assert answer.read_reply(words, "").download_size == size


def test_nothing_to_do() -> None:
    assert answer.read_reply("Dependencies resolved.\nNothing to do.\nComplete!\n", "") == answer.Reply()


def test_a_problem_is_found_by_the_whole_package() -> None:
    reply = answer.Reply(
        problems=("package ab-2-1.x86_64 requires c", "package b-2-1.x86_64-doc", "b-2-1.x86_64 is no")
    )
    assert reply.problems_about("b-2-1.x86_64") == "b-2-1.x86_64 is no"
