# SPDX-License-Identifier: Apache-2.0
"""The compact file of a release: the same bytes for the same content, and nothing in it that is believed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.compiler import Compiler
from support import osv

RELEASE = "UBUNTU-22.04"
SOURCES = ("openssh", "glibc")


def made(records: list[dict[str, Any]]) -> bytes:
    compiler = Compiler([RELEASE], exploited={"CVE-2024-6387": ""}, until="2026-11-20T00:00:00Z")
    for each in records:
        compiler.add(each)
    return compact.write(compiler.header(RELEASE), compiler.lines(RELEASE))


@pytest.fixture(scope="module")
def whole() -> bytes:
    return made(osv.samples())


def read(data: bytes, *, release: str = RELEASE, sources: tuple[str, ...] = SOURCES) -> compact.Feed:
    return compact.read(io.BytesIO(data), release=release, sources=sources)


def test_the_same_records_give_the_same_bytes_whatever_their_order(whole: bytes) -> None:
    assert made(osv.samples()) == whole
    assert read(made(osv.samples()[::-1])).packages == read(whole).packages


def test_the_hash_is_that_of_what_is_said(whole: bytes) -> None:
    lines = gzip.decompress(whole).splitlines(keepends=True)
    assert read(whole).sha256 == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert json.loads(lines[-1]) == {"sha256": read(whole).sha256}
    assert [json.loads(line)["source"] for line in lines[1:3]] == ["glibc", "openssh"]


def test_only_the_wanted_packages_are_returned(whole: bytes) -> None:
    assert read(whole, sources=()).packages == {}
    assert list(read(whole, sources=("openssh", "no-such")).packages) == ["openssh"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"not gzip",
        lambda data: gzip.compress(b""),
        lambda data: gzip.compress(gzip.decompress(data).replace(b"0ubuntu3.13", b"0ubuntu3.12")),
        lambda data: gzip.compress(gzip.decompress(data).rpartition(b'{"sha256"')[0]),
        lambda data: gzip.compress(gzip.decompress(data) + b"{}\n"),
        lambda data: gzip.compress(gzip.decompress(data).replace(b'"version": 1', b'"version": 2', 1)),
        lambda data: data + gzip.compress(b"more"),
    ],
)
def test_a_damaged_file_is_refused(whole: bytes, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(compact.Damaged, match=r"^UBUNTU-22.04: the file cannot be used: .*; compile it again"):
        read(damage(whole))


def test_a_file_for_another_release_is_refused(whole: bytes) -> None:
    with pytest.raises(compact.Damaged, match="it is for UBUNTU-22.04"):
        read(whole, release="UBUNTU-24.04")


def signed(*lines: Any) -> bytes:
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    return gzip.compress(body + b'{"sha256":"%s"}\n' % hashlib.sha256(body).hexdigest().encode())


HEADER = {
    "form": compact.FORM, "version": compact.VERSION, "release": RELEASE, "ecosystems": [], "records": {},
    "data_time": "", "exploited": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("group", "record"),
    [
        ({"records": [1]}, {"id": "USN-1-1"}),
        ({"records": [-1]}, {"id": "USN-1-1"}),
        ({"records": ["x"]}, {"id": "USN-1-1"}),
        ({"records": [0], "ranges": [["", "$(id)"]]}, {"id": "USN-1-1"}),
        ({"records": [0], "ranges": [["", "1", "", "1"]]}, {"id": "USN-1-1"}),
        ({"records": [0], "versions": [1]}, {"id": "USN-1-1"}),
        ({"records": [0], "binaries": 3}, {"id": "USN-1-1"}),
        ({"records": [0]}, {"id": None}),
        ({"records": [0]}, []),
        ({"records": [0]}, {"id": "USN-1-1", "cves": 7}),
        ({"records": [0]}, {"id": "USN-1-1", "exploited": []}),
        ("x", {"id": "USN-1-1"}),
    ],
)
def test_a_file_that_is_signed_and_wrong_is_refused(group: Any, record: Any) -> None:
    assert read(signed(HEADER)).packages == {}
    with pytest.raises(compact.Damaged):
        read(signed(HEADER, {"source": "openssh", "groups": [group]}, record))


def test_a_file_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "MOST_TEXT", 1 << 20)
    with pytest.raises(compact.Damaged, match="more than 1048576 bytes of text"):
        read(gzip.compress(json.dumps(HEADER).encode() + b"\n" + bytes(8 << 20)))
    with pytest.raises(compact.Damaged, match="more than 1048576 bytes of text"):
        read(gzip.compress(json.dumps(HEADER).encode() + b"\n" + b"{}\n" * (1 << 20)))
