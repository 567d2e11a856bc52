# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in an export, in an archive of records or in a compiled file: it is read or refused, in its time."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from ssmpatchlib.advisories.compiler import Compiler
from ssmpatchlib.compression import Damaged
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.files import parse_json
from ssmpatchlib.fleet import osv_sources
from ssmpatchlib.fleet.osv_sources import fingerprint, read_records
from support import answers, osv
from support.fuzzing import mutated, named, within_budget
from support.generated import Cases

RELEASES = ("DEBIAN-12", "DEBIAN-13", "UBUNTU-20.04", "UBUNTU-22.04")
SOURCES = ("glibc", "openssh", "eglibc", "php-league-commonmark")
RECORDS = osv.samples()
DOCUMENTS = [json.dumps(each).encode() for each in RECORDS]
VERSIONS = ("0", "1:8.9p1-3ubuntu0.9", "2.36-9+deb12u3", "9:9~~")


def compiled(*records: Any) -> Compiler:
    found = Compiler(RELEASES, exploited={"CVE-2024-6387": ""}, until="2026-11-20T00:00:00Z")
    for each in records:
        found.add(each)
    return found


def written_and_read(compiler: Compiler) -> None:
    """What was compiled of anything can be read, and answers for every version."""
    for release in RELEASES:
        data = compact.write(compiler.header(release), compiler.lines(release))
        names = [*SOURCES, *compiler.releases[release].sources]
        feed = compact.read(io.BytesIO(data), release=release, sources=names)
        for entry in (entry for entries in feed.packages.values() for entry in entries):
            for version in VERSIONS:
                assert entry.is_affected(version, order="deb") in (True, False, None)


@pytest.mark.cases(400)
def test_records_of_any_shape(cases: Cases) -> None:
    for number, random in cases:
        document = answers.mutated(random, random.choice(RECORDS))

        def work(document: Any = document) -> None:
            written_and_read(compiled(document))

        with named(cases, number, repr(type(document))):
            within_budget(work, answers.size(document))


@pytest.mark.cases(400)
def test_documents_of_any_bytes(cases: Cases) -> None:
    for number, random in cases:
        data = mutated(random, DOCUMENTS)

        def work(data: bytes = data) -> None:
            try:
                document = parse_json(data)
            except ValueError:
                return
            written_and_read(compiled(document))

        with named(cases, number, data):
            within_budget(work, len(data))


def tar_of(documents: list[bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for number, data in enumerate(documents):
            member = tarfile.TarInfo(f"{number}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The samples in archives of every kind."""
    directory = tmp_path_factory.mktemp("archives")
    zipped = osv.write_zip(directory / "all.zip", RECORDS).read_bytes()
    lines = b"\n".join(DOCUMENTS)
    return [zipped, zipped, tar_of(DOCUMENTS), gzip.compress(tar_of(DOCUMENTS)), lines, gzip.compress(lines)]


@pytest.mark.cases(400)
def test_archives_of_any_bytes(
    cases: Cases, archives: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is said to be large is given room before it is read.
    monkeypatch.setattr(osv_sources, "MOST_RECORD", 1 << 20)
    path = tmp_path / "export"
    for number, random in cases:
        data = damaged(random, archives)
        path.write_bytes(data)

        def work() -> None:
            fingerprint(path)
            try:
                for piece in read_records(path):
                    assert isinstance(piece.data, bytes) and piece.name.isprintable()
            except Damaged:
                pass

        with named(cases, number, data):
            # What is compressed may stand for a thousand times as much.
            within_budget(work, len(data), memory=True, extra=1.0)
    assert [each.name for each in tmp_path.iterdir()] == ["export"]


@pytest.mark.cases(400)
def test_compiled_files_of_any_content(cases: Cases) -> None:
    compiler = compiled(*RECORDS)
    whole = compact.write(compiler.header("UBUNTU-22.04"), compiler.lines("UBUNTU-22.04"))
    lines = gzip.decompress(whole)
    for number, random in cases:
        data = damaged(random, [whole]) if random.random() < 0.3 else gzip.compress(resigned(mutated(random, [lines])))

        def work(data: bytes = data) -> None:
            try:
                feed = compact.read(io.BytesIO(data), release="UBUNTU-22.04", sources=SOURCES)
            except SsmpatchError:
                return
            for entry in (entry for entries in feed.packages.values() for entry in entries):
                assert entry.is_affected("1", order="deb") in (True, False, None)

        with named(cases, number, data):
            within_budget(work, len(data), extra=0.5)


def damaged(random: Random, archives: list[bytes]) -> bytes:
    """An archive with some bytes changed, most often where its structure is."""
    data = bytearray(mutated(random, archives) if random.random() < 0.5 else random.choice(archives))
    for _ in range(random.randint(0, 4)):
        if data:
            place = (
                random.randrange(len(data)) if random.random() < 0.4 else max(0, len(data) - random.randrange(400) - 1)
            )
            data[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(data)


def resigned(text: bytes) -> bytes:
    """Lines with a hash that is right, as one who means harm would write them."""
    import hashlib

    body = text.rpartition(b'{"sha256"')[0] or text
    return body + b'{"sha256":"%s"}\n' % hashlib.sha256(body).hexdigest().encode()
