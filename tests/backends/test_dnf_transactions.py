# SPDX-License-Identifier: Apache-2.0
"""Real dnf transactions into roots: what is installed, what is refused, and with which words."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssmpatchlib import api
from ssmpatchlib.backends.dnf import waiting
from ssmpatchlib.errors import Busy, SsmpatchError
from ssmpatchlib.files import Unwritable
from ssmpatchlib.patching import progress, runner
from ssmpatchlib.store import journal
from support import dnf_root, rpm_root
from support.dnf_root import RecordingHost, advisory
from support.operations import EVERYTHING, SECURITY, rows, states
from support.rpm_build import Spec
from support.rpm_repo import dnf_generation, package, write_repository

pytestmark = [pytest.mark.root, pytest.mark.slow(100), pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]


class Rebooted(RecordingHost):
    """A host that has been booted just now."""

    def boot_id(self):
        return "another"


def contents(directory):
    """What all files below a directory contain."""
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def blocked(plan):
    return {row["id"]: row["reason"] for row in plan["blocked"]}


@pytest.mark.parametrize("enabled", ["1 # yes", "'1'", "2", "'0'"])
def test_a_repository_is_enabled_where_dnf_enables_it(tmp_path, enabled):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    with (root / "etc/yum.repos.d/updates.repo").open("a") as file:
        file.write(f"enabled={enabled}\n")
    missing = "Missing" in states(dnf_root.scan(root)).values()
    assert missing is ("app" in dnf_root.dnf(root, "-C", "check-update")) is ("0" not in enabled)


def test_the_story_of_a_host(tmp_path):
    """Scan, plan, install, scan: exact approved versions, nothing else, and dnf finds nothing needed any more."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch", "other-1-1.noarch"],
        specs=[Spec("app", requires=["lib >= 2"]), Spec("lib"), Spec("lib", version="3"), Spec("other")],
        advisories=[advisory("RHSA-1", "app-2-1.noarch", "lib-2-1.noarch"), advisory("RHBA-1", type="bugfix")],
    )
    report = dnf_root.scan(root)
    assert report["compliance"] == "NON_COMPLIANT"
    assert states(report) == {"app.noarch": "Missing", "lib.noarch": "Missing", "other.noarch": "InstalledOther"}
    assert "RHSA-1" in dnf_root.dnf(root, "-C", "updateinfo", "list", "--security")

    plan = dnf_root.plan(root)
    assert rpm_root.installed(root)["app.noarch"] == ["0:1-1"]
    done = dnf_root.install(root)
    assert plan["changes"] == done["changes"] == {name: {"old": "0:1-1", "new": "0:2-1"} for name in ("app", "lib")}
    assert (root / "usr/share/lib/version").read_text() == "2\n"
    assert rpm_root.installed(root)["other.noarch"] == ["0:1-1"]

    again = dnf_root.scan(root, host=Rebooted())
    assert (again["compliance"], states(again)["app.noarch"]) == ("COMPLIANT", "Installed")
    assert "RHSA-1" not in dnf_root.dnf(root, "-C", "updateinfo", "list", "--security")
    assert dnf_root.install(root)["changes"] == {}
    assert rpm_root.database_is_sound(root)


def twenty(root, **more):
    return dnf_root.build(
        root,
        installed=[f"p{n}-1-1.noarch" for n in range(20)],
        packages=[f"p{n}-2-1.noarch" for n in range(20)],
        **more,
    )


@pytest.mark.parametrize("dnf_conf", [{}, {"assumeyes": 1}, {"assumeno": 1}, {"defaultyes": 1}])
def test_one_run_plans_and_installs(tmp_path, dnf_conf):
    """dnf waits with its question until its answer has been judged, whatever its configuration says of questions."""
    host = RecordingHost()
    done = dnf_root.install(twenty(tmp_path / "root", dnf_conf=dnf_conf), host=host)
    assert len(done["changes"]) == 20
    assert (host.solver_runs, host.installs) == (1, [])


def test_a_dnf_whose_question_never_comes_is_asked_in_the_usual_way(tmp_path):
    class Silent(RecordingHost):
        def start(self, argv, **more):
            return super().start([sys.executable, "-c", "import time; time.sleep(600)", *argv], **more)

    host = Silent()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "_PLAN_LIMIT", 1)
        done = dnf_root.install(twenty(tmp_path / "root"), host=host)
    assert len(done["changes"]) == 20
    assert len(host.installs) == 1


def test_another_question_is_not_taken_for_that_of_the_transaction(tmp_path):
    class Curious(RecordingHost):
        def start(self, argv, **more):
            return super().start([sys.executable, "-c", "input('Trust this key? [y/N]: ')", *argv], **more)

    host = Curious()
    assert len(dnf_root.install(twenty(tmp_path / "root"), host=host)["changes"]) == 20
    assert len(host.installs) == 1


@pytest.mark.parametrize("dnf_conf", [{}, {"assumeyes": 1}, {"defaultyes": 1}])
def test_nothing_is_done_before_it_has_been_judged(tmp_path, dnf_conf):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "good-1-1.x86_64"],
        packages=[package("app-2-1.x86_64", requires=["library"]), "library-1-1.x86_64", "good-2-1.x86_64"],
        dnf_conf=dnf_conf,
    )
    baseline = {**SECURITY, "rejectedPatches": ["library"], "rejectedPatchesAction": "BLOCK"}
    report = dnf_root.install(root, baseline=baseline)
    assert set(report["changes"]) == {"good"}
    assert states(report)["app.x86_64"] == "Failed"
    assert "library.x86_64" not in rpm_root.installed(root)


@pytest.mark.parametrize("dnf_conf", [{}, {"assumeno": 1}])
def test_a_hook_comes_before_the_transaction_is_worked_out(tmp_path, dnf_conf):
    """What was worked out before a hook would not be what is there after it."""
    root = twenty(tmp_path / "root", dnf_conf=dnf_conf)
    host = RecordingHost()
    caller = api.Caller(call=lambda function, args, kwargs: True)
    hooked = dnf_root.settings(root, hooks={"pre_install": [{"test.ping": []}]})
    done = api.install(hooked, caller=caller, host=host, upload="never")
    assert len(done["changes"]) == 20
    assert (host.solver_runs, len(host.installs)) == (1, 1)


def full(place, **fields):
    raise Unwritable(Path("journal"), OSError(errno.ENOSPC, "no space left on the disk"))


def test_dnf_is_let_go_when_nothing_may_be_begun(tmp_path, monkeypatch):
    """The journal cannot be written: the waiting dnf ends without having changed anything."""
    root = twenty(tmp_path / "root")
    before = rpm_root.installed(root)
    monkeypatch.setattr(journal, "begin", full)
    with pytest.raises(Unwritable):
        dnf_root.install(root)
    assert rpm_root.installed(root) == before
    assert running(root) == []


@pytest.mark.parametrize(("room", "check"), [(runner, "space_problem"), (progress, "output_problem")])
def test_a_full_disk_lets_dnf_go(tmp_path, monkeypatch, room, check):
    root = twenty(tmp_path / "root")
    monkeypatch.setattr(room, check, lambda *place, **more: "too little room on the disk")
    report = dnf_root.install(root)
    assert set(states(report).values()) == {"Failed"}
    assert "too little room" in rows(report)["p0.noarch"]["reason"]
    assert running(root) == []


def running(root):
    """The commands of the processes that work on a root."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdecimal() else ""
            if f"--installroot={root}" in words:
                found.append(words)
    return found


def test_two_hundred_that_cannot_be_installed(tmp_path):
    """dnf's solver sets aside what does not fit; it need not be asked for each."""
    broken = [package(f"bad{n}-2-1.x86_64", requires=[f"nowhere{n} >= 1"]) for n in range(200)]
    root = dnf_root.build(
        tmp_path / "root",
        installed=[*(f"bad{n}-1-1.x86_64" for n in range(200)), *(f"good{n}-1-1.x86_64" for n in range(5))],
        packages=[*broken, *(f"good{n}-2-1.x86_64" for n in range(5))],
    )
    host = RecordingHost()
    plan = dnf_root.plan(root, host=host)
    assert host.solver_runs <= 2
    assert set(plan["changes"]) == {f"good{n}" for n in range(5)}
    reasons = blocked(plan)
    assert set(reasons) == {f"bad{n}.x86_64" for n in range(200)}
    assert all(f"nothing provides nowhere{n} >= 1" in reasons[f"bad{n}.x86_64"] for n in range(200))


def test_a_chain_of_broken_dependencies(tmp_path):
    """What needs something that cannot be installed cannot be installed either, and says what is at the bottom."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["a-1-1.x86_64", "b-1-1.x86_64", "c-1-1.x86_64"],
        packages=[
            package("a-2-1.x86_64", requires=["b >= 2"]),
            package("b-2-1.x86_64", requires=["missing"]),
            "c-2-1.x86_64",
        ],
    )
    report = dnf_root.install(root)
    assert states(report) == {
        "a.x86_64": "Failed",
        "b.x86_64": "Failed",
        "c.x86_64": "InstalledPendingReboot",
    }
    assert "nothing provides missing" in rows(report)["a.x86_64"]["reason"]
    assert "nothing provides missing" in rows(report)["b.x86_64"]["reason"]


def test_targets_that_conflict_with_each_other(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["a-1-1.x86_64", "b-1-1.x86_64", "c-1-1.x86_64"],
        packages=[package("a-2-1.x86_64", conflicts=["b >= 2"]), "b-2-1.x86_64", "c-2-1.x86_64"],
    )
    host = RecordingHost()
    report = dnf_root.install(root, host=host)
    after = rpm_root.installed(root)
    assert after["c.x86_64"] == ["0:2-1"]
    assert sorted([after["a.x86_64"], after["b.x86_64"]]) == [["0:1-1"], ["0:2-1"]]
    (failed,) = (row for row in report["patches"] if row["PatchState"] == "Failed")
    assert "conflicts with b" in failed["reason"]
    assert host.solver_runs <= 3


def test_nothing_installed_is_removed_for_a_conflict(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["a-1-1.x86_64", "keep-1-1.x86_64"],
        packages=[package("a-2-1.x86_64", conflicts=["keep"])],
    )
    assert "conflicts with keep" in blocked(dnf_root.plan(root))["a.x86_64"]
    dnf_root.install(root)
    assert rpm_root.installed(root) == {"a.x86_64": ["0:1-1"], "keep.x86_64": ["0:1-1"]}


def test_nothing_is_downgraded_for_a_dependency(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "lib-3-1.x86_64"],
        packages=[package("app-2-1.x86_64", requires=["lib = 2-1"]), "lib-2-1.x86_64"],
        advisories=[advisory("RHSA-1", "app-2-1.x86_64")],
    )
    reasons = blocked(dnf_root.plan(root))
    assert set(reasons) == {"app.x86_64"} and "lib" in reasons["app.x86_64"]
    dnf_root.install(root)
    assert rpm_root.installed(root)["lib.x86_64"] == ["0:3-1"]


@pytest.mark.parametrize("action", ["BLOCK", "ALLOW_AS_DEPENDENCY"])
def test_a_rejected_dependency(tmp_path, action):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "lib-1-1.x86_64", "free-1-1.x86_64"],
        packages=[
            package("app-2-1.x86_64", requires=["lib >= 2"]),
            "lib-2-1.x86_64",
            "lib-3-1.x86_64",
            "free-2-1.x86_64",
        ],
    )
    baseline = {**SECURITY, "rejectedPatches": ["lib"], "rejectedPatchesAction": action}
    host = RecordingHost()
    plan = dnf_root.plan(root, baseline=baseline, host=host)
    assert host.solver_runs <= 4
    if action == "BLOCK":
        assert set(plan["changes"]) == {"free"}
        assert "rejected by the rejected list: lib (BLOCK)" in blocked(plan)["app.x86_64"]
    else:
        assert set(plan["changes"]) == {"app", "free", "lib"}
    dnf_root.install(root, baseline=baseline)
    after = rpm_root.installed(root)
    assert after["lib.x86_64"] == (["0:1-1"] if action == "BLOCK" else [plan["changes"]["lib"]["new"]])
    assert after["free.x86_64"] == ["0:2-1"]


def test_another_provider_serves_where_one_is_rejected(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64"],
        packages=[
            package("app-2-1.x86_64", requires=["capability"]),
            package("alib-1-1.x86_64", provides=["capability"]),
            package("blib-1-1.x86_64", provides=["capability"]),
        ],
        advisories=[advisory("RHSA-1", "app-2-1.x86_64")],
    )
    baseline = {**SECURITY, "rejectedPatches": ["alib*"], "rejectedPatchesAction": "BLOCK"}
    dnf_root.install(root, baseline=baseline)
    assert set(rpm_root.installed(root)) == {"app.x86_64", "blib.x86_64"}


def test_weak_dependencies_are_not_brought_in(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64"],
        packages=[package("app-2-1.x86_64", recommends=["extra"]), "extra-1-1.x86_64"],
    )
    dnf_root.install(root)
    assert set(rpm_root.installed(root)) == {"app.x86_64"}


def test_an_update_keeps_why_a_package_was_installed(tmp_path):
    """What came as a dependency is not marked as wanted by the user when it is updated."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["base-1-1.x86_64"],
        packages=[package("app-1-1.x86_64", requires=["lib"]), "lib-1-1.x86_64", "lib-2-1.x86_64"],
        advisories=[advisory("RHSA-1", "lib-2-1.x86_64")],
    )
    dnf_root.dnf(root, "-y", "--exclude=lib-2-1.x86_64", "install", "app")
    assert "lib" not in dnf_root.dnf(root, "repoquery", "--userinstalled")
    assert dnf_root.install(root)["changes"] == {"lib": {"old": "0:1-1", "new": "0:2-1"}}
    assert "lib" not in dnf_root.dnf(root, "repoquery", "--userinstalled")


@pytest.mark.parametrize(
    ("chosen", "new"),
    [({"stream": "12"}, "12.1-1"), ({"stream": "14"}, "14.0-1"), ({}, "12.1-1"), ({"state": "disabled"}, "13.0-1")],
    ids=["enabled", "another enabled", "default", "disabled"],
)
def test_modules(tmp_path, chosen, new):
    """The stream that is enabled, else the default, is followed; nothing else of that name is there."""
    stream = {"name": "node", "context": "c1", "version": 1}
    root = dnf_root.build(
        tmp_path / "root",
        installed=["node-12.0-1.x86_64"],
        packages=["node-12.1-1.x86_64", "node-13.0-1.x86_64", "node-14.0-1.x86_64"],
        updates={
            "modules": [
                {**stream, "stream": "12", "artifacts": ["node-0:12.1-1.x86_64"], "default": True},
                {**stream, "stream": "14", "artifacts": ["node-0:14.0-1.x86_64"]},
            ]
        },
        enabled_modules={"node": {"stream": "", **chosen}} if chosen else {},
    )
    plan = dnf_root.plan(root)
    assert plan["changes"] == {"node": {"old": "0:12.0-1", "new": f"0:{new}"}}
    assert dnf_root.install(root)["changes"] == plan["changes"]


def test_every_repository_is_asked_whether_it_changed(tmp_path):
    """However fresh dnf's copies are: what was published a moment ago counts."""
    names = ("one", "two")
    root = dnf_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.x86_64" for name in names],
        repositories=[{"id": name, "packages": [package(f"{name}-1-1.x86_64")]} for name in names],
    )
    assert dnf_root.scan(root)["compliance"] == "COMPLIANT"
    for name in names:
        news = {"id": name, "packages": [package(f"{name}-2-1.x86_64")]}
        news["advisories"] = [advisory(f"RHSA-{name}", f"{name}-2-1.x86_64")]
        write_repository(root / "repos" / name, news, work=tmp_path)
    assert set(states(dnf_root.scan(root, refresh=False)).values()) == {"InstalledOther"}
    assert states(dnf_root.scan(root)) == {f"{name}.x86_64": "Missing" for name in names}


def test_kernels_are_installed_beside_each_other(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=[f"kernel-4.18.0-{n}.el8.x86_64" for n in (1, 2, 3)],
        packages=["kernel-4.18.0-4.el8.x86_64"],
    )
    plan = dnf_root.plan(root)
    assert plan["changes"] == {"kernel": {"old": "0:4.18.0-3.el8", "new": "0:4.18.0-4.el8"}}
    assert plan["removals"] == []
    assert any("installonly_limit: kernel.x86_64 0:4.18.0-1.el8" in text for text in plan["warnings"])
    assert dnf_root.install(root)["changes"] == plan["changes"]
    assert rpm_root.installed(root)["kernel.x86_64"] == [f"0:4.18.0-{n}.el8" for n in (2, 3, 4)]


def test_excluded_and_locked_packages(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["excluded-1-1.x86_64", "locked-1-1.x86_64", "needs-1-1.x86_64", "free-1-1.x86_64"],
        packages=[
            "excluded-2-1.x86_64",
            "locked-2-1.x86_64",
            package("needs-2-1.x86_64", requires=["locked >= 2"]),
            "free-2-1.x86_64",
        ],
        excludes=["excl*"],
        versionlock=["locked-0:1-1.*"],
    )
    configuration = contents(root / "etc")
    report = dnf_root.install(root)
    found = rows(report)
    assert "excluded by the administrator" in found["excluded.x86_64"]["reason"]
    assert "locked by the administrator" in found["locked.x86_64"]["reason"]
    assert "locked by the administrator" in found["needs.x86_64"]["reason"]
    assert {id_ for id_, row in found.items() if row["PatchState"] == "Failed"} == {
        "excluded.x86_64",
        "locked.x86_64",
        "needs.x86_64",
    }
    assert rpm_root.installed(root)["free.x86_64"] == ["0:2-1"]
    assert rpm_root.installed(root)["locked.x86_64"] == ["0:1-1"]
    assert contents(root / "etc") == configuration


@pytest.mark.parametrize("skip", [False, True])
def test_an_unreachable_repository_is_never_compliant(tmp_path, skip):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64"],
        packages=["app-1-1.x86_64"],
        repositories=[{"id": "gone", "missing": True, "skip_if_unavailable": skip}],
    )
    report = dnf_root.scan(root)
    assert report["compliance"] == "UNKNOWN"
    assert any(text.startswith("gone: could not be read") for text in report["warnings"])


def test_a_repository_that_goes_away_is_judged_by_its_copy(tmp_path):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    assert states(dnf_root.scan(root)) == {"app.x86_64": "Missing"}
    (root / "repos/updates").rename(root / "repos/elsewhere")
    report = dnf_root.scan(root)
    assert (report["compliance"], states(report)) == ("NON_COMPLIANT", {"app.x86_64": "Missing"})
    assert any(text.startswith("updates: could not be read") for text in report["warnings"])
    assert "Failed" in states(dnf_root.install(root)).values()


def test_damage_in_the_cache_is_seen_without_a_refresh(tmp_path):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-1-1.x86_64"])
    assert dnf_root.scan(root)["compliance"] == "COMPLIANT"
    shutil.rmtree(next((root / "var/lib/ssmpatch").glob("work-*")) / "dnf-metadata")
    path = next((root / "var/cache").glob("*dnf*/updates-*/repodata/*-primary.xml.*"))
    path.write_bytes(path.read_bytes()[:-20])
    report = dnf_root.scan(root, refresh=False)
    assert report["compliance"] == "UNKNOWN"
    assert any("is not the file that repomd.xml lists" in text for text in report["warnings"])


@pytest.mark.parametrize("content", ["[updates\nbaseurl=x\n", "no section\n"])
def test_a_repository_file_that_dnf_skips(tmp_path, content):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-1-1.x86_64"])
    (root / "etc/yum.repos.d/broken.repo").write_text(content)
    report = dnf_root.scan(root)
    assert report["compliance"] == "UNKNOWN"
    assert any("broken.repo" in text for text in report["warnings"])


def test_a_scriptlet_that_fails_before_fails_alone(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["broken-1-1.noarch", "good-1-1.noarch"],
        specs=[Spec("broken", lua_pre="error('the disk is on fire')"), Spec("good")],
    )
    report = dnf_root.install(root)
    assert states(report) == {"broken.noarch": "Failed", "good.noarch": "InstalledPendingReboot"}
    assert "broken" in rows(report)["broken.noarch"]["reason"]
    assert "the disk is on fire" in rows(report)["broken.noarch"]["reason"]
    assert rpm_root.installed(root) == {"broken.noarch": ["0:1-1"], "good.noarch": ["0:2-1"]}


def test_a_scriptlet_that_fails_after_is_a_warning(tmp_path):
    root = dnf_root.build(
        tmp_path / "root", installed=["odd-1-1.noarch"], specs=[Spec("odd", lua_post="error('no such service')")]
    )
    report = dnf_root.install(root)
    assert rpm_root.installed(root) == {"odd.noarch": ["0:2-1"]}
    assert any("odd" in text and "scriptlet failed" in text for text in report["warnings"])


def test_files_that_conflict(tmp_path):
    """rpm finds it before anything is installed; what is not to blame is installed all the same."""
    shared = {"/opt/shared": "mine"}
    root = dnf_root.build(
        tmp_path / "root",
        installed=["taker-1-1.noarch", "good-1-1.noarch"],
        specs=[Spec("owner", version="1", files={"/opt/shared": "theirs"}), Spec("taker", files=shared), Spec("good")],
        advisories=[advisory("RHSA-1", "taker-2-1.noarch", "good-2-1.noarch")],
    )
    dnf_root.dnf(root, "-y", "install", "owner")
    report = dnf_root.install(root)
    assert rows(report)["taker.noarch"]["PatchState"] == "Failed"
    assert "conflicts with file from package owner-1-1.noarch" in rows(report)["taker.noarch"]["reason"]
    assert rpm_root.installed(root)["good.noarch"] == ["0:2-1"]


def test_what_needs_a_package_that_fails_is_not_tried_for_ever(tmp_path):
    shared = {"/opt/shared": "mine"}
    root = dnf_root.build(
        tmp_path / "root",
        installed=["taker-1-1.noarch", "needs-1-1.noarch", "good-1-1.noarch"],
        specs=[
            Spec("owner", version="1", files={"/opt/shared": "theirs"}),
            Spec("taker", files=shared),
            Spec("needs", requires=["taker >= 2"]),
            Spec("good"),
        ],
        advisories=[advisory("RHSA-1", "taker-2-1.noarch", "needs-2-1.noarch", "good-2-1.noarch")],
    )
    dnf_root.dnf(root, "-y", "install", "owner")
    host = RecordingHost()
    report = dnf_root.install(root, host=host)
    assert states(report)["good.noarch"] == "InstalledPendingReboot"
    assert {states(report)[f"{name}.noarch"] for name in ("taker", "needs")} == {"Failed"}
    assert "taker" in rows(report)["needs.noarch"]["reason"]
    assert len(host.installs) <= 3


def test_a_package_that_cannot_be_fetched_fails_alone(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["lost-1-1.x86_64", "good-1-1.x86_64"],
        packages=["lost-2-1.x86_64", "good-2-1.x86_64"],
    )
    dnf_root.scan(root)
    (root / "repos/updates/lost-2-1.x86_64.rpm").unlink()
    report = dnf_root.install(root, refresh=False)
    assert states(report) == {"lost.x86_64": "Failed", "good.x86_64": "InstalledPendingReboot"}
    assert "lost-2-1.x86_64" in rows(report)["lost.x86_64"]["reason"]


def test_a_package_that_was_tampered_with_is_not_installed(tmp_path):
    root = dnf_root.build(
        tmp_path / "root", installed=["app-1-1.noarch", "good-1-1.noarch"], specs=[Spec("app"), Spec("good")]
    )
    dnf_root.scan(root)
    path = root / "repos/updates/app-2-1.noarch.rpm"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    report = dnf_root.install(root, refresh=False)
    assert states(report) == {"app.noarch": "Failed", "good.noarch": "InstalledPendingReboot"}
    assert rpm_root.installed(root)["app.noarch"] == ["0:1-1"]


def test_a_package_without_a_signature_fails_alone(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "good-1-1.x86_64"],
        packages=["good-2-1.x86_64"],
        repositories=[
            {"id": "strict", "packages": [package("app-2-1.x86_64")], "advisories": [advisory("R", "app-2-1.x86_64")]}
        ],
    )
    path = root / "etc/yum.repos.d/strict.repo"
    path.write_text(path.read_text().replace("gpgcheck=0", "gpgcheck=1"))
    report = dnf_root.install(root)
    assert states(report) == {"app.x86_64": "Failed", "good.x86_64": "InstalledPendingReboot"}
    assert "not signed" in rows(report)["app.x86_64"]["reason"]


def test_obsoletes_and_changes_of_architecture(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["old-1-1.x86_64", "to-noarch-1-1.x86_64", "from-noarch-1-1.noarch"],
        packages=[
            package("new-2-1.x86_64", obsoletes=["old < 2"], provides=["old = 2"]),
            "to-noarch-2-1.noarch",
            "from-noarch-2-1.x86_64",
        ],
    )
    report = dnf_root.scan(root)
    assert {row["Id"]: row["Title"] for row in report["patches"]} == {
        "old.x86_64": "new.x86_64:0:2-1",
        "to-noarch.x86_64": "to-noarch.noarch:0:2-1",
        "from-noarch.noarch": "from-noarch.x86_64:0:2-1",
    }
    assert report["summary"]["NotApplicableCount"] == "0"
    plan = dnf_root.plan(root)
    assert plan["removals"] == []
    assert dnf_root.install(root)["changes"] == plan["changes"]
    assert set(rpm_root.installed(root)) == {"new.x86_64", "to-noarch.noarch", "from-noarch.x86_64"}


def test_another_users_home_changes_nothing(tmp_path, monkeypatch):
    """Debian's dnf would look for the root's rpm database below it, and find nothing installed."""
    monkeypatch.setenv("HOME", "/home/somebody")
    root = dnf_root.build(tmp_path / "root", installed=["foo-1-1.x86_64"], packages=["foo-2-1.x86_64"])
    assert dnf_root.install(root)["changes"] == {"foo": {"old": "0:1-1", "new": "0:2-1"}}


def test_what_would_remove_a_package_fails_alone(tmp_path):
    """A replacement that dnf takes for a kernel removes the installed ones; nothing else gives way for that."""
    names = [f"p{number}" for number in range(5)]
    kernel = package("new-kernel-5-1.x86_64", obsoletes=["kernel"], provides=["kernel = 5"])
    root = dnf_root.build(
        tmp_path / "root",
        installed=["kernel-4.18.0-1.x86_64", "kernel-4.18.0-2.x86_64", *(f"{name}-1-1.x86_64" for name in names)],
        packages=[*(f"{name}-2-1.x86_64" for name in names), kernel],
    )
    plan = dnf_root.plan(root)
    assert blocked(plan) == {
        "new-kernel.x86_64": "would remove kernel.x86_64 0:4.18.0-1; would remove kernel.x86_64 0:4.18.0-2"
    }
    assert set(plan["changes"]) == set(names)
    assert dnf_root.install(root)["changes"] == plan["changes"]


def test_what_another_target_needs_newer_may_be_newer(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "lib-1-1.x86_64"],
        packages=[package("app-2-1.x86_64", requires=["lib >= 3"]), "lib-2-1.x86_64", "lib-3-1.x86_64"],
        advisories=[advisory("RHSA-1", "app-2-1.x86_64", "lib-2-1.x86_64")],
    )
    plan = dnf_root.plan(root)
    assert plan["changes"]["lib"] == {"old": "0:1-1", "new": "0:3-1"}
    assert dnf_root.install(root)["changes"] == plan["changes"]


def test_alternative_sources_replace_the_repositories(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64"],
        packages=["app-2-1.x86_64"],
        repositories=[
            {
                "id": "mirror",
                "enabled": False,
                "packages": [package("app-3-1.x86_64")],
                "advisories": [advisory("RHSA-3", "app-3-1.x86_64")],
            }
        ],
    )
    configuration = contents(root / "etc")
    source = {
        "name": "mirror",
        "products": ["*"],
        "configuration": f"[alternative]\nname=alternative\nbaseurl=file://{root}/repos/mirror\ngpgcheck=0\n",
    }
    report = dnf_root.install(root, baseline={**SECURITY, "sources": [source]})
    assert report["changes"] == {"app": {"old": "0:1-1", "new": "0:3-1"}}
    assert contents(root / "etc") == configuration


PIDS_4 = ("var/lib/dnf/rpmdb_lock.pid", "var/cache/dnf/metadata_lock.pid")
LOCKS = (*(PIDS_4 if dnf_generation() == 4 else ("var/lib/dnf/system-repo.lock",)), "var/lib/rpm/.rpm.lock")
HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, 2); print('held', flush=True); sys.stdin.read()"


@contextlib.contextmanager
def held(path: Path):
    """Hold a lock as another program would: the number of a living process in a file, or a lock on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        if path.suffix == ".pid":
            path.write_text(str(holder.pid))
        yield
        holder.kill()
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_another_program_holds(tmp_path, lock):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    with held(root / lock), pytest.raises(Busy, match="busy"):
        dnf_root.install(root, lock_timeout=2)
    assert rpm_root.installed(root)["app.x86_64"] == ["0:1-1"]
    assert "app" in dnf_root.install(root)["changes"]


@pytest.mark.skipif(dnf_generation() == 4, reason="dnf 4 itself ends when something is locked")
@pytest.mark.parametrize("lock", LOCKS)
def test_a_plan_does_not_wait_for_ever(tmp_path, lock):
    """dnf 5 waits without an end for another dnf 5, such as one that waits for an answer."""
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    with held(root / lock), pytest.raises(Busy, match="another program holds"):
        dnf_root.plan(root, lock_timeout=1)
    with held(root / lock):
        assert states(dnf_root.scan(root)) == {"app.x86_64": "Missing"}


@pytest.mark.skipif(dnf_generation() == 5, reason="dnf 5 has no lock for its metadata")
def test_a_scan_waits_for_the_lock_of_the_metadata(tmp_path):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    with held(root / "var/cache/dnf/metadata_lock.pid"), pytest.raises(Busy, match="metadata already locked"):
        dnf_root.scan(root, lock_timeout=1)


def test_a_damaged_database_is_not_an_empty_one(tmp_path):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(SsmpatchError, match="rpm database"):
        dnf_root.scan(root)
    shutil.rmtree(root / "var/lib/rpm")
    with pytest.raises(SsmpatchError, match="no rpm database there"):
        dnf_root.scan(root)
    assert not (root / "var/lib/rpm").exists()


def test_the_release_of_a_root_comes_from_the_root(tmp_path):
    root = dnf_root.build(tmp_path / "root", installed=["app-1-1.x86_64"], packages=["app-2-1.x86_64"])
    (root / "etc/dnf/vars/releasever").unlink()
    (root / "etc/os-release").write_text('ID=rocky\nVERSION_ID="8.9"\nPLATFORM_ID="platform:el8"\n')
    (root / "repos/8").symlink_to("updates")
    path = root / "etc/yum.repos.d/updates.repo"
    path.write_text(path.read_text().replace("/repos/updates", "/repos/$releasever"))
    assert dnf_root.install(root)["changes"] == {"app": {"old": "0:1-1", "new": "0:2-1"}}


def test_the_highest_version_that_may_be_taken_comes_in_where_a_newer_one_is_kept_out(tmp_path):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["ex-1-1.noarch", "lk-1-1.noarch"],
        packages=[f"{name}-{version}-1.noarch" for name in ("ex", "lk") for version in (2, 3)],
        excludes=["ex-3*"],
        versionlock=["lk-0:2-1.*"],
    )
    plan = dnf_root.plan(root)
    assert {name: change["new"] for name, change in plan["changes"].items()} == {"ex": "0:2-1", "lk": "0:2-1"}
    scanned = rows(dnf_root.scan(root))
    reasons = {"ex.noarch": "(excludepkgs): ex-3*", "lk.noarch": "(versionlock): lk"}
    for id_, words in reasons.items():
        assert (scanned[id_]["PatchState"], scanned[id_]["available_version"]) == ("Missing", "0:2-1")
        assert "; 0:3-1 is approved, but " in scanned[id_]["reason"] and words in scanned[id_]["reason"]

    report = dnf_root.install(root)
    installed = rpm_root.installed(root)
    assert (installed["ex.noarch"], installed["lk.noarch"]) == (["0:2-1"], ["0:2-1"])
    for id_, words in reasons.items():
        assert rows(report)[id_]["PatchState"] == "Failed" and words in rows(report)[id_]["reason"]


def test_a_locked_package_is_not_replaced_by_another_update(tmp_path):
    """Neither by an update of an installed package nor by what an update requires."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch", "new-1-1.noarch", "foo-1-1.noarch", "bar-1-1.noarch"],
        packages=[
            package("new-2-1.noarch", obsoletes=["old < 2"]),
            package("extra-1-1.noarch", obsoletes=["old < 2"]),
            package("bar-2-1.noarch", requires=["extra"]),
            "foo-2-1.noarch",
        ],
        versionlock=["old-0:1-1.*"],
    )
    row = rows(dnf_root.scan(root))["new.noarch"]
    why = "obsoletes old, which is locked by the administrator (versionlock): old"
    assert row["PatchState"] == "Missing" and why in row["reason"]
    assert set(dnf_root.plan(root)["changes"]) == {"foo"}
    report = dnf_root.install(root)
    installed = rpm_root.installed(root)
    assert installed["old.noarch"] == installed["new.noarch"] == installed["bar.noarch"] == ["0:1-1"]
    assert installed["foo.noarch"] == ["0:2-1"] and "extra.noarch" not in installed
    assert "old" in rows(report)["bar.noarch"]["reason"] and why in rows(report)["new.noarch"]["reason"]


@pytest.mark.parametrize("obsoleter", ["p0", "extra"])
def test_an_update_that_would_replace_a_protected_package_fails_alone(tmp_path, obsoleter):
    more = [package("extra-1-1.noarch", obsoletes=["sudo < 2"])] if obsoleter == "extra" else []
    first = {"requires": ["extra"]} if more else {"obsoletes": ["sudo < 2"]}
    root = dnf_root.build(
        tmp_path / "root",
        installed=["sudo-1-1.noarch", *(f"p{number}-1-1.noarch" for number in range(6))],
        packages=[package("p0-2-1.noarch", **first), *(f"p{number}-2-1.noarch" for number in range(1, 6)), *more],
        dnf_conf={"protected_packages": "sudo"},
    )
    report = dnf_root.install(root)
    failed = {id_ for id_, state in states(report).items() if state == "Failed"}
    assert failed == {"p0.noarch", *(["sudo.noarch"] if more else [])}
    assert "sudo" in rows(report)["p0.noarch"]["reason"] and "protected" in rows(report)["p0.noarch"]["reason"]
    installed = rpm_root.installed(root)
    assert installed["sudo.noarch"] == installed["p0.noarch"] == ["0:1-1"] and "extra.noarch" not in installed
    assert all(installed[f"p{number}.noarch"] == ["0:2-1"] for number in range(1, 6))


def test_what_obsoletes_an_older_version_of_a_protected_package_comes_after_its_update(tmp_path):
    """dnf itself refuses both: asked for them together, it would replace the old one."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["sudo-1-1.noarch", "part-1-1.noarch"],
        packages=["sudo-2-1.noarch", package("part-2-1.noarch", obsoletes=["sudo < 2"])],
        dnf_conf={"protected_packages": "sudo"},
    )
    assert states(dnf_root.install(root))["part.noarch"] == "Failed"
    assert rpm_root.installed(root)["sudo.noarch"] == ["0:2-1"]
    dnf_root.install(root)
    assert rpm_root.installed(root)["part.noarch"] == rpm_root.installed(root)["sudo.noarch"] == ["0:2-1"]


@pytest.mark.parametrize(("setting", "conf"), [("keep", {}), ("replace", {"obsoletes": "False"})])
def test_an_obsolete_package_stays_where_the_administrator_keeps_it(tmp_path, setting, conf):
    """It is still replaced where another update needs that."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch", "needed-1-1.noarch", "app-1-1.noarch"],
        packages=[
            package("new-2-1.noarch", obsoletes=["old"]),
            package("other-2-1.noarch", obsoletes=["needed"]),
            package("app-2-1.noarch", requires=["other"]),
        ],
        dnf_conf=conf,
    )
    row = rows(dnf_root.scan(root, obsoletes=setting))["old.noarch"]
    words = "the setting obsoletes: keep" if setting == "keep" else "the package manager's configuration (obsoletes)"
    assert row["PatchState"] == "InstalledOther"
    assert f"new.noarch 0:2-1 is approved, but kept out by {words}" in row["reason"]
    report = dnf_root.install(root, obsoletes=setting)
    assert set(rpm_root.installed(root)) == {"old.noarch", "other.noarch", "app.noarch"}
    assert "Failed" not in states(report).values()


@pytest.mark.parametrize(("first", "new"), [("0.5", "1"), ("1", "1"), ("2", "2")])
def test_what_a_repository_of_better_priority_hides_is_named(tmp_path, first, new):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-3-1.noarch"],
        repositories=[{"id": "first", "priority": 50, "packages": [package(f"app-{first}-1.noarch")]}],
    )
    report = dnf_root.scan(root, baseline=EVERYTHING)
    row = rows(report)["app.noarch"]
    assert row["PatchState"] == ("Installed" if new == "1" else "Missing")
    assert "0:3-1 is approved, but hidden by the priority of first (updates has a worse one)" in row["reason"]
    assert any("hidden by a repository of better priority" in words for words in report["warnings"]) is (new == "1")
    dnf_root.install(root, baseline=EVERYTHING)
    assert rpm_root.installed(root)["app.noarch"] == [f"0:{new}-1"]


@pytest.mark.skipif(dnf_generation() == 5, reason="dnf 5 tries the older version by itself")
@pytest.mark.parametrize("best", ["False", "True"])
def test_a_dependency_comes_in_older_where_its_newest_version_cannot(tmp_path, best):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch", "user-1-1.noarch"],
        packages=[
            package("app-2-1.noarch", requires=["dep"]),
            "dep-1-1.noarch",
            package("dep-2-1.noarch", requires=["nowhere"], obsoletes=["lib"]),
        ],
        dnf_conf={"best": best},
    )
    assert dnf_root.plan(root)["changes"].keys() == {"app", "dep"}
    dnf_root.install(root)
    after = rpm_root.installed(root)
    assert (after["app.noarch"], after["dep.noarch"]) == (["0:2-1"], ["0:1-1"])


#: dnf 4 without best lets e-2 replace d, and with best refuses zz-2 where zz-3 comes in.
_SILENT = [package("b-4-1.noarch", requires=["e >= 2"]), "d-4-1.noarch", package("e-2-1.noarch", obsoletes=["d < 2"])]
_OUTDONE = [
    package("w-3-1.noarch"),
    package("y-1:3-1.noarch", obsoletes=["w < 2"]),
    package("zz-2-1.noarch", obsoletes=["z"]),
    package("zz-3-1.noarch", requires=["y >= 3"], obsoletes=["w < 2"]),
]
_BESIDE = [package("w-1-1.noarch", requires=["z < 3"]), "y-1-1.noarch", package("z-1-1.noarch", requires=["y"])]


@pytest.mark.skipif(dnf_generation() == 5, reason="dnf 5 leaves out others, see below")
@pytest.mark.parametrize(("installed", "packages"), [([], []), (_BESIDE, _OUTDONE)], ids=["alone", "beside"])
def test_what_dnf_leaves_out_in_silence_is_planned_and_installed_all_the_same(tmp_path, installed, packages):
    root = dnf_root.build(
        tmp_path / "root",
        installed=["b-1-1.noarch", "d-1-1.noarch", *installed],
        packages=[*_SILENT, "e-4-1.noarch", *packages],
    )
    plan = dnf_root.plan(root, baseline=EVERYTHING)
    assert {name: plan["changes"][name]["new"] for name in "bde"} == {"b": "0:4-1", "d": "0:4-1", "e": "0:2-1"}
    dnf_root.install(root, baseline=EVERYTHING)
    after = rpm_root.installed(root)
    assert (after["b.noarch"], after["d.noarch"], after["e.noarch"]) == (["0:4-1"], ["0:4-1"], ["0:2-1"])


@pytest.mark.skipif(dnf_generation() == 4, reason="dnf 4's upgrade cannot do it")
def test_an_update_comes_in_although_another_one_replaces_what_it_updates(tmp_path):
    """dnf 5 leaves it out in silence; asked to install it, it keeps the mark."""
    root = dnf_root.build(
        tmp_path / "root",
        installed=["a-1-1.noarch", "c-1-1.noarch"],
        packages=["a-3-1.noarch", package("c-2-1.noarch", obsoletes=["a < 3"])],
    )
    marks = root / "usr/lib/sysimage/libdnf5/packages.toml"
    rpm_root.put(marks, 'version = "1.0"\n\n[packages]\n"a.noarch" = {reason = "Dependency"}\n')
    plan = dnf_root.plan(root)
    assert {name: change["new"] for name, change in plan["changes"].items()} == {"a": "0:3-1", "c": "0:2-1"}
    dnf_root.install(root)
    assert rpm_root.installed(root) == {"a.noarch": ["0:3-1"], "c.noarch": ["0:2-1"]}
    assert '"a.noarch" = {reason = "Dependency"}' in marks.read_text()
