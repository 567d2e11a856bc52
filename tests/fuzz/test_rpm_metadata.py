# SPDX-License-Identifier: Apache-2.0
"""Repository metadata of rpm systems with any content: read or named as damaged, in time, and no name gets through."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from ssmpatchlib.backends.dnf import modules
from ssmpatchlib.backends.rpm.installed import InstalledPackage
from ssmpatchlib.backends.rpmmd import fixes, modulemd, primary, reader, repomd, updateinfo
from ssmpatchlib.backends.rpmmd.candidates import Offering, Rules, find_packages
from ssmpatchlib.backends.rpmmd.compression import read_pieces
from ssmpatchlib.backends.rpmmd.metadata import DamagedMetadata, Metadata
from ssmpatchlib.backends.yum import primary_db
from ssmpatchlib.backends.zypper import impossible
from ssmpatchlib.names import is_rpm
from support.fuzzing import mutated, named, sample, within_budget
from support.generated import Cases

KINDS: dict[str, tuple[str, ...]] = {
    "primary": ("primary.xml",),
    "updateinfo": ("updateinfo-redhat.xml", "updateinfo-suse.xml"),
    "modules": ("modules.yaml",),
}
WORDS: dict[str, tuple[bytes, ...]] = {
    "primary": (b"<package ", b"</package>", b"<rpm:entry ", b"<rpm:vendor>", b"<version ", b'epoch="', b"<name>"),
    "updateinfo": (b"<update ", b"</update>", b"<package ", b"<reference ", b"<issued ", b"</collection>", b"<id>"),
    "modules": (b"---\n", b"...\n", b"data:\n", b"artifacts:\n", b"requires:\n", b"  ", b"document: modulemd\n"),
}
RULES = Rules(native="x86_64")
HERE = (("alpha", "x86_64"), ("beta", "noarch"), ("old", "x86_64"))
INSTALLED = {f"{name}.{arch}": InstalledPackage(name, arch, "0:1-1", 1, 1, "V") for name, arch in HERE}


def index(directory: Path, **documents: bytes) -> repomd.Repomd:
    """A repository's index of these documents, which are as it says."""
    records = {}
    for kind, data in documents.items():
        path = directory / kind
        path.write_bytes(data)
        records[kind] = repomd.Record(kind, path, "sha256", hashlib.sha256(data).hexdigest())
    return repomd.Repomd("1", records)


def check(metadata: Metadata) -> None:
    """What the engine relies on: names that are names, and bounded words of one line."""
    for id_ in metadata.offers:
        assert all(
            is_rpm(*id_.rpartition(".")[::2][:1], evr, id_.rpartition(".")[2]) for evr, *_ in metadata.offers[id_]
        )
    for id_, rows in metadata.mentions.items():
        name, _, arch = id_.rpartition(".")
        assert all(is_rpm(name, evr, arch) for evr, *_ in rows)
    said = (*metadata.problems, *metadata.damage)
    assert len(said) < 50 and all(len(words) < 1000 and words.isprintable() for words in said)
    for advisory in metadata.advisories:
        shown = (
            advisory.id,
            advisory.type,
            advisory.severity or "",
            advisory.title,
            *(i for _, i in advisory.references),
        )
        assert all(len(text) <= 200 and text.isprintable() for text in shown)
    state = modules.ModuleState({"mod": "1.10"}, frozenset(), {}, "el9")
    modules.make_filter(state, [metadata])
    packages, others, _retracted = find_packages(
        installed=INSTALLED, offerings=[Offering("x", metadata)], rules=RULES, non_security=True
    )
    assert len(packages) == len(INSTALLED)
    list(others.build())
    ids = {word for advisory in metadata.advisories for word in (advisory.id, *(id_ for _, id_ in advisory.references))}
    published = fixes.find_published(ids, [(metadata, None), (metadata, lambda module: False)])
    assert all(is_rpm(each.name, each.version, each.arch) and each.advisory.id in ids for each in published)


@pytest.mark.cases(400)
@pytest.mark.parametrize("kind", KINDS)
def test_repository_metadata(kind: str, cases: Cases, tmp_path: Path) -> None:
    documents = {name: sample(files[0]) for name, files in KINDS.items()}
    samples = [sample(name) for name in KINDS[kind]]
    for number, random in cases:
        data = mutated(random, samples, WORDS[kind])
        found = index(tmp_path, **{**documents, kind: data})
        with named(cases, number, data):
            within_budget(lambda found=found: check(reader.read_metadata(found)), len(data), memory=number % 50 == 0)


@pytest.mark.cases(400)
def test_the_index_of_a_repository(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "repodata/repomd.xml"
    path.parent.mkdir()
    words = (b"<data ", b"</data>", b"<location ", b'href="', b"<checksum ", b"shake_128", b"primary", b"modules")

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(DamagedMetadata):
            found = repomd.read_repomd(path)
            for types in (repomd.PRIMARY, repomd.UPDATEINFO, repomd.MODULES):
                record = found.find(*types)
                if record:
                    assert tmp_path in record.path.parents and ".." not in record.path.parts[:-1]
            metadata = reader.read_metadata(found)
            assert all(words.isprintable() and len(words) < 1000 for words in metadata.damage)

    for number, random in cases:
        data = mutated(random, [sample("repomd.xml")], words)
        with named(cases, number, data):
            within_budget(lambda data=data: read(data), len(data))


@pytest.mark.cases(150)
def test_packed_files(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "file"
    magics = (b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh9", b"\0ZCK1")
    samples = [gzip.compress(sample("primary.xml")), *(magic + bytes(40) for magic in magics)]
    for number, random in cases:
        data = mutated(random, samples)
        path.write_bytes(data)
        with named(cases, number, data), suppress(DamagedMetadata):
            within_budget(lambda: list(read_pieces(path)), len(data))


@pytest.mark.cases(200)
def test_dependencies_as_zypper_needs_them(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "primary"

    def read() -> None:
        found = impossible.Dependencies()
        with suppress(DamagedMetadata):
            found.add_offers(path)
        impossible.find_impossible(found)

    for number, random in cases:
        data = mutated(random, [sample("primary.xml")], WORDS["primary"])
        path.write_bytes(data)
        with named(cases, number, data):
            within_budget(read, len(data))


def database(path: Path) -> bytes:
    """The content of a database of packages as createrepo makes it for yum."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE packages (pkgKey INTEGER PRIMARY KEY, name, arch, epoch, version, release, time_build,"
        " rpm_vendor);"
        "CREATE TABLE obsoletes (name, flags, epoch, version, release, pkgKey INTEGER);"
        "INSERT INTO packages VALUES (1, 'alpha', 'x86_64', '0', '2', '1', 1500000000, 'V');"
        "INSERT INTO packages VALUES (2, 'beta', 'noarch', NULL, X'FF00', 3, 'x', 4);"
        "INSERT INTO obsoletes VALUES ('old', 'LT', '0', '2', NULL, 1);"
    )
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.cases(150)
def test_databases_of_packages_as_yum_has_them(cases: Cases, tmp_path: Path) -> None:
    whole = database(tmp_path / "sample.sqlite")
    for number, random in cases:
        data = mutated(random, [whole], (b"SQLite format 3\0", b"CREATE TABLE", b"packages"))
        found = index(tmp_path, primary_db=data)
        with named(cases, number, data):
            within_budget(
                lambda found=found: check(
                    reader.read_metadata(found, package_types=primary_db.TYPES, package_reader=primary_db.read_packages)
                ),
                len(data),
            )


SPACES = b" " * 20_000
COLLECTION = b"<update><id>A</id><pkglist><collection>"
END = b"</collection></pkglist></update>"
LONG: dict[str, bytes] = {
    "words in a tag": b"<update type='security' " + b"w" * 400_000 + b"><id>A</id></update>",
    "a tag without end": COLLECTION + b"<package " * 40_000 + END,
    "references without end": b"<update><id>A</id>" + b"<reference " * 40_000 + b"</update>",
    "signs in a value": COLLECTION + b"<package src='" + b">" * 300_000 + b"' name='a' version='1'/>" + END,
    "open quotes": b"<update><id>A</id>" + b'<issued date="' * 30_000 + b"</update>",
    "spaces": b"<update><id>A</id><issued" + SPACES + b"=" + SPACES + b"/></update>",
    "dates": b"<update><id>A</id><issued date='2024-01-01" + SPACES + b"x'/></update>",
    "entities": b"<update><id>" + b"&#" * 100_000 + b"1" * 100_000 + b"</id></update>",
    "comments": b"<update><id>A</id>" + b"<!--" * 80_000 + b"--></update>",
    "an identifier": b"<update><id>" + b"A" * 300_000 + b"</id></update>",
}


@pytest.mark.parametrize("what", LONG)
def test_long_documents_take_time_by_their_size(what: str) -> None:
    body = LONG[what]

    def read() -> None:
        with suppress(DamagedMetadata):
            list(updateinfo.read_updateinfo([b"<updates>" + body + b"</updates>"], on_problem=lambda words: None))
        with suppress(DamagedMetadata):
            other = body.replace(b"<update", b"<package").replace(b"</update", b"</package").replace(b"<id>", b"<name>")
            list(primary.read_primary([b"<metadata>" + other + b"</metadata>"]))
        with suppress(DamagedMetadata):
            modulemd.read_modules([b"---\ndata:\n" + body], on_problem=lambda words: None)

    within_budget(read, len(body))


def stream(name: str, version: str, requires: dict[str, list[str]]) -> modulemd.ModuleBuild:
    return modulemd.ModuleBuild(name, version, "1", "c", "x86_64", (requires,), (), ())


STREAMS = {
    "in a long row": [stream(f"m{number}", "1", {f"m{number + 1}": ["1"]}) for number in range(3000)],
    "with two of each": [
        stream(f"m{number}", version, {f"m{number + 1}": [], f"n{number}": []})
        for number in range(40)
        for version in ("1", "2")
    ],
}


@pytest.mark.parametrize("what", STREAMS)
def test_streams_that_need_each_other_end(what: str) -> None:
    metadata = Metadata({}, builds=tuple(STREAMS[what]), default_streams={build.name: "1" for build in STREAMS[what]})
    state = modules.ModuleState({"m0": "1"}, frozenset(), {}, "el9")

    found: list[modules.ModuleFilter | None] = []

    within_budget(lambda: found.append(modules.make_filter(state, [metadata])), 300_000)

    assert found[0] and "need each other" in found[0].problem


def crowd(advisories: int, packages: int) -> tuple[bytes, bytes]:
    """Documents in which very many advisories name few packages in very many versions."""
    named = (
        f"<update type='security' status='{'retracted' if number % 2 else 'final'}'><id>A{number}</id><pkglist>"
        f"<collection><package name='old' version='{number}' release='1' epoch='0' arch='x86_64'/>"
        f"<package name='alpha' version='2' release='1' epoch='0' arch='x86_64'/></collection></pkglist></update>"
        for number in range(advisories)
    )
    offered = (
        f"<package><name>{name}</name><arch>x86_64</arch><version epoch='0' ver='{3 * number + 2}' rel='1'/></package>"
        for number in range(packages)
        for name in ("old", "alpha")
    )
    return f"<metadata>{''.join(offered)}</metadata>".encode(), f"<updates>{''.join(named)}</updates>".encode()


def test_very_many_advisories_of_one_package_take_time_by_their_number(tmp_path: Path) -> None:
    documents = crowd(6000, 3000)
    found = index(tmp_path, primary=documents[0], updateinfo=documents[1])
    within_budget(lambda: check(reader.read_metadata(found)), sum(map(len, documents)))
