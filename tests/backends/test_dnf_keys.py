# SPDX-License-Identifier: Apache-2.0
"""Signing keys: an install imports those that the repository's own configuration names and says so, a scan none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssmpatchlib.backends.rpm import openpgp
from support import dnf_root, rpm_root, rpm_sign
from support.dnf_root import advisory
from support.operations import SECURITY, rows, states
from support.rpm_build import Spec
from support.rpm_repo import run, write_updateinfo
from support.rpm_sign import Key, about_keys, imported_keys

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not all(map(shutil.which, ("dnf", *rpm_sign.PROGRAMS))), reason="needs dnf, gpg, rpmsign"),
]
APP = Spec("app")


@pytest.fixture(scope="module")
def keys() -> Iterator[list[Key]]:
    """The vendor's key, and the one that follows it."""
    with rpm_sign.keys("vendor", "successor") as made:
        yield made


def publish(root: Path, key: Key) -> None:
    """Sign the repository's packages and its index."""
    directory = root / "repos/updates"
    key.sign_rpms(directory)
    run(["createrepo_c", "-q", "--no-database", str(directory)])
    write_updateinfo(directory, {"id": "updates", "advisories": [advisory("UPD-1", APP.nevra)]}, work=root / "tmp")
    key.sign_index(directory)


def build(root: Path, key: Key, *, listed: bool = True, index: bool = False) -> Path:
    """A root whose repository is signed; ``listed`` names the key in its configuration, ``index`` checks its index."""
    dnf_root.build(root, installed=["app-1-1.noarch"], specs=[APP])
    publish(root, key)
    rpm_root.put(root / "etc/pki/KEY", key.public)
    file = root / "etc/yum.repos.d/updates.repo"
    options = f"gpgcheck=1\nrepo_gpgcheck={int(index)}\n" + (f"gpgkey=file://{root}/etc/pki/KEY\n" if listed else "")
    file.write_text(file.read_text().replace("gpgcheck=0\n", options))
    return root


def test_an_install_imports_the_key_of_the_repository_and_says_so(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0])
    (announced,) = about_keys(dnf_root.plan(root, baseline=SECURITY))
    assert announced.startswith(f"updates: its signing key 0x{keys[0].short} of file://")
    assert not about_keys(dnf_root.scan(root, baseline=SECURITY))
    assert keys[0].short not in imported_keys(root)

    report = dnf_root.install(root, baseline=SECURITY)

    assert states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert [words for words in about_keys(report) if f"0x{keys[0].short}" in words and "was imported" in words]
    assert keys[0].short in imported_keys(root)


def test_a_key_that_no_configuration_names_is_not_imported(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], listed=False)

    assert states(dnf_root.install(root, baseline=SECURITY)) == {"app.noarch": "Failed"}

    assert keys[0].short not in imported_keys(root)


def test_a_key_that_cannot_be_fetched_is_the_reason(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0])
    (root / "etc/pki/KEY").unlink()

    row = rows(dnf_root.install(root, baseline=SECURITY))["app.noarch"]

    assert row["PatchState"] == "Failed"
    assert f"{root}/etc/pki/KEY" in row["reason"]
    assert "B/s" not in row["reason"]


def test_a_key_that_is_imported_is_not_spoken_of(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0])
    run([*rpm_root.rpm(root, "rpmkeys"), "--import", str(root / "etc/pki/KEY")])

    report = dnf_root.install(root, baseline=SECURITY)

    assert states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert not about_keys(report)


def test_a_scan_names_the_key_of_an_index_and_what_to_do(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], index=True)

    report = dnf_root.scan(root, baseline=SECURITY)
    assert report["compliance"] == "UNKNOWN"
    (words,) = about_keys(report)
    assert f"0x{keys[0].short}" in words
    assert str(root / "etc/pki/KEY") in words
    assert "dnf --disablerepo='*' --enablerepo=updates makecache" in words

    report = dnf_root.install(root, baseline=SECURITY)
    assert states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert dnf_root.scan(root, baseline=SECURITY)["warnings"] == []


@pytest.mark.parametrize("index", [False, True])
def test_a_scan_imports_no_key_whatever_the_configuration_agrees_to(
    tmp_path: Path, keys: list[Key], index: bool
) -> None:
    root = build(tmp_path / "root", keys[0], index=index)
    conf = root / "etc/dnf/dnf.conf"
    conf.write_text(conf.read_text() + "assumeyes=1\ndefaultyes=1\n")

    report = dnf_root.scan(root, baseline=SECURITY)

    assert report["compliance"] == ("UNKNOWN" if index else "NON_COMPLIANT")
    assert len(about_keys(report)) == index
    assert not list((root / "var/cache").rglob("pubring*"))
    assert imported_keys(root) == ""


def test_a_key_that_follows_another_is_named(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], index=True)
    dnf_root.install(root, baseline=SECURITY)
    publish(root, keys[1])
    rpm_root.put(root / "etc/pki/KEY", keys[1].public)
    os.utime(root / "repos/updates/repodata/repomd.xml")

    report = dnf_root.scan(root, baseline=SECURITY)

    assert [words for words in about_keys(report) if f"0x{keys[1].short}" in words]


@pytest.mark.parametrize("armored", [True, False])
def test_fingerprints(tmp_path: Path, keys: list[Key], armored: bool) -> None:
    text = "".join(key.public for key in keys).encode()
    if not armored:
        (tmp_path / "keys").write_bytes(text)
        argv = ["gpg", "--batch", "--dearmor", "--output", "-", str(tmp_path / "keys")]
        text = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
    assert set(openpgp.fingerprints(text)) == {key.fingerprint for key in keys}


@pytest.mark.parametrize("content", [b"", b"\x99", b"\x99\x01\x0d\x04", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%%%"])
def test_what_is_no_key_has_no_fingerprint(content: bytes) -> None:
    assert openpgp.fingerprints(content) == ()
