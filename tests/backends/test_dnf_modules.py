# SPDX-License-Identifier: Apache-2.0
"""Streams that need streams of other modules: what counts as an update is what dnf's own module filter lets through."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from support import dnf_root
from support.dnf_root import advisory
from support.rpm_repo import dnf_generation, package

GENERATION = dnf_generation() if shutil.which("dnf") else 4

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]


def build(name, stream, version=1, context="cc01", *, default=False, platform="el8", **requires):
    """One build of a stream, with one package of the module's name."""
    return {
        "name": name,
        "stream": stream,
        "version": version,
        "context": context,
        "platform": platform,
        "default": default,
        "requires": requires,
        "artifacts": [f"{name}-{stream}.{version}-1.{context}.x86_64"],
    }


A_NEEDS_B1 = (build("a", "1", b=["1"]), build("b", "1"), build("b", "2"))
A_IN_TWO_CONTEXTS = (
    build("a", "1", context="cc01", b=["1"]),
    build("a", "1", context="cc02", b=["2"]),
    build("b", "1"),
    build("b", "2"),
)
B2_DEFAULT = build("b", "2", default=True)
CLASH = "enabled-streams-that-exclude-each-other"
CASES = {
    "what-is-needed-is-active": (A_NEEDS_B1, {"a": "1"}, {"a": "1.1", "b": "1.1"}),
    "needed-through-another": (
        (build("a", "1", b=["1"]), build("b", "1", c=["1"]), build("c", "1")),
        {"a": "1"},
        {"a": "1.1", "b": "1.1", "c": "1.1"},
    ),
    "newest-version-of-what-is-needed": (
        (build("a", "1", b=["1"]), build("b", "1", 1), build("b", "1", 2)),
        {"a": "1"},
        {"a": "1.1", "b": "1.2"},
    ),
    CLASH: (
        (*A_NEEDS_B1, build("z", "1")),
        {"a": "1", "b": "2", "z": "1"},
        {"z": "1.1"},
    ),
    "enabled-goes-before-default": (
        (build("a", "1", default=True, b=["1"]), build("b", "1"), build("b", "2")),
        {"b": "2"},
        {"b": "2.1"},
    ),
    "needed-goes-before-default": (
        (build("a", "1", b=["1"]), build("b", "1"), B2_DEFAULT),
        {"a": "1"},
        {"a": "1.1", "b": "1.1"},
    ),
    "needed-by-a-default": (
        (build("a", "1", default=True, b=["1"]), build("b", "1"), build("b", "2")),
        {},
        {"a": "1.1", "b": "1.1"},
    ),
    "disabled": (A_NEEDS_B1, {"a": "1", "b": None}, {}),
    "any-stream": ((build("a", "1", b=[]), build("b", "1"), B2_DEFAULT), {"a": "1"}, {"a": "1.1", "b": "2.1"}),
    "any-but-one": (
        (build("a", "1", b=["-1"]), build("b", "1"), build("b", "2")),
        {"a": "1"},
        {"a": "1.1", "b": "2.1"},
    ),
    "nowhere": ((build("a", "1", b=[]), build("z", "1")), {"a": "1", "z": "1"}, {"z": "1.1"}),
    "newest-version-cannot-be": ((build("a", "1", 1), build("a", "1", 2, b=["1"])), {"a": "1"}, {"a": "1.1"}),
    "another-platform": (
        (build("a", "1", platform="el7"), build("b", "1", platform="-el7")),
        {"a": "1", "b": "1"},
        {"b": "1.1"},
    ),
    "context-by-what-is-enabled": (A_IN_TWO_CONTEXTS, {"a": "1", "b": "2"}, {"a": "1.1-1.cc02", "b": "2.1"}),
    "context-by-default": ((*A_IN_TWO_CONTEXTS[:3], B2_DEFAULT), {"a": "1"}, {"a": "1.1-1.cc02", "b": "2.1"}),
}


def root_with(path, modules, chosen):
    """A root with an old version of each module's package and streams that are enabled, or disabled where None."""
    return dnf_root.build(
        path,
        installed=[f"{name}-0.1-1.x86_64" for name in sorted({module["name"] for module in modules})],
        packages=[artifact for module in modules for artifact in module["artifacts"]],
        updates={"modules": modules},
        enabled_modules={
            name: {"stream": stream} if stream else {"stream": "", "state": "disabled"}
            for name, stream in chosen.items()
        },
    )


@pytest.mark.skipif(GENERATION != 5, reason="dnf 4 goes on with the other streams")
def test_dnf_5_installs_nothing_while_enabled_streams_exclude_each_other(tmp_path):
    modules, chosen, _ = CASES[CLASH]
    root = root_with(tmp_path / "root", modules, chosen)
    report = dnf_root.scan(root)
    assert report["compliance"] != "COMPLIANT"
    words = "modules: could not be read: the enabled streams a:1, b:2 exclude each other"
    assert any(words in warning for warning in report["warnings"]), report["warnings"]
    argv = ["dnf", "-C", "--installroot", str(root), "--releasever", "8", "--assumeno", "upgrade", "z"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode and "Modular dependency problems" in done.stderr


@pytest.mark.parametrize("case", CASES)
def test_streams(tmp_path, case):
    if case == "another-platform" and GENERATION == 5:
        pytest.skip("Debian's dnf 5 finds no module of the platform, so its modules require none")
    if case == CLASH and GENERATION == 5:
        pytest.skip("dnf 5 installs nothing then, see above")
    modules, chosen, expected = CASES[case]
    root = root_with(tmp_path / "root", modules, chosen)
    report = dnf_root.scan(root)
    updates = {
        row["Id"]: row["available_version"].removeprefix("0:")
        for row in report["patches"]
        if row["PatchState"] == "Missing"
    }
    assert updates == what_dnf_would_update(root)
    if case == "any-but-one" and GENERATION == 5:
        # dnf 5 reads an excluded stream as no demand.
        expected = {"a": "1.1", "b": "1.1"}
    assert {id_: version[: len(expected[id_[0]])] for id_, version in updates.items()} == {
        f"{name}.x86_64": version for name, version in expected.items()
    }


NODEJS = {"name": "nodejs", "stream": "5", "requires": {}}
NPM = "npm-1:5.11-1.x86_64"


def base(*packages):
    """A repository without modules, with an advisory for its packages."""
    return {"id": "base", "packages": [package(p) for p in packages], "advisories": [advisory("RHSA-2", *packages)]}


@pytest.mark.parametrize(
    ("builds", "updates"),
    [
        ([{"version": 1, "artifacts": [NPM]}, {"version": 2, "demodularized": ["npm"]}], {"npm"}),
        ([{"version": 1, "artifacts": [NPM], "demodularized": ["npm"]}, {"version": 2}], set()),
        (
            [{"version": 1, "artifacts": [NPM], "demodularized": ["npm"]}, {"version": 2, "requires": {"z": []}}],
            {"npm"},
        ),
    ],
    ids=["left-the-stream", "came-back", "newest-is-inactive"],
)
def test_a_package_that_left_its_stream_is_shown_from_outside(tmp_path, builds, updates):
    """dnf 5 itself hides it."""
    fix = "npm-1:5.12-1.x86_64"
    modules = [{**NODEJS, "artifacts": ["nodejs-5-1.x86_64"], **build} for build in builds]
    root = dnf_root.build(
        tmp_path / "root",
        installed=[NPM],
        packages=[NPM, "nodejs-5-1.x86_64"],
        advisories=[],
        updates={"modules": modules},
        repositories=[base(fix)],
        enabled_modules={"nodejs": {"stream": "5"}},
    )
    report = dnf_root.scan(root)
    shown = {f"{name}.x86_64" for name in updates} if GENERATION == 4 else set()
    assert {row["Id"] for row in report["patches"] if row["PatchState"] == "Missing"} == shown
    assert what_dnf_would_update(root).keys() == shown


@pytest.mark.parametrize("how", ["enabled", "default"])
@pytest.mark.parametrize(("arch", "hidden"), [("aarch64", False), ("s390x", False), ("x86_64", True)])
def test_a_build_for_another_machine_hides_nothing(tmp_path, arch, how, hidden):
    """Mirrors that hold all architectures in one repository list the builds of all."""
    modules = [{**NODEJS, "arch": arch, "default": how == "default", "artifacts": [f"npm-1:5-1.{arch}"]}]
    root = dnf_root.build(
        tmp_path / "root",
        installed=["npm-1:4-1.x86_64"],
        packages=[f"npm-1:5-1.{arch}"],
        advisories=[],
        updates={"modules": modules},
        repositories=[base("npm-1:6-1.x86_64")],
        enabled_modules={"nodejs": {"stream": "5"}} if how == "enabled" else {},
    )
    missing = {row["available_version"] for row in dnf_root.scan(root)["patches"] if row["PatchState"] == "Missing"}
    assert missing == (set() if hidden else {"1:6-1"})
    assert what_dnf_would_update(root) == {"npm.x86_64": "1:5-1" if hidden else "1:6-1"}


@pytest.mark.parametrize(
    ("options", "active"),
    [
        ({}, "z"),
        ({"priority": 200}, "a" if GENERATION == 4 else "z"),
        ({"cost": 2000}, "a" if GENERATION == 4 else "z"),
        ({"priority": 98, "cost": 2000}, "z"),
    ],
)
def test_of_defaults_that_exclude_each_other_the_first_counts(tmp_path, options, active):
    def offering(id_, name, stream, **more):
        modules = [build(name, "1", default=True, k=[stream]), build("k", stream)]
        return {**base(*(one["artifacts"][0] for one in modules)), "id": id_, "modules": modules, **more}

    root = dnf_root.build(
        tmp_path / "root",
        installed=["a-0.1-1.x86_64", "z-0.1-1.x86_64"],
        repositories=[offering("one", "z", "1", **options), offering("two", "a", "2")],
    )
    report = dnf_root.scan(root)
    missing = {row["Id"] for row in report["patches"] if row["PatchState"] == "Missing"}
    assert missing == what_dnf_would_update(root).keys() == {f"{active}.x86_64"}


@pytest.mark.parametrize(
    ("stream", "hidden"), [("5", True), ("6", False), (None, False)], ids=["enabled", "another", "not-enabled"]
)
def test_what_dnf_kept_of_an_enabled_stream_hides_what_it_hid(tmp_path, stream, hidden):
    """dnf 5 keeps nothing, and reads no copies of dnf 4's."""
    hidden = hidden and GENERATION == 4
    root = dnf_root.build(
        tmp_path / "root",
        installed=[NPM],
        repositories=[base("npm-1:6-1.x86_64")],
        enabled_modules={"nodejs": {"stream": stream}} if stream else {},
    )
    dnf_root.keep_fail_safe(root, {**NODEJS, "artifacts": [NPM]})

    report = dnf_root.scan(root)

    assert report["compliance"] == ("COMPLIANT" if hidden else "NON_COMPLIANT")
    assert bool(what_dnf_would_update(root)) is not hidden


@pytest.mark.skipif(GENERATION == 5, reason="dnf 5 reads none")
def test_a_fail_safe_copy_that_cannot_be_read_is_named(tmp_path):
    root = dnf_root.build(
        tmp_path / "root", installed=[NPM], repositories=[base(NPM)], enabled_modules={"nodejs": {"stream": "5"}}
    )
    dnf_root.keep_fail_safe(root, {**NODEJS, "artifacts": [NPM]})
    copy = root / "var/lib/dnf/modulefailsafe/nodejs:5:x86_64.yaml"
    copy.write_text("data: [")

    assert [words for words in dnf_root.scan(root)["warnings"] if str(copy) in words]


def what_dnf_would_update(root):
    argv = ["dnf", "-q", "-C", "--installroot", str(root), "--releasever", "8", "check-update"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, 100)
    # dnf 5 puts a heading above them.
    rows = [line.split() for line in done.stdout.splitlines() if line.strip() and line.strip() != "Upgrades"]
    return {row[0]: row[1] for row in rows}
