# SPDX-License-Identifier: Apache-2.0
"""A repository that calls a package like an option: nothing of it reaches a command line, and the rest goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support import dnf_root, rpm_root, suse_root
from support.operations import EVERYTHING, RecordingHost
from support.rpm_build import Spec

pytestmark = pytest.mark.root

SYSTEMS = [
    pytest.param(module, marks=pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}"), id=program)
    for module, program in ((dnf_root, "dnf"), (suse_root, "zypper"))
]
NAMES = ("--setopt=gpgcheck=0", "--setopt=pluginpath=plugins", "-beta", "!beta", "@core")


def hostile(name: str) -> dict[str, Any]:
    """A package that takes the place of an installed one."""
    return {"name": name, "version": "9", "release": "1", "arch": "noarch", "obsoletes": ["app"]}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_package_that_is_called_like_an_option(tmp_path: Path, system: ModuleType, name: str) -> None:
    bad = {"id": "bad", "packages": [hostile(name)], "advisories": []}
    root = system.build(
        tmp_path / "root",
        installed=["app-1-1.noarch", "lib-1-1.noarch"],
        specs=[Spec("lib", "2")],
        repositories=[bad],
    )
    host = RecordingHost()
    report = system.install(root, host=host, baseline=EVERYTHING)
    said = [text for text in report["warnings"] if "no such name, version or architecture" in text]
    assert len(said) == 1 and said[0].startswith("bad: ") and repr(f"{name}-0:9-1.noarch") in said[0]
    assert report["changes"].keys() == {"lib"} and set(rpm_root.installed(root)) >= {"app.noarch"}
    assert not [argv for argv in host.commands if any(name in word for word in argv)]
