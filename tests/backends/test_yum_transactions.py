# SPDX-License-Identifier: Apache-2.0
"""Installations with yum 3, which no longer exists: its part is played, rpm's is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ssmpatchlib import api
from ssmpatchlib.errors import Busy
from support import rpm_root, vectors, yum_program, yum_root
from support.operations import EVERYTHING, rows, states
from support.rpm_repo import package

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("sqliterepo_c"), reason="needs createrepo_c")]

NAMES = ("app", "lib", "tool")


def build(tmp_path, *, installed=NAMES, packages=None, **more):
    case = {
        "os": {"operating_system": "AMAZON_LINUX_2", "product": "AmazonLinux2", "releasever": "2"},
        "now": "2026-01-01T00:00:00Z",
        "baseline": EVERYTHING,
        "reboot_option": "NoReboot",
        "installed": [package(f"{name}-1-1.noarch") for name in installed],
        "repositories": [
            {
                "id": "updates",
                "packages": packages or [package(f"{name}-2-1.noarch") for name in installed],
                "advisories": [],
            }
        ],
        **more,
    }
    root = yum_root.build(case, tmp_path / "root")
    return root, vectors.settings(case, root, package_manager="yum", lock_timeout=0), yum_root.YumHost(case, root)


def call(name, settings, host, **more):
    return getattr(api, name)(settings, caller=api.Caller(), host=host, **more)


def test_the_story_of_a_host(tmp_path):
    root, settings, host = build(tmp_path)
    assert set(states(call("scan", settings, host)).values()) == {"Missing"}
    plan = call("plan", settings, host)
    report = call("install", settings, host, upload="never")
    assert plan["changes"] == report["changes"] == {name: {"old": "0:1-1", "new": "0:2-1"} for name in NAMES}
    assert rpm_root.installed(root) == {f"{name}.noarch": ["0:2-1"] for name in NAMES}
    assert set(states(report).values()) == {"InstalledPendingReboot"}
    last = host.commands[-1]
    assert last[:1] == ["yum"] and {"-y", f"--installroot={root}", "app-0:2-1.noarch"} <= set(last)
    assert not any("remove" in argv or "erase" in argv for argv in host.commands)


def test_what_yum_cannot_install_fails_alone(tmp_path):
    root, settings, host = build(tmp_path)
    broken = (
        "Error: Package: lib-2-1.noarch (updates)\n           Requires: nowhere\n You could try using --skip-broken\n"
    )

    def solve(argv):
        wanted = argv[argv.index("--") + 1 :]
        return (1, broken) if "lib-0:2-1.noarch" in wanted else (1, yum_program.table(wanted))

    host.answers = [solve, solve, solve]
    report = call("install", settings, host, upload="never")
    assert rpm_root.installed(root) == {"app.noarch": ["0:2-1"], "lib.noarch": ["0:1-1"], "tool.noarch": ["0:2-1"]}
    assert states(report)["lib.noarch"] == "Failed"
    assert "Requires: nowhere" in rows(report)["lib.noarch"]["reason"]


def test_a_rejected_dependency_is_excluded(tmp_path):
    packages = [package("app-2-1.noarch"), package("lib-2-1.noarch")]
    baseline = {**EVERYTHING, "rejectedPatches": ["lib"], "rejectedPatchesAction": "BLOCK"}
    root, settings, host = build(tmp_path, installed=("app", "lib"), packages=packages, baseline=baseline)
    dependency = f"Updating for dependencies:\n {'lib':<24} {'noarch':<10} {'2-1':<28} updates {'1.0 k':>10}\n"
    broken = "Error: Package: app-2-1.noarch (updates)\n           Requires: lib >= 2\n"

    def solve(argv):
        if "--exclude=lib-0:2-1.noarch" in argv:
            return 1, broken
        return 1, yum_program.table(argv[argv.index("--") + 1 :], more=dependency)

    host.answers = [solve, solve, solve]
    report = call("install", settings, host, upload="never")
    assert rpm_root.installed(root)["app.noarch"] == ["0:1-1"]
    assert "rejected by the rejected list: lib (BLOCK)" in rows(report)["app.noarch"]["reason"]


@pytest.mark.parametrize(
    ("heading", "words"), [("Downgrading", "would downgrade"), ("Removing for dependencies", "would remove")]
)
def test_nothing_is_downgraded_or_removed(tmp_path, heading, words):
    root, settings, host = build(tmp_path)
    other = f"{heading}:\n {'lib':<24} {'noarch':<10} {'0-1':<28} updates {'1.0 k':>10}\n"

    def solve(argv):
        wanted = argv[argv.index("--") + 1 :]
        return 1, yum_program.table(wanted, more=other if "app-0:2-1.noarch" in wanted else "")

    host.answers = [solve] * 10
    plan = call("plan", settings, host)
    assert [row["id"] for row in plan["blocked"]] == ["app.noarch"]
    assert words in plan["blocked"][0]["reason"]
    assert {row["id"] for row in plan["packages"]} == {"lib.noarch", "tool.noarch"}


def test_a_failing_script_fails_alone(tmp_path):
    root, settings, host = build(tmp_path)
    failing = (
        "Running transaction\nError in PREIN scriptlet in rpm package lib\n"
        "lib-2-1.noarch was supposed to be installed but is not!\n"
    )

    def install(argv):
        wanted = [name for name in argv[argv.index("--") + 1 :] if not name.startswith("lib-")]
        host.play([*argv[: argv.index("--") + 1], *wanted])
        return 1, failing

    host.answers = [None, install]
    report = call("install", settings, host, upload="never")
    assert states(report)["lib.noarch"] == "Failed"
    assert "Error in PREIN scriptlet" in rows(report)["lib.noarch"]["reason"]
    assert report["changes"].keys() == {"app", "tool"}


def test_version_locks_and_excludes_are_respected(tmp_path):
    root, settings, host = build(tmp_path, excludes=["tool"])
    rpm_root.put(root / "etc/yum/pluginconf.d/versionlock.conf", "[main]\nenabled = 1\n")
    rpm_root.put(root / "etc/yum/pluginconf.d/versionlock.list", "# kept\n0:lib-1-1.*\n")
    report = call("install", settings, host, upload="never")
    found = rows(report)
    assert "locked by the administrator (versionlock)" in found["lib.noarch"]["reason"]
    assert "excluded by the administrator" in found["tool.noarch"]["reason"]
    assert report["changes"].keys() == {"app"}


def test_yum_is_waited_for(tmp_path):
    root, settings, host = build(tmp_path)
    said = "Existing lock /var/run/yum.pid: another copy is running as pid 2748.\n"
    host.answers = [lambda argv: (200, said)] * 3
    with pytest.raises(Busy, match="another copy is running as pid 2748"):
        call("plan", settings, host)


def test_sources_replace_the_systems_repositories(tmp_path):
    text = "[mine]\nname=mine\nbaseurl=file:///nowhere\n"
    source = {"name": "mine", "products": ["*"], "configuration": text}
    root, settings, host = build(tmp_path, baseline={**EVERYTHING, "sources": [source]})
    files = {path: path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()}
    report = call("scan", settings, host)
    assert report["compliance"] == "UNKNOWN"
    assert any(text.startswith("mine: could not be read") for text in report["warnings"])
    words = next(argv for argv in host.commands if "makecache" in argv)
    directory = next(word for word in words if word.startswith("--setopt=reposdir=")).rpartition("=")[2]
    assert [path.name for path in sorted(Path(directory).iterdir())] == ["mine.repo"]
    assert any(word.startswith("--setopt=cachedir=") for word in words)
    assert {path: path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()} == files
