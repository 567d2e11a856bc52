# SPDX-License-Identifier: Apache-2.0
"""Words in apt's sources that hide a repository without an error of apt: said, and never COMPLIANT."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support import apt_root
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt

pytestmark = pytest.mark.root

FOREIGN = "s390x"
NO_ARCHITECTURE = f"has no architecture {{}}, and its packages for {ARCHITECTURE} are not read: misspelt"
NO_PACKAGES = "the sources ask for no packages of it: are its Architectures and Targets misspelt there?"

#: Options of a line, the fields of a stanza for the same, and what is said; nothing where nothing is hidden.
OPTIONS = {
    "arch=amd46": ("Architectures: amd46", NO_ARCHITECTURE.format("'amd46'")),
    "arch=amd46,arm46": ("Architectures: amd46 arm46", NO_ARCHITECTURE.format("'amd46', 'arm46'")),
    "arch=any": ("Architectures: any", NO_ARCHITECTURE.format("'any'")),
    f"arch=amd46 arch+={FOREIGN}": (f"Architectures: amd46\nArchitectures-Add: {FOREIGN}", "'amd46'"),
    f"arch=all arch+={FOREIGN}": (
        f"Architectures: all\nArchitectures-Add: {FOREIGN}",
        NO_ARCHITECTURE.format(repr(FOREIGN)),
    ),
    "arch=all": ("Architectures: all", NO_PACKAGES),
    f"arch-={ARCHITECTURE}": (f"Architectures-Remove: {ARCHITECTURE}", NO_PACKAGES),
    "target=Packges": ("Targets: Packges", NO_PACKAGES),
    "target-=Packages": ("Targets-Remove: Packages", NO_PACKAGES),
    f"arch={ARCHITECTURE},{FOREIGN}": (f"Architectures: {ARCHITECTURE} {FOREIGN}", ""),
    "arch+=amd46": ("Architectures-Add: amd46", ""),
    "arch-=amd46": ("Architectures-Remove: amd46", ""),
    "lang=xx": ("Languages: xx", ""),
    "archs=amd46": ("Architecture: amd46", ""),
}


def scan(root: Path, **more: Any) -> dict[str, Any]:
    settings = config.load(minion=APT.settings(root))
    return api.scan(settings, caller=quiet_surface(), host=FaultHost(), **more)


def build(root: Path) -> str:
    """A root with a repository that is never hidden, and the address of one that has an update of foo."""
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    build_apt(root.with_name("other"), installed=[Deb("foo", OLD)], offered=[Deb("foo", NEW)])
    place = root / REPOSITORIES / "update"
    (root.with_name("other") / REPOSITORIES / "security").rename(place)
    return f"file:{place}"


def check(root: Path, words: str) -> None:
    for refresh in (True, False):
        report = scan(root, refresh=refresh)
        assert report["compliance"] == ("UNKNOWN" if words else "NON_COMPLIANT"), report["warnings"]
        assert [text for text in report["warnings"] if words in text and "update stable-security" in text] or not words
        assert bool(report["warnings"]) == bool(words), report["warnings"]


@pytest.mark.parametrize("options", OPTIONS)
def test_options_that_hide_a_repository(tmp_path: Path, options: str) -> None:
    uri = build(root := tmp_path / "root")
    fields, words = OPTIONS[options]
    more = root / "etc/apt/sources.list.d"
    (more / "x.list").write_text(f"deb [trusted=yes {options}] {uri} stable-security main\n")
    check(root, words)
    (more / "x.list").unlink()
    stanza = f"Types: deb\nURIs: {uri}\nSuites: stable-security\nComponents: main\nTrusted: yes\n{fields}\n"
    (more / "x.sources").write_text(stanza)
    check(root, words)


def test_a_repository_that_has_not_all_architectures_of_a_host(tmp_path: Path) -> None:
    uri = build(root := tmp_path / "root")
    with (root / "etc/apt/apt.conf").open("a") as handle:
        handle.write(f'APT::Architectures {{ "{ARCHITECTURE}"; "{FOREIGN}"; }};\n')
    (root / "etc/apt/sources.list.d/x.list").write_text(f"deb [trusted=yes] {uri} stable-security main\n")
    check(root, "")
    (root / "etc/apt/sources.list.d/x.list").write_text(
        f"deb [trusted=yes arch={ARCHITECTURE},amd46] {uri} stable-security main\n"
    )
    check(root, "")


@pytest.mark.parametrize("fields", ["", "Architectures: .*\n", "Components: .*\n"])
def test_a_flat_repository_without_an_index(tmp_path: Path, fields: str) -> None:
    uri = build(root := tmp_path / "root")
    release = root / REPOSITORIES / "update/dists/stable-security/Release"
    release.write_text(re.sub(fields, "", release.read_text()))
    (root / "etc/apt/sources.list.d/x.list").write_text(f"deb [trusted=yes] {uri} dists/stable-security/\n")
    report = scan(root)
    assert report["compliance"] == "UNKNOWN"
    assert any("the repository has no index Packages: misspelt" in text for text in report["warnings"])


def test_sources_without_packages_hide_nothing(tmp_path: Path) -> None:
    uri = build(root := tmp_path / "root")
    (root / "etc/apt/sources.list.d/x.list").write_text(f"deb-src [trusted=yes] {uri} stable-security main\n")
    report = scan(root)
    assert (report["compliance"], report["warnings"]) == ("COMPLIANT", [])


NAMES = {"x.source": True, "my repo.sources": True, "X.LIST": True, "x.sources.bak": False, "x.list.disabled": False}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_sources_that_apt_ignores_for_its_name(tmp_path: Path, name: str) -> None:
    uri = build(root := tmp_path / "root")
    (root / "etc/apt/sources.list.d" / name).write_text(f"deb [trusted=yes] {uri} stable-security main\n")
    report = scan(root)
    assert report["compliance"] == "COMPLIANT"
    assert len(report["warnings"]) == NAMES[name] and all(name in text for text in report["warnings"])


AUTOMATIC = {
    "NotAutomatic: yes": 1,
    "NotAutomatic: true": 1,
    "notautomatic:1": 1,
    "NotAutomatic: no": 500,
    "NotAutomatic: yes\nButAutomaticUpgrades: true": 100,
    "NotAutomatic:  Yes\nbutautomaticupgrades:on": 100,
}


@pytest.mark.parametrize("fields", AUTOMATIC)
def test_a_repository_that_is_not_automatic_in_any_spelling(tmp_path: Path, fields: str) -> None:
    uri = build(root := tmp_path / "root")
    release = root / REPOSITORIES / "update/dists/stable-security/Release"
    release.write_text(f"{fields}\n{release.read_text()}")
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] {uri} stable-security main\n")
    report = scan(root)
    policy = ["apt-cache", "policy", "foo"]
    done = subprocess.run(policy, env=apt_root.environment(str(root)), capture_output=True, text=True, timeout=60)
    assert (f"Candidate: {NEW}" in done.stdout) == (AUTOMATIC[fields] >= 100)
    assert report["compliance"] == ("NON_COMPLIANT" if AUTOMATIC[fields] >= 100 else "COMPLIANT")


@pytest.mark.parametrize("method", ["s3", "ftp"])
def test_a_method_that_apt_does_not_have_hides_its_sources_only(tmp_path: Path, method: str) -> None:
    uri = build(root := tmp_path / "root")
    more = root / "etc/apt/sources.list.d"
    (more / "a.list").write_text(f"deb [trusted=yes] {method}://bucket/x stable main\n")
    (more / "b.list").write_text(f"deb [trusted=yes] {uri} stable-security main\n")
    for refresh in (True, False):
        report = scan(root, refresh=refresh)
        assert report["compliance"] == "NON_COMPLIANT"
        (warning,) = report["warnings"]
        assert (
            warning.startswith(f"{method}://: could not be read: The method ") and "take these sources out" in warning
        )
    (more / "b.list").unlink()
    assert scan(root)["compliance"] == "UNKNOWN"
