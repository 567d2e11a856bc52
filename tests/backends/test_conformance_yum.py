# SPDX-License-Identifier: Apache-2.0
"""The dnf scan vectors on yum 3 systems, whose caches hold the same repositories as yum 3 lays them out."""

from __future__ import annotations

import shutil

import pytest

from ssmpatchlib import api
from support import rpm_root, rpm_vectors, vectors, yum_root

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("sqliterepo_c"), reason="needs createrepo_c")]


def is_for_yum(case):
    """Modules are dnf's; yum's repositories are gzip or bzip2 files without zchunk."""
    modular = any(repository.get("modules") for repository in case["repositories"]) or case.get("enabled_modules")
    return case["operation"] == "Scan" and not modular


CASES = [name for name in vectors.names("dnf") if is_for_yum(vectors.load("dnf", name)[0])]


@pytest.mark.parametrize("name", CASES)
def test_scan(name, tmp_path):
    case, decided = vectors.load("dnf", name)
    root = yum_root.build(case, tmp_path / "root", database=sum(map(ord, name)) % 2 == 0)
    before = rpm_root.installed(root)
    host = yum_root.YumHost(case, root)
    settings = vectors.settings(case, root, package_manager="yum")
    report = api.scan(settings, caller=api.Caller(), host=host, upload="never")
    assert rpm_root.installed(root) == before
    assert rpm_vectors.differences(decided, report) == {}
