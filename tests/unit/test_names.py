# SPDX-License-Identifier: Apache-2.0
"""What repositories call packages is checked before anybody uses it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.backends.apt.index import _FIELDS, _usual_rows
from ssmpatchlib.backends.rpmmd import reader
from ssmpatchlib.backends.rpmmd.primary import Obsoletes, OfferedPackage
from ssmpatchlib.backends.rpmmd.repomd import Record, Repomd
from ssmpatchlib.names import is_deb, is_rpm, left_out, number, one_line

HOSTILE = (
    "--setopt=pluginpath=/tmp/x",
    "-beta",
    "!beta",
    "@core",
    "a b",
    "a\nb",
    "",
    "a;b",
    "a/b",
    "a*",
    "ä",
    "a" * 300,
    "\u202ea",
    "a\0",
    "${a}",
    "~a",
    "+a",
    ".a",
)
RPMS = (
    ("bash", "0:5.1-1.el9", "x86_64"),
    ("gtk2+extra", "1:2.0~rc1^git1-3", "noarch"),
    ("libstdc++", "0:11-1", "i686"),
    ("_under", "0:1-1", "ppc64le"),
    ("2048-cli", "0:1_a+b-1", "armv7hl"),
)
DEBS = (
    ("bash", "5.2.15-2+b2", "amd64"),
    ("libstdc++6", "1:12~rc-1", "i386"),
    ("0ad", "0.0.26-3", "all"),
    ("linux-image-6.1.0-9-amd64", "6.1.27-1+deb12u1~bpo11+1", "kfreebsd-amd64"),
)


@pytest.mark.parametrize("package", RPMS)
def test_real_rpms_are_read(package: tuple[str, str, str]) -> None:
    assert is_rpm(*package)


@pytest.mark.parametrize("package", DEBS)
def test_real_debs_are_read(package: tuple[str, str, str]) -> None:
    assert is_deb(*package)


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_nothing_else_is_a_name_a_version_or_an_architecture(word: str) -> None:
    assert not is_rpm(word, "0:1-1", "noarch") and not is_deb(word, "1", "all")
    assert not is_rpm("a", f"0:{word}-1", "noarch") or word in ("~a", "+a", ".a")
    assert not is_rpm("a", f"0:1-{word}", "noarch") or word in ("~a", "+a", ".a")
    assert not is_rpm("a", "0:1-1", word) and not is_deb("a", "1", word) and not is_deb("a", word, "all")


def offered(name: str, evr: str = "0:2-1", arch: str = "noarch") -> OfferedPackage:
    return OfferedPackage(name, arch, evr, 0, "", (Obsoletes("app", "", ""),), ())


@pytest.mark.parametrize("word", [word for word in HOSTILE if word], ids=ascii)
def test_an_rpm_repository_loses_such_a_package_and_names_it(tmp_path: Path, word: str) -> None:
    primary = tmp_path / "primary.xml"
    primary.write_text("")
    index = Repomd("1", {"primary": Record("primary", primary, "sha256", hashlib.sha256(b"").hexdigest())})
    packages = [offered("good"), offered(word), offered("newer", arch=word), offered("late", f"0:{word}-1")]
    metadata = reader.read_metadata(index, package_reader=lambda path: packages)
    assert "good.noarch" in metadata.offers
    assert not [id_ for id_ in metadata.offers if word in id_ or id_.startswith("newer")]
    assert not [replacement for replacement in metadata.replacements if word in replacement[0]]
    assert "rpm knows no such name, version or architecture" in metadata.problems[0]
    assert len(metadata.problems[0]) < 200 and metadata.problems[0].isprintable()


def paragraph(**fields: str) -> str:
    usual = {"Package": "good", "Version": "1-1", "Architecture": "amd64", "Priority": "optional", "Section": "libs"}
    return "".join(f"{key}: {value}\n" for key, value in {**usual, **fields}.items())


@pytest.mark.parametrize("field", ["Package", "Version", "Architecture"])
@pytest.mark.parametrize("word", [word for word in HOSTILE if word and "\n" not in word], ids=ascii)
def test_an_apt_index_loses_such_a_package(field: str, word: str) -> None:
    text = f"\n{paragraph()}\n{paragraph(**{field: word})}"
    assert _usual_rows(text) is None, "the expression for usual indexes has read it"
    assert _usual_rows(f"\n{paragraph()}\n{paragraph(Package='other')}") == [
        ("good", "1-1", "amd64", "optional", "libs"),
        ("other", "1-1", "amd64", "optional", "libs"),
    ]
    assert len(_FIELDS) == 5


def test_the_warning_is_one_line_however_many_there_are() -> None:
    assert left_out([], "rpm") == ()
    (words,) = left_out(["-a\nb" * 100, *(f"-b{number}" for number in range(99))], "rpm")
    assert words.isprintable() and len(words) < 200 and "and 99 more" in words


def test_apt_can_name_the_archive_of_every_deb() -> None:
    """apt keeps ``name_version_arch.deb``; a longer name than a file may have ends a whole installation."""
    longest = ("a" * 105, "9" * 9 + ":" + "1" * 110, "a" * 20)
    assert is_deb(*longest)
    assert len("_".join(longest).replace(":", "%3a") + ".deb") <= 255
    for place in range(3):
        longer = [word + "1" if number == place else word for number, word in enumerate(longest)]
        assert not is_deb(*longer)
    assert not is_deb("alpha", "1" * 240, "amd64")


def test_numbers_have_an_end() -> None:
    assert number("0") == 0 and number("007") == 7 and number("9" * 18) == 10**18 - 1
    assert [number(text) for text in ("9" * 19, "9" * 5000, "", None, "-1", "1.5", " 1", "²", "٣", "x")] == [None] * 10


@given(st.text(max_size=300))
def test_text_for_people_is_one_short_line(text: str) -> None:
    said = one_line(text, 60)
    assert said.isprintable() and len(said) <= 60
    assert said == text or not text.isprintable() or len(text) > 60
