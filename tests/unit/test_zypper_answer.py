# SPDX-License-Identifier: Apache-2.0
"""What zypper says with --xmlout, in the words of its versions."""

from __future__ import annotations

import pytest

from ssmpatchlib.backends.zypper import answer, failures
from ssmpatchlib.backends.zypper.answer import Problem, Row
from ssmpatchlib.backends.zypper.clashes import named_targets
from ssmpatchlib.model import Offer, Target

SUMMARY = """\
<?xml version='1.0'?>
<stream>
<message type="info">Reading installed packages...</message>
<install-summary download-size="3276" space-usage-diff="-12" packages-to-change="5">
<to-upgrade>
<solvable type="package" name="baz" edition="2-1" arch="x86_64" edition-old="1-1" arch-old="x86_64" summary="&lt;">
<description>baz</description></solvable>
<solvable type="package" name="bind" edition="32:9-1" arch="x86_64" edition-old="32:8-1" arch-old="x86_64"/>
</to-upgrade>
<to-change-arch>
<solvable type="package" name="doc" edition="2-1" arch="noarch" edition-old="1-1" arch-old="x86_64"/>
</to-change-arch>
<to-install>
<solvable type="patch" name="SUSE-1" edition="1" arch="noarch"/>
<solvable type="package" name="newdep" edition="1-1" arch="noarch"/>
</to-install>
<to-remove>
<solvable type="package" name="old" edition="1-1" arch="noarch"/>
</to-remove>
</install-summary>
"""

#: One problem, as zypper 1.14.42 and 1.14.60 word it.
OLD_WORDS = """\
<prompt id="1">
<description>Problem: baz-2-1.x86_64 requires newdep &gt;= 2, but this requirement cannot be provided
  not installable providers: newdep-1-1.noarch[updates]
 Solution 1: remove lock to allow installation of newdep-1-1.noarch[updates]
 Solution 2: do not install baz-2-1.x86_64
 Solution 3: break baz-2-1.x86_64 by ignoring some of its dependencies
</description>
"""
NEW_WORDS = """\
<prompt id="1">
<description>Problem: 1: the to be installed baz-2-1.x86_64 requires 'newdep &gt;= 2', but it cannot
 Solution 1: deinstallation of old-1-1.x86_64
 Solution 2: do not install most recent baz-2-1.x86_64
</description>
"""
MANY = """\
<message type="info">2 Problems:</message>
<message type="info">Problem: 1: nothing provides 'nowhere' needed by the to be installed foo-2-1.x86_64</message>
<message type="info">Problem: 2: the installed old-1-1.x86_64 requires 'lib = 1-1', but it cannot</message>
<prompt id="1">
<description>Problem: 1: nothing provides 'nowhere' needed by the to be installed foo-2-1.x86_64
 Solution 1: do not install foo-2-1.x86_64
</description>
"""


def target(name, version="0:2-1", arch="x86_64"):
    return Target(name, arch, version)


def test_summary():
    reply = answer.read_reply(SUMMARY)
    assert reply.rows == (
        Row("upgrade", "package", "baz", "x86_64", "0:2-1", "0:1-1", "x86_64"),
        Row("upgrade", "package", "bind", "x86_64", "32:9-1", "32:8-1", "x86_64"),
        Row("change-arch", "package", "doc", "noarch", "0:2-1", "0:1-1", "x86_64"),
        Row("install", "patch", "SUSE-1", "noarch", "0:1"),
        Row("install", "package", "newdep", "noarch", "0:1-1"),
        Row("remove", "package", "old", "noarch", "0:1-1"),
    )
    assert (reply.download_size, reply.disk_size, reply.summarised) == (3276, -12, True)


def test_summary_of_a_killed_zypper_is_still_read():
    cut = SUMMARY.partition("<to-change-arch>")[0]
    assert [row.name for row in answer.read_reply(cut).rows] == ["baz", "bind"]


@pytest.mark.parametrize("text", [OLD_WORDS, NEW_WORDS])
def test_problem_and_what_solves_it(text):
    (problem,) = answer.read_reply(text).problems
    assert problem.solutions == (("baz-2-1.x86_64",),)
    assert "baz-2-1.x86_64 requires" in problem.words
    assert "Solution" not in problem.words
    assert named_targets(problem, [target("baz"), target("other")]) == {"baz.x86_64"}


def test_many_problems_are_listed_once():
    first, second = answer.read_reply(MANY).problems
    assert first == Problem(
        "nothing provides 'nowhere' needed by the to be installed foo-2-1.x86_64", (("foo-2-1.x86_64",),)
    )
    assert second.words.startswith("the installed old-1-1.x86_64 requires")
    assert named_targets(second, [target("foo"), target("lib")]) == {"lib.x86_64"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("c1-2-1.x86_64 conflicts with c2 = 2-1 provided by c2-2-1.x86_64", {"c1.x86_64", "c2.x86_64"}),
        ("nothing provides c1 needed by c10-2-1.x86_64", set()),
        ("c1-2-1.i586 conflicts with nothing", set()),
    ],
)
def test_targets_in_the_words_of_a_problem(words, expected):
    assert named_targets(Problem(words), [target("c1"), target("c2")]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo-2-1.x86_64", ("foo", "x86_64", "0:2-1")),
        ("libstdc++6-32:1.2-3.noarch.rpm", ("libstdc++6", "noarch", "32:1.2-3")),
        ("no-nevra", None),
    ],
)
def test_names_of_packages(text, expected):
    assert answer.split_nevra(text) == expected
    if expected:
        assert answer.nevra_of(expected[0], expected[2], expected[1]) == text.removesuffix(".rpm")


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        ("Installation of foo-2-1.x86_64 failed:\nError: Subprocess failed.", True),
        ("File &apos;./foo-2-1.x86_64.rpm&apos; not found on medium &apos;file:/repo&apos;", True),
        ("Package &apos;foo.x86_64=2-1&apos; not found.", True),
        ("Installation of foo-2-1.x86_64_v3 failed:", False),
        ("Installation of my-foo-2-1.x86_64 failed:", False),
        ("Installation of foo-2-10.x86_64 failed:", False),
    ],
)
def test_which_target_an_error_names(words, failed):
    text = f'<stream><message type="error">{words}</message></stream>'
    assert bool(failures.failure_words(text, [target("foo"), target("bar")])) is failed


def test_what_rpm_said_before_the_error():
    """zypper 1.14.89 hands rpm's words on as they come and then says only that rpm failed."""
    text = (
        '<stream><message type="info">error: lua script failed: [&quot;%prein(foo-2-1.x86_64)&quot;]: no</message>'
        '<message type="info">error: foo-2-1.x86_64: install failed</message>'
        '<message type="info">error: foo-1-1.x86_64: erase skipped</message>'
        '<message type="error">Installation of foo-2-1.x86_64 failed:\nError: RPM failed: status 1.</message></stream>'
    )
    assert failures.failure_words(text, [target("foo"), target("bar")]) == {
        "foo.x86_64": 'error: lua script failed: ["%prein(foo-2-1.x86_64)"]: no; '
        "error: foo-2-1.x86_64: install failed; Installation of foo-2-1.x86_64 failed:; Error: RPM failed: status 1."
    }


def conflict(left, right):
    sides = "".join(
        f"<{side}hs><file>/etc/x</file><checksum/><solvable><kind>package</kind><name>{name}</name>"
        f'<edition epoch="0" version="2" release="1"/><arch>x86_64</arch></solvable></{side}hs>'
        for side, name in (("l", left), ("r", right))
    )
    return f"<fileconflicts><fileconflict>{sides}</fileconflict></fileconflicts>"


@pytest.mark.parametrize(
    ("left", "right", "loser"), [("a", "b", "b"), ("b", "a", "b"), ("z", "a", "a"), ("y", "z", None)]
)
def test_the_later_target_of_a_file_conflict_gives_way(left, right, loser):
    words = failures.failure_words(conflict(left, right), [target("a"), target("b")])
    assert set(words) == ({f"{loser}.x86_64"} if loser else set())


def download(*, progress=""):
    return (
        '<message type="info">Retrieving package far-2-1.x86_64 (2/3), 1 KiB</message>\n'
        f'<message type="error">Timeout exceeded when accessing the server</message>{progress}'
    )


def origins(offers):
    where = {"far.x86_64": {"gone"}, "near.x86_64": {"main"}, "both.x86_64": {"main", "gone"}, "next.x86_64": {"gone"}}
    return {offer: frozenset(where[offer[0]]) for offer in offers}


def test_what_only_an_unreachable_repository_has_fails_together():
    targets = [target("near"), target("next"), target("both")]
    words, hidden = failures.download_failure(download(), 8, targets, origins)
    assert words.keys() == {"next.x86_64"}
    assert "Timeout exceeded" in words["next.x86_64"]
    assert hidden == [Offer("far", "x86_64", "0:2-1")]


def test_a_failure_after_the_downloads_is_none_of_them():
    progress = '<progress id="install-resolvable" name="(1/3) Installing: near-2-1.x86_64"/>'
    assert failures.download_failure(download(progress=progress), 8, [target("next")], origins) == ({}, [])


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('<message type="error">No.\nPlease look.</message>', 4, "No."),
        ('<message type="info">One &lt; two</message>\nthree\n', 4, "One < two; three"),
        ('<message type="info">Nothing to do.</message>', 0, "zypper ended with exit code 0 without installing it"),
        ("", 4, "zypper ended with exit code 4 without installing it"),
    ],
)
def test_why_nothing_was_installed(text, code, words):
    assert failures.last_words(text, code) == words
