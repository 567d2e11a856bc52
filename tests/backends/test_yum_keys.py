# SPDX-License-Identifier: Apache-2.0
"""yum's signing keys: an install lets yum import those that a repository's gpgkey names, a scan does not.

What yum says and keeps of keys is played; keys of packages are in rpm's own database.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api
from support import rpm_root, rpm_sign, vectors, yum_root
from support.operations import EVERYTHING, rows, states
from support.rpm_repo import package
from support.rpm_sign import Key, about_keys, imported_keys

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not all(map(shutil.which, ("sqliterepo_c", *rpm_sign.PROGRAMS))), reason="needs createrepo_c, gpg, rpmsign"
    ),
]
PACKAGES, INDEX = "gpgcheck=1", "repo_gpgcheck=1"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    """The vendor's key."""
    with rpm_sign.keys("vendor") as made:
        yield made[0]


class Host:
    """A host whose repository is signed."""

    def __init__(self, root: Path, key: Key, options: str, *, listed: bool = True, main: str = "") -> None:
        case = {
            "os": {"operating_system": "AMAZON_LINUX_2", "product": "AmazonLinux2", "releasever": "2"},
            "now": "2026-01-01T00:00:00Z",
            "baseline": EVERYTHING,
            "reboot_option": "NoReboot",
            "installed": [package("app-1-1.noarch")],
            "repositories": [{"id": "updates", "packages": [package("app-2-1.noarch")], "advisories": []}],
        }
        self.root = yum_root.build(case, root)
        self._settings = vectors.settings(case, self.root, package_manager="yum", lock_timeout=0)
        self._host = yum_root.YumHost(case, self.root)
        rpm_root.put(self.root / "etc/pki/KEY", key.public)
        file = self.root / "etc/yum.repos.d/updates.repo"
        place = f"gpgkey=file://{self.root}/etc/pki/KEY\n" if listed else ""
        file.write_text(file.read_text().replace("gpgcheck=0\n", f"{options}\n{place}"))
        conf = self.root / "etc/yum.conf"
        conf.write_text(f"{conf.read_text()}{main}\n")

    def call(self, name: str, **more: Any) -> dict[str, Any]:
        """Call a function of the module."""
        report: dict[str, Any] = getattr(api, name)(self._settings, caller=api.Caller(), host=self._host, **more)
        return report

    @property
    def makecache(self) -> list[str]:
        """How the metadata were asked for last."""
        return [argv for argv in self._host.commands if "makecache" in argv][-1]


def test_an_install_imports_the_key_of_packages_and_says_so(tmp_path: Path, key: Key) -> None:
    host = Host(tmp_path / "root", key, PACKAGES)
    (announced,) = about_keys(host.call("plan"))
    assert announced.startswith(f"updates: its signing key 0x{key.short} of file://")
    assert not about_keys(host.call("scan"))
    assert imported_keys(host.root) == ""

    report = host.call("install", upload="never")

    assert states(report) == {"app.noarch": "InstalledPendingReboot"}
    (imported,) = (words for words in about_keys(report) if "was imported, as" in words)
    assert imported.startswith(f"updates: its signing key 0x{key.short} (vendor <vendor@invalid>) of {host.root}/etc")
    assert key.short in imported_keys(host.root)


@pytest.mark.parametrize("main", ["", "assumeyes=1"])
def test_a_scan_names_the_key_of_an_index_and_what_to_do(tmp_path: Path, key: Key, main: str) -> None:
    host = Host(tmp_path / "root", key, INDEX, main=main)

    report = host.call("scan")

    assert report["compliance"] == "UNKNOWN"
    (words,) = about_keys(report)
    assert f"0x{key.short}" in words and str(host.root / "etc/pki/KEY") in words
    assert "yum --disablerepo='*' --enablerepo=updates makecache, or ssmpatch.install" in words
    assert {"--assumeno", "--setopt=assumeyes=0"} <= set(host.makecache)

    report = host.call("install", upload="never")
    assert {"-y", "--setopt=assumeno=0"} <= set(host.makecache)
    assert states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert [words for words in about_keys(report) if "was imported, as" in words]
    assert host.call("scan")["warnings"] == []


@pytest.mark.parametrize("options", [PACKAGES, INDEX])
def test_a_key_that_no_configuration_names_is_not_imported(tmp_path: Path, key: Key, options: str) -> None:
    host = Host(tmp_path / "root", key, options, listed=False)

    report = host.call("install", upload="never")

    assert rows(report)["app.noarch"]["PatchState"] == ("Failed" if options == PACKAGES else "Installed")
    assert imported_keys(host.root) == ""
