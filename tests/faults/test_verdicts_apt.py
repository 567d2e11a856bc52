# SPDX-License-Identifier: Apache-2.0
"""Indexes and preferences as they are in the field, from the scan to the install and the scan after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support.faults.debs import ARCHITECTURE, Deb, write_release
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt

pytestmark = pytest.mark.root


def scan(root: Path, **more: Any) -> dict[str, Any]:
    settings = config.load(minion=APT.settings(root))
    return api.scan(settings, caller=quiet_surface(), host=FaultHost(), **more)


def install(root: Path) -> dict[str, Any]:
    return api.install(config.load(minion=APT.settings(root)), caller=quiet_surface(), host=FaultHost())


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


def test_a_pinned_downgrade_is_not_done_and_nothing_else_is_installed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", "1.5")], offered=[Deb("foo", OLD), Deb("foo", NEW)])
    (root / "etc/apt/preferences").write_text(f"Package: foo\nPin: version {OLD}\nPin-Priority: 1001\n")
    assert scan(root)["summary"]["MissingCount"] == "0"
    install(root)
    assert APT.versions(root) == {"foo": "1.5"}
