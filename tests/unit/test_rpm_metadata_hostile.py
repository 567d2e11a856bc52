# SPDX-License-Identifier: Apache-2.0
"""Repository metadata that nobody's tools write: legal ones are read right, malformed parts are dropped and named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ssmpatchlib.backends.rpmmd import reader, repomd
from ssmpatchlib.backends.rpmmd.metadata import DamagedMetadata, Metadata

GOOD = "<package><name>good</name><arch>noarch</arch><version epoch='0' ver='1' rel='1'/></package>"
BAD = "<package><name>{name}</name><arch>noarch</arch><version epoch='{epoch}' ver='{ver}' rel='1'/>{time}</package>"
DIGITS = "9" * 5000


def bad(name: str = "bad", epoch: str = "0", ver: str = "1", time: str = "") -> str:
    """A package that something is wrong with."""
    return BAD.format(name=name, epoch=epoch, ver=ver, time=time and f"<time build='{time}'/>")


def read(
    tmp_path: Path, primary: str = f"<metadata>{GOOD}</metadata>", updateinfo: str = "<updates></updates>"
) -> Metadata:
    """The metadata of a repository of these documents."""
    records = {}
    for kind, text in (("primary", primary), ("updateinfo", updateinfo)):
        path = tmp_path / kind
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        records[kind] = repomd.Record(kind, path, "sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    return reader.read_metadata(repomd.Repomd("1", records))


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("strange", [">", "/>", "a>b>c", "&gt;&lt;", "'" + '"'])
def test_attributes_hold_what_xml_lets_them(tmp_path: Path, strange: str, quote: str) -> None:
    value = f"{quote}{strange.replace(quote, '&quot;' if quote == chr(34) else '&apos;')}{quote}"
    advisory = f"""<updates><update from={value} type="security" status="final"><id>A-1</id>
      <issued note={value} date="2024-01-01"/><severity note={value}>Important</severity>
      <references><reference title={value} id="CVE-1" type="cve"/></references>
      <pkglist><collection><package src={value} name="good" version="1" release="1" arch="noarch"/>
      </collection></pkglist></update></updates>"""
    primary = f"""<metadata note={value} packages="1"><package note={value}><name note={value}>good</name>
      <arch>noarch</arch><version note={value} epoch="0" ver="1" rel="1"/><time note={value} build="5"/>
      <format><rpm:vendor note={value}>V</rpm:vendor><rpm:obsoletes><rpm:entry note={value} name="old"/>
      </rpm:obsoletes></format></package></metadata>"""

    found = read(tmp_path, primary, advisory)

    assert (found.problems, found.damage) == ((), ())
    assert found.offers == {"good.noarch": (("0:1-1", 5, "V"),)}
    assert found.replacements == (("good.noarch", "0:1-1", "old", "", ""),)
    (record,) = found.advisories
    assert (record.type, record.severity, record.issued) == ("security", "Important", 1704067200)
    assert record.references == (("cve", "CVE-1"),)
    assert found.advised == {"good.noarch": (("0:1-1", (0,)),)}


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (bad(time=DIGITS), "time"),
        (bad(time="-1"), "time"),
        ("<package><arch>noarch</arch><version ver='1' rel='1'/></package>", "without name"),
        (bad(epoch=DIGITS), "left out"),
        (bad(ver="1&#10;2"), "left out"),
        (bad(name="bad&#0;"), "left out"),
        (bad(name="bad&#xD800;"), "left out"),
    ],
    ids=["long time", "negative time", "nameless", "long epoch", "newline", "nul", "surrogate"],
)
def test_a_malformed_package_is_dropped_and_named(tmp_path: Path, package: str, said: str) -> None:
    found = read(tmp_path, f"<metadata>{package}{GOOD}</metadata>")
    assert set(found.offers) == {"good.noarch"}
    (words,) = (*found.problems, *found.damage)
    assert said in words and len(words) < 200 and words.isprintable()


def test_a_count_of_any_length_is_compared(tmp_path: Path) -> None:
    found = read(tmp_path, f"<metadata packages='{DIGITS}'>{GOOD}</metadata>")
    assert set(found.offers) == {"good.noarch"} and "announces" in found.damage[0] and len(found.damage[0]) < 200


def test_a_malformed_advisory_does_not_hide_the_others(tmp_path: Path) -> None:
    whole = "<update type='security'><id>A-1</id></update>"
    found = read(tmp_path, updateinfo=f"<updates><update type='security'<id>A-0</id></update>{whole}</updates>")
    assert [advisory.id for advisory in found.advisories] == ["A-1"]
    assert "1 advisory is malformed" in found.damage[0]


def test_what_advisories_say_is_text_of_one_line(tmp_path: Path) -> None:
    said = "&#27;[31m&#10;red" + "x" * 500
    found = read(
        tmp_path,
        updateinfo=f"<updates><update type='{said}'><id>{said}</id><title>{said}</title><severity>{said}</severity>"
        f"<references><reference id='{said}' type='cve'/></references></update></updates>",
    )
    (advisory,) = found.advisories
    assert advisory.references == ()
    for text in (advisory.id, advisory.type, advisory.title, advisory.severity or ""):
        assert text.isprintable() and 0 < len(text) <= 200


def test_thousands_of_problems_are_counted(tmp_path: Path) -> None:
    nameless = "<package version='1'/>" * 5000
    found = read(
        tmp_path,
        updateinfo=f"<updates><update><id>A</id><pkglist><collection>{nameless}</collection></pkglist></update></updates>",
    )
    assert len(found.problems) == 21 and found.problems[-1] == "4,980 more problems of this kind"


@pytest.mark.parametrize("kind", ["primary", "updateinfo"])
@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("href", "repodata/" + "a" * 300),
        ("href", "a/" * 3000),
        ("href", "repodata/a&#0;b"),
        ("href", "repodata/a&#xD800;b"),
        ("href", "repodata/a&#10;b"),
        ("type", "shake_128"),
        ("type", "shake_256"),
        ("type", "sha256&#0;"),
        ("type", "x" * 5000),
        ("type", ""),
    ],
)
def test_a_record_that_cannot_be_followed_is_damage(tmp_path: Path, kind: str, attribute: str, value: str) -> None:
    values = {"href": f"repodata/{kind}", "type": "sha256"} | {attribute: value}
    path = tmp_path / "repodata/repomd.xml"
    path.parent.mkdir()
    path.write_text(
        f"<repomd><data type='{kind}'><checksum type='{values['type']}'>00</checksum>"
        f"<location href='{values['href']}'/></data></repomd>"
    )
    found = reader.read_metadata(repomd.read_repomd(path))
    (words,) = (words for words in found.damage if words.startswith(f"{kind}: "))
    assert len(words) < 200 and words.isprintable()


def test_an_index_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "repomd.xml"
    with open(path, "wb") as handle:
        handle.truncate(1 << 32)
    with pytest.raises(DamagedMetadata, match="larger than"):
        repomd.read_repomd(path)
