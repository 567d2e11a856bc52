# SPDX-License-Identifier: Apache-2.0
"""zypper's signing keys: an install imports those that a repository's gpgkey names and no other, a scan none."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support import rpm_root, rpm_sign, suse_root
from support.dripping import dripping_server
from support.operations import rows
from support.rpm_build import Spec
from support.rpm_repo import run, write_updateinfo
from support.rpm_sign import Key, about_keys, imported_keys

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not all(map(shutil.which, ("zypper", *rpm_sign.PROGRAMS))), reason="needs zypper, gpg, rpmsign"),
]
APP = Spec("app")
INDEX, PACKAGES = "gpgcheck=1\n", "gpgcheck=0\npkg_gpgcheck=1\n"


@pytest.fixture(scope="module")
def keys() -> Iterator[list[Key]]:
    """The vendor's key, and another one."""
    with rpm_sign.keys("vendor", "other") as made:
        yield made


def publish(root: Path, key: Key, *, beside: bool = False) -> None:
    """Sign the repository's packages and its index; ``beside`` puts the key beside the index."""
    directory = root / "repos/updates"
    key.sign_rpms(directory)
    run(["createrepo_c", "-q", "--no-database", str(directory)])
    patches = {"id": "updates", "advisories": [suse_root.patch("P-1", APP.nevra)]}
    write_updateinfo(directory, patches, work=root / "tmp")
    key.sign_index(directory)
    if beside:
        (directory / "repodata/repomd.xml.key").write_text(key.public)


def build(root: Path, key: Key, options: str, *, place: str | None = "", beside: bool = False) -> Path:
    """A root whose repository is signed; ``place`` is what its gpgkey says, a file without one, None for no gpgkey."""
    suse_root.build(root, installed=["app-1-1.noarch"], specs=[APP])
    publish(root, key, beside=beside)
    rpm_root.put(root / "etc/pki/KEY", key.public)
    file = root / "etc/zypp/repos.d/updates.repo"
    listed = "" if place is None else f"gpgkey={place or f'file://{root}/etc/pki/KEY'}\n"
    file.write_text(file.read_text().replace("gpgcheck=0\n", options + listed).replace("name=", "name=A < "))
    return root


@pytest.mark.parametrize("options", [INDEX, PACKAGES])
def test_an_install_imports_the_key_of_the_repository(tmp_path: Path, keys: list[Key], options: str) -> None:
    root = build(tmp_path / "root", keys[0], options)
    planned, scanned = suse_root.plan(root), suse_root.scan(root)
    assert keys[0].short not in imported_keys(root)
    (announced, *_) = about_keys(planned)
    assert f"0x{keys[0].short}" in announced and str(root / "etc/pki/KEY") in announced
    assert len(about_keys(scanned)) == (options == INDEX)

    report = suse_root.install(root)

    assert suse_root.states(report) == {"app.noarch": "InstalledPendingReboot"}
    (words,) = (words for words in about_keys(report) if "was imported, as" in words)
    assert words.startswith(f"updates: its signing key 0x{keys[0].short} (vendor <vendor@invalid>) of {root}/etc")
    assert keys[0].short in imported_keys(root)
    assert suse_root.scan(root)["warnings"] == []


def test_a_scan_names_the_key_of_an_index_and_what_to_do(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], INDEX)
    for _ in range(2):
        report = suse_root.scan(root)
        assert report["compliance"] == "UNKNOWN"
        (words,) = about_keys(report)
        assert f"0x{keys[0].short} (vendor <vendor@invalid>)" in words
        assert str(root / "etc/pki/KEY") in words
        assert "zypper refresh updates, or ssmpatch.install" in words


def test_a_key_that_lies_beside_the_index_is_not_imported(tmp_path: Path, keys: list[Key]) -> None:
    """zypper --gpg-auto-import-keys would take it."""
    root = build(tmp_path / "root", keys[1], INDEX, beside=True)
    rpm_root.put(root / "etc/pki/KEY", keys[0].public)

    report = suse_root.install(root)

    assert report["compliance"] == "UNKNOWN"
    (words,) = about_keys(report)
    assert f"0x{keys[1].short}" in words
    assert "gpgkey" in words and "ssmpatch.install" not in words
    assert imported_keys(root) == ""


@pytest.mark.parametrize("options", [INDEX, PACKAGES])
def test_a_key_that_no_configuration_names_is_not_imported(tmp_path: Path, keys: list[Key], options: str) -> None:
    root = build(tmp_path / "root", keys[0], options, place=None)

    report = suse_root.install(root)

    assert suse_root.states(report) == {"app.noarch": "Installed" if options == INDEX else "Failed"}
    assert imported_keys(root) == ""


def test_a_key_that_another_repository_names_is_not_imported_for_this_one(tmp_path: Path, keys: list[Key]) -> None:
    """zypper keeps the keys that it fetched for one repository, and takes them for any."""
    root = build(tmp_path / "root", keys[0], INDEX)
    suse_root.scan(root)
    assert list((root / "var/cache/zypp/pubkeys").iterdir())
    rpm_root.put(root / "etc/pki/KEY", keys[1].public)

    report = suse_root.install(root)

    assert report["compliance"] == "UNKNOWN"
    assert imported_keys(root) == ""


@pytest.mark.parametrize("options", [INDEX, PACKAGES])
def test_a_key_that_zypper_fetches_is_imported(tmp_path: Path, keys: list[Key], options: str) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "root/etc/pki"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}/KEY"
        root = build(tmp_path / "root", keys[0], options, place=place)

        report = suse_root.install(root)
        server.shutdown()

    assert suse_root.states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert [words for words in about_keys(report) if f"0x{keys[0].short}" in words and place in words]


def test_a_key_that_follows_another_is_named_and_imported(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], INDEX)
    suse_root.install(root)
    publish(root, keys[1])
    rpm_root.put(root / "etc/pki/KEY", keys[1].public)

    assert [words for words in about_keys(suse_root.scan(root)) if f"0x{keys[1].short}" in words]
    assert keys[1].short not in imported_keys(root)
    suse_root.install(root)
    assert keys[1].short in imported_keys(root)


def test_a_key_that_is_imported_is_not_spoken_of(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], PACKAGES)
    run([*rpm_root.rpm(root, "rpmkeys"), "--import", str(root / "etc/pki/KEY")])

    assert not about_keys(suse_root.plan(root))
    report = suse_root.install(root)

    assert suse_root.states(report) == {"app.noarch": "InstalledPendingReboot"}
    assert not about_keys(report)


def test_a_key_that_cannot_be_fetched_is_the_reason(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], PACKAGES)
    (root / "etc/pki/KEY").unlink()

    report = suse_root.install(root)

    assert rows(report)["app.noarch"]["PatchState"] == "Failed"
    assert "public key is not available" in rows(report)["app.noarch"]["reason"]


def test_a_repository_that_does_not_answer_keeps_no_key_from_being_imported(tmp_path: Path, keys: list[Key]) -> None:
    root = build(tmp_path / "root", keys[0], INDEX)
    with dripping_server() as url:
        text = f"[slow]\nname=slow\nbaseurl={url}/slow\nenabled=1\ngpgcheck=0\nautorefresh=1\ntype=rpm-md\n"
        (root / "etc/zypp/repos.d/slow.repo").write_text(text)
        report = suse_root.install(root, refresh_timeout=12)
    assert any("was imported, as" in words for words in about_keys(report)), report["warnings"]
    assert suse_root.states(report) == {"app.noarch": "InstalledPendingReboot"}
