# SPDX-License-Identifier: Apache-2.0
"""An rpm database with packages that rpm cannot read: a rebuild would forget them, so that nobody would miss a fix."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import SsmpatchError
from support import dnf_root, store, suse_root

pytestmark = pytest.mark.root

MANAGERS = [
    pytest.param(dnf_root, id="dnf", marks=pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")),
    pytest.param(suse_root, id="zypper", marks=pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")),
]


def damage(root: Path) -> None:
    """Spoil the header of the first package."""
    with sqlite3.connect(root / "var/lib/rpm/rpmdb.sqlite") as database:
        (header,) = database.execute("select blob from Packages where hnum = 1").fetchone()
        spoilt = header[:40] + b"\xff" * 30 + header[70:]
        database.execute("update Packages set blob = ? where hnum = 1", (spoilt,))


def headers(root: Path) -> int:
    """How many packages the database has."""
    with sqlite3.connect(root / "var/lib/rpm/rpmdb.sqlite") as database:
        found: int = database.execute("select count(*) from Packages").fetchone()[0]
    return found


@pytest.mark.parametrize("kind", MANAGERS)
def test_packages_that_cannot_be_read_are_not_forgotten(tmp_path: Path, kind: Any) -> None:
    root = kind.build(
        tmp_path / "root", installed=["app-1-1.noarch", "lib-1-1.noarch"], packages=["app-2-1.noarch", "lib-2-1.noarch"]
    )
    damage(root)
    before = headers(root)
    for operation in (kind.scan, kind.install):
        with pytest.raises(SsmpatchError, match="skipping .* would forget .* restore the database"):
            operation(root)
    assert headers(root) == before


@pytest.mark.parametrize("kind", MANAGERS)
def test_a_database_on_a_read_only_file_system_is_not_called_damaged(tmp_path: Path, kind: Any) -> None:
    with store.tmpfs(tmp_path / "disk", size="64m") as disk:
        root = kind.build(disk / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])
        store.remount_read_only(disk)
        settings = {"state_dir": str(tmp_path / "state"), "aws_dir": str(tmp_path / "aws")}
        for operation in (kind.scan, kind.install):
            with pytest.raises(SsmpatchError, match="var/lib/rpm is on a read-only file system; mount it writable"):
                operation(root, refresh=False, **settings)
