# SPDX-License-Identifier: Apache-2.0
"""A component without packages, as bookworm-updates has them: apt keeps no index of it, and nothing is unknown."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support import apt_root
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt

pytestmark = pytest.mark.root

#: The size of an empty index, plain and compressed, as an archive lists them.
EMPTY = {"": b"", ".gz": bytes(20), ".xz": bytes(32)}


def add_component(root: Path, name: str, *, size: int | None = None) -> None:
    """Let the security repository have another component, whose index is listed and empty."""
    dist = root / REPOSITORIES / "security/dists/stable-security"
    release = dist / "Release"
    text = release.read_text().replace("Components: main", f"Components: main {name}")
    for ending, content in EMPTY.items():
        listed = len(content) if size is None else size
        digest = hashlib.sha256(content).hexdigest()
        text += f" {digest} {listed} {name}/binary-{ARCHITECTURE}/Packages{ending}\n"
    release.write_text(text)
    sources = root / "etc/apt/sources.list"
    sources.write_text(sources.read_text().replace(" main", f" main {name}"))


def scan(root: Path, **more: Any) -> dict[str, Any]:
    settings = config.load(minion=APT.settings(root))
    return api.scan(settings, caller=quiet_surface(), host=FaultHost(), **more)


@pytest.mark.parametrize("lists", ["", 'Acquire::GzipIndexes "true";'])
def test_an_empty_component_is_read(tmp_path: Path, lists: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", NEW)], offered=[Deb("foo", NEW)], apt_conf=[lists] if lists else [])
    for name in ("contrib", "non-free"):
        add_component(root, name)
    env = apt_root.environment(str(root))
    subprocess.run(["apt-get", "-qq", "update"], env=env, check=True, capture_output=True, timeout=60)
    for refresh in (True, False):
        report = scan(root, refresh=refresh)
        assert (report["compliance"], report["warnings"]) == ("COMPLIANT", [])


def test_an_index_that_is_not_empty_and_not_there_is_missing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    assert scan(root)["compliance"] == "COMPLIANT"
    add_component(root, "contrib", size=100)
    assert scan(root)["compliance"] == "UNKNOWN"


@pytest.mark.parametrize("ending", [".gz", ".xz", ".bz2"])
@pytest.mark.parametrize("blanks", ["", "  "])
def test_an_empty_index_that_is_listed_in_one_form_only_is_read(tmp_path: Path, ending: str, blanks: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)])
    add_component(root, "contrib")
    dist = root / REPOSITORIES / "security/dists/stable-security"
    data = {".gz": gzip.compress(b""), ".xz": lzma.compress(b""), ".bz2": bz2.compress(b"")}[ending]
    index = f"contrib/binary-{ARCHITECTURE}/Packages{ending}"
    (dist / index).parent.mkdir(parents=True)
    (dist / index).write_bytes(data)
    kept = [line for line in (dist / "Release").read_text().splitlines() if "contrib/" not in line]
    listed = f" {hashlib.sha256(data).hexdigest()} {len(data)} {index}{blanks}"
    (dist / "Release").write_text("\n".join([*kept, listed]) + "\n")
    for refresh in (True, False):
        report = scan(root, refresh=refresh)
        assert (report["compliance"], report["warnings"]) == ("COMPLIANT", [])
