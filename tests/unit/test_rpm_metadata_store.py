# SPDX-License-Identifier: Apache-2.0
"""A repository's metadata as one value: what belongs together, what damage leaves, what is kept on disk."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ssmpatchlib.backends.rpmmd import cache, reader, repomd
from ssmpatchlib.backends.rpmmd.metadata import Metadata

PRIMARY = """<metadata packages="3">
<package type="rpm"><name>foo</name><arch>x86_64</arch><version epoch="0" ver="1.10" rel="1"/><time build="5"/>
</package>
<package type="rpm"><name>foo</name><arch>x86_64</arch><version epoch="0" ver="1.9" rel="1"/></package>
<package type="rpm"><name>new</name><arch>noarch</arch><version epoch="1" ver="2" rel="1"/><format>
<rpm:provides><rpm:entry name="old" flags="EQ" ver="2"/></rpm:provides>
<rpm:obsoletes><rpm:entry name="old" flags="LT" epoch="0" ver="2"/></rpm:obsoletes></format></package>
</metadata>"""
UPDATEINFO = """<updates>
<update type="security"><id>A</id><issued date="2024-01-01"/><pkglist>
<collection><package name="foo" version="1.10" release="1" epoch="0" arch="x86_64"/></collection>
<collection><module name="m" stream="1" version="2" context="c" arch="x86_64"/>
<package name="bar" version="1" release="1" epoch="0" arch="x86_64"/></collection></pkglist></update>
<update type="bugfix"><id>B</id><issued date="whenever"/><pkglist>
<collection><package name="foo" version="1.10" release="1" arch="x86_64"/></collection></pkglist></update>
</updates>"""
MODULES = """---
document: modulemd
data: {name: m, stream: "1", version: 2, context: c, arch: x86_64}
---
document: modulemd-defaults
data:
  module: m
  stream: 1
"""


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Path]:
    """Write a repository's metadata; a key word replaces a file's content or leaves the file out (None)."""

    def write(**contents: str | None) -> Path:
        data = tmp_path / "repodata"
        data.mkdir(exist_ok=True)
        index = "<repomd><revision>1</revision>"
        for type_, content in {"primary": PRIMARY, "updateinfo": UPDATEINFO, "modules": MODULES, **contents}.items():
            if content is None:
                continue
            packed = gzip.compress(content.encode(), mtime=0)
            path = data / f"{type_}.gz"
            path.write_bytes(packed)
            digest = hashlib.sha256(packed).hexdigest()
            index += f'<data type="{type_}"><checksum type="sha256">{digest}</checksum>'
            index += f'<location href="repodata/{path.name}"/></data>'
        (data / "repomd.xml").write_text(f"{index}</repomd>")
        return data / "repomd.xml"

    return write


def test_a_repository_in_full(repository: Callable[..., Path]) -> None:
    found = reader.read_metadata(repomd.read_repomd(repository()))
    assert found.offers == {
        "foo.x86_64": (("0:1.9-1", 0, ""), ("0:1.10-1", 5, "")),
        "new.noarch": (("1:2-1", 0, ""),),
    }
    assert found.replacements == (("new.noarch", "1:2-1", "old", "LT", "0:2"),)
    assert found.provisions == (("new.noarch", "1:2-1", ("old",)),)
    assert [advisory.id for advisory in found.advisories] == ["A", "B"]
    assert found.advised == {"foo.x86_64": (("0:1.10-1", (0, 1)),)}
    assert found.mentions == {"bar.x86_64": (("0:1-1", 0, 0),)}
    assert found.mentions_of("foo.x86_64") == [("0:1.10-1", 0, -1), ("0:1.10-1", 1, -1)]
    assert found.mentions_of("bar.x86_64") == (("0:1-1", 0, 0),)
    assert found.mentions_of("baz.x86_64") == ()
    assert found.modules[0].stream == "1"
    assert [build.name for build in found.builds] == ["m"]
    assert found.default_streams == {"m": "1"}
    assert found.damage == ()
    assert found.problems == ("advisory B: the date 'whenever' cannot be read; it counts as no date",)


def test_a_repository_without_advisories_and_modules_is_whole(repository: Callable[..., Path]) -> None:
    found = reader.read_metadata(repomd.read_repomd(repository(updateinfo=None, modules=None)))
    assert (len(found.offers), found.advisories, found.damage) == (2, (), ())


@pytest.mark.parametrize(
    "change",
    [
        ('version="1.10" release="1" epoch="0"', 'version="1.11" release="1" epoch="0"'),
        ('<update type="security">', '<update type="security" status="retracted">'),
    ],
)
def test_what_needs_a_second_look_is_kept_apart(repository: Callable[..., Path], change: tuple[str, str]) -> None:
    found = reader.read_metadata(repomd.read_repomd(repository(updateinfo=UPDATEINFO.replace(*change, 1))))
    assert found.advised == {}
    assert len(found.mentions["foo.x86_64"]) == 2


@pytest.mark.parametrize(
    ("contents", "damage"),
    [
        ({"updateinfo": UPDATEINFO[:-20]}, "updateinfo: the document ends before </updates>"),
        ({"primary": PRIMARY[:-12]}, "primary: the document ends before </metadata>"),
        ({"primary": PRIMARY.replace('"3"', '"4"')}, "primary: the document announces 4 packages and lists 3"),
        ({"primary": None}, "repomd.xml lists no primary metadata"),
    ],
)
def test_damage_is_said_and_the_rest_counts(
    repository: Callable[..., Path], contents: dict[str, str | None], damage: str
) -> None:
    found = reader.read_metadata(repomd.read_repomd(repository(**contents)))
    assert found.damage == (damage,)
    assert found.advisories[0].id == "A"
    assert bool(found.offers) is (contents.get("primary", "") is not None)


def test_a_file_of_another_time_is_read_and_said(repository: Callable[..., Path]) -> None:
    index = repository()
    (index.parent / "updateinfo.gz").write_bytes(gzip.compress(b"<updates></updates>"))
    found = reader.read_metadata(repomd.read_repomd(index))
    assert found.damage == ("updateinfo: updateinfo.gz is not the file that repomd.xml lists",)
    assert found.advisories == ()
    assert len(found.offers) == 2


def _load(index: Path, directory: Path, reads: list[int]) -> Metadata:
    parsed = repomd.read_repomd(index)

    def read() -> Metadata:
        reads.append(1)
        return reader.read_metadata(parsed)

    return cache.load(parsed, types=repomd.PRIMARY, directory=directory, name="repo", read=read)


def test_what_is_stored_is_what_was_read(repository: Callable[..., Path], tmp_path: Path) -> None:
    index, reads = repository(), list[int]()
    first = _load(index, tmp_path / "cache", reads)
    second = _load(index, tmp_path / "cache", reads)
    assert reads == [1]
    assert dataclasses.replace(second, advisories=tuple(second.advisories)) == first
    assert second is not first
    assert (len(second.advisories), second.advisories[-1]) == (2, first.advisories[-1])


def test_a_change_of_the_repository_is_seen(repository: Callable[..., Path], tmp_path: Path) -> None:
    index, reads = repository(), list[int]()
    _load(index, tmp_path / "cache", reads)
    repository(updateinfo="<updates></updates>")
    assert _load(index, tmp_path / "cache", reads).advisories == ()
    assert reads == [1, 1]


@pytest.mark.parametrize("place", [0, 40, 70, 200, -1])
def test_a_damaged_store_is_not_believed(repository: Callable[..., Path], tmp_path: Path, place: int) -> None:
    index, reads = repository(), list[int]()
    first = _load(index, tmp_path / "cache", reads)
    (path,) = (tmp_path / "cache").iterdir()
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(content)
    assert _load(index, tmp_path / "cache", reads) == first
    assert reads == [1, 1]


def test_damaged_metadata_is_not_stored(repository: Callable[..., Path], tmp_path: Path) -> None:
    index, reads = repository(primary=PRIMARY[:-12]), list[int]()
    _load(index, tmp_path / "cache", reads)
    _load(index, tmp_path / "cache", reads)
    assert reads == [1, 1]


def test_a_place_that_cannot_be_written_is_no_error(repository: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert _load(repository(), tmp_path / "cache", []).offers


def test_stores_of_other_repositories_go(tmp_path: Path) -> None:
    for name in ("a.metadata", "b.metadata", "other.json"):
        (tmp_path / name).write_text("x")
    cache.forget_others(tmp_path, ["a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.metadata", "other.json"]
