# SPDX-License-Identifier: Apache-2.0
"""Which copies of a repository's metadata are half-written, and that no other one is removed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ssmpatchlib.backends.rpmmd.half_written import forget_half_written

WHOLE = "whole"


def index(cache: Path, *files: tuple[str, int]) -> Path:
    """Write an index that lists files by location and size, all with the checksum of a whole one."""
    checksum = hashlib.sha256(WHOLE.encode()).hexdigest()
    data = (
        f'<data type="type{number}"><checksum type="sha256">{checksum}</checksum>'
        f'<location href="{href}"/><size>{size}</size></data>'
        for number, (href, size) in enumerate(files)
    )
    path = cache / "repodata" / "repomd.xml"
    path.parent.mkdir(parents=True)
    path.write_text(f"<repomd>{''.join(data)}</repomd>")
    return path


def test_one_who_is_killed_meanwhile_leaves_nothing_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = index(tmp_path, ("repodata/primary.xml", 5))
    (path.parent / "primary.xml").write_text("")
    removed: list[Path] = []
    monkeypatch.setattr("ssmpatchlib.backends.rpmmd.half_written.remove", removed.append)
    found = forget_half_written([path])
    assert next(found) == path and removed == []
    assert [*found] == [] and removed == [path, path.parent / "primary.xml"]


@pytest.mark.parametrize("text", ["", "who"])
def test_an_index_goes_with_what_is_cut(tmp_path: Path, text: str) -> None:
    path = index(tmp_path, ("repodata/primary.xml", 5), ("repodata/other.xml", 5), ("repodata/absent.xml", 5))
    (path.parent / "primary.xml").write_text(text)
    (path.parent / "other.xml").write_text(WHOLE)
    assert [*forget_half_written([path])] == [path]
    assert [each.name for each in path.parent.iterdir()] == ["other.xml"]


def test_a_wrong_size_in_the_index_is_no_cut(tmp_path: Path) -> None:
    path = index(tmp_path, ("repodata/primary.xml", 6))
    (path.parent / "primary.xml").write_text(WHOLE)
    assert [*forget_half_written([path])] == []
    assert {each.name for each in path.parent.iterdir()} == {"repomd.xml", "primary.xml"}


HREFS = [
    "repodata/",
    "repodata/.",
    "packages",
    "packages/",
    "./",
    "repodata/repomd.xml",
    "repomd.xml",
    "repodata/linked",
]


@pytest.mark.parametrize("href", [*HREFS, "../outside", "/outside", "repodata/../../outside", "a/../../outside"])
def test_what_is_no_copy_stays_whatever_an_index_lists(tmp_path: Path, href: str) -> None:
    cache = tmp_path / "cache"
    path = index(cache, (href, 3))
    (cache / "packages").mkdir()
    (tmp_path / "outside").write_text(WHOLE * 2)
    (path.parent / "linked").symlink_to(tmp_path / "outside")
    before = sorted(tmp_path.rglob("*"))
    assert [*forget_half_written([path])] == []
    assert sorted(tmp_path.rglob("*")) == before
