# SPDX-License-Identifier: Apache-2.0
"""What an archive says of an installed version counts before what dpkg has, whatever the baseline asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.host import Host
from support import apt_root
from support.operations import EVERYTHING, SECURITY, Operations, rows

DEBIAN = Operations({"operating_system": "DEBIAN", "product": "Debian12", "package_manager": "apt"})
LIBRARY = apt_root.package("lib", "1", priority="optional", depends="dep")
#: Compressed lists are read by a command, so that reading them is seen.
LISTS = ['Acquire::GzipIndexes "true";', 'Acquire::CompressionTypes::Order { "lz4"; };']


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root where dpkg calls packages standard that the archive calls otherwise."""
    installed = [
        {**LIBRARY, "priority": "standard"},
        apt_root.package("local", "1", priority="extra"),
        apt_root.package("rebuilt", "1", priority="standard", installed_size=7),
        apt_root.package("secure", "2", priority="standard"),
        apt_root.package("twice", "1", priority="standard"),
    ]
    stable = [
        LIBRARY,
        apt_root.package("rebuilt", "1", priority="required"),
        apt_root.package("secure", "2", priority="required"),
        apt_root.package("twice", "1", priority="optional"),
    ]
    updates = [apt_root.package("twice", "1", priority="important")]
    security = [apt_root.package("secure", "2", priority="optional"), apt_root.package("rebuilt", "1")]
    repositories = [
        {"id": "stable", "suite": "stable", "packages": stable},
        {"id": "updates", "suite": "stable-updates", "packages": updates},
        {"id": "security", "suite": "stable-security", "packages": security},
    ]
    case = {"installed": installed, "repositories": repositories, "apt_conf": LISTS}
    return Path(apt_root.build(case, str(tmp_path / "root")))


def severities(root: Path, baseline: dict[str, Any], host: Host | None = None) -> dict[str, str]:
    report = DEBIAN.scan(root, baseline=baseline, refresh=False, host=host)
    return {id_.partition(".")[0]: row["PatchSeverity"] for id_, row in rows(report).items()}


def test_the_archives_word_counts_whatever_the_baseline(root: Path) -> None:
    expected = {"lib": "optional", "local": "extra", "secure": "optional", "twice": "important"}
    for baseline in (SECURITY, EVERYTHING, SECURITY):
        found = severities(root, baseline)
        assert {name: found[name] for name in expected} == expected


class CountingHost(Host):
    """This machine; it counts the indexes that are read."""

    read = 0

    def stream(self, argv: Sequence[str], **more: Any) -> Iterator[bytes]:
        """Yield a program's output."""
        self.read += "cat-file" in argv
        return super().stream(argv, **more)


def read_by_a_scan(root: Path) -> int:
    host = CountingHost()
    severities(root, SECURITY, host)
    return host.read


def test_the_words_are_kept_and_read_again_when_they_may_be_others(root: Path) -> None:
    assert [read_by_a_scan(root) for _ in range(2)] == [3, 1]
    expected = severities(root, SECURITY)
    (kept,) = root.rglob("apt-words.json")
    for damage in ("{", json.dumps({**json.loads(kept.read_text()), "known": [["lib"]]})):
        kept.write_text(damage)
        assert severities(root, SECURITY) == expected
    assert read_by_a_scan(root) == 1
    status = root / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("Depends: dep\n", "Depends: dep2\n"))
    assert severities(root, SECURITY) == {**expected, "lib": "standard"}
    index = next((root / "var/lib/apt/lists").glob("*stable-updates*Packages*"))
    os.utime(index, (1, 1))
    assert [read_by_a_scan(root) for _ in range(2)] == [3, 1]
