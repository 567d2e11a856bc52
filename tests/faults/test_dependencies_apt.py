# SPDX-License-Identifier: Apache-2.0
"""What an update needs comes in the version that it needs; what is merely recommended does not come."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support import apt_root
from support.apt_root import package
from support.faults.debs import ARCHITECTURE
from support.faults.managers import APT
from support.operations import Operations, rows, states

pytestmark = pytest.mark.root

RULE = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}}


def baseline(**more: Any) -> dict[str, Any]:
    return {"operatingSystem": "DEBIAN", "approvalRules": {"rules": [RULE]}, **more}


def operations(root: Path) -> Operations:
    more = {"state_dir": str(root / "state"), "aws_dir": str(root / "aws"), "reboot": {"option": "RebootIfRequired"}}
    return Operations({**APT.settings(root), **more})


def pkg(name: str, version: str, **more: Any) -> dict[str, Any]:
    return package(name, version, **{"arch": ARCHITECTURE, **more})


def make(
    root: Path,
    *,
    installed: Sequence[Mapping[str, Any]],
    sec: Sequence[Mapping[str, Any]],
    upd: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> None:
    """A root whose security archive has some packages, and whose archive of updates has newer ones."""
    security = {"id": "sec", "suite": "stable-security", "label": "Debian-Security", "packages": list(sec)}
    updates = {"id": "upd", "suite": "stable-updates", "packages": list(upd)}
    case = {"installed": list(installed), "repositories": [security, updates], "real_debs": True}
    apt_root.build({"architectures": [ARCHITECTURE], **case, **more}, str(root))


def versions(root: Path) -> dict[str, str]:
    return APT.versions(root)


def marked(root: Path) -> list[str]:
    env = apt_root.environment(str(root))
    done = subprocess.run(["apt-mark", "showauto"], env=env, check=True, capture_output=True, text=True, timeout=60)
    return sorted(done.stdout.split())


FOO = [pkg("foo", "1.2", depends="foo-common (= 1.2)"), pkg("foo-common", "1.2")]
NEWER = [pkg("foo", "1.3", depends="foo-common (= 1.3)"), pkg("foo-common", "1.3")]


def test_a_new_dependency_comes_in_the_version_that_is_needed(tmp_path: Path) -> None:
    make(tmp_path / "root", installed=[pkg("foo", "1.0")], sec=FOO, upd=NEWER)
    root, run = tmp_path / "root", operations(tmp_path / "root")
    plan = run.plan(root)
    assert plan["blocked"] == []
    assert plan["changes"] == {"foo": {"old": "1.0", "new": "1.2"}, "foo-common": {"old": "", "new": "1.2"}}
    report = run.install(root)
    assert (report["compliance"], report["changes"]) == ("COMPLIANT", plan["changes"])
    assert marked(root) == ["foo-common"]


@pytest.mark.parametrize("auto", [True, False])
def test_an_installed_dependency_that_is_not_approved_comes_along(tmp_path: Path, auto: bool) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    installed = [pkg("foo", "1.0", depends="foo-common"), pkg("foo-common", "1.0", auto=auto)]
    make(root, installed=installed, sec=FOO, upd=NEWER)
    rejected = baseline(rejectedPatches=["foo-common"], rejectedPatchesAction="ALLOW_AS_DEPENDENCY")
    assert run.install(root, baseline=rejected)["compliance"] == "COMPLIANT"
    assert versions(root) == {"foo": "1.2", "foo-common": "1.2"}
    assert marked(root) == (["foo-common"] if auto else [])


def test_a_dependency_outside_of_the_frozen_set_comes_along(tmp_path: Path) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    make(root, installed=[pkg("foo", "1.0", depends="foo-common"), pkg("foo-common", "1.0")], sec=[*FOO, *NEWER])
    frozen = {"ssmpatch_frozen": 1, "operating_system": "DEBIAN", "packages": {f"foo.{ARCHITECTURE}": "1.2"}}
    run.install(root, frozen=frozen)
    assert versions(root) == {"foo": "1.2", "foo-common": "1.2"}


def test_a_frozen_document_has_what_the_updates_bring_in(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    make(first, installed=[pkg("foo", "1.0"), pkg("bar", "1.0")], sec=FOO)
    document = operations(first).freeze(first)
    assert document["packages"] == {
        f"{name}.{ARCHITECTURE}": version for name, version in {"foo": "1.2", "bar": "1.0", "foo-common": "1.2"}.items()
    }
    installed = [pkg("foo", "1.0", depends="foo-common"), pkg("foo-common", "1.0")]
    make(second, installed=installed, sec=[*FOO, *NEWER])
    report = operations(second).install(second, frozen=document)
    assert versions(second) == {"foo": "1.2", "foo-common": "1.2"}
    assert report["frozen_compliance"] == "COMPLIANT"


@pytest.mark.parametrize(
    ("kept", "words"),
    [("hold", "foo-common"), ("reject", "rejected by the rejected list: foo-common"), ("pin", "foo-common")],
)
def test_a_dependency_that_may_not_come_keeps_the_update_out(tmp_path: Path, kept: str, words: str) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    hold = {"status": "hold ok installed"} if kept == "hold" else {}
    installed = [pkg("foo", "1.0", depends="foo-common"), pkg("foo-common", "1.0", **hold), pkg("other", "1.0")]
    pin = [{"package": "foo-common", "pin": "version 1.2", "priority": -1}] if kept == "pin" else []
    make(root, installed=installed, sec=[*FOO, pkg("other", "1.1")], upd=NEWER, preferences=pin)
    more = {"rejectedPatches": ["foo-common"], "rejectedPatchesAction": "BLOCK"} if kept == "reject" else {}
    report = run.install(root, baseline=baseline(**more))
    assert versions(root) == {"foo": "1.0", "foo-common": "1.0", "other": "1.1"}
    assert words in rows(report)[f"foo.{ARCHITECTURE}"]["reason"]
    assert states(report)[f"foo.{ARCHITECTURE}"] == "Failed"


def test_a_library_of_two_architectures_comes_in_one_version(tmp_path: Path) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")

    def lib(version: str) -> list[dict[str, Any]]:
        return [package("lib", version, arch=arch, multi_arch="same", auto=True) for arch in ("amd64", "i386")]

    installed = [pkg("foo", "1.0", depends="lib"), *lib("1.0")]
    sec = [pkg("foo", "1.2", depends="lib (= 1.2)"), *lib("1.2")]
    make(root, installed=installed, sec=sec, upd=lib("1.3"), architectures=["amd64", "i386"])
    rejected = baseline(rejectedPatches=["lib"], rejectedPatchesAction="ALLOW_AS_DEPENDENCY")
    report = run.install(root, baseline=rejected)
    assert report["compliance"] == "COMPLIANT"
    brought = {"old": "1.0", "new": "1.2"}
    assert report["changes"] == dict.fromkeys(("foo", "lib.amd64", "lib.i386"), brought)
    assert marked(root) == ["lib", "lib:i386"]


def chain(version: str) -> list[dict[str, Any]]:
    """foo needs lib and data, lib needs base: all of one source."""
    return [
        pkg("foo", version, depends=f"lib (= {version}), data (>= {version}), data (<< {version}.1)"),
        pkg("lib", version, pre_depends=f"base (= {version})"),
        pkg("data", version),
        pkg("base", version),
    ]


@pytest.mark.parametrize("present", [[], ["lib"], ["lib", "base"], ["lib", "data", "base"]])
def test_what_dependencies_need_comes_too(tmp_path: Path, present: list[str]) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    installed = [pkg(name, "1.0", auto=name != "foo") for name in ("foo", *present)]
    make(root, installed=installed, sec=[chain("1.2")[0]], upd=[*chain("1.2")[1:], *chain("1.3")])
    assert run.install(root)["compliance"] == "COMPLIANT"
    assert versions(root) == dict.fromkeys(("foo", "lib", "data", "base"), "1.2")
    assert marked(root) == ["base", "data", "lib"]


def test_an_installed_package_that_would_break_comes_along(tmp_path: Path) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    installed = [pkg("foo", "1.0", depends="foo-common (= 1.0)"), pkg("foo-common", "1.0")]
    make(root, installed=installed, sec=[pkg("foo-common", "1.2")], upd=[FOO[0], *NEWER])
    assert run.install(root)["compliance"] == "COMPLIANT"
    assert versions(root) == {"foo": "1.2", "foo-common": "1.2"}


def test_what_an_update_breaks_is_updated(tmp_path: Path) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    bar = [pkg("bar", version, depends=f"foo (= {version})") for version in ("1.2", "1.3")]
    sec = [pkg("foo", "1.2", breaks="bar (<< 1.2)")]
    make(root, installed=[pkg("foo", "1.0"), pkg("bar", "1.0")], sec=sec, upd=[pkg("foo", "1.3"), *bar])
    assert run.install(root)["compliance"] == "COMPLIANT"
    assert versions(root) == {"foo": "1.2", "bar": "1.2"}


def test_what_cannot_be_said_does_not_keep_the_rest_out(tmp_path: Path) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    lost = pkg("lost", "1.2", depends="foo-common (= 1.1)")
    make(root, installed=[pkg("foo", "1.0"), pkg("lost", "1.0")], sec=[*FOO, lost], upd=NEWER)
    report = run.install(root)
    assert versions(root) == {"foo": "1.2", "foo-common": "1.2", "lost": "1.0"}
    assert "foo-common (= 1.1)" in rows(report)[f"lost.{ARCHITECTURE}"]["reason"]


# --- recommended packages ------------------------------------------------------------------------

RECOMMENDING = [
    pkg("foo", "1.2", recommends="extra", suggests="hint", depends="needed"),
    *(pkg(name, "1.0") for name in ("extra", "hint", "needed")),
]


@pytest.mark.parametrize(
    "conf",
    [
        [],
        ['APT::Install-Recommends "false";'],
        ['// APT::Install-Recommends "true";'],
        ['APT::Install-Suggests "true";'],
    ],
)
def test_what_is_merely_recommended_does_not_come(tmp_path: Path, conf: list[str]) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    make(root, installed=[pkg("foo", "1.0")], sec=RECOMMENDING, apt_conf=conf)
    plan = run.plan(root)
    assert plan["changes"].keys() == {"foo", "needed"}
    run.install(root)
    assert versions(root) == {"foo": "1.2", "needed": "1.0"}


#: Files of a directory that apt reads, and whether they ask for recommended packages.
CONFIGURATIONS = {
    ("99x.conf", 'APT::Install-Recommends "1";'): True,
    ("99x", 'Acquire::http::Proxy "http://p:1/"; APT::Install-Recommends "1";'): True,
    ("99x", '#include "{root}/more.conf";'): True,
    ("99x", 'Binary::apt-get::APT::Install-Recommends "true";'): True,
    ("99x.dpkg-old", 'APT::Install-Recommends "1";'): False,
    ("99x.bak", 'APT::Install-Recommends "true";'): False,
    (".99x", 'APT::Install-Recommends "true";'): False,
    ("99x", '/* no\nAPT::Install-Recommends "1";\n*/'): False,
    ("99x", 'APT::Install-Recommends "true";\n#clear APT::Install-Recommends;'): False,
    ("99x", 'Other::Install-Recommends "true";'): False,
    ("99x", 'APT::Note "APT::Install-Recommends 1";'): False,
}


@pytest.mark.parametrize("given", CONFIGURATIONS)
def test_apt_itself_says_whether_recommended_packages_are_asked_for(tmp_path: Path, given: tuple[str, str]) -> None:
    root, (name, text) = tmp_path / "root", given
    make(root, installed=[pkg("foo", "1.0")], sec=RECOMMENDING)
    (root / "more.conf").write_text('APT::Install-Recommends "true";\n')
    (root / "etc/apt/apt.conf.d" / name).write_text(f"{text.replace('{root}', str(root))}\n")
    assert ("extra" in operations(root).plan(root)["changes"]) == CONFIGURATIONS[given]


@pytest.mark.parametrize("conf", ['APT::Install-Recommends "true";', 'APT { Install-Recommends "1"; };'])
def test_what_the_administrator_wants_recommended_comes_and_is_called_so(tmp_path: Path, conf: str) -> None:
    root, run = tmp_path / "root", operations(tmp_path / "root")
    make(root, installed=[pkg("foo", "1.0")], sec=RECOMMENDING, apt_conf=[conf])
    plan = run.plan(root)
    reasons = {change["name"]: change["reason"] for change in plan["packages"]}
    assert reasons["extra"] == "recommended by an approved update"
    assert reasons["needed"] == "needed by an approved update"
    run.install(root)
    assert versions(root) == {"foo": "1.2", "needed": "1.0", "extra": "1.0"}
    assert marked(root) == ["extra", "needed"]


LOOPS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "conflicts": (
        [pkg("foo", "1", conflicts=["virtual"]), pkg("bar", "1")],
        [
            pkg("foo", "2", depends=["bar (>= 2)"], provides=["virtual"], conflicts=["bar (<< 2)"]),
            pkg("bar", "2", provides=["virtual"]),
        ],
        "conflicts violated",
    ),
    "needs before": (
        [pkg("foo", "1"), pkg("bar", "1")],
        [pkg("foo", "2", pre_depends=["bar (>= 2)"]), pkg("bar", "2", pre_depends=["foo (>= 2)"])],
        "onfigure",
    ),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_plan_says_that_apt_finds_no_order(tmp_path: Path, loop: str) -> None:
    root, (installed, offered, words) = tmp_path / "root", LOOPS[loop]
    make(root, installed=installed, sec=offered)
    (warning,) = operations(root).plan(root)["warnings"]
    assert "apt-get finds no order in which all of this can be installed in one run" in warning and words in warning
    report = operations(root).install(root)
    assert states(report) == {f"{name}.{ARCHITECTURE}": "Failed" for name in ("foo", "bar")}
    assert warning in report["warnings"]
    assert versions(root) == {"foo": "1", "bar": "1"}
