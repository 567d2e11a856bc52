# SPDX-License-Identifier: Apache-2.0
"""Indexes and preferences as they are in the field, from the scan to the install and the scan after it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.host import CommandResult
from support import apt_root
from support.faults.debs import ARCHITECTURE, Deb, Signer, write_release
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt

pytestmark = pytest.mark.root


def scan(root: Path, **more: Any) -> dict[str, Any]:
    settings = config.load(minion=APT.settings(root))
    return api.scan(settings, caller=quiet_surface(), host=FaultHost(), **more)


def scan_with(root: Path, **baseline: Any) -> dict[str, Any]:
    given = APT.settings(root)
    settings = config.load(minion={**given, "baseline": {**given["baseline"], **baseline}})
    return api.scan(settings, caller=quiet_surface(), host=FaultHost())


def install(root: Path) -> dict[str, Any]:
    return api.install(config.load(minion=APT.settings(root)), caller=quiet_surface(), host=FaultHost())


def plan(root: Path) -> dict[str, Any]:
    return api.plan(config.load(minion=APT.settings(root)), caller=quiet_surface(), host=FaultHost())


def rewrite_index(root: Path, change: Callable[[str], str]) -> None:
    """Change the text of the security repository's index."""
    dist = root / REPOSITORIES / "security/dists/stable-security"
    index = dist / f"main/binary-{ARCHITECTURE}/Packages"
    index.write_text(change(index.read_text()))
    write_release(dist)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "capitals": lambda text: text.replace("Package: foo", "Package: Foo"),
    "an epoch of 0": lambda text: text.replace(f"Version: {NEW}", f"Version: 0:{NEW}"),
    "lower case, no blanks": lambda text: re.sub(
        "^(Package|Version): ", lambda m: f"{m[1].lower()}:", text, flags=re.M
    ),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "old relations": lambda text: text.replace("(>= 0.5)", "(> 0.5)"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_update_in_another_spelling_is_seen_and_installed_once(tmp_path: Path, name: str) -> None:
    root, fields = tmp_path / "root", {"Depends": "dep (>= 0.5)"}
    installed = [Deb("dep", OLD), Deb("foo", OLD, fields=fields)]
    build_apt(root, installed=installed, offered=[Deb("foo", NEW, fields=fields), Deb("dep", OLD)])
    rewrite_index(root, SPELLINGS[name])
    report = scan(root)
    assert [row["Id"] for row in report["patches"] if row["PatchState"] == "Missing"] == [f"foo.{ARCHITECTURE}"]
    assert install(root)["summary"]["FailedCount"] == "0"
    assert APT.versions(root)["foo"] == NEW
    assert (scan(root)["compliance"], scan(root)["warnings"]) == ("COMPLIANT", [])


@pytest.mark.parametrize("line", ["Version: ", "Package: ", "Version: 3.0_1"])
def test_a_paragraph_that_is_no_package_is_not_passed_over(tmp_path: Path, line: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD), Deb("foo", NEW)])
    name = line.partition(":")[0]
    rewrite_index(root, lambda text: re.sub(f"^{name}: {'foo' if name == 'Package' else NEW}$", line, text, flags=re.M))
    report = scan(root)
    assert report["compliance"] == "UNKNOWN"
    assert any("stable-security" in text for text in report["warnings"]), report["warnings"]


@pytest.mark.parametrize("junk", [f"\n(Version: {NEW})", "\n()(?=\n)"])
def test_a_line_that_is_no_field_is_read_as_apt_reads_it_and_named(tmp_path: Path, junk: str) -> None:
    """apt takes it and the lines up to the next colon for the name of a field, beyond the paragraph's end too."""
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD), Deb("lib", OLD)], offered=[Deb("foo", NEW), Deb("lib", NEW)])
    rewrite_index(root, lambda text: re.sub(junk, r"\nno field\n\1", text, count=1))
    report = scan(root)
    missing = {row["Id"].partition(".")[0] for row in report["patches"] if row["PatchState"] == "Missing"}
    policy = ["apt-cache", "policy", "foo", "lib"]
    done = subprocess.run(policy, env=apt_root.environment(str(root)), capture_output=True, text=True, timeout=60)
    assert missing == set(re.findall(f"^(\\S+):\n  Installed: .*\n  Candidate: {NEW}$", done.stdout, re.M))
    assert report["compliance"] != "COMPLIANT"
    assert [w for w in report["warnings"] if "is damaged: its line 'no field' is no field" in w], report["warnings"]


def test_an_odd_version_of_a_package_that_is_not_installed_is_a_warning(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD), Deb("other", NEW)])
    rewrite_index(root, lambda text: text.replace(f"Version: {NEW}", "Version: 3.0_1"))
    report = scan(root)
    assert report["compliance"] == "COMPLIANT"
    assert any("other 3.0_1" in text for text in report["warnings"]), report["warnings"]


@pytest.mark.parametrize(
    "pin",
    [
        "Package: *\nPin: release a=now\nPin-Priority: 600\n",
        f"Package: foo\nPin: version {OLD}\nPin-Priority: 1001\n",
        f"Package: foo\nPin: version {NEW}\nPin-Priority: 99\n",
        "package:foo\npin:release *\npin-priority:-1\n",
    ],
)
def test_what_a_pin_keeps_out_is_not_installed(tmp_path: Path, pin: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    (root / "etc/apt/preferences").write_text(pin)
    assert scan(root)["summary"]["MissingCount"] == "0"
    install(root)
    assert APT.versions(root) == {"foo": OLD}


@pytest.mark.parametrize(("name", "read"), [("50:foo", True), ("a.b.pref", True), (".foo", False), ("foo.bak", False)])
def test_a_pin_counts_in_the_files_that_apt_reads(tmp_path: Path, name: str, read: bool) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    pin = f"Package: foo\nPin: version {NEW}\nPin-Priority: -1\n"
    (root / "etc/apt/preferences.d" / name).write_text(pin)
    assert scan(root)["summary"]["MissingCount"] == ("0" if read else "1")


def test_a_pinned_downgrade_is_not_done_and_nothing_else_is_installed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", "1.5")], offered=[Deb("foo", OLD), Deb("foo", NEW)])
    (root / "etc/apt/preferences").write_text(f"Package: foo\nPin: version {OLD}\nPin-Priority: 1001\n")
    assert scan(root)["summary"]["MissingCount"] == "0"
    install(root)
    assert APT.versions(root) == {"foo": "1.5"}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("refresh", [True, False])
def test_a_component_that_the_repository_does_not_have_is_named(tmp_path: Path, refresh: bool) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    edit(root / "etc/apt/sources.list", " main", " main mian")
    scan(root)
    report = scan(root, refresh=refresh)
    assert report["compliance"] == "UNKNOWN"
    named = [text for text in report["warnings"] if "stable-security" in text and "no component 'mian'" in text]
    assert len(named) == 1, report["warnings"]


@pytest.mark.parametrize("components", ["main contrib", "updates/main updates/contrib"])
def test_a_component_without_an_index_is_none_to_read(tmp_path: Path, components: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    release = root / REPOSITORIES / "security/dists/stable-security/Release"
    edit(release, "Components: main", f"Components: {components}")
    edit(root / "etc/apt/sources.list", " main", " main contrib")
    assert (scan(root)["compliance"], scan(root)["warnings"]) == ("COMPLIANT", [])


def test_an_architecture_that_the_repository_does_not_have_is_none_to_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    edit(root / "etc/apt/apt.conf", "APT::Architectures { ", 'APT::Architectures { "riscv64"; ')
    assert (scan(root)["compliance"], scan(root)["warnings"]) == ("COMPLIANT", [])


def test_a_hold_is_named_with_its_tool(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    APT.lock(root, "foo")
    (row,) = (row for row in scan(root)["patches"] if row["PatchState"] == "Missing")
    assert "held (apt-mark hold)" in row["reason"]


class LimitingHost(FaultHost):
    """A machine whose apt, of version 3.1 or later, takes only some packages of its sources."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        """Run a command; the description of an index gets a further line."""
        result = super().run(argv, **more)
        if "indextargets" not in argv:
            return result
        return replace(result, stdout=result.stdout.replace("Created-By: ", f"{self.line}\nCreated-By: "))


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("Exclude: foo", {"bar"}),
        ("Exclude: foo bar", set()),
        ("Include: foo", {"foo"}),
        ("Exclude: fo* Bar", {"foo", "bar"}),
        ("Exclude: foo\n bar", {"foo"}),
    ],
)
def test_what_the_sources_exclude_is_no_update(tmp_path: Path, line: str, missing: set[str]) -> None:
    root, names = tmp_path / "root", ("foo", "bar")
    build_apt(root, installed=[Deb(name, OLD) for name in names], offered=[Deb(name, NEW) for name in names])
    settings, host = config.load(minion=APT.settings(root)), LimitingHost(line)
    subprocess.run(["apt-get", "-qq", "update"], env=apt_root.environment(str(root)), check=True, timeout=60)
    report = api.scan(settings, caller=quiet_surface(), host=host, refresh=False)
    assert {row["Id"].partition(".")[0] for row in report["patches"] if row["PatchState"] == "Missing"} == missing


def publish(root: Path, key: Signer, options: str, version: str) -> Path:
    """Let the security repository have another version of foo, and sign it; return its directory."""
    place = root / REPOSITORIES / "security"
    rewrite_index(root, lambda text: re.sub("^Version: .*$", f"Version: {version}", text, flags=re.M))
    key.sign(place / "dists/stable-security")
    (root / "etc/apt/sources.list").write_text(f"deb [{options}] file:{place} stable-security main\n")
    return place / "dists/stable-security"


def test_a_signature_that_the_sources_do_not_ask_for_is_a_warning(tmp_path: Path, key: Signer) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    publish(root, key, "trusted=yes", OLD)
    for version, missing in ((OLD, "0"), (NEW, "1"), (OLD, "0")):
        publish(root, key, "trusted=yes", version)
        report = scan(root)
        assert report["summary"]["MissingCount"] == missing
        assert report["compliance"] == ("NON_COMPLIANT" if version == NEW else "COMPLIANT")
        assert any("NO_PUBKEY" in text for text in report["warnings"]), report["warnings"]


def test_a_signature_that_is_wrong_is_no_update(tmp_path: Path, key: Signer) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    options = f"trusted=yes signed-by={key.keyring}"
    publish(root, key, options, OLD)
    assert (scan(root)["compliance"], scan(root)["warnings"]) == ("COMPLIANT", [])
    edit(publish(root, key, options, OLD) / "InRelease", "Label: Debian", "Label: Nobian")
    assert scan(root)["compliance"] == "UNKNOWN"


ON_OLDER = "kept out by a pin on an older version (priority {}, here 500)"
PINS = {
    "Package: foo\nPin: release *\nPin-Priority: -10\n": "kept out by a pin (priority -10)",
    "Package: *\nPin: release a=now\nPin-Priority: 600\n": ON_OLDER.format(600),
    f"Package: foo\nPin: version {OLD}\nPin-Priority: 1001\n": ON_OLDER.format(1001),
    "Package: *\nPin: release l=Debian-Security\nPin-Priority: 50\n": "kept out by a pin (priority 50)",
}


@pytest.mark.parametrize("pin", PINS)
def test_what_a_pin_keeps_out_is_named(tmp_path: Path, pin: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    (root / "etc/apt/preferences").write_text(pin)
    report = scan(root)
    (row,) = report["patches"]
    assert (row["PatchState"], row["Status"]) == ("InstalledOther", "COMPLIANT")
    assert f"{NEW} is approved, but {PINS[pin]}" in row["reason"]
    (warning,) = report["warnings"]
    assert (
        warning.startswith("1 approved security update does not count") and f"foo.{ARCHITECTURE} {PINS[pin]}" in warning
    )
    assert warning in plan(root)["warnings"]
    (found,) = api.explain(config.load(minion=APT.settings(root)), caller=quiet_surface(), host=FaultHost(), name="foo")
    assert found["versions"][-1]["version"] == NEW and found["versions"][-1]["kept_out"] == PINS[pin]


def test_pinned_security_updates_are_one_warning(tmp_path: Path) -> None:
    root, names = tmp_path / "root", [f"p{number:02}" for number in range(12)]
    build_apt(root, installed=[Deb(name, OLD) for name in names], offered=[Deb(name, NEW) for name in names])
    pins = ("Package: *\nPin: release *\nPin-Priority: -5\n", "Package: p03\nPin: release *\nPin-Priority: -1\n")
    (root / "etc/apt/preferences").write_text("\n".join(pins))
    (warning,) = scan(root)["warnings"]
    assert warning.startswith("12 approved security updates do not count as missing")
    assert f"p03.{ARCHITECTURE} kept out by a pin (priority -1); p00.{ARCHITECTURE}, p01.{ARCHITECTURE}" in warning
    assert f"p09.{ARCHITECTURE} kept out by a pin (priority -5); 2 more; " in warning
    assert not scan_with(root, rejectedPatches=["p*"])["warnings"]


#: Pins, more of the repository that has the update, and whether there is a warning.
KEPT_OUT: dict[str, tuple[str, dict[str, str], bool]] = {
    "backports": ("Package: *\nPin: release a=stable-backports\nPin-Priority: 100\n", {}, False),
    "security": ("Package: *\nPin: release a=stable-security\nPin-Priority: 100\n", {"suite": "stable-security"}, True),
    "a default release": ('APT::Default-Release "stable";\n', {"suite": "stable-security"}, True),
    "a newer one": ("Package: foo\nPin: version 1.5\nPin-Priority: -1\n", {"suite": "stable-security"}, False),
}


@pytest.mark.parametrize("case", KEPT_OUT)
def test_a_pin_is_a_warning_where_it_keeps_a_security_update_out(tmp_path: Path, case: str) -> None:
    root, (pin, more, warned) = tmp_path / "root", KEPT_OUT[case]
    versions = ["1.5", "2.0"] if case == "a newer one" else ["2.0"]
    offered = [apt_root.package("foo", version) for version in versions]
    installed = [apt_root.package("foo", "1.0")]
    repositories = [
        {"id": "stable", "suite": "stable", "packages": installed},
        {"id": "other", "suite": "stable-backports", "packages": offered, **more},
    ]
    conf = [pin] if pin.startswith("APT::") else []
    apt_root.build({"installed": installed, "repositories": repositories, "apt_conf": conf}, str(root))
    (root / "etc/apt/preferences").write_text("" if conf else pin)
    rule = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}, "enableNonSecurity": True}
    report = scan_with(root, approvalRules={"rules": [rule]})
    assert len(report["warnings"]) == warned, report["warnings"]


def test_the_highest_version_that_no_pin_keeps_out_is_the_update(tmp_path: Path) -> None:
    root = tmp_path / "root"
    offered = [Deb("foo", version) for version in (OLD, NEW, "3.0")]
    build_apt(root, installed=[Deb("foo", OLD)], offered=offered)
    (root / "etc/apt/preferences").write_text("Package: foo\nPin: version 3*\nPin-Priority: -1\n")
    (row,) = scan(root)["patches"]
    assert row["Title"].endswith(f":{NEW}") and "3.0 is approved, but kept out by a pin (priority -1)" in row["reason"]
    assert install(root)["summary"]["FailedCount"] == "0"
    assert APT.versions(root) == {"foo": NEW}


def test_a_forbidden_package_that_is_not_installed_is_explained(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("snapd", NEW)])
    (root / "etc/apt/preferences").write_text("Package: snapd\nPin: release a=*\nPin-Priority: -10\n")
    scan(root)
    settings = config.load(minion=APT.settings(root))
    (found,) = api.explain(settings, caller=quiet_surface(), host=FaultHost(), name="snapd")
    assert [version["kept_out"] for version in found["versions"]] == ["kept out by a pin (priority -10)"]


def test_a_build_that_apt_offers_for_ever_is_installed_once(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", NEW)], offered=[Deb("foo", NEW, fields={"Installed-Size": "7"})])
    rewrite_index(root, lambda text: text.replace("Installed-Size: 7", "Installed-Size: 8"))
    (row,) = scan(root)["patches"]
    assert row["PatchState"] == "Missing"
    install(root)
    for report in (scan(root), scan(root, refresh=False)):
        (row,) = report["patches"]
        assert (row["PatchState"], report["compliance"]) == ("Installed", "COMPLIANT")
        assert f"{NEW} is approved, but it was installed already, and apt offers it again" in row["reason"]
    assert not install(root)["changes"]
    rewrite_index(root, lambda text: text.replace("Installed-Size: 8", "Installed-Size: 9"))
    (row,) = scan(root)["patches"]
    assert row["PatchState"] == "Missing"
