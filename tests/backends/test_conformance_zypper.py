# SPDX-License-Identifier: Apache-2.0
"""All zypper vectors through the engine, on real roots with real repositories, a real rpm database and real zypper."""

from __future__ import annotations

import shutil

import pytest

from ssmpatchlib import api
from support import rpm_root, rpm_vectors, vectors

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow(60),
    pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper"),
]

CASES = vectors.names("zypper")
SCANS = [name for name in CASES if vectors.load("zypper", name)[0]["operation"] == "Scan"]
INSTALLS = [name for name in CASES if name not in SCANS]
#: Installed in two architectures, of which zypper would remove one without a word: neither is touched.
TWO_ARCHITECTURES = {
    "zypper-0010": {"liblzma5.i586", "liblzma5.x86_64"},
    "zypper-0034": {"apache2.i586", "apache2.x86_64"},
    "zypper-0044": {"libxml2-2.i586", "libxml2-2.x86_64"},
}


def files_below(root):
    """Everything that zypper's administrator owns."""
    return {path: path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", SCANS)
def test_scan(name, tmp_path):
    case, decided = vectors.load("zypper", name)
    root = rpm_root.build(case, tmp_path / "root")
    before = rpm_root.installed(root), files_below(root)
    report = api.scan(
        vectors.settings(case, root), caller=api.Caller(), host=rpm_vectors.CaseHost(case), upload="never"
    )
    assert (rpm_root.installed(root), files_below(root)) == before
    assert rpm_vectors.differences(decided, report) == {}


@pytest.mark.parametrize("name", INSTALLS)
def test_install(name, tmp_path):
    case, decided = vectors.load("zypper", name)
    root = rpm_root.build(case, tmp_path / "root")
    settings, caller, host = vectors.settings(case, root), api.Caller(), rpm_vectors.CaseHost(case)
    scanned = api.scan(settings, caller=caller, host=host, upload="never")
    assert rpm_vectors.differences(decided, scanned) == {}
    before, files = rpm_root.installed(root), files_below(root)
    given = {"caller": caller, "host": host, "install_override_list": rpm_vectors.override_list(case)}
    plan = api.plan(settings, refresh=False, **given)
    assert rpm_root.installed(root) == before
    report = api.install(settings, upload="never", refresh=False, **given)
    after = rpm_root.installed(root)
    assert files_below(root) == files
    assert plan["changes"] == report["changes"]
    assert plan["removals"] == []
    judge_targets(name, decided, plan, after)
    judge_changes(plan, before, after)


def judge_targets(name, decided, plan, after):
    """What the decided result names is there; what cannot be installed is not, and its reason is said."""
    refused = TWO_ARCHITECTURES.get(name, set())
    planned = {row["id"]: row for row in plan["packages"]}
    for id_, version in decided["targets"].items():
        if id_ not in refused:
            assert version in after[id_], f"{id_} {version} was not installed"
            assert planned[id_]["target"], f"{id_} is no target of the plan"
    blocked = {row["id"]: row["reason"] for row in plan["blocked"]}
    assert set(blocked) == set(decided["targets_not_reachable"]) | refused
    assert all(blocked.values())
    assert all("only one architecture" in blocked[id_] for id_ in refused)


def judge_changes(plan, before, after):
    """Nothing changed but what the plan said, and nothing was removed but what was replaced."""
    planned = {row["id"]: row["new"] for row in plan["packages"]}
    assert {id_ for id_ in {*before, *after} if before.get(id_) != after.get(id_)} == set(planned)
    for id_, new in planned.items():
        assert new in after[id_] if new else id_ not in after
