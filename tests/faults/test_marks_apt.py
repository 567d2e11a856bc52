# SPDX-License-Identifier: Apache-2.0
"""What apt has marked as automatically installed stays so, whatever happens to an install."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support import apt_root
from support.faults.children import expect_killed, kill_all, run, sleeps, start, wait_for
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, build_apt

pytestmark = pytest.mark.root

NAMES = ("foo", "lib", "plain", "zz")


def apt_mark(root: Path, *words: str) -> list[str]:
    argv = ["apt-mark", *words]
    done = subprocess.run(
        argv, env=apt_root.environment(str(root)), check=True, capture_output=True, text=True, timeout=60
    )
    return sorted(done.stdout.split()) if words[0].startswith("show") else []


def built(root: Path, **scripts: dict[str, str]) -> dict[str, Any]:
    """Four packages with updates, of which two are marked as automatically installed; foo needs the new lib."""
    offered = [
        Deb(
            name,
            NEW,
            fields={"Depends": f"lib (>= {NEW})"} if name == "foo" else {},
            scripts=scripts.get(name, {}),
        )
        for name in NAMES
    ]
    build_apt(root, installed=[Deb(name, OLD) for name in NAMES], offered=offered)
    apt_mark(root, "auto", "lib", "zz")
    assert apt_mark(root, "showauto") == ["lib", "zz"]
    return APT.settings(root)


def install(settings: dict[str, Any]) -> dict[str, Any]:
    return api.install(config.load(minion=settings), caller=quiet_surface(), host=FaultHost())


def assert_marks(root: Path) -> None:
    assert apt_mark(root, "showauto") == ["lib", "zz"]
    assert apt_mark(root, "showmanual") == ["foo", "plain"]
    assert not list(Path(root).rglob("apt-marks.json"))


def test_after_an_install(tmp_path: Path) -> None:
    settings = built(tmp_path / "root")
    report = install(settings)
    assert (report["compliance"], report["changes"].keys()) == ("COMPLIANT", set(NAMES))
    assert_marks(tmp_path / "root")


@pytest.mark.parametrize("failing", ["lib", "plain", "zz"])
@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_after_a_failure_and_the_try_of_the_rest(tmp_path: Path, failing: str, script: str) -> None:
    settings = built(tmp_path / "root", **{failing: {script: "exit 1"}})
    report = install(settings)
    assert report["summary"]["FailedCount"] != "0"
    assert_marks(tmp_path / "root")


def test_after_a_kill_and_the_resume(tmp_path: Path) -> None:
    root = tmp_path / "root"
    settings = built(root, lib={"postinst": "sleep 3"})
    process = start("install", settings)
    wait_for(lambda: sleeps(root), "a package that is being configured")
    kill_all(root)
    process.kill()
    expect_killed(process)
    run("resume", settings)
    assert apt_mark(root, "showauto") == ["lib", "zz"]
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert_marks(root)


def test_what_apt_brings_in_is_marked_by_apt(tmp_path: Path) -> None:
    root = tmp_path / "root"
    offered = [Deb("foo", NEW, fields={"Depends": "fresh"}), Deb("fresh", NEW)]
    build_apt(root, installed=[Deb("foo", OLD)], offered=offered)
    assert install(APT.settings(root))["compliance"] == "COMPLIANT"
    assert apt_mark(root, "showauto") == ["fresh"] and apt_mark(root, "showmanual") == ["foo"]


def test_a_package_that_becomes_transitional_stays_manual(tmp_path: Path) -> None:
    root, fields = tmp_path / "root", {"Section": "oldlibs", "Depends": "bar"}
    moves = 'APT::Move-Autobit-Sections { "oldlibs"; };'
    build_apt(
        root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW, fields=fields), Deb("bar", NEW)], apt_conf=[moves]
    )
    assert install(APT.settings(root))["compliance"] == "COMPLIANT"
    assert "foo" in apt_mark(root, "showmanual")
    assert not list(root.rglob("apt-marks.json"))


PINS = (
    "Package: foo\nPin: release a=*\nPin-Priority: -10\n",
    f"Package: foo\nPin: version {NEW}\nPin-Priority: -1\n",
    'Package: foo\nPin: origin ""\nPin-Priority: -10\n',
    "Package: fo*\nPin: version 2*\nPin-Priority: -10\n",
    "Package: /^fo/\nPin: release a=*\nPin-Priority: -10\n",
    "Package: src:foo\nPin: version *\nPin-Priority: -10\n",
    "Package: foo:any\nPin: version *\nPin-Priority: -10\n",
    "Package: *\nPin: release a=*\nPin-Priority: -10\n",
    "Package: foo\nPin: version 2*\nPin-Priority: 1\n",
    "Package: foo\nPin: version 2*\nPin-Priority: 500\n",
    "Package: bar\nPin: release a=*\nPin-Priority: -10\n",
)


@pytest.mark.parametrize("pin", PINS)
def test_a_version_below_zero_is_no_candidate(tmp_path: Path, pin: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    (root / "etc/apt/preferences").write_text(pin)
    report = install(APT.settings(root))
    argv = ["apt-cache", "policy", "foo"]
    done = subprocess.run(
        argv, env=apt_root.environment(str(root)), check=True, capture_output=True, text=True, timeout=60
    )
    candidate = next(line.split()[1] for line in done.stdout.splitlines() if "Candidate:" in line)
    assert APT.versions(root)["foo"] == (candidate if candidate != "(none)" else OLD)
    assert report["compliance"] == "COMPLIANT"
    assert [row["PatchState"] for row in report["patches"] if row["Id"] == f"foo.{ARCHITECTURE}"] != ["Missing"]
