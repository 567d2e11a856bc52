# SPDX-License-Identifier: Apache-2.0
"""Scripts that fail, hooks that refuse and options that do nothing: what is said of them, and how often apt is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support.faults.debs import ARCHITECTURE, Deb, give_shell
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, build_apt

pytestmark = pytest.mark.root


def install(root: Path, **more: Any) -> dict[str, Any]:
    settings = config.load(minion={**APT.settings(root), **more})
    return api.install(settings, caller=quiet_surface(), host=FaultHost())


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Id"].rpartition(".")[0]: row["PatchState"] for row in report["patches"]}


def reason(report: dict[str, Any], name: str) -> str:
    return next(row["reason"] for row in report["patches"] if row["Id"] == f"{name}.{ARCHITECTURE}")


FULL = "echo update-initramfs: failed; echo 'mkinitramfs: No space left on device' >&2; exit 1"


@pytest.mark.parametrize("listed", [False, True])
def test_a_new_dependency_whose_script_fails_is_failed_in_its_own_words(tmp_path: Path, listed: bool) -> None:
    root = tmp_path / "root"
    image = Deb("linux-image-2", NEW, scripts={"postinst": FULL})
    meta = Deb("linux-image-generic", NEW, fields={"Depends": "linux-image-2"})
    names = ("alpha", "linux-image-generic", "zeta")
    build_apt(
        root, installed=[Deb(name, OLD) for name in names], offered=[Deb("alpha", NEW), meta, image, Deb("zeta", NEW)]
    )
    override = {"install_override_list": {"patches": [{"id": "*"}]}} if listed else {}
    report = install(root, **override)
    assert states(report) == {
        "alpha": "Installed",
        "linux-image-generic": "Failed",
        "linux-image-2": "Failed",
        "zeta": "Installed",
    }
    for name in ("linux-image-2", "linux-image-generic"):
        assert "post-installation script subprocess returned error exit status 1" in reason(report, name)
        assert "No space left on device" in reason(report, name)
        assert "not attempted" not in reason(report, name)
    assert "linux-image-2" in reason(report, "linux-image-generic")


@pytest.mark.parametrize("script", ["preinst", "postinst"])
@pytest.mark.parametrize("present", [False, True])
def test_what_a_dependency_says_stands_at_the_target(tmp_path: Path, script: str, present: bool) -> None:
    root = tmp_path / "root"
    lib = Deb("lib", NEW, scripts={script: FULL})
    foo = Deb("foo", NEW, fields={"Depends": f"lib (>= {NEW})"})
    installed = [Deb("foo", OLD), Deb("bar", OLD), *([Deb("lib", OLD)] if present else [])]
    build_apt(root, installed=installed, offered=[foo, lib, Deb("bar", NEW)])
    baseline = {**APT.settings(root)["baseline"], "rejectedPatches": ["lib"]}
    report = install(root, baseline=baseline)
    assert (states(report)["foo"], states(report)["bar"]) == ("Failed", "Installed")
    assert "lib: dpkg: " in reason(report, "foo") and "No space left on device" in reason(report, "foo")


def test_the_words_of_a_script_stand_at_its_own_package_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    names = ("alpha", "broken", "zeta")
    broken = Deb("broken", NEW, scripts={"postinst": FULL})
    chatty = Deb("alpha", NEW, scripts={"postinst": "echo all is well"})
    build_apt(root, installed=[Deb(name, OLD) for name in names], offered=[chatty, broken, Deb("zeta", NEW)])
    report = install(root)
    assert states(report) == {"alpha": "Installed", "broken": "Failed", "zeta": "Installed"}
    assert "No space left on device" in reason(report, "broken") and "all is well" not in reason(report, "broken")


# --- hooks ---------------------------------------------------------------------------------------


def with_hook(root: Path, names: list[str], commands: str) -> Path:
    """A root with updates of these packages and a hook of apt's that reads what is to be installed; return its log."""
    build_apt(
        root,
        installed=[Deb(name, OLD) for name in names],
        offered=[Deb(name, NEW) for name in names],
        apt_conf=[f'DPkg::Pre-Install-Pkgs {{ "{root}/hook"; }};'],
    )
    log = root / "log"
    (root / "hook").write_text(f"#!/bin/sh\nlist=$(cat)\necho run >> {log}\n{commands}\n")
    (root / "hook").chmod(0o755)
    return log


def test_a_hook_that_refuses_everything_is_asked_a_few_times(tmp_path: Path) -> None:
    root, names = tmp_path / "root", [f"p{number:02}" for number in range(40)]
    log = with_hook(root, names, "echo policy: no changes today >&2; exit 1")
    report = install(root)
    assert len(log.read_text().splitlines()) <= 12
    assert set(states(report).values()) == {"Failed"} and len(report["patches"]) == 40
    warnings = [text for text in report["warnings"] if "Failure running script" in text]
    assert len(warnings) == 1 and str(root / "hook") in warnings[0]
    assert not any("Failure running script" in row["reason"] for row in report["patches"])
    assert all("a warning says why" in row["reason"] for row in report["patches"])


def test_a_hook_that_refuses_two_packages_lets_the_others_in(tmp_path: Path) -> None:
    root, names = tmp_path / "root", [f"p{number:02}" for number in range(24)]
    with_hook(root, names, 'case "$list" in *p05_*|*p17_*) exit 1;; esac')
    report = install(root)
    failed = {name for name, state in states(report).items() if state == "Failed"}
    assert failed == {"p05", "p17"}
    assert "Failure running script" in reason(report, "p05")


# --- options that do nothing ---------------------------------------------------------------------

NOTHING = (
    'APT::Get::Download-Only "true";',
    'APT::Get::Simulate "true";',
    'APT::Get::Print-URIs "true";',
    'APT::Get::Trivial-Only "true";',
    'APT::Get::Assume-No "true";',
    'APT::Get::Download "false";',
    'APT::Get::Upgrade "false";',
    'APT::Get::Only-Upgrade "true";',
    'Debug::pkgDPkgPM "true";',
    'APT::Get::Show-Versions "true"; APT::Get::List-Columns "true";',
    'quiet "2";',
    'DPkg::ConfigurePending "false";',
    'PackageManager::Configure "no";',
)


@pytest.mark.parametrize("option", NOTHING)
def test_options_that_keep_apt_from_acting_do_not(tmp_path: Path, option: str) -> None:
    root = tmp_path / "root"
    foo = Deb("foo", NEW, fields={"Depends": "fresh"})
    build_apt(root, installed=[Deb("foo", OLD)], offered=[foo, Deb("fresh", NEW)], apt_conf=[option])
    report = install(root)
    assert (report["compliance"], report["changes"].keys()) == ("COMPLIANT", {"foo", "fresh"}), report["patches"]


@pytest.mark.parametrize("where", ['DPkg::Options:: "--no-act";', 'DPkg::Options:: "--simulate";', "dry-run", "no-act"])
def test_a_dpkg_that_does_nothing_is_named(tmp_path: Path, where: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)], apt_conf=[where] if ";" in where else [])
    if ";" not in where:
        # dpkg reads its configuration of the running system: a program of its name acts as if it were told there.
        (root / "etc/dpkg").mkdir()
        (root / "etc/dpkg/dpkg.cfg").write_text(f"# by the administrator\n{where}\n")
        give_shell(root)
        conf = root / "etc/apt/apt.conf"
        conf.write_text(f'{conf.read_text()}DPkg::Options:: "--{where}";\n')
    report = install(root)
    assert states(report) == {"foo": "Failed"}
    assert "dpkg is told to do nothing (" in reason(report, "foo")
    assert where.strip(';"').rpartition('"')[2] in reason(report, "foo")


REFUSED = {
    'DPkg::Options:: "--nosuch";': "dpkg: error: unknown option --nosuch",
    'DPkg::Options:: "--force-help";': "its settings: DPkg::Options --force-help",
    'Dir::Bin::dpkg "/bin/true";': "its settings: Dir::Bin::dpkg /bin/true",
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_keeps_dpkg_from_acting_is_said(tmp_path: Path, option: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)], apt_conf=[option])
    report = install(root)
    assert states(report) == {"foo": "Failed"} and REFUSED[option] in reason(report, "foo")


def test_holds_stay_whatever_apt_is_told(tmp_path: Path) -> None:
    root = tmp_path / "root"
    needing = Deb("foo", NEW, fields={"Depends": f"held (>= {NEW})"})
    conf = ['APT::Ignore-Hold "true";', 'APT::Get::force-yes "true";', 'APT::Get::allow-change-held-packages "true";']
    build_apt(root, installed=[Deb("foo", OLD), Deb("held", OLD)], offered=[needing, Deb("held", NEW)], apt_conf=conf)
    APT.lock(root, "held")
    report = install(root)
    assert APT.versions(root) == {"foo": OLD, "held": OLD}
    assert "held (apt-mark hold)" in reason(report, "held")
