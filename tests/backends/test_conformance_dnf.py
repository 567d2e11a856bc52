# SPDX-License-Identifier: Apache-2.0
"""All dnf vectors through the engine, on real roots with real repositories, a real rpm database and real dnf."""

from __future__ import annotations

import shutil

import pytest

from ssmpatchlib import api
from support import rpm_root, rpm_vectors, vectors

pytestmark = [pytest.mark.slow(150), pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

CASES = vectors.names("dnf")
SCANS = [name for name in CASES if vectors.load("dnf", name)[0]["operation"] == "Scan"]
INSTALLS = [name for name in CASES if name not in SCANS]
#: The decided target is another than the one that dnf's own upgrade has: an architecture change is not seen there.
ARCHITECTURE_CHANGES = {"dnf-0034": "samba-client.noarch"}


@pytest.mark.root
@pytest.mark.parametrize("name", SCANS)
def test_scan(name, tmp_path):
    case, decided = vectors.load("dnf", name)
    root = rpm_root.build(case, tmp_path / "root")
    before = rpm_root.installed(root)
    report = api.scan(
        vectors.settings(case, root), caller=api.Caller(), host=rpm_vectors.CaseHost(case), upload="never"
    )
    assert rpm_root.installed(root) == before
    assert rpm_vectors.differences(decided, report) == {}


@pytest.mark.root
@pytest.mark.parametrize("name", INSTALLS)
def test_install(name, tmp_path):
    case, decided = vectors.load("dnf", name)
    root = rpm_root.build(case, tmp_path / "root")
    settings, caller, host = vectors.settings(case, root), api.Caller(), rpm_vectors.CaseHost(case)
    scanned = api.scan(settings, caller=caller, host=host, upload="never")
    assert rpm_vectors.differences(decided, scanned) == {}
    before = rpm_root.installed(root)
    given = {
        "caller": caller,
        "host": host,
        "install_override_list": rpm_vectors.override_list(case),
        "refresh": False,
    }
    plan = api.plan(settings, **given)
    assert rpm_root.installed(root) == before
    report = api.install(settings, upload="never", **given)
    after = rpm_root.installed(root)
    assert plan["changes"] == report["changes"]
    assert plan["removals"] == []
    judge_targets(name, decided, plan, after)
    judge_changes(plan, before, after)


def judge_targets(name, decided, plan, after):
    """What the decided result names is there, what cannot be installed is not, and its reason is said."""
    unsure = {text.partition(":")[0] for text in decided["unsure"]}
    planned = {row["id"]: row for row in plan["packages"]}
    for id_, version in decided["targets"].items():
        if id_ in unsure or id_ == ARCHITECTURE_CHANGES.get(name):
            continue
        assert version in after[id_], f"{id_} {version} was not installed"
        assert planned[id_]["target"], f"{id_} is no target of the plan"
    blocked = {row["id"]: row["reason"] for row in plan["blocked"]}
    assert set(blocked) == set(decided["targets_not_reachable"])
    assert all(blocked.values())


def judge_changes(plan, before, after):
    """Nothing changed but what the plan said; nothing was removed but the oldest kernel or what was replaced."""
    planned = {row["id"]: row["new"] for row in plan["packages"]}
    assert {id_ for id_ in {*before, *after} if before.get(id_) != after.get(id_)} == set(planned)
    for id_, new in planned.items():
        assert new in after[id_] if new else id_ not in after
