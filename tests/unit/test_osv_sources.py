# SPDX-License-Identifier: Apache-2.0
"""Exports of every kind are read record by record, and archives that are made to harm do none."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.compression import Damaged
from ssmpatchlib.fleet import osv_sources
from ssmpatchlib.fleet.osv_sources import fingerprint, read_document, read_records
from support import osv

RECORDS = osv.samples()
NAMES = sorted(each["id"] for each in RECORDS)


def ids(path: Path) -> list[str]:
    return sorted(json.loads(piece.data)["id"] for piece in read_records(path))


def packed(path: Path, pack: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(pack(path.read_bytes()))
    return path


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


PACKERS = [bytes, gzip.compress, bz2.compress, lzma.compress]
PACKERS += [pytest.param(zstd, marks=pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd"))]  # type: ignore[list-item]


@pytest.mark.parametrize("pack", PACKERS)
def test_tars_and_lines_are_read_whatever_they_are_compressed_with(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    assert ids(packed(osv.write_tar(tmp_path / "gnu", RECORDS), pack)) == NAMES
    assert ids(packed(osv.write_lines(tmp_path / "lines", RECORDS), pack)) == NAMES


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar(tmp_path: Path, form: int) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as archive:
        for each in RECORDS:
            data = json.dumps(each).encode()
            member = tarfile.TarInfo(f"{'folder/' * 12}ü-{each['id']}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert ids(tmp_path / "x.tar") == NAMES


def test_a_zip_a_directory_and_a_single_record(tmp_path: Path) -> None:
    assert ids(osv.write_zip(tmp_path / "all.zip", RECORDS)) == NAMES
    assert ids(osv.write_directory(tmp_path / "checkout", RECORDS)) == NAMES
    (tmp_path / "indented.json").write_text(json.dumps(RECORDS[0], indent=2))
    assert ids(tmp_path / "indented.json") == [RECORDS[0]["id"]]
    (tmp_path / "plain.json").write_text(json.dumps(RECORDS[0]))
    assert ids(tmp_path / "plain.json") == [RECORDS[0]["id"]]


def test_the_fingerprint_follows_the_content_and_the_names(tmp_path: Path) -> None:
    directory = osv.write_directory(tmp_path / "checkout", RECORDS)
    seen = [fingerprint(directory), fingerprint(osv.write_lines(tmp_path / "lines", RECORDS))]
    assert fingerprint(directory) == seen[0]
    file = next(directory.rglob("*.json"))
    file.rename(file.with_name("other.json"))
    seen.append(fingerprint(directory))
    file.with_name("other.json").write_text("{}")
    seen.append(fingerprint(directory))
    assert len(set(seen)) == 4


def test_one_record_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osv_sources, "MOST_RECORD", 100_000)
    large = {**RECORDS[0], "id": "DSA-9-1", "details": "x" * 200_000}
    directory = osv.write_directory(tmp_path / "checkout", [*RECORDS, large])
    os.mkfifo(directory / "pipe.json")
    (directory / "nowhere.json").symlink_to("no-such-file")
    exports = {
        osv.write_zip(tmp_path / "all.zip", [*RECORDS[:2], large, *RECORDS[2:]]): ["DSA-9-1.json"],
        osv.write_tar(tmp_path / "all.tar", [*RECORDS[:2], large, *RECORDS[2:]]): ["ubuntu-security-notices/"],
        osv.write_lines(tmp_path / "lines", [*RECORDS[:2], large, *RECORDS[2:]]): ["line 3"],
        directory: ["DSA/DSA-9-1.json", "nowhere.json", "pipe.json"],
    }
    for path, names in exports.items():
        pieces = list(read_records(path))
        assert sorted(json.loads(each.data)["id"] for each in pieces if not each.problem) == NAMES
        bad = [each for each in pieces if each.problem]
        assert [each.name[: len(name)] for each, name in zip(bad, names, strict=True)] == names
        fingerprint(path)


def test_a_member_of_a_zip_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = osv.write_zip(tmp_path / "all.zip", RECORDS)
    with zipfile.ZipFile(path) as archive:
        offset = archive.infolist()[1].header_offset + 80
    data = bytearray(path.read_bytes())
    data[offset : offset + 8] = bytes(8)
    path.write_bytes(data)
    pieces = list(read_records(path))
    assert [bool(each.problem) for each in pieces] == [False, True, False, False, False]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("README.md", "no record")
    assert [each.problem for each in read_records(path)] == ["compressed by an unusual method"]


@pytest.mark.parametrize("write", [osv.write_zip, osv.write_tar])
def test_what_is_cut_short_is_damaged(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path / "export", RECORDS)
    for part in (0.3, 0.6, 0.9):
        cut = tmp_path / "cut"
        cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        if write is osv.write_tar and not any(cut.read_bytes()[-512:]):
            continue  # Nothing but the padding at its end is missing.
        with pytest.raises(Damaged):
            list(read_records(cut))
    cut.write_bytes(gzip.compress(path.read_bytes())[:-9])
    with pytest.raises(Damaged):
        list(read_records(cut))


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4 and so on", b"PK", b"\x1f\x8b", b"[1]", bytes(512)])
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Damaged):
        list(read_records(tmp_path / "x"))
    with pytest.raises(Damaged):
        list(read_records(tmp_path / "no-such-file"))
    with pytest.raises(Damaged):
        fingerprint(tmp_path / "no-such-file")


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    """Absolute names, ``..``, links and devices: nothing is written, and nothing outside is read."""
    (tmp_path / "secret.json").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "x.zip", "w") as archive:
        for name in ("../../evil.json", "/etc/evil.json", "a\n\x1b[31m.json"):
            archive.writestr(name, "{}")
    with tarfile.open(inside / "x.tar", "w") as archive:
        for name, kind in (("link.json", tarfile.SYMTYPE), ("hard.json", tarfile.LNKTYPE), ("dev", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../secret.json"
            archive.addfile(member)
        member = tarfile.TarInfo("../../evil.json")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    before = sorted(tmp_path.rglob("*"))
    assert [piece.data for piece in read_records(inside / "x.zip")] == [b"{}"] * 3
    assert [piece.name for piece in read_records(inside / "x.zip")][2] == "a??[31m.json"
    assert [piece.data for piece in read_records(inside / "x.tar")] == [b"{}"]
    assert sorted(tmp_path.rglob("*")) == before


def peak(work: Callable[[], Any]) -> float:
    """MiB that something takes at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_bombs_are_bounded_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_sources, "MOST_RECORD", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.json", bytes(50 << 20))
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"{" + bytes(100 << 20)))
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as packed_tar:
        member = tarfile.TarInfo("x.json")
        member.size = 100 << 20
        packed_tar.addfile(member, io.BytesIO(bytes(member.size)))
    for name, number in (("bomb.zip", 3), ("bomb.gz", 1), ("bomb.tar.gz", 1)):
        found: list[Any] = []
        assert peak(lambda name=name, found=found: found.extend(read_records(tmp_path / name))) < 16  # type: ignore[misc]
        assert [bool(piece.problem) for piece in found] == [True] * number
    with pytest.raises(Damaged, match="larger than 1 MiB"):
        read_document(tmp_path / "bomb.gz", most=1 << 20)


def test_a_zip_with_an_endless_list_of_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 2) + bytes(16) + b"xx"
    listed = entry * ((30 << 20) // len(entry))
    size = len(listed)
    plain = b"PK\5\6" + bytes(8) + struct.pack("<LLH", size, 0, 0)
    record = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, size, 0)
    locator = b"PK\6\7" + struct.pack("<LQL", 0, size, 1)
    large = b"PK\5\6" + bytes(8) + struct.pack("<LLH", 0xFFFFFFFF, 0xFFFFFFFF, 0)
    for number, end in enumerate((plain, record + locator + large, plain[:-2] + b"\4\0PK\5\6")):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(b"PK\3\4" + listed[4:] + end)
        assert peak(lambda path=path: pytest.raises(Damaged, list, read_records(path))) < 8  # type: ignore[misc]


def test_too_many_records_and_too_much_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = osv.write_zip(tmp_path / "all.zip", RECORDS)
    monkeypatch.setattr(osv_sources, "MOST_RECORDS", 4)
    with pytest.raises(Damaged, match="more than 4 records"):
        list(read_records(path))
    monkeypatch.undo()
    monkeypatch.setattr(osv_sources, "MOST_TEXT", 10)
    with pytest.raises(Damaged, match="records of more than"):
        list(read_records(path))
