# SPDX-License-Identifier: Apache-2.0
"""apt's and dpkg's files with any content: read, or an error in words, in time, and no name gets through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.apt import index, marks, policy, relations, release_file, sizes, status, targets
from ssmpatchlib.backends.apt.config import AptCommand, AptPaths
from ssmpatchlib.backends.apt.inventory import read_inventory
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.names import is_deb
from support.fuzzing import mutated, named, sample, within_budget
from support.generated import Cases

WORDS = {
    "Packages": (b"Package: ", b"\nPackage: a\n", b"Version: 9\n", b"Architecture: all\n", b"Size: ", b"\n ", b"\n\n"),
    "dpkg-status": (b"Package: ", b"Status: install ok installed\n", b"Version: ", b"\n\n", b"half-configured"),
    "preferences": (b"Pin: ", b"Pin-Priority: ", b"Package: ", b"/(a+)+$/", b"*", b"\n\n"),
    "extended_states": (b"Auto-Installed: 1\n", b"Package: ", b"\n\n"),
    "Release": (b"\nNotAutomatic: yes\n", b" " + b"0" * 64 + b" 0 main/binary-amd64/Packages\n", b"SHA256:\n"),
}


class Silent(Host):
    """A host on which every program ends without a word."""

    def run(self, argv: Any, **more: Any) -> CommandResult:
        return CommandResult(tuple(argv), 0, "", "")


@pytest.fixture
def paths(tmp_path: Path) -> AptPaths:
    """apt's files in a directory, of the samples."""
    names = {"dpkg-status": "status", "extended_states": "states", "preferences": "preferences", "Packages": "Packages"}
    for name, file in names.items():
        (tmp_path / file).write_bytes(sample(name))
    values: dict[str, Any] = dict.fromkeys(AptPaths.__dataclass_fields__, ())
    return AptPaths(
        **{
            **values,
            "lists": tmp_path,
            "status": tmp_path / "status",
            "archives": tmp_path / "archives",
            "architecture": "amd64",
            "default_release": "",
            "methods": tmp_path,
            "extended_states": tmp_path / "states",
            "preference_files": (tmp_path / "preferences",),
        }
    )


def target(path: Path, **more: Any) -> targets.IndexTarget:
    """A trusted index in a file."""
    usual = {"description": "http://a.invalid x", "repository": "http://a.invalid x", "suite": "x-security"}
    others: dict[str, Any] = {"codename": "x", "label": "", "trusted": True, "security": True, "priority": 500}
    return targets.IndexTarget(path=str(path), **{**usual, **others, **more})


def inventory(command: AptCommand, paths: AptPaths) -> None:
    """Read all files together as a scan does."""
    with suppress(SsmpatchError):
        pins = policy.read_pins(paths)
        found = read_inventory(
            command,
            paths,
            targets.Indexes((target(paths.lists / "Packages"),)),
            pins=pins,
            non_security=True,
            words_file=paths.lists / "words.json",
            again={},
        )
        for package in (*found.packages, *found.not_installed.build()):
            for version in package.versions:
                assert is_deb(version.name, version.version, version.arch), version
        assert all(len(words) < 500 and words.isprintable() for words in found.warnings)


def packages(command: AptCommand, paths: AptPaths) -> None:
    inventory(command, paths)
    one = target(paths.lists / "Packages")
    with suppress(SsmpatchError):
        for block in index.read_blocks(command, paths, one):
            assert all(is_deb(*row[:3]) for row in block.rows)
            list(block.paragraphs(block.rows))
        sizes.versions_of(command, paths, [one])


def dpkg(command: AptCommand, paths: AptPaths) -> None:
    inventory(command, paths)
    with suppress(SsmpatchError):
        for package in status.read_status(paths.status, architecture="amd64"):
            status.build_of(package.paragraph)
            status.installed_time(str(paths.lists), package)


def pins(command: AptCommand, paths: AptPaths) -> None:
    with suppress(SsmpatchError):
        for pin in policy.read_pins(paths):
            pin.names_package("alpha")
    inventory(command, paths)


def states(command: AptCommand, paths: AptPaths) -> None:
    marks.read_marks(paths.extended_states)


def release(command: AptCommand, paths: AptPaths) -> None:
    text = release_file.read_release(str(paths.lists / "x_"))
    release_file.release_priority(text)
    release_file.is_empty(text, "main/binary-amd64/Packages")
    release_file.size_of(text, "main/binary-amd64/Packages")


READERS: dict[str, tuple[str, Callable[[AptCommand, AptPaths], None]]] = {
    "Packages": ("Packages", packages),
    "dpkg-status": ("status", dpkg),
    "preferences": ("preferences", pins),
    "extended_states": ("states", states),
    "Release": ("x_InRelease", release),
}


@pytest.mark.cases(250)
@pytest.mark.parametrize("kind", READERS)
def test_files_of_apt(kind: str, cases: Cases, paths: AptPaths) -> None:
    file, read = READERS[kind]
    command = AptCommand(Silent(), Path("/"), {}, ())
    for number, random in cases:
        data = mutated(random, [sample(kind)], WORDS[kind])
        (paths.lists / file).write_bytes(data)
        with named(cases, number, data):
            within_budget(lambda: read(command, paths), len(data), memory=number % 50 == 0)


@pytest.mark.cases(500)
def test_relations(cases: Cases) -> None:
    samples = [b"libc6 (>= 2.36), a | b:any (<< 1:2~), c [!amd64] <!nocheck>", b"x (= 1), y"]
    for number, random in cases:
        data = mutated(random, samples, (b"|", b",", b" (", b")", b">=", b"<<", b":any"))
        with named(cases, number, data):
            within_budget(lambda data=data: list(relations.read_relations(data.decode("latin-1"))), len(data))


def test_an_index_of_one_endless_paragraph_is_refused(paths: AptPaths) -> None:
    with open(paths.lists / "Packages", "wb") as handle:
        handle.write(b"Package: a\nDescription: ")
        for _ in range(40):
            handle.write(b"x" * (1 << 20))
    command = AptCommand(Silent(), Path("/"), {}, ())
    with pytest.raises(SsmpatchError, match="larger than"):
        list(index.read_blocks(command, paths, target(paths.lists / "Packages")))
