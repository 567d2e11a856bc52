# SPDX-License-Identifier: Apache-2.0
"""All dnf vectors through the engine, on real roots with real repositories, a real rpm database and real dnf."""

from __future__ import annotations

import datetime as dt
import shutil

import pytest
from support import rpm_root, vectors

from ssmpatchlib import operation

pytestmark = pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")

CASES = vectors.names("dnf")
SCANS = [name for name in CASES if vectors.load("dnf", name)[0]["operation"] == "Scan"]
INSTALLS = [name for name in CASES if name not in SCANS]
#: The decided target is another than the one that dnf's own upgrade has: an architecture change is not seen there.
ARCHITECTURE_CHANGES = {"dnf-0034": "samba-client.noarch"}


class CaseHost(vectors.CaseHost):
    """The host of a case: it is the case's time, and it was booted when the case says."""

    def __init__(self, case):
        super().__init__({"boot_time": case.get("last_reboot_time", 1700000000)})
        self._now = dt.datetime.strptime(case["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc).timestamp()

    def now(self):
        return self._now


@pytest.mark.root
@pytest.mark.parametrize("name", SCANS)
def test_scan(name, tmp_path):
    case, decided = vectors.load("dnf", name)
    root = rpm_root.build(case, tmp_path / "root")
    before = rpm_root.installed(root)
    report = operation.scan(
        vectors.settings(case, root), surface=operation.Surface(), host=CaseHost(case), upload=False
    )
    assert rpm_root.installed(root) == before
    judge(case, decided, report)


def judge(case, decided, report):
    unsure = {text.partition(":")[0] for text in decided["unsure"]}
    open_fields = decided["unsure_fields"]
    assert rows(report, unsure, open_fields) == decided_rows(decided, unsure, open_fields)
    assert report["compliance"] == decided["compliance"]
    assert unread(report) == set(decided["unread_sources"])
    if not unsure - {"not_applicable_count"}:
        assert summary_differences(report, decided, {*open_fields.get("summary", ()), *unsure}) == {}


def rows(report, unsure, open_fields):
    found = {}
    for row in report["patches"]:
        if row["Id"] not in unsure:
            cves = row.get("CVEIds", "")
            values = {
                "id": row["Id"],
                "state": row["PatchState"],
                "severity": row["Severity"],
                "classification": row["Classification"],
                "patch_severity": row["PatchSeverity"],
                "cve_ids": cves.split(",") if cves else [],
                "compliance": row["Status"],
            }
            found[row["Title"]] = {k: v for k, v in values.items() if k not in open_fields.get(row["Id"], ())}
    return found


def decided_rows(decided, unsure, open_fields):
    return {
        title: {k: v for k, v in row.items() if k not in open_fields.get(row["id"], ())}
        for title, row in decided["states"].items()
        if row["id"] not in unsure
    }


def unread(report):
    """The repositories that the warnings name as not read."""
    return {text.partition(":")[0] for text in report["warnings"] if ": could not be read" in text}


def summary_differences(report, decided, open_fields):
    want = {
        key: str(value)
        for key, value in decided["summary"].items()
        if value is not None and key not in ("OperationType", *open_fields)
    }
    if "not_applicable_count" in open_fields:
        want.pop("NotApplicableCount")
    found = {key: (report["summary"].get(key), value) for key, value in want.items()}
    differences = {key: pair for key, pair in found.items() if pair[0] != pair[1]}
    if decided["summary"]["NonCompliantSeverity"] is None and "NonCompliantSeverity" in report["summary"]:
        differences["NonCompliantSeverity"] = (report["summary"]["NonCompliantSeverity"], None)
    return differences


@pytest.mark.root
@pytest.mark.parametrize("name", INSTALLS)
def test_install(name, tmp_path):
    case, decided = vectors.load("dnf", name)
    root = rpm_root.build(case, tmp_path / "root")
    settings, surface, host = vectors.settings(case, root), operation.Surface(), CaseHost(case)
    override = case["install_override_list"]
    override = {"patches": override} if override is not None else None
    judge(case, decided, operation.scan(settings, surface=surface, host=host, upload=False))
    before = rpm_root.installed(root)
    given = {"surface": surface, "host": host, "install_override_list": override, "refresh": False}
    plan = operation.plan(settings, **given)
    assert rpm_root.installed(root) == before
    report = operation.install(settings, upload=False, **given)
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
