# SPDX-License-Identifier: Apache-2.0
"""Real zypper transactions into roots: what is installed, what is refused, and with which words."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from ssmpatchlib.errors import Busy
from ssmpatchlib.host import CommandResult
from ssmpatchlib.operation import session
from support import rpm_root, suse_root
from support.operations import EVERYTHING, SECURITY, rows
from support.rpm_build import Spec
from support.rpm_repo import package
from support.suse_root import patch, states

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow(60),
    pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper"),
]


def test_the_story_of_a_host(tmp_path):
    """Scan, plan, install, scan: exact approved versions, nothing else, and zypper finds nothing needed any more."""
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch", "other-1-1.noarch"],
        specs=[Spec("app", requires=["lib >= 2"]), Spec("lib"), Spec("other")],
        advisories=[patch("SUSE-1", "app-2-1.noarch", "lib-2-1.noarch"), patch("OPT-1", type="optional")],
    )
    report = suse_root.scan(root, baseline=SECURITY)
    assert report["compliance"] == "NON_COMPLIANT"
    assert states(report) == {"app.noarch": "Missing", "lib.noarch": "Missing", "other.noarch": "InstalledOther"}
    assert "needed" in suse_root.zypper(root, "list-patches")

    plan = suse_root.plan(root, baseline=SECURITY)
    done = suse_root.install(root, baseline=SECURITY)
    assert plan["changes"] == done["changes"] == {name: {"old": "0:1-1", "new": "0:2-1"} for name in ("app", "lib")}
    assert (root / "usr/share/app/version").read_text() == "2\n"

    again = suse_root.scan(root, baseline=SECURITY, reboot={"option": "RebootIfNeeded"})
    assert {row["PatchState"] for row in rows(again).values()} <= {"InstalledPendingReboot", "InstalledOther"}
    assert " needed " not in suse_root.zypper(root, "list-patches")
    assert suse_root.install(root, baseline=SECURITY)["changes"] == {}


def test_an_install_runs_few_programs(tmp_path):
    """rpm is asked once before zypper plans and installs, and once after."""
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    suse_root.scan(root)
    host = suse_root.RecordingHost()
    suse_root.install(root, host=host, refresh=False)
    assert [argv[0] for argv in host.commands] == ["rpm", "zypper", "zypper", "rpm"]


def test_rescan_is_compliant(tmp_path):
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    settings = {"baseline": {**SECURITY, "approvedPatches": ["app"], "approvedPatchesComplianceLevel": "HIGH"}}
    host = NeverBooted()
    assert suse_root.install(root, host=host, **settings)["compliance"] == "NON_COMPLIANT"
    host.boot = "another"
    report = suse_root.scan(root, host=host, **settings)
    assert (report["compliance"], states(report)) == ("COMPLIANT", {"app.noarch": "Installed"})


class NeverBooted(suse_root.RecordingHost):
    """A host that boots when the test says so."""

    boot = "one"

    def boot_id(self):
        return self.boot

    def boot_time(self):
        return 1700000000.0 if self.boot == "one" else super().boot_time()


def test_the_approved_version_not_the_newest(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-2-1.noarch", "app-3-1.noarch"],
        advisories=[patch("SUSE-1", "app-2-1.noarch")],
    )
    report = suse_root.install(root, baseline=SECURITY)
    assert report["changes"] == {"app": {"old": "0:1-1", "new": "0:2-1"}}


def reason(row):
    """A row's reason without the quotation marks that newer versions of libsolv put around dependencies."""
    return row["reason"].replace("'", "")


def test_what_cannot_be_installed_fails_alone(tmp_path):
    """Nothing provides a dependency; two targets conflict; one needs what an installed package does not let go."""
    root = suse_root.build(
        tmp_path / "root",
        installed=[
            *(f"{name}-1-1.noarch" for name in ("good", "broken", "one", "two", "base")),
            package("user-1-1.noarch", requires=["base = 1-1"]),
        ],
        packages=[
            "good-2-1.noarch",
            package("broken-2-1.noarch", requires=["nowhere"]),
            package("one-2-1.noarch", conflicts=["two >= 2"]),
            "two-2-1.noarch",
            "base-2-1.noarch",
        ],
    )
    before = rpm_root.installed(root)
    report = suse_root.install(root)
    found = rows(report)
    failed = {id_ for id_, row in found.items() if row["PatchState"] == "Failed"}
    assert failed - {"one.noarch", "two.noarch"} == {"broken.noarch", "base.noarch"}
    assert len(failed & {"one.noarch", "two.noarch"}) == 1
    assert re.search(r"nothing provides nowhere needed by .*broken-2-1\.noarch", reason(found["broken.noarch"]))
    assert "user-1-1.noarch requires base = 1-1" in reason(found["base.noarch"])
    loser = (failed & {"one.noarch", "two.noarch"}).pop()
    assert "one-2-1.noarch conflicts with two >= 2" in reason(found[loser])
    after = rpm_root.installed(root)
    assert set(after) == set(before)
    assert after["good.noarch"] == ["0:2-1"]
    assert sum(after[name] == ["0:2-1"] for name in ("one.noarch", "two.noarch")) == 1


def test_two_hundred_that_cannot_be_installed_take_few_solver_runs(tmp_path):
    """A third of them need a package that itself cannot be installed."""
    count = 200
    root = suse_root.build(
        tmp_path / "root",
        installed=[*(f"bad{n}-1-1.noarch" for n in range(count)), *(f"good{n}-1-1.noarch" for n in range(20))],
        packages=[
            *(package(f"bad{n}-2-1.noarch", requires=["nowhere >= 2" if n % 3 else "halfway"]) for n in range(count)),
            *(f"good{n}-2-1.noarch" for n in range(20)),
            package("halfway-1-1.noarch", requires=["gone"]),
        ],
    )
    host = suse_root.RecordingHost()
    report = suse_root.install(root, host=host)
    assert list(states(report).values()).count("Failed") == count
    assert len(report["changes"]) == 20
    assert host.solver_runs <= 12
    assert "nothing provides gone" in reason(rows(report)["bad0.noarch"])


@pytest.mark.parametrize("action", ["BLOCK", "ALLOW_AS_DEPENDENCY"])
def test_rejected_dependency(tmp_path, action):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch", "free-1-1.noarch"],
        packages=[
            package("app-2-1.noarch", requires=["lib >= 2"]),
            "lib-2-1.noarch",
            "lib-3-1.noarch",
            "free-2-1.noarch",
        ],
    )
    baseline = {**EVERYTHING, "rejectedPatches": ["lib"], "rejectedPatchesAction": action}
    host = suse_root.RecordingHost()
    report = suse_root.install(root, baseline=baseline, host=host)
    after = rpm_root.installed(root)
    assert after["free.noarch"] == ["0:2-1"]
    assert not (root / "etc/zypp/locks").exists()
    if action == "BLOCK":
        assert (after["app.noarch"], after["lib.noarch"]) == (["0:1-1"], ["0:1-1"])
        assert states(report)["app.noarch"] == "Failed"
        assert "rejected by the rejected list: lib (BLOCK)" in rows(report)["app.noarch"]["reason"]
        assert host.solver_runs <= 4
    else:
        assert after["app.noarch"] == ["0:2-1"]
        assert after["lib.noarch"] != ["0:1-1"]


def test_rejected_dependency_without_a_place_for_private_locks(tmp_path):
    """zypper sees no file outside of its root: then who needs the rejected package is found by trying."""
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"app{n}-1-1.noarch" for n in range(8)],
        packages=[package(f"app{n}-2-1.noarch", requires=["new"] if n in (2, 5) else []) for n in range(8)]
        + ["new-1-1.noarch"],
    )
    baseline = {**EVERYTHING, "rejectedPatches": ["new"], "rejectedPatchesAction": "BLOCK"}
    outside = {"state_dir": str(tmp_path / "state"), "aws_dir": str(tmp_path / "aws")}
    host = suse_root.RecordingHost()
    report = suse_root.install(root, baseline=baseline, host=host, **outside)
    failed = {id_ for id_, state in states(report).items() if state == "Failed"}
    assert failed == {"app2.noarch", "app5.noarch"}
    assert all("rejected by the rejected list: new (BLOCK)" in rows(report)[id_]["reason"] for id_ in failed)
    assert "new.noarch" not in rpm_root.installed(root)
    assert host.solver_runs <= 12


def test_another_provider_than_the_rejected_one_is_taken(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=[
            package("app-2-1.noarch", requires=["engine"]),
            package("a-engine-1-1.noarch", provides=["engine"]),
            package("b-engine-1-1.noarch", provides=["engine"]),
        ],
    )
    baseline = {**EVERYTHING, "rejectedPatches": ["a-engine"], "rejectedPatchesAction": "BLOCK"}
    suse_root.install(root, baseline=baseline)
    after = rpm_root.installed(root)
    assert after["app.noarch"] == ["0:2-1"]
    assert "b-engine.noarch" in after
    assert "a-engine.noarch" not in after


def test_locked_package_stays_and_its_lock_too(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["kept-1-1.noarch", "app-1-1.noarch", "needs-1-1.noarch"],
        packages=["kept-2-1.noarch", "app-2-1.noarch", package("needs-2-1.noarch", requires=["kept >= 2"])],
        locks=["kept"],
    )
    locks = (root / "etc/zypp/locks").read_bytes()
    report = suse_root.install(root)
    assert (root / "etc/zypp/locks").read_bytes() == locks
    assert states(report)["kept.noarch"] == states(report)["needs.noarch"] == "Failed"
    assert "locked by the administrator" in rows(report)["kept.noarch"]["reason"]
    assert "needs-2-1.noarch requires kept >= 2" in reason(rows(report)["needs.noarch"])
    after = rpm_root.installed(root)
    assert (after["kept.noarch"], after["app.noarch"]) == (["0:1-1"], ["0:2-1"])
    assert "locked by the administrator" in rows(suse_root.scan(root))["kept.noarch"]["reason"]


def test_update_that_only_an_unreachable_repository_has_fails_with_its_name(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "far-1-1.noarch"],
        packages=["app-2-1.noarch"],
        repositories=[{"id": "extra", "packages": [package("far-2-1.noarch")], "advisories": []}],
    )
    assert states(suse_root.scan(root))["far.noarch"] == "Missing"
    shutil.rmtree(root / "repos/extra")
    report = suse_root.install(root)
    assert rpm_root.installed(root)["app.noarch"] == ["0:2-1"]
    assert (report["compliance"], states(report)["far.noarch"]) == ("NON_COMPLIANT", "Failed")
    assert "extra" in rows(report)["far.noarch"]["reason"]


def test_failing_scripts(tmp_path):
    """A failing %pre leaves its package out and no other; a failing %post does not undo the installation."""
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.noarch" for name in ("early", "late", "app", "rest")],
        specs=[
            Spec("early", lua_pre='error("out of patience")'),
            Spec("late", post="exit 1"),
            Spec("app", requires=["early >= 1"]),
            Spec("rest"),
        ],
    )
    report = suse_root.install(root)
    found = states(report)
    assert found["early.noarch"] == "Failed"
    assert "out of patience" in rows(report)["early.noarch"]["reason"]
    after = rpm_root.installed(root)
    assert after["early.noarch"] == ["0:1-1"]
    assert after["late.noarch"] == after["app.noarch"] == after["rest.noarch"] == ["0:2-1"]
    assert any("late-2-1.noarch" in text and "scriptlet failed" in text for text in report["warnings"])
    assert rpm_root.database_is_sound(root)


def test_failing_dependency_is_worked_around(tmp_path):
    """A new dependency fails to install: what needs it fails with it, the rest is installed."""
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "rest-1-1.noarch"],
        specs=[Spec("helper", lua_pre='error("no")'), Spec("app", requires=["helper"]), Spec("rest")],
    )
    report = suse_root.install(root)
    assert states(report) == {"app.noarch": "Failed", "rest.noarch": "InstalledPendingReboot"}
    assert "helper" in rows(report)["app.noarch"]["reason"]
    assert "helper.noarch" not in rpm_root.installed(root)


def test_missing_rpm_and_file_conflict(tmp_path):
    shared = {"/etc/shared.conf": "mine"}
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.noarch" for name in ("gone", "left", "right", "rest")],
        specs=[
            Spec("gone"),
            Spec("left", files=shared),
            Spec("right", files={**shared, "/etc/shared.conf": "yours"}),
            Spec("rest"),
        ],
    )
    suse_root.scan(root)
    (root / "repos/updates/gone-2-1.noarch.rpm").unlink()
    report = suse_root.install(root, refresh=False)
    found = rows(report)
    failed = {id_ for id_, row in found.items() if row["PatchState"] == "Failed"}
    assert "gone-2-1.noarch.rpm" in found["gone.noarch"]["reason"]
    assert len(failed) == 2
    loser = (failed & {"left.noarch", "right.noarch"}).pop()
    assert "/etc/shared.conf" in found[loser]["reason"]
    assert rpm_root.installed(root)["rest.noarch"] == ["0:2-1"]


def test_update_stack_first_and_salt_last(tmp_path):
    names = ("app", "zypper", "libzypp", "salt-minion", "zlib")
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.noarch" for name in names],
        packages=[
            *(f"{name}-2-1.noarch" for name in names if name != "zypper"),
            package("zypper-2-1.noarch", requires=["zlib >= 2"]),
        ],
    )
    host = suse_root.RecordingHost()
    suse_root.install(root, host=host)
    installed = [{word.partition(".")[0] for word in batch} for batch in host.installs]
    assert installed == [{"zypper", "libzypp", "zlib"}, {"app"}, {"salt-minion"}]


class ExitCodes(suse_root.RecordingHost):
    """Real zypper, but the first installation stops half-way as if it had updated zypper itself."""

    def __init__(self, code, only):
        super().__init__()
        self._code, self._only = code, only

    def run(self, argv, **more):
        if "install" in argv and "--dry-run" not in argv and self._code:
            code, self._code = self._code, 0
            kept = [word for word in argv if not word.startswith("app") or word.startswith(self._only)]
            result = super().run(kept, **more)
            return CommandResult(tuple(argv), code, result.stdout, result.stderr)
        return super().run(argv, **more)


def test_exit_code_103_is_repeated_and_102_asks_for_a_reboot(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app1-1-1.noarch", "app2-1-1.noarch"],
        packages=["app1-2-1.noarch", "app2-2-1.noarch"],
    )
    host = ExitCodes(103, "app1")
    report = suse_root.install(root, host=host)
    assert set(states(report).values()) == {"InstalledPendingReboot"}
    assert [len(batch) for batch in host.installs] == [1, 1]
    assert report["reboot"]["required_hints"] == []

    root = suse_root.build(tmp_path / "other", installed=["app1-1-1.noarch"], packages=["app1-2-1.noarch"])
    report = suse_root.install(
        root,
        host=ExitCodes(102, "app1"),
        reboot={"option": "RebootIfRequired", "windows": [{"days": ["mon"], "start": "03:00", "duration": "1m"}]},
    )
    assert report["reboot"]["required_hints"] == ["zypper says that an installed patch needs a reboot (exit code 102)"]


@pytest.mark.parametrize("code", [105, -9])
def test_a_zypper_that_was_stopped_is_not_started_again(tmp_path, code):
    names = ("app1", "app2", "salt-minion")
    root = suse_root.build(
        tmp_path / "root",
        installed=[f"{name}-1-1.noarch" for name in names],
        packages=[f"{name}-2-1.noarch" for name in names],
    )
    host = ExitCodes(code, "app1")
    report = suse_root.install(root, host=host)
    assert [len(batch) for batch in host.installs] == [1]
    assert report["changes"] == {"app1": {"old": "0:1-1", "new": "0:2-1"}}
    failed = {id_: row["reason"] for id_, row in rows(report).items() if row["PatchState"] == "Failed"}
    assert failed.keys() == {"app2.noarch", "salt-minion.noarch"}
    assert all(f"stopped by a signal (exit code {code})" in words for words in failed.values())


def test_patch_that_suggests_a_reboot_is_a_hint(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-2-1.noarch"],
        advisories=[patch("SUSE-9", "app-2-1.noarch", reboot_suggested=True)],
    )
    report = suse_root.install(root)
    assert any("SUSE-9" in hint for hint in report["reboot"]["required_hints"])


def test_sources_replace_the_systems_repositories(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "tool-1-1.noarch"],
        packages=["app-3-1.noarch", "tool-2-1.noarch"],
        repositories=[{"id": "private", "enabled": False, "packages": [package("app-2-1.noarch")], "advisories": []}],
    )
    before = suse_root.scan(root)
    cache = sorted(path.relative_to(root) for path in (root / "var/cache/zypp").rglob("*"))
    files = {path: path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()}
    text = f"[updates]\nname=mine\nbaseurl=file://{root}/repos/private\ngpgcheck=0\n"
    source = {"name": "mine", "products": ["*"], "configuration": text}
    report = suse_root.install(root, baseline={**EVERYTHING, "sources": [source]})
    assert report["changes"] == {"app": {"old": "0:1-1", "new": "0:2-1"}}
    assert states(before) == {"app.noarch": "Missing", "tool.noarch": "Missing"}
    assert sorted(path.relative_to(root) for path in (root / "var/cache/zypp").rglob("*")) == cache
    assert {path: path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()} == files
    assert states(suse_root.scan(root)) == {"app.noarch": "Missing", "tool.noarch": "Missing"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("vendors.d/ours", "[main]\nvendors = Test vendor, Other\n"),
        ("zypp.conf", "[main]\nsolver.allowVendorChange = true\n"),
        ("vendors.d/theirs", "[main]\nvendors = Elsewhere, Other\n"),
        ("", ""),
    ],
)
def test_vendors_change_only_where_the_system_allows_it(tmp_path, path, text):
    root = suse_root.build(
        tmp_path / "root", installed=["app-1-1.noarch"], packages=[package("app-2-1.noarch", vendor="Other Inc.")]
    )
    if path:
        rpm_root.put(root / "etc/zypp" / path, text)
    allowed = path in ("vendors.d/ours", "zypp.conf")
    report = suse_root.install(root)
    assert ("app" in report["changes"]) is allowed
    assert states(report)["app.noarch"] == ("InstalledPendingReboot" if allowed else "Installed")


@pytest.mark.parametrize("enabled", ["1 # yes", "2", "enabled", "0"])
def test_a_repository_is_enabled_where_zypper_enables_it(tmp_path, enabled):
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    with (root / "etc/zypp/repos.d/updates.repo").open("a") as file:
        file.write(f"enabled={enabled}\n")
    missing = "Missing" in states(suse_root.scan(root)).values()
    assert missing is ("app" in suse_root.zypper(root, "list-updates")) is (enabled in ("1 # yes", "2"))


def test_suse_counts_as_one_vendor(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=[package("app-1-1.noarch", vendor="SUSE LINUX Products GmbH, Nuernberg, Germany")],
        packages=[package("app-2-1.noarch", vendor="SUSE LLC <https://www.suse.com/>")],
    )
    assert "app" in suse_root.zypper(root, "--gpg-auto-import-keys", "update", "--dry-run")
    assert states(suse_root.scan(root)) == {"app.noarch": "Missing"}


def test_a_package_of_another_vendor_replaces_none(tmp_path):
    bar = package("bar-2-1.noarch", vendor="Other Inc.", obsoletes=["app"])
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=[bar])
    report = suse_root.install(root)
    assert "bar" not in suse_root.zypper(root, "update", "--dry-run")
    assert (states(report), report["changes"]) == ({"app.noarch": "Installed"}, {})


def test_retracted_patch_is_never_installed(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-2-1.noarch", "app-3-1.noarch"],
        advisories=[patch("SUSE-2", "app-2-1.noarch"), patch("SUSE-3", "app-3-1.noarch", status="retracted")],
    )
    assert suse_root.install(root)["changes"] == {"app": {"old": "0:1-1", "new": "0:2-1"}}


@pytest.mark.parametrize("installed", [["app-1-1.noarch"], ["app-1-1.noarch", "lib-1-1.noarch"]], ids=["new", "update"])
@pytest.mark.parametrize("older", [[], ["lib-2-1.noarch"]], ids=["only", "older"])
def test_dependency_that_only_a_retracted_patch_names_stays_out(tmp_path, installed, older):
    app = package("app-2-1.noarch", requires=["lib >= 2"])
    root = suse_root.build(
        tmp_path / "root",
        installed=installed,
        packages=[app, *older, "lib-3-1.noarch"],
        advisories=[patch("SUSE-2", "app-2-1.noarch"), patch("SUSE-3", "lib-3-1.noarch", status="retracted")],
    )
    plan = suse_root.plan(root, baseline=SECURITY)
    if older:
        assert {name: change["new"] for name, change in plan["changes"].items()} == {"app": "0:2-1", "lib": "0:2-1"}
    else:
        (blocked,) = plan["blocked"]
        assert "needs lib-3-1.noarch: retracted by its vendor (SUSE-3)" in blocked["reason"]
        assert plan["changes"] == {}
    suse_root.install(root, baseline=SECURITY)
    assert rpm_root.installed(root).get("lib.noarch", []) != ["0:3-1"]


def test_package_that_obsoletes_an_installed_one_takes_its_place(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch"],
        packages=[package("new-2-1.noarch", obsoletes=["old < 2"], provides=["old = 2"])],
    )
    assert rows(suse_root.scan(root))["old.noarch"]["Title"] == "new.noarch:0:2-1"
    plan = suse_root.plan(root)
    assert plan["removals"] == []
    suse_root.install(root)
    after = rpm_root.installed(root)
    assert after["new.noarch"] == ["0:2-1"]
    assert "old.noarch" not in after


def test_patch_of_a_replacement_in_another_repository(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch"],
        packages=[package("new-2-1.noarch", obsoletes=["old < 2"], provides=["old = 2"])],
        repositories=[{"id": "patches", "packages": [], "advisories": [patch("SUSE-1", "new-2-1.noarch")]}],
    )
    row = rows(suse_root.scan(root, baseline=SECURITY))["old.noarch"]
    assert (row["Title"], row["PatchState"]) == ("new.noarch:0:2-1", "Missing")


def test_kernels_are_kept_side_by_side(tmp_path):
    kernels = [package(f"kernel-default-5.{n}-1.noarch", provides=["multiversion(kernel)"]) for n in range(4)]
    root = suse_root.build(tmp_path / "root", installed=kernels[:3], packages=kernels[3:])
    rpm_root.put(root / "etc/zypp/zypp.conf", "[main]\nmultiversion = provides:multiversion(kernel)\n")
    plan = suse_root.plan(root)
    report = suse_root.install(root)
    assert plan["changes"] == report["changes"] == {"kernel-default": {"old": "0:5.2-1", "new": "0:5.3-1"}}
    assert len(rpm_root.installed(root)["kernel-default.noarch"]) == 4


def test_repository_priority_is_respected(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-3-1.noarch"],
        repositories=[{"id": "first", "priority": 50, "packages": [package("app-2-1.noarch")], "advisories": []}],
    )
    row = rows(suse_root.scan(root))["app.noarch"]
    assert "0:3-1 is approved, but hidden by the priority of first (updates has a worse one)" in row["reason"]
    assert suse_root.install(root)["changes"] == {"app": {"old": "0:1-1", "new": "0:2-1"}}


@pytest.mark.parametrize(("first", "state"), [("0.5", "Missing"), ("1", "Installed"), ("2", "Missing")])
def test_what_is_older_than_the_installed_version_hides_no_fix(tmp_path, first, state):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-3-1.noarch"],
        advisories=[suse_root.patch("P-1", "app-3-1.noarch")],
        repositories=[{"id": "first", "priority": 50, "packages": [package(f"app-{first}-1.noarch")]}],
    )
    report = suse_root.scan(root)
    row = rows(report)["app.noarch"]
    assert row["PatchState"] == state
    assert any("hidden by a repository of better priority" in w for w in report["warnings"]) is (first == "1")
    assert ("hidden by the priority of first" in row["reason"]) is (first != "0.5")
    listed = suse_root.zypper(root, "list-updates")
    assert (row["available_version"].removeprefix("0:") in listed) if state == "Missing" else "app" not in listed


def test_recommended_packages_are_not_brought_in(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=[
            package("app-2-1.noarch", recommends=["extra"], requires=["needed"]),
            "extra-1-1.noarch",
            "needed-1-1.noarch",
        ],
    )
    plan = suse_root.plan(root)
    suse_root.install(root)
    assert set(rpm_root.installed(root)) == {"app.noarch", "needed.noarch", "glibc.x86_64"}
    assert {(row["id"], row["target"]) for row in plan["packages"]} == {("app.noarch", True), ("needed.noarch", False)}


def test_two_architectures_of_a_package_are_left_alone(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.x86_64", "app-1-1.i586", "rest-1-1.noarch"],
        packages=["app-2-1.x86_64", "rest-2-1.noarch"],
    )
    report = suse_root.install(root)
    assert rpm_root.installed(root)["app.i586"] == rpm_root.installed(root)["app.x86_64"] == ["0:1-1"]
    assert "would remove app.i586" in rows(report)["app.x86_64"]["reason"]
    assert rpm_root.installed(root)["rest.noarch"] == ["0:2-1"]


@pytest.mark.parametrize("option", ["--no-force-resolution", "--force-resolution", "--force", "--allow-arch-change"])
def test_zypper_itself_cannot_update_two_architectures_of_a_package(tmp_path, option):
    """What it proposes never has both, and what it leaves out is removed; `zypper update` lets both stay old."""
    packages = ["app-2-1.x86_64", "app-2-1.i586"]
    root = suse_root.build(
        tmp_path / "root", installed=["app-1-1.x86_64", "app-1-1.i586", "rest-1-1.noarch"], packages=packages
    )
    suse_root.zypper(root, "refresh")
    wanted = ["app.x86_64=2-1", "app.i586=2-1"]
    command = ["--xmlout", "install", "--dry-run", "--details", "--name", option]
    for words in (wanted, wanted[:1], wanted[1:]):
        said = suse_root.zypper(root, *command, *words, check=False)
        assert said.count('<solvable type="package" name="app"') <= 1 or "<to-change-arch>" in said
    assert "No updates found" in suse_root.zypper(root, "list-updates")
    suse_root.zypper(root, "install", "--name", option, wanted[0])
    assert "app.i586" not in rpm_root.installed(root)


def test_another_zypper_is_waited_for(tmp_path):
    """zypper's lock is a file with the number of a process that runs zypper."""
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])

    class Locked(suse_root.RecordingHost):
        waits = 0

        def run(self, argv, **more):
            if "refresh" in argv and self.waits < 2:
                return CommandResult(tuple(argv), 7, "", "System management is locked by the application with pid 1")
            return super().run(argv, **more)

        def sleep(self, seconds):
            self.waits += 1

    host = Locked()
    assert states(suse_root.scan(root, host=host)) == {"app.noarch": "Missing"}
    assert host.waits == 2
    host.waits = -100
    with pytest.raises(Busy, match="lock was held for 0 s"):
        suse_root.scan(root, host=host, lock_timeout=0)


@pytest.mark.parametrize("interrupted", [True, False])
def test_the_old_version_that_a_killed_update_left_is_erased(tmp_path, interrupted):
    """rpm was killed between the installation of the new version and the erasure of the old one."""
    root = suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
    suse_root.scan(root)
    said = suse_root.zypper(root, "--xmlout", "install", "--dry-run", "--details", "app.noarch=2-1")
    log = session.work_dir(suse_root.settings(root)) / "zypper-output.log"
    log.write_text(said.partition("</install-summary>")[0] if interrupted else said)
    rpm = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "-i", "--justdb", "--nodeps", "--force"]
    subprocess.run([*rpm, str(root / "repos/updates/app-2-1.noarch.rpm")], check=True)
    assert rpm_root.installed(root)["app.noarch"] == ["0:1-1", "0:2-1"]
    report = suse_root.install(root)
    assert any("left app-1-1.noarch behind, which is erased now" in text for text in report["warnings"]) is interrupted
    expected = ["0:2-1"] if interrupted else ["0:1-1", "0:2-1"]
    assert rpm_root.installed(root)["app.noarch"] == expected
    assert rpm_root.database_is_sound(root)


def test_the_highest_version_that_may_be_taken_comes_in_where_a_newer_one_is_locked(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["lk-1-1.noarch"],
        packages=["lk-2-1.noarch", "lk-3-1.noarch", "lk-4-1.noarch"],
    )
    lock = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: lk\nversion: >= 3\n"
    rpm_root.put(root / "etc/zypp/locks", lock)
    row = rows(suse_root.scan(root))["lk.noarch"]
    assert (row["PatchState"], row["available_version"]) == ("Missing", "0:2-1")
    assert row["reason"].endswith("; 0:4-1 is approved, but locked by the administrator (zypper addlock): lk >= 3")
    row = rows(suse_root.install(root))["lk.noarch"]
    assert rpm_root.installed(root)["lk.noarch"] == ["0:2-1"]
    assert row["PatchState"] == "Failed" and "zypper addlock): lk >= 3" in row["reason"]


@pytest.mark.parametrize(
    ("lock", "locked"),
    [
        ("solvable_name: SUSE-1\nversion: == 1", True),
        ("solvable_name: SUSE-1\nversion: < 2", True),
        ("solvable_name: SUSE-1\nversion: >= 2", False),
        ("solvable_name: SUSE-1\nversion: != 1", False),
        ("solvable_name: SUSE-1 == 2", False),
    ],
)
def test_a_lock_holds_for_the_edition_of_a_patch(tmp_path, lock, locked):
    root = suse_root.build(
        tmp_path / "root",
        installed=["app-1-1.noarch"],
        packages=["app-2-1.noarch"],
        advisories=[patch("SUSE-1", "app-2-1.noarch")],
    )
    rpm_root.put(root / "etc/zypp/locks", f"\ntype: patch\nmatch_type: exact\ncase_sensitive: on\n{lock}\n")
    report = suse_root.scan(root)
    assert ("(zypper addlock): patch SUSE-1" in rows(report)["app.noarch"]["reason"]) is locked
    assert ("1 package to upgrade" in suse_root.zypper(root, "patch", "--dry-run", check=False)) is not locked


def test_what_a_locked_patch_brings_is_not_taken(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["a-1-1.noarch", "b-1-1.noarch", "c-1-1.noarch"],
        packages=["a-2-1.noarch", "b-2-1.noarch", "c-2-1.noarch", "c-3-1.noarch"],
        advisories=[
            patch("SUSE-1", "a-2-1.noarch", "c-2-1.noarch"),
            patch("SUSE-2", "b-2-1.noarch"),
            patch("SUSE-3", "c-3-1.noarch"),
        ],
    )
    suse_root.zypper(root, "addlock", "-t", "patch", "SUSE-1")
    report = suse_root.install(root, baseline=SECURITY)
    installed = rpm_root.installed(root)
    assert installed["a.noarch"] == ["0:1-1"] and installed["b.noarch"] == ["0:2-1"]
    assert installed["c.noarch"] == ["0:3-1"], "another patch brings it"
    row = rows(report)["a.noarch"]
    assert row["PatchState"] == "Failed" and "(zypper addlock): patch SUSE-1" in row["reason"]


@pytest.mark.parametrize(
    "record",
    [
        "solvable_name: vb == 1-1\n",
        "type: package\nmatch_type: glob\ncomplex: AttrMatchData solvable:name v? C SolvableRange\\ <\\ 2\n",
        "version: < 2\n",
    ],
)
def test_old_forms_of_locks_are_respected(tmp_path, record):
    root = suse_root.build(tmp_path / "root", installed=["vb-1-1.noarch"], packages=["vb-2-1.noarch"])
    rpm_root.put(root / "etc/zypp/locks", record)
    assert "vb" not in suse_root.zypper(root, "list-updates")
    report = suse_root.install(root)
    assert rpm_root.installed(root)["vb.noarch"] == ["0:1-1"] and not report["warnings"]
    assert "locked by the administrator (zypper addlock)" in rows(report)["vb.noarch"]["reason"]


def test_a_locked_package_is_not_replaced(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch", "new-1-1.noarch", "foo-1-1.noarch"],
        packages=[package("new-2-1.noarch", obsoletes=["old < 2"]), "foo-2-1.noarch"],
        locks=["old"],
    )
    row = rows(suse_root.install(root))["new.noarch"]
    installed = rpm_root.installed(root)
    assert installed["old.noarch"] == installed["new.noarch"] == ["0:1-1"] and installed["foo.noarch"] == ["0:2-1"]
    assert "obsoletes old, which is locked by the administrator (zypper addlock): old" in row["reason"]


def test_an_obsolete_package_stays_where_the_setting_keeps_it(tmp_path):
    root = suse_root.build(
        tmp_path / "root", installed=["old-1-1.noarch"], packages=[package("new-2-1.noarch", obsoletes=["old"])]
    )
    row = rows(suse_root.install(root, obsoletes="keep"))["old.noarch"]
    assert row["PatchState"] == "Installed" and "new.noarch 0:2-1 is approved, but kept out by" in row["reason"]
    assert "old.noarch" in rpm_root.installed(root)
    suse_root.install(root)
    assert "new.noarch" in rpm_root.installed(root)


def test_an_update_of_an_installed_package_may_replace_another_one(tmp_path):
    root = suse_root.build(
        tmp_path / "root",
        installed=["old-1-1.noarch", "new-1-1.noarch"],
        packages=[package("new-2-1.noarch", obsoletes=["old"])],
    )
    assert "Failed" not in states(suse_root.install(root)).values()
    assert set(rpm_root.installed(root)) == {"glibc.x86_64", "new.noarch"}
