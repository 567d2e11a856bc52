# SPDX-License-Identifier: Apache-2.0
"""Which of apt's copies of indexes are half-written, and that no other one is said to be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ssmpatchlib.backends.apt.half_written import half_written
from ssmpatchlib.backends.apt.targets import IndexTarget

PACKAGES = "main_binary-amd64_Packages"
HASH = "0" * 64
RELEASE = f"Suite: stable\nSHA256:\n {HASH} 4 main/binary-amd64/Packages\n {HASH} 9 main/i18n/Translation-en.xz\n"
SIGNED = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{RELEASE}-----BEGIN PGP SIGNATURE-----\nx\n"
END = "-----END PGP SIGNATURE-----\n"
TARGET = IndexTarget(
    path="",
    description="",
    repository="",
    suite="",
    codename="",
    label="",
    trusted=True,
    security=False,
    priority=500,
)


def left(
    lists: Path, files: Mapping[str, str], *, repository: str = "", others: Sequence[IndexTarget] = ()
) -> set[str]:
    """Write files of one repository, and an empty one of another; return which of the first are not half-written."""
    for name, text in files.items():
        (lists / f"site_{name}").write_text(text)
    (lists / "other_InRelease").touch()
    target = replace(TARGET, path=str(lists / f"site_{PACKAGES}"), prefix=str(lists / "site_"), repository=repository)
    found = {path.name for path in lists.iterdir()} - {path.name for path in half_written(lists, [target, *others])}
    assert "other_InRelease" in found
    return {name.removeprefix("site_") for name in found - {"other_InRelease"}}


@pytest.mark.parametrize("release", [RELEASE, f"{RELEASE}Acquire-By-Hash: no\n", RELEASE.rstrip()])
def test_whole_copies_stay(tmp_path: Path, release: str) -> None:
    assert left(tmp_path, {"Release": release, PACKAGES: "four"}) == {"Release", PACKAGES}


def test_whole_signed_copies_stay(tmp_path: Path) -> None:
    assert left(tmp_path, {"InRelease": SIGNED + END, PACKAGES: "four"}) == {"InRelease", PACKAGES}


@pytest.mark.parametrize("text", ["", "fou", "\0\0\0", "\0\0\0\0"])
def test_a_copy_of_another_size_or_of_zeros_goes_alone(tmp_path: Path, text: str) -> None:
    assert left(tmp_path, {"InRelease": SIGNED + END, PACKAGES: text}) == {"InRelease"}


@pytest.mark.parametrize("release", ["", "\0" * 100, SIGNED, SIGNED[:90], SIGNED + END[:9]])
def test_without_a_whole_release_file_everything_goes(tmp_path: Path, release: str) -> None:
    assert left(tmp_path, {"InRelease": release, PACKAGES: "four"}) == set()


@pytest.mark.parametrize("release", ["", RELEASE[:-60], f"{RELEASE[:-60]}\0\0", "Suite: stable\nSHA2"])
def test_an_unsigned_one_is_recognised_too(tmp_path: Path, release: str) -> None:
    assert left(tmp_path, {"Release": release, PACKAGES: "four"}) == set()


def test_without_its_signature_everything_goes(tmp_path: Path) -> None:
    assert left(tmp_path, {"Release": RELEASE, "Release.gpg": "", PACKAGES: "four"}) == set()


def test_a_copy_that_apt_compressed_itself_has_another_size(tmp_path: Path) -> None:
    names = {"main_i18n_Translation-en.xz": "three", "main_binary-amd64_Packages.lz4": "", PACKAGES: "four"}
    assert left(tmp_path, {"Release": RELEASE, **names}) == {"Release", PACKAGES, "main_i18n_Translation-en.xz"}


def test_a_local_repository_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/Packages").write_text("")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / f"site_{PACKAGES}").symlink_to(tmp_path / "repository/Packages")
    (lists / "site_Release").symlink_to(tmp_path / "repository/Packages")
    assert left(lists, {}) == {PACKAGES, "Release"}


@pytest.mark.parametrize("name", ["Release", "InRelease", "Release.gpg"])
def test_a_release_file_that_lists_itself_stays(tmp_path: Path, name: str) -> None:
    """The sizes are those of what was there before it was made, as ``apt-ftparchive release . >Release`` has them."""
    release = f"{RELEASE} {HASH} 38 {name}\n"
    files = {"Release": release, PACKAGES: "four", name: END if name.endswith("gpg") else release}
    files |= {"Release.gpg": "-----BEGIN PGP SIGNATURE-----\n" + END}
    assert left(tmp_path, files) == {*files}


LAST = [
    "Description: of\n two lines",
    "Components:\n main\n contrib",
    "Description: of\n .\n add",
    f"SHA1:\n\t{HASH}\t9\tx",
]


@pytest.mark.parametrize("last", LAST)
def test_whatever_its_last_field_is_it_stays(tmp_path: Path, last: str) -> None:
    assert left(tmp_path, {"Release": f"{RELEASE}{last}\n", PACKAGES: "four"}) == {"Release", PACKAGES}


def test_sizes_may_stand_between_tabs(tmp_path: Path) -> None:
    files = {"Release": RELEASE.replace(" ", "\t"), PACKAGES: "fou"}
    assert left(tmp_path, files) == {"Release"}


def test_one_that_is_larger_than_any_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssmpatchlib.backends.apt.half_written._MOST_BYTES", 100)
    assert left(tmp_path, {"InRelease": SIGNED + END, PACKAGES: "four"}) == {"InRelease", PACKAGES}


@pytest.mark.parametrize("release", [RELEASE, f"{RELEASE} {HASH} 7 below_{PACKAGES}\n", ""])
def test_files_of_a_repository_below_another_one_are_its_own(tmp_path: Path, release: str) -> None:
    below = replace(TARGET, path=str(tmp_path / f"site_below_{PACKAGES}"), prefix=str(tmp_path / "site_below_"))
    files = {"Release": release, "below_Release": RELEASE, f"below_{PACKAGES}": "four"}
    assert left(tmp_path, files, others=[below]) >= {"below_Release", f"below_{PACKAGES}"}


@pytest.mark.parametrize("text", ["", "less"])
def test_what_apt_cdrom_has_written_stays(tmp_path: Path, text: str) -> None:
    files = {"Release": RELEASE.replace(" 4 ", " 7 "), PACKAGES: text}
    assert left(tmp_path, files, repository="cdrom://Disc 1 stable") == {*files}
    assert left(tmp_path, files, repository="http://site stable") == {"Release"}


def test_an_empty_index_stays(tmp_path: Path) -> None:
    release = RELEASE.replace(f"{HASH} 4 ", f"{HASH} 0 ")
    assert left(tmp_path, {"Release": release, PACKAGES: ""}) == {"Release", PACKAGES}
