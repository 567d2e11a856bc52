# SPDX-License-Identifier: Apache-2.0
"""The packages of kernels on real roots, where several are installed at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.backends import PackageManager
from ssmpatchlib.host import Host
from ssmpatchlib.model import Kernels
from ssmpatchlib.operation import session
from support import dnf_root, suse_root
from support.faults.debs import ARCHITECTURE, Deb
from support.faults.managers import APT, build_apt

pytestmark = pytest.mark.root


def opened(settings: config.Settings) -> PackageManager:
    return session.open_session(settings, host=Host(), caller=api.Caller()).backend


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(dnf_root, "kernel-core", marks=pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")),
        pytest.param(
            suse_root, "kernel-default", marks=pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")
        ),
    ],
    ids=["dnf", "zypper"],
)
def test_versions_of_one_rpm_package_are_told_apart(kind: Any, name: str, tmp_path: Path) -> None:
    versions = ("5.14.0-9.1", "5.14.0-10.1", "5.14.0-11.1")
    installed = [*(f"{name}-{version}.x86_64" for version in versions), "kernel-macros-5.14.0-9.1.noarch"]
    root = kind.build(tmp_path / "root", installed=installed, packages=["any-1-1.x86_64"])
    older = frozenset((f"{name}.x86_64", f"0:{version}") for version in versions[:2])
    assert opened(kind.settings(root)).kernels() == Kernels(others=older)


def test_debian(tmp_path: Path) -> None:
    names = [f"linux-{kind}-6.1.0-{abi}-amd64" for kind in ("image", "headers") for abi in (9, 10)]
    once = ["linux-image-amd64", "linux-libc-dev", "linux-kbuild-6.1"]
    all_ = [*(Deb(name, "6.1") for name in (*names, *once)), Deb("linux-headers-6.1.0-9-common", "6.1")]
    build_apt(tmp_path / "root", installed=all_, offered=[Deb("any", "1")])
    older = [name for name in (*names, "linux-headers-6.1.0-9-common") if "-9-" in name]
    found = opened(config.load(minion=APT.settings(tmp_path / "root"))).kernels()
    assert found == Kernels(others=frozenset((f"{name}.{ARCHITECTURE}", "6.1") for name in older))
