# SPDX-License-Identifier: Apache-2.0
"""libzypp's files: repositories, locks, vendors; libzypp 17.25 was asked what each of them means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssmpatchlib.backends.rpm.installed import InstalledPackage
from ssmpatchlib.backends.zypper.config import read_config
from ssmpatchlib.backends.zypper.locks import read_locks
from ssmpatchlib.backends.zypper.reboot import newer_kernel


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_repositories(tmp_path):
    put(tmp_path / "etc/zypp/repos.d/a.repo", "[one]\nname=One\nbaseurl=http://x\n\n[two]\nenabled=0\n")
    put(
        tmp_path / "etc/zypp/repos.d/b.repo",
        "[a/b]\nenabled=1\npriority=50\ntype=rpm-md\n[dir]\ntype=plaindir\npriority=0\n"
        "# a comment\n[x]\npriority=high\n",
    )
    put(tmp_path / "etc/zypp/repos.d/c.repo.rpmsave", "[saved]\nenabled=1\n")
    config = read_config(tmp_path)
    assert [(r.alias, r.priority, r.kind, str(r.cache.relative_to(tmp_path))) for r in config.repositories] == [
        ("one", 99, "", "var/cache/zypp/raw/one"),
        ("a/b", 50, "", "var/cache/zypp/raw/a_b"),
        ("dir", 99, "plaindir", "var/cache/zypp/raw/dir"),
        ("x", 99, "", "var/cache/zypp/raw/x"),
    ]
    assert config.unread == ()


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        *((yes, True) for yes in ("1", "2", "-1", "01", "1 # yes", "True", "yes", "on", "always")),
        *((no, False) for no in ("0", "", "'1'", "Y", "t", "enabled", "never", "off", "00")),
    ],
)
def test_enabled_repositories(tmp_path, value, enabled):
    put(tmp_path / "etc/zypp/repos.d/a.repo", f"[a]\nbaseurl=http://x\nenabled={value}\n")
    assert bool(read_config(tmp_path).repositories) is enabled


@pytest.mark.parametrize(("value", "applied"), [("maybe", True), ("", True), ("no", False), ("0", False)])
def test_locks_apply_unless_libzypp_reads_a_no(tmp_path, value, applied):
    put(tmp_path / "etc/zypp/zypp.conf", f"[main]\nlocksfile.apply = {value}\n")
    assert bool(read_config(tmp_path).locks) is applied


def test_a_file_that_is_none_is_named(tmp_path):
    put(tmp_path / "etc/zypp/repos.d/a.repo", "enabled=1\n")
    assert "is not understood" in read_config(tmp_path).unread[0].problem


def test_places_that_zypp_conf_moves(tmp_path):
    put(
        tmp_path / "etc/zypp/zypp.conf",
        "[main]\ncachedir = /srv/zypp\nreposdir = /srv/repos\nlocksfile.path = /srv/locks\n"
        "solver.allowVendorChange = true\n",
    )
    put(tmp_path / "srv/repos/a.repo", "[a]\nbaseurl=http://x\n")
    config = read_config(tmp_path)
    assert config.repositories[0].cache == tmp_path / "srv/zypp/raw/a"
    assert config.locks == tmp_path / "srv/locks"
    assert (config.own, config.vendor_change) == (True, True)
    put(tmp_path / "etc/zypp/zypp.conf", "[main]\nlocksfile.apply = false\n")
    assert read_config(tmp_path).locks is None


@pytest.mark.parametrize(
    ("lists", "one", "other", "same"),
    [
        ([], "SUSE LLC <https://www.suse.com/>", "openSUSE", False),
        ([], "X Inc", "x inc", True),
        ([], "", "openSUSE", False),
        (["openSUSE,SUSE"], "SUSE LLC <https://www.suse.com/>", "openSUSE", True),
        (["openSUSE,SUSE"], "SUSE LLC <https://www.suse.com/>", "openSUSE Project", False),
        ([], "SUSE LINUX Products GmbH, Nuernberg, Germany", "SUSE LLC <https://www.suse.com/>", True),
        ([], " SUSE LLC", "SUSE LLC", False),
        (["a,SUSE"], "SUSE LINUX GmbH", "Alpha", True),
        (["a,SUSE LINUX"], "SUSE LINUX GmbH", "SUSE LLC", False),
        (["a , b"], "Alpha", "Beta", True),
        (["a,b", "b,c"], "Alpha", "Cent", True),
        (["a,b", "c,d"], "Alpha", "Cent", False),
        (["test,b"], "A test", "Beta", False),
        (["suse,b", "suse linux,c"], "SUSE Linux GmbH", "Cent", True),
        (["a,b", "abc,d"], "abcdef", "beta", False),
    ],
)
def test_vendors(tmp_path, lists, one, other, same):
    for number, vendors in enumerate(lists):
        put(tmp_path / f"etc/zypp/vendors.d/{number}", f"[main]\nvendors={vendors}\n")
    config = read_config(tmp_path)
    assert (config.vendor_class(one) == config.vendor_class(other)) is same


@pytest.mark.parametrize(
    ("text", "locked"),
    [
        ("solvable_name: ok\n", True),
        ("type: package\nsolvable_name: k\n", True),
        ("type: package\nsolvable_name: o*\n", False),
        ("type: package\nmatch_type: glob\nsolvable_name: O*\n", True),
        ("type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: OK\n", False),
        ("type: package\nmatch_type: exact\nsolvable_name: OK\n", True),
        ("type: package\nmatch_type: regex\nsolvable_name: k$\n", True),
        ("type: package\nmatch_type: glob\nsolvable_name: zz\nsolvable_name: ok\n", True),
        ("type: package\nversion: < 2\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nversion: > 1-1\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nversion: == 2-1\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nversion: == 2-7\nmatch_type: glob\nsolvable_name: ok\n", False),
        ("type: package\nversion: 2\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nrepo: updates\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nrepo: other\nmatch_type: glob\nsolvable_name: ok\n", False),
        ("type: package\nrepo: @System\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type: package\nmatch_type: glob\nquery_string: ok\n", True),
        ("#c\ntype: package\n#c\nmatch_type: glob\nsolvable_name: ok\n", True),
        ("type:package\nmatch_type:glob\nsolvable_name:ok\n", True),
        ("type: patch\nmatch_type: glob\nsolvable_name: ok\n", False),
        ("type: package\nmatch_type: glob\nsolvable_name: zz\n\ntype: package\nsolvable_name: ok\n", True),
        ("\n\n\ntype: package\nmatch_type: glob\nsolvable_name: ok.x86_64\n", False),
        ("version: > 9\nsolvable_name: ok < 9\n", True),
        ("version: > 9\ncomplex: AttrMatchData solvable:name ok C SolvableRange\\ <\\ 9\n", True),
        ("version: > 9\ncomplex: AttrMatchData solvable:name ok X SolvableRange\\ <\\ 9\n", False),
        ("version: < 9\ncomplex: AttrMatchData solvable:name ok X SolvableRange\\ <\\ 9\n", True),
    ],
)
def test_locks_on_an_update_from_1_to_2(tmp_path, text, locked):
    """What zypper's own list of updates leaves out with such a file."""
    put(tmp_path / "locks", text)
    locks = read_locks(tmp_path / "locks")
    on_offer = locks.on_offer("updates", "ok", "x86_64", "0:2-1")
    assert bool(locks.on_installed("ok", "x86_64", "0:1-1") or on_offer) is locked
    assert locks.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "type: package\ncomplex: solvable:name glob ok\n",
        "complex: AttrMatchData solvable:provides ok C EditionRange\\ =\\ 1\n",
        "match_type: regex\nsolvable_name: a(\n",
        "solvable_summary: text\n",
        "solvable_name: a\nversion: =! 2\n",
    ],
)
def test_locks_that_are_not_understood_are_named(tmp_path, text):
    put(tmp_path / "locks", text)
    locks = read_locks(tmp_path / "locks")
    assert "zypper itself respects it" in locks.warnings[0]
    assert locks.entries == ()


def test_no_locks(tmp_path):
    assert read_locks(tmp_path / "locks").entries == read_locks(None).entries == ()


def kernel(version, name="kernel-default"):
    return InstalledPackage(name, "x86_64", f"0:{version}", 0, 0, "")


@pytest.mark.parametrize(
    ("installed", "hint"),
    [
        (["5.14.21-150500.55.88.1", "5.14.21-150500.55.94.1"], True),
        (["5.14.21-150500.55.88.1"], False),
        (["5.14.21-150500.55.88.1", "5.14.21-150500.55.80.1"], False),
        (["5.14.21-150500.55.94.1"], False),
    ],
)
def test_a_newer_kernel_than_the_running_one(installed, hint):
    found = newer_kernel(
        [*map(kernel, installed), kernel("6.0-1.1", "kernel-rt")], running="5.14.21-150500.55.88-default"
    )
    assert bool(found) is hint
    assert all("5.14.21-150500.55.94.1 is installed" in text for text in found)


@pytest.mark.parametrize(
    ("running", "name", "versions", "hint"),
    [
        ("6.4.0-150600.23.60-default", "kernel-default-base", ["23.60.5.150600.12.26.4"], False),
        (
            "6.4.0-150600.23.60-default",
            "kernel-default-base",
            ["23.60.5.15.12.26.4", "23.65.1.15.12.28.2"],
            True,
        ),
        ("6.4.0-150600.23.60-64kb", "kernel-64kb", ["23.60.5", "23.65.1"], True),
        ("6.4.0-150600.23.60-rt", "kernel-rt", ["23.60.5", "23.65.1"], True),
        ("6.4.0-150600.23.60-rt", "kernel-rt_debug", ["23.60.5", "23.65.1"], False),
        ("6.4.0-150600.23.60-default", "kernel-default", ["23.6.5", "23.60.5"], False),
    ],
)
def test_a_newer_kernel_of_the_running_flavour(running, name, versions, hint):
    installed = [kernel(f"6.4.0-150600.{version}", name) for version in versions]
    assert bool(newer_kernel(installed, running=running)) is hint


def test_sources_have_repositories_and_a_cache_of_their_own(tmp_path):
    put(tmp_path / "etc/zypp/repos.d/a.repo", "[system]\nbaseurl=http://x\n")
    put(tmp_path / "private/b.repo", "[mine]\nbaseurl=http://y\n")
    config = read_config(tmp_path, sources=tmp_path / "private", sources_cache=tmp_path / "private-cache")
    assert [(r.alias, r.cache) for r in config.repositories] == [("mine", Path(tmp_path / "private-cache/raw/mine"))]
