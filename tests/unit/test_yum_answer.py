# SPDX-License-Identifier: Apache-2.0
"""What yum 3.4.3 prints, as its manual pages and systems that still have it show it."""

from __future__ import annotations

import time

import pytest

from ssmpatchlib.backends.dnf import answer as dnf
from ssmpatchlib.backends.yum import answer, install
from ssmpatchlib.backends.yum.answer import Row
from ssmpatchlib.host import CommandResult
from ssmpatchlib.model import Target

TRANSACTION = """\
Loaded plugins: extras_suggestions, langpacks, priorities, update-motd
Resolving Dependencies
--> Running transaction check
---> Package python3.x86_64 0:3.7.6-1.amzn2.0.1 will be updated
---> Package python3.x86_64 0:3.7.9-1.amzn2.0.2 will be an update
--> Finished Dependency Resolution

Dependencies Resolved

================================================================================
 Package              Arch           Version                 Repository    Size
================================================================================
Installing:
 kernel               x86_64         4.14.203-156.332.amzn2  amzn2-core    21 M
 community-libs       x86_64         5.5.60-2.el6            community    1.7 M
     replacing  old-libs.x86_64 5.1.73-8.el6_8
Updating:
 openssl              x86_64         1:1.0.2k-12.el7         base         492 k
 a-package-with-a-name-wider-than-its-column
                      noarch         2.7.5-68.el7            base          93 k
Installing for dependencies:
 perl-DBI             x86_64         1.609-4.el6             base         705 k
Updating for dependencies:
 openssl-libs         x86_64         1:1.0.2k-12.el7         base         1.2 M
Removing:
 kernel               x86_64         4.14.181-140.257.amzn2  @amzn2-core   98 M

Transaction Summary
================================================================================
Install  2 Packages (+1 Dependent package)
Upgrade  2 Packages (+1 Dependent package)
Remove   1 Package

Total download size: 26 M
Exiting on user command
"""

PROBLEMS = """\
--> Finished Dependency Resolution
Error: Package: postgresql12-devel-12.3-1PGDG.rhel7.x86_64 (pgdg12)
           Requires: llvm-toolset-7-clang >= 4.0.1
Error: Package: 1:mariadb-devel-5.5.68-1.el7.x86_64 (@base)
           Requires: mariadb-libs(x86-64) = 1:5.5.68-1.el7
           Removing: 1:mariadb-libs-5.5.68-1.el7.x86_64 (@base)
               mariadb-libs(x86-64) = 1:5.5.68-1.el7
 You could try using --skip-broken to work around the problem
 You could try running: rpm -Va --nofiles --nodigest
"""


def test_transaction():
    reply = answer.read_reply(TRANSACTION)
    assert reply.rows == (
        Row("install", "kernel", "x86_64", "0:4.14.203-156.332.amzn2", origin="amzn2-core"),
        Row("install", "community-libs", "x86_64", "0:5.5.60-2.el6", ("old-libs.x86_64",), "community"),
        Row("update", "openssl", "x86_64", "1:1.0.2k-12.el7", origin="base"),
        Row("update", "a-package-with-a-name-wider-than-its-column", "noarch", "0:2.7.5-68.el7", origin="base"),
        Row("install", "perl-DBI", "x86_64", "0:1.609-4.el6", origin="base"),
        Row("update", "openssl-libs", "x86_64", "1:1.0.2k-12.el7", origin="base"),
        Row("remove", "kernel", "x86_64", "0:4.14.181-140.257.amzn2", origin="@amzn2-core"),
    )
    assert reply.download_size == 26 << 20
    assert (reply.problems, reply.unmatched) == ((), ())


@pytest.mark.parametrize("read", [answer.read_reply, lambda text: dnf.read_reply(text, text)], ids=["yum", "dnf"])
@pytest.mark.parametrize("space", [" ", "\t"])
@pytest.mark.parametrize(
    "line", [" app x86_64 1:1-1 base 1.2SPACEM x", "Total download size: 1.2SPACE!", "Error: SPACE!"]
)
def test_long_lines_take_time_by_their_length(read, line, space):
    head, _, tail = TRANSACTION.partition(" openssl ")
    text = f"{head}{line.replace('SPACE', space * 100_000)}\n openssl {tail}"
    began = time.process_time()
    reply = read(text)
    assert time.process_time() - began < 2
    assert "perl-DBI" in {row.name for row in reply.rows}


def test_problems_name_their_packages():
    first, second = answer.read_reply(PROBLEMS).problems
    assert first.packages == (("postgresql12-devel.x86_64", "0:12.3-1PGDG.rhel7"),)
    assert "Requires: llvm-toolset-7-clang >= 4.0.1" in first.words
    assert second.packages == (("mariadb-devel.x86_64", "1:5.5.68-1.el7"),)
    assert "Removing: 1:mariadb-libs-5.5.68-1.el7.x86_64 (@base)" in second.words
    assert "skip-broken" not in second.words


def test_protected_multilib_names_both():
    text = "Error:  Protected multilib versions: zlib-1.2.7-19.el7_9.i686 != zlib-1.2.7-18.el7.x86_64\n"
    (problem,) = answer.read_reply(text).problems
    assert problem.packages == (("zlib.i686", "0:1.2.7-19.el7_9"), ("zlib.x86_64", "0:1.2.7-18.el7"))


def test_what_yum_does_not_know():
    text = "No package foo-0:9-1.x86_64 available.\nError: Nothing to do\n"
    assert answer.read_reply(text).unmatched == ("foo-0:9-1.x86_64",)


def test_repositories_that_failed():
    text = """\
failure: repodata/repomd.xml from nginx: [Errno 256] No more mirrors to try.
http://nginx.org/packages/centos/7/i386/repodata/repomd.xml: [Errno 14] HTTP Error 404 - Not Found
"""
    expected = {"nginx": "[Errno 256] No more mirrors to try.; [Errno 14] HTTP Error 404 - Not Found"}
    assert dict(answer.failed_repositories(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "2:container-selinux-2.119.2-1.911c772.el7_8.noarch",
            ("container-selinux.noarch", "2:2.119.2-1.911c772.el7_8"),
        ),
        ("python3-3.7.9-1.amzn2.0.2.x86_64", ("python3.x86_64", "0:3.7.9-1.amzn2.0.2")),
        ("nonsense", None),
    ],
)
def test_names_of_packages(text, expected):
    assert answer.split_envra(text) == expected
    if expected:
        name, _, arch = expected[0].rpartition(".")
        assert answer.envra(name, expected[1], arch) == text


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        ("  foo-2-1.x86_64: [Errno 256] No more mirrors to try.", True),
        ("1:foo-2-1.x86_64 was supposed to be installed but is not!", False),
        ("foo-2-1.x86_64 was supposed to be installed but is not!", True),
        ("Error in PREIN scriptlet in rpm package foo", True),
        ("Error in PREIN scriptlet in rpm package foobar", False),
        ("  file /etc/x from install of foo-2-1.x86_64 conflicts with file from package bar-1-1.x86_64", True),
        ("Package foo-2-1.x86_64.rpm is not signed", True),
        ("  Updating   : foo-2-1.x86_64                                1/2 ", False),
    ],
)
def test_what_failed_is_named(line, failed):
    target = Target("foo", "x86_64", "0:2-1")
    assert install.failure_words(f"Running transaction\n{line}\n", [target]) == (
        {target.id: line.strip()} if failed else {}
    )


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            CommandResult(("yum",), 1, "one\n\n[Errno 30] Read-only file system\n", ""),
            "[Errno 30] Read-only file system",
        ),
        (CommandResult(("yum",), 1, "one\n\ntwo\n", ""), "one; two"),
        (CommandResult(("yum",), 0, "Complete!\n", ""), "yum ended with exit code 0 without installing it"),
    ],
)
def test_why_nothing_was_installed(result, words):
    assert install.last_words(result) == words
