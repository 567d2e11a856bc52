# SPDX-License-Identifier: Apache-2.0
"""Indexes in every spelling that apt reads: the same packages, versions and updates as apt itself has of them.

Each case is one index of some packages, of which some are installed; sixty share a root. What apt would replace, other
builds of an installed version among it, is read from ``apt-cache policy``: ``apt-get upgrade`` reads beyond the end of
an index without a last newline.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.apt import Apt
from ssmpatchlib.host import Host
from ssmpatchlib.versions.deb import sort_key
from support import apt_root
from support.generated import Cases

SHARING = 60
#: Name and version.
Row = tuple[str, str]
Fields = dict[str, str]
SAME_VERSION = {"1.1": ("1.1", "0:1.1", "1.1-0", "01.1", "1.01"), "2.0-1": ("2.0-1", "0:2.0-1", "2.0-01")}
RELATIONS = ("", "dep (>= 1)", "dep (> 1)", "dep (= 0:1)", "dep (<< 2), other", "dep(<2)|other (= 1)", "dep:any (>= 1)")
#: How dpkg writes them.
WRITTEN = {"dep (> 1)": "dep (>= 1)", "dep (= 0:1)": "dep (= 1)", "dep(<2)|other (= 1)": "dep (<= 2) | other (= 1)"}


def packages(number: int, random: Random) -> Iterator[tuple[Fields, Fields | None]]:
    """The packages of an index, each with its paragraph in dpkg's status file when it is installed."""
    for each in range(random.choice([1, 1, 2, 3, 5])):
        version = random.choice(["1.1", "2.0-1", "1:3~rc1", "4+b1"])
        relation = random.choice(RELATIONS)
        fields = {
            "Package": f"p{number}-{each}",
            "Version": random.choice(SAME_VERSION.get(version, (version,))),
            "Architecture": random.choice(["amd64", "amd64", "all"]),
            "Priority": "optional",
            "Section": random.choice(["utils", "non-free/libs"]),
            "Installed-Size": "100",
            "Maintainer": "Zoë <zoe@example.invalid>",
            "Depends": relation,
            "Description": random.choice(["words", "words: more\n .\n Version: 9", "words\n Package: x"]),
            "Filename": f"pool/p{number}-{each}.deb",
            "Size": "1000",
            "SHA256": "0" * 64,
        }
        fields = {name: value for name, value in fields.items() if value}
        status = None
        if random.random() < 0.6:
            have = random.choice([version, version, "0.9"])
            size = random.choice(["100", "100", "101"])
            status = {**fields, "Version": have, "Installed-Size": size, "Status": "install ok installed"}
            status["Depends"] = WRITTEN.get(relation, relation)
        yield fields, status


def spelled(fields: Fields, random: Random) -> str:
    """A paragraph in one of the spellings that apt reads."""
    items = list(fields.items())
    if random.random() < 0.3:
        random.shuffle(items)
    if random.random() < 0.2:
        items = [(name, value) for name, value in items if name not in ("Priority", "Section")]
    if random.random() < 0.2:
        name = random.choice(["Package", "Version", "Architecture", "Section"])
        wrong = {"Version": "7", "Architecture": "all"}.get(name, "other")
        items.insert(0, (random.choice([name, name.lower()]), wrong))
    lines = []
    for name, value in items:
        if name == "Package" and random.random() < 0.2:
            value = value.upper()
        if random.random() < 0.15:
            name = random.choice([name.lower(), name.upper(), f"{name} ", f"{name}\t"])
        colon = random.choice([": "] * 20 + [":", ":\t", ":  ", ":\n ", ": \n  "])
        if name == "Depends" and "," in value and random.random() < 0.5:
            value = value.replace(", ", ",\n  ")
        lines.append(f"{name}{colon}{value}{random.choice([''] * 20 + [' ', chr(9), '  '])}")
    if random.random() < 0.1:
        lines.insert(random.randint(1, len(lines)), random.choice(["X-More: yes", "Tag: a,\n b", "# comment: yes"]))
    return "\n".join(lines) + "\n"


def index(paragraphs: Sequence[str], random: Random) -> str:
    """The index of some paragraphs."""
    separator = random.choice(["\n"] * 6 + ["\n\n", "\n\n\n\n", "\r\n"])
    text = separator.join(paragraphs)
    if random.random() < 0.2:
        text = text.replace("\n", "\r\n")
    text = random.choice(["", "", "", "\n"]) + text
    return random.choice([text, text, text.rstrip("\r\n"), text + "\n", text + "\n\n\n"])


def build(numbers: Sequence[int], cases: Cases, root: Path) -> None:
    """Build the root of some cases, one repository for each."""
    repositories = [{"id": f"r{number}", "suite": f"s{number}", "packages": []} for number in numbers]
    apt_root.build({"installed": [], "repositories": repositories}, str(root), update=False)
    needed = (apt_root.package(name, "1", multi_arch="allowed") for name in ("dep", "other"))
    status = [apt_root.stanza(package, status="install ok installed") for package in needed]
    for number in numbers:
        random = cases.random(number)
        found = list(packages(number, random))
        data = index([spelled(fields, random) for fields, _status in found], random).encode()
        status += ["".join(f"{k}: {v}\n" for k, v in have.items() if v) for _fields, have in found if have]
        dist = root / f"srv/file/r{number}/dists/s{number}"
        (dist / "main/binary-amd64/Packages").write_bytes(data)
        head, _, _ = (dist / "Release").read_text().partition("SHA256:")
        line = f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages\n"
        (dist / "Release").write_text(f"{head}SHA256:\n{line}")
    (root / "var/lib/dpkg/status").write_text("\n".join(status))
    run(root, "apt-get", "-qq", "update")


def run(root: Path, *argv: str) -> str:
    env = apt_root.environment(str(root))
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
    assert not done.returncode and not done.stderr, done.stdout + done.stderr
    return done.stdout


def rows_of_apt(root: Path) -> set[Row]:
    """The packages and versions that apt has of all indexes."""
    found, name, version = set(), "", ""
    for line in run(root, "apt-cache", "dump").splitlines():
        if line.startswith("Package: "):
            name = line[9:].partition(":")[0]
        elif line.startswith(" Version: "):
            version = line[10:]
        elif line.startswith("     File: ") and line.endswith("_Packages"):
            found.add((name, version))
    return found


def updates_of_apt(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The versions that apt would install in place of installed ones; indexes have 500, dpkg's status alone 100."""
    found = {}
    for block in re.split(r"\n(?=\S)", run(root, "apt-cache", "policy", "--", *names)):
        table = re.findall(r"^ (\*\*\*|   ) (\S+) (\d+)$", block, re.M)
        mark, version, _priority = max(table, key=lambda each: int(each[2]))
        installed = next(version for mark, version, _priority in table if mark == "***")
        if mark != "***" and sort_key(version) >= sort_key(installed):
            found[block.partition(":")[0]] = version
    return found


def number_of(name: str) -> int:
    return int(re.search(r"\d+", name)[0])  # type: ignore[index]


def differences(root: Path, work: Path) -> Iterator[tuple[int, str]]:
    """Yield cases, and what differs from apt in them."""
    inventory = Apt(Context(Host(), root, work)).inventory(non_security=True)
    for words in [*(f"{source.name}: {source.problem}" for source in inventory.unread), *inventory.warnings]:
        yield number_of(words.partition("/srv/file/")[2]), words
    offered = {(p.name, v.version) for p in inventory.not_installed.build() for v in p.versions}
    installed = {p.name: p for p in inventory.packages}
    for name, version in offered ^ {row for row in rows_of_apt(root) if row[0] not in installed}:
        yield number_of(name), f"{name} {version} is read by one of us only"
    upgrades = updates_of_apt(root, installed)
    for name, package in installed.items():
        assert package.installed is not None
        newest = [package.installed, *package.versions][-1]
        ours = "" if newest is package.installed else newest.version
        if ours != upgrades.get(name, ""):
            have = package.installed.version
            yield number_of(name), f"{name}: installed {have}, apt takes {upgrades.get(name)}, we {ours or None}"


@pytest.mark.cases(300)
def test_indexes_are_read_as_apt_reads_them(cases: Cases, tmp_path: Path) -> None:
    for group, together in groupby(sorted(cases.numbers), key=lambda number: number // SHARING):
        asked, root = set(together), tmp_path / f"root{group}"
        build(range(group * SHARING, (group + 1) * SHARING), cases, root)
        for number, words in differences(root, tmp_path / f"work{group}"):
            if number in asked:
                text = (root / f"srv/file/r{number}/dists/s{number}/main/binary-amd64/Packages").read_text()
                pytest.fail(f"{words}\n{text!r}\n{root}; {cases.again(number)}")
