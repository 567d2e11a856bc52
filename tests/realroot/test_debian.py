# SPDX-License-Identifier: Apache-2.0
"""A real Debian release without its security updates, patched by a minion that runs in it; apt is the judge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.real_root import RealRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow(250)]

Report = dict[str, Any]


def rows(report: Report, state: str) -> dict[str, tuple[str, str]]:
    """The rows of a patch state: installed and available version, by ``name.arch``."""
    return {
        row["Id"]: (row["installed_version"], row["available_version"])
        for row in report["patches"]
        if row["PatchState"] == state
    }


def by_id(changes: dict[str, dict[str, str]], arch: str) -> dict[str, tuple[str, str]]:
    """Salt's ``changes`` by ``name.arch``."""
    return {f"{name}.{arch}": (change["old"], change["new"]) for name, change in changes.items()}


def difference(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What changed between two lists of installed packages."""
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return {name: (before.get(name, ""), after.get(name, "")) for name in names}


def fingerprints(directory: Path) -> dict[str, str]:
    """The content of all files below ``directory``."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True)
class Story:
    """What a host with nothing special says before, while and after it is patched."""

    root: RealRoot
    upgradable: dict[str, tuple[str, str]]
    scan: Report
    after_scan: dict[str, str]
    plan: Report
    install: Report
    before: dict[str, str]
    after: dict[str, str]
    rescan: Report
    highstates: list[dict[str, Any]]
    sources: tuple[dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def story(make_root: Callable[[], RealRoot]) -> Story:
    """Scan, plan, install, scan and two highstates of one system."""
    root = make_root()
    root.configure()
    root.salt_call("saltutil.sync_all")
    root.apt_get("update")
    upgradable, before, sources = root.upgradable(), root.versions(), fingerprints(root.path / "etc/apt")
    scan = root.salt_call("ssmpatch.scan")
    after_scan = root.versions()
    plan = root.salt_call("ssmpatch.plan")
    install = root.salt_call("ssmpatch.install")
    after = root.versions()
    rescan = root.salt_call("ssmpatch.scan")
    highstates = [root.salt_call("state.highstate") for _ in range(2)]
    return Story(
        root=root,
        upgradable=upgradable,
        scan=scan,
        after_scan=after_scan,
        plan=plan,
        install=install,
        before=before,
        after=after,
        rescan=rescan,
        highstates=highstates,
        sources=(sources, fingerprints(root.path / "etc/apt")),
    )


def test_the_minion_has_no_bindings_of_the_package_manager(story: Story) -> None:
    for module in ("apt", "apt_pkg", "debian", "rpm", "dnf"):
        done = story.root.python("-c", f"import {module}", check=False)
        assert "ModuleNotFoundError" in done.stderr


def test_scan_finds_exactly_what_apt_would_upgrade_from_the_security_archive(story: Story) -> None:
    assert len(story.upgradable) > 20
    assert rows(story.scan, "Missing") == story.upgradable
    assert story.scan["compliance"] == "NON_COMPLIANT" and story.scan["warnings"] == []
    assert int(story.scan["summary"]["MissingCount"]) == len(story.upgradable)
    assert story.after_scan == story.before


def test_install_does_exactly_what_was_planned(story: Story) -> None:
    arch = story.root.architecture
    planned = by_id(story.plan["changes"], arch)
    assert story.upgradable.items() <= planned.items()
    assert (story.plan["blocked"], story.plan["removals"]) == ([], [])
    assert by_id(story.install["changes"], arch) == planned
    assert difference(story.before, story.after) == planned


def test_afterwards_everybody_agrees_that_nothing_is_left(story: Story) -> None:
    assert story.install["compliance"] == "COMPLIANT" and rows(story.install, "Failed") == {}
    assert story.rescan["compliance"] == "COMPLIANT" and story.rescan["patches"] == []
    assert story.root.upgradable() == {}
    assert story.root.run("dpkg", "--audit").stdout == ""
    story.root.run("apt-get", "check")


def test_a_highstate_changes_nothing_any_more(story: Story) -> None:
    for highstate in story.highstates:
        (state,) = highstate.values()
        assert (state["result"], state["changes"]) == (True, {})


def test_the_system_is_otherwise_as_it_was(story: Story) -> None:
    before, after = story.sources
    assert after == before, "apt's configuration was changed"
    assert story.root.asked_to_reboot() == "", "nothing asked for a reboot"
    left = sorted(path.name for path in (story.root.path / "var/lib/dpkg/updates").iterdir())
    assert left == []
    assert story.root.salt_call("ssmpatch.status")["journal"] is None


# --- obstacles -----------------------------------------------------------------------------------

FRAIL = {"name": "frail", "section": "utils", "priority": "optional"}
BREAKS = "#!/bin/sh\necho frail is frail >&2\nexit 1\n"


@dataclass(frozen=True)
class Obstacles:
    """A host where one update is held, one rejected, and one breaks while it is installed."""

    root: RealRoot
    held: str
    rejected: str
    before: dict[str, str]
    after: dict[str, str]
    plan: Report
    test: dict[str, Any]
    real: dict[str, Any]
    report: Report
    audit: str


@pytest.fixture(scope="module")
def obstacles(make_root: Callable[[], RealRoot]) -> Obstacles:
    """A highstate in test mode and one for real."""
    root = make_root()
    held, rejected = "unzip", "tzdata"
    baseline = {
        "Name": "obstacles",
        "OperatingSystem": "DEBIAN",
        "ApprovalRules": {
            "PatchRules": [
                {
                    "PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]},
                    "ComplianceLevel": "HIGH",
                    "ApproveAfterDays": 0,
                }
            ]
        },
        "RejectedPatches": [rejected],
        "RejectedPatchesAction": "BLOCK",
    }
    root.configure(baseline=baseline)
    root.salt_call("saltutil.sync_all")
    root.offer({**FRAIL, "arch": root.architecture, "version": "1.0"})
    root.apt_get("update")
    root.apt_get("install", "frail")
    root.run("apt-mark", "hold", held)
    root.offer({**FRAIL, "arch": root.architecture, "version": "2.0", "postinst": BREAKS})
    before = root.versions()
    plan = root.salt_call("ssmpatch.plan")
    (test,) = root.salt_call("state.highstate", "test=True").values()
    (real,) = root.salt_call("state.highstate", check=False).values()
    return Obstacles(
        root=root,
        held=f"{held}.{root.architecture}",
        rejected=f"{rejected}.{root.architecture}",
        before=before,
        after=root.versions(),
        plan=plan,
        test=test,
        real=real,
        report=root.salt_call("ssmpatch.report"),
        audit=root.run("dpkg", "--audit").stdout,
    )


def test_all_obstacles_are_there(obstacles: Obstacles) -> None:
    assert obstacles.held in obstacles.before and obstacles.rejected in obstacles.before
    assert obstacles.before[f"frail.{obstacles.root.architecture}"] == "1.0"


def test_test_mode_shows_what_the_real_run_then_changed(obstacles: Obstacles) -> None:
    assert obstacles.test["result"] is None
    assert obstacles.test["changes"] == obstacles.plan["changes"] == obstacles.real["changes"]
    assert obstacles.real["result"] is False
    planned = by_id(obstacles.real["changes"], obstacles.root.architecture)
    assert difference(obstacles.before, obstacles.after) == planned


def test_held_and_rejected_packages_stay_and_are_named(obstacles: Obstacles) -> None:
    for name in (obstacles.held, obstacles.rejected):
        assert obstacles.after[name] == obstacles.before[name]
    assert obstacles.root.run("apt-mark", "showhold").stdout.split() == [obstacles.held.partition(".")[0]]
    reasons = {row["Id"]: (row["PatchState"], row["reason"]) for row in obstacles.report["patches"]}
    state, reason = reasons[obstacles.held]
    assert state == "Failed" and "held" in reason
    state, reason = reasons[obstacles.rejected]
    assert state == "InstalledRejected" and "BLOCK" in reason
    for name in (obstacles.held, obstacles.rejected):
        assert name in obstacles.real["comment"]


def test_a_package_that_breaks_does_not_stop_the_others(obstacles: Obstacles) -> None:
    frail = f"frail.{obstacles.root.architecture}"
    assert set(rows(obstacles.report, "Failed")) == {obstacles.held, frail}
    assert set(rows(obstacles.report, "Missing")) == set()
    left = {name: versions for name, versions in obstacles.root.upgradable().items() if name != frail}
    assert set(left) == {obstacles.held, obstacles.rejected}
    (row,) = [row for row in obstacles.report["patches"] if row["Id"] == frail]
    assert "dpkg" in row["reason"] and "exit status 1" in row["reason"]
    # Sentences of the audit begin lines, the packages they speak of are indented.
    assert {line.split()[0] for line in obstacles.audit.splitlines() if line[:1] == " "} == {"frail"}


def test_a_mended_package_is_repaired_by_the_next_run(obstacles: Obstacles) -> None:
    root = obstacles.root
    root.offer({**FRAIL, "arch": root.architecture, "version": "3.0"})
    root.run("apt-mark", "unhold", obstacles.held.partition(".")[0])
    report = root.salt_call("ssmpatch.install")
    assert set(report["changes"]) == {"frail", obstacles.held.partition(".")[0]}
    assert root.versions()[f"frail.{root.architecture}"] == "3.0"
    assert [row["Id"] for row in report["patches"]] == [obstacles.rejected]
    assert root.run("dpkg", "--audit").stdout == ""
    root.run("apt-get", "check")


def test_a_reboot_is_asked_of_the_system_by_its_own_program(obstacles: Obstacles) -> None:
    decision = obstacles.root.salt_call("ssmpatch.reboot", "force=True")
    assert decision["action"] == "reboot"
    assert obstacles.root.asked_to_reboot().startswith("/usr/local/sbin/shutdown -r +1")
