# SPDX-License-Identifier: Apache-2.0
"""dnf's words about what failed: repositories, packages and scriptlets; and rpm's hints about reboots."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.dnf import install, reboot, refresh
from ssmpatchlib.backends.rpm.installed import Database, InstalledPackage, newest
from ssmpatchlib.backends.rpm.reboot import changed_since_boot, newer_kernel
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.model import Target

DNF4_REFRESH = """updates                                         0.0  B/s |   0  B     00:00
Errors during downloading metadata for repository 'updates':
  - Curl error (37): Couldn't read a file:// file for file:///r/repomd.xml
Error: Failed to download metadata for repo 'updates': Cannot download repomd.xml: All mirrors were tried
Error: Failed to download metadata for repo 'other': repomd.xml GPG signature verification error: Bad GPG signature
Ignoring repositories: updates, other
Metadata cache created.
"""
DNF5_REFRESH = """Updating and loading repositories:
 updates                                100% |   0.0   B/s |   3.0 KiB |  00m00s
 The Gone One                           ???% |   0.0   B/s |  -1.0   B |  ?
>>> Curl error (37): Could not read a file:// file for file:///nowhere/repodata/repomd.xml
>>> Usable URL not found
 last                                     0% |   0.0   B/s |   8.0   B |  00m00s
>>> Parsing unsuccessful: Parse error at line: 1
Failed to download metadata (baseurl: "file:///l") for repository "last": Parsing unsuccessful: Parse error at line: 1
Repositories loaded.
"""


READ_ONLY = """Failed to load expired repos cache: [Errno 30] Read-only file system: '/var/cache/dnf'
[Errno 30] Read-only file system: '/var/cache/dnf'
Failed to store expired repos cache: [Errno 30] Read-only file system: '/var/cache/dnf'
"""


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (CommandResult(("dnf",), 1, "", READ_ONLY), "; ".join(READ_ONLY.splitlines())),
        (CommandResult(("dnf",), 1, "one\n\ntwo\n", ""), "one; two"),
        (CommandResult(("dnf",), 1, "one\n", "Error: no\nmore\n"), "Error: no"),
        (
            CommandResult(("dnf",), 0, "Metadata cache created.\n", ""),
            "dnf did not refresh its metadata and did not say why",
        ),
    ],
)
def test_why_nothing_was_refreshed(result: CommandResult, words: str) -> None:
    assert refresh.last_words(result) == words


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (CommandResult(("dnf",), 1, READ_ONLY, ""), "; ".join(READ_ONLY.splitlines())),
        (
            CommandResult(("dnf",), 1, "  Verifying : p-1\nError: Transaction failed\nUpgraded:\n", ""),
            "Error: Transaction failed",
        ),
        (CommandResult(("dnf",), 1, "\n", ""), "dnf ended with exit code 1 without installing it"),
        (CommandResult(("dnf",), 0, "Complete!\n", ""), "dnf ended with exit code 0 without installing it"),
    ],
)
def test_why_nothing_was_installed(result: CommandResult, words: str) -> None:
    assert install.last_words(result) == words


def test_repositories_that_could_not_be_refreshed() -> None:
    assert dict(refresh.failures(DNF4_REFRESH)) == {
        "updates": "Curl error (37): Couldn't read a file:// file for file:///r/repomd.xml; "
        "Cannot download repomd.xml: All mirrors were tried",
        "other": "repomd.xml GPG signature verification error: Bad GPG signature",
    }
    assert dict(refresh.failures(DNF5_REFRESH)) == {
        "The Gone One": "Curl error (37): Could not read a file:// file for file:///nowhere/repodata/repomd.xml; "
        "Usable URL not found",
        "last": "Parsing unsuccessful: Parse error at line: 1",
    }


DNF4_RUN = """Upgrading:
 prefail              noarch       2-1                u             5.5 k
Running transaction
  Preparing        :                                                        1/1
  Running scriptlet: prefail-2-1.noarch                                     1/6
error: lua script failed: [string "%prein(prefail-2-1.noarch)"]:1: pre is broken

Error in PREIN scriptlet in rpm package prefail
  Upgrading        : postfail-2-1.noarch                                    2/6
error: prefail-2-1.noarch: install failed

  Running scriptlet: postfail-2-1.noarch                                    2/6
error: lua script failed: [string "%post(postfail-2-1.noarch)"]:1: post is broken

Error in POSTIN scriptlet in rpm package postfail
Failed:
  prefail-1-1.noarch                     prefail-2-1.noarch

Error: Transaction failed
"""
DNF5_RUN = """Running transaction
[3/6] Upgrading odd-0:2-1.noarch        100% |  11.7 KiB/s | 264.0   B |  00m00s
>>> Running %pre scriptlet: prefail-0:2-1.noarch
>>> Error in %pre scriptlet: prefail-0:2-1.noarch
>>> [RPM] lua script failed: [string "%prein(prefail-2-1.noarch)"]:1: pre is broken
>>> Running %post scriptlet: odd-0:2-1.noarch
>>> Non-critical error in %post scriptlet: odd-0:2-1.noarch
>>> [RPM] lua script failed: [string "%post(odd-2-1.noarch)"]:1: no such service
>>> [RPM] prefail-2-1.noarch: install failed
Transaction failed: Rpm transaction failed.
  - file /opt/shared from install of fa-2-1.noarch conflicts with file from package fb-1-1.noarch
"""


@pytest.mark.parametrize("text", [DNF4_RUN, DNF5_RUN])
def test_a_scriptlet_that_failed_before(text: str) -> None:
    target, other = Target("prefail", "noarch", "0:2-1"), Target("fail", "noarch", "0:2-1")
    words = install.failure_words(text, [target, other])
    assert set(words) == {"prefail.noarch"}
    assert "pre is broken" in words["prefail.noarch"]
    assert "1/6" not in words["prefail.noarch"] and "5.5 k" not in words["prefail.noarch"]


def test_files_that_conflict() -> None:
    words = install.failure_words(DNF5_RUN, [Target("fa", "noarch", "0:2-1")])
    assert "conflicts with file from package fb-1-1.noarch" in words["fa.noarch"]


@pytest.mark.parametrize(
    ("text", "name", "version", "words"),
    [
        (
            "Error: Error downloading packages:\n  Cannot download foo-2-1.x86_64.rpm: All mirrors were tried",
            "foo",
            "0:2-1",
            "Cannot download",
        ),
        ("[MIRROR] foo-2-1.x86_64.rpm: Status code: 404", "foo", "0:2-1", "404"),
        ("Package foo-2-1.x86_64.rpm is not signed\nError: GPG check FAILED", "foo", "0:2-1", "is not signed"),
        (
            "  installing package foo-1:2-1.x86_64 needs 12MB more space on the / filesystem",
            "foo",
            "1:2-1",
            "12MB more space",
        ),
    ],
)
def test_other_failures(text: str, name: str, version: str, words: str) -> None:
    assert words in install.failure_words(text, [Target(name, "x86_64", version)])["foo.x86_64"]


def test_a_scriptlet_that_failed_afterwards() -> None:
    (four,), (five,) = install.script_warnings(DNF4_RUN), install.script_warnings(DNF5_RUN)
    assert four.startswith("postfail: its postin scriptlet failed")
    assert five.startswith("odd-0:2-1.noarch: its post scriptlet failed")


def kernel(name: str, evr: str, arch: str = "x86_64", time: int = 100) -> InstalledPackage:
    return InstalledPackage(name, arch, evr, time, 0, "")


def test_of_several_kernels_the_newest_counts() -> None:
    found = newest(
        [kernel("kernel", "0:5.14.0-9.el9"), kernel("kernel", "0:5.14.0-10.el9"), kernel("kernel", "0:5.14.0-1.el9")]
    )
    assert found["kernel.x86_64"].evr == "0:5.14.0-10.el9"


@pytest.mark.parametrize(
    ("running", "hints"),
    [
        ("5.14.0-9.el9.x86_64", ("kernel-core 5.14.0-10.el9.x86_64 is installed, 5.14.0-9.el9.x86_64 is running",)),
        ("5.14.0-10.el9.x86_64", ()),
        ("6.1.0-cloud", ()),
    ],
)
def test_a_newer_kernel(running: str, hints: tuple[str, ...]) -> None:
    installed = [
        kernel("kernel-core", "0:5.14.0-9.el9"),
        kernel("kernel-core", "0:5.14.0-10.el9"),
        kernel("kernel-tools", "0:9-9"),
    ]
    assert newer_kernel(installed, running=running) == hints


@pytest.mark.parametrize(
    ("running", "installed", "hint"),
    [
        ("5.14.0-9.el9.aarch64+rt-64k", {"kernel-rt-64k-core": [9, 10], "kernel-rt-core": [9]}, "kernel-rt-64k-core"),
        ("5.14.0-9.el9.aarch64+rt-64k-debug", {"kernel-rt-64k-debug-core": [9, 10]}, "kernel-rt-64k-debug-core"),
        ("5.14.0-9.el9.aarch64", {"kernel-automotive-core": [9, 10]}, "kernel-automotive-core"),
        ("5.14.0-9.el9.aarch64", {"kernel-uki-virt": [9, 10]}, "kernel-uki-virt"),
        ("5.14.0-9.el9.aarch64+64k", {"kernel-64k-core": [9, 10]}, "kernel-64k-core"),
        ("5.14.0-9.el9.aarch64+64k", {"kernel-64k-core": [9], "kernel-core": [9, 10]}, ""),
        ("5.14.0-9.el9.aarch64+rt", {"kernel-rt-core": [9, 10], "kernel-core": [9]}, "kernel-rt-core"),
        ("5.14.0-9.el9.aarch64+rt", {"kernel-rt-core": [9], "kernel-64k-core": [9, 10]}, ""),
        ("5.14.0-9.el9.aarch64+rt-debug", {"kernel-rt-debug-core": [9, 10]}, "kernel-rt-debug-core"),
        ("5.14.0-9.el9.aarch64+debug", {"kernel-debug-core": [9, 10], "kernel-core": [9]}, "kernel-debug-core"),
        ("5.14.0-9.el9.aarch64", {"kernel-core": [9], "kernel-debug-core": [9, 10]}, ""),
        ("5.14.0-9.el9.aarch64", {"kernel-rt": [9, 10]}, "kernel-rt"),
        ("5.14.0-9.el9.aarch64", {"kernel-uek-core": [9, 10]}, "kernel-uek-core"),
        ("5.14.0-9.el9.aarch64", {"kernel": [9], "kernel6.12": [10]}, "kernel6.12"),
        ("5.14.0-10.el9.aarch64", {"kernel": [9], "kernel6.12": [10]}, ""),
        ("5.14.0-9.el9.aarch64", {"kernel-core": [9], "kernel-headers": [9, 10], "kernel-devel": [9, 10]}, ""),
        ("5.14.0-9.el9.aarch64", {"kernel-modules-core": [9, 10], "kernel-core": [9]}, ""),
    ],
)
def test_a_newer_kernel_of_the_running_flavour(running: str, installed: dict[str, list[int]], hint: str) -> None:
    packages = [
        kernel(name, f"0:5.14.0-{number}.el9", "aarch64") for name, numbers in installed.items() for number in numbers
    ]
    wanted = (f"{hint} 5.14.0-10.el9.aarch64 is installed, {running} is running",) if hint else ()
    assert newer_kernel(packages, running=running) == wanted


def test_another_root_runs_no_kernel(tmp_path: Path) -> None:
    context = Context(host=Host(), root=tmp_path, work_dir=tmp_path)
    assert reboot.hints(context, Database(context.host, tmp_path), generation=4) == ()


def test_core_packages_changed_since_the_boot(tmp_path: Path) -> None:
    path = tmp_path / "etc/dnf/plugins/needs-restarting.d/site.conf"
    path.parent.mkdir(parents=True)
    path.write_text("our-daemon\n\n")
    installed = [
        kernel("glibc", "0:2-1", time=200),
        kernel("systemd", "0:2-1", time=99),
        kernel("vim", "0:2-1", time=200),
        kernel("our-daemon", "0:2-1", time=200),
    ]
    also = reboot.added_packages(tmp_path, generation=4)
    assert changed_since_boot(installed, boot_time=100.0, also=also) == (
        "glibc was updated since the last boot",
        "our-daemon was updated since the last boot",
    )
    assert changed_since_boot(installed, boot_time=None, also=also) == ()


def test_packages_that_dnf_5_suggests_a_reboot_for(tmp_path: Path) -> None:
    """The administrator's file stands in for a package's of the same name; what dnf 4 reads is not read."""
    for name, text in {
        "usr/share/dnf5/suggest-reboot.d/driver.conf": "theirs\n",
        "usr/share/dnf5/suggest-reboot.d/more.conf": "more\n",
        "etc/dnf/suggest-reboot.d/driver.conf": "# a comment\n  ours  \n\n",
        "etc/dnf/suggest-reboot.d/notes.txt": "nothing\n",
        "etc/dnf/plugins/needs-restarting.d/old.conf": "old\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert reboot.added_packages(tmp_path, generation=5) == {"ours", "more"}
    assert reboot.added_packages(tmp_path, generation=4) == {"old"}


@pytest.mark.parametrize(
    "text", [" a a a a " + "9" * 20_000 + "!", " a a a a 9" + " " * 20_000 + "!", "needs " * 20_000]
)
def test_a_very_long_line_takes_time_by_its_length(text: str) -> None:
    began = time.process_time()
    assert install.failure_words(f"{text}error\n", [Target("a", "x86_64", "0:1-1")]) == {}
    assert time.process_time() - began < 2
