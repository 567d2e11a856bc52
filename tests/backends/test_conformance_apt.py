# SPDX-License-Identifier: Apache-2.0
"""All apt vectors through the engine, on real apt roots; Install cases with real debs and a real dpkg."""

from __future__ import annotations

import subprocess

import pytest

from ssmpatchlib import api
from ssmpatchlib.times import aws_time
from support import apt_root, vectors

pytestmark = pytest.mark.slow(200)

# The decided result cannot be had, or is not what the rules say; what holds instead is asserted below.
IMPOSSIBLE = {
    # It depends on a newer gzip, which is held and which the decided result leaves as it is.
    "gen-1-0192-install": "ruby3.0.amd64",
}
#: What a decided update needs comes with it in the version that it needs; the decided result forgets it.
NEEDED = {"gen-1-0072-install": "tar.amd64"}
DRIFTS = {"q-last-no-reboot-time-drifts"}
CASES = vectors.names("apt")
SCANS = [name for name in CASES if vectors.load("apt", name)[0]["operation"] == "Scan"]
INSTALLS = [name for name in CASES if name not in SCANS]


def build(case, tmp_path, real=False):
    case = {**case, "real_debs": True} if real else case
    return apt_root.build(case, str(tmp_path / "root"))


@pytest.mark.parametrize("name", SCANS)
def test_scan(name, tmp_path, monkeypatch):
    case, decided = vectors.load("apt", name)
    monkeypatch.setenv("TZ", case.get("timezone") or "UTC")
    root = build(case, tmp_path)
    before = packages_of(root)
    report = api.scan(vectors.settings(case, root), caller=api.Caller(), host=vectors.CaseHost(case), upload="never")
    assert packages_of(root) == before
    judge(name, case, decided, report)


@pytest.mark.root
@pytest.mark.parametrize("name", INSTALLS)
def test_install(name, tmp_path):
    case, decided = vectors.load("apt", name)
    root = build(case, tmp_path, real=True)
    settings = vectors.settings(case, root)
    caller, host = api.Caller(), vectors.CaseHost(case)
    override = case["install_override_list"]
    plan = api.plan(settings, caller=caller, host=host, install_override_list=override)
    before = installed(root)
    report = api.install(settings, caller=caller, host=host, install_override_list=override, upload="never")
    after = installed(root)
    assert set(before) <= set(after), "an install removed a package"
    assert plan["removals"] == []
    if not case.get("simulate"):
        assert plan["changes"] == report["changes"]
    judge(name, case, decided, report)


def judge(name, case, decided, report):
    assert len(report["patches"]) == sum(
        int(report["summary"][key])
        for key in report["summary"]
        if key.startswith(("Installed", "Missing", "Failed")) and key.endswith("Count")
    )
    if any(text.startswith("*") for text in decided["unsure"]) or decided["states"] is None:
        judge_unsure(case, report)
        return
    if name in IMPOSSIBLE:
        row = next(row for row in report["patches"] if row["Id"] == IMPOSSIBLE[name])
        assert row["PatchState"] == "Failed" and " : Depends: " in row["reason"]
        have = {title: row for title, row in vectors.shown(report).items() if not title.startswith(IMPOSSIBLE[name])}
        want = {title: row for title, row in vectors.decided(decided).items() if not title.startswith(IMPOSSIBLE[name])}
        assert have == want
        return
    unsure = {text.partition(":")[0] for text in decided["unsure"]} | {NEEDED.get(name, "")} - {""}
    have = {title: row for title, row in vectors.shown(report).items() if title.partition(":")[0] not in unsure}
    want = {title: row for title, row in vectors.decided(decided).items() if title.partition(":")[0] not in unsure}
    assert have == want
    if not unsure:
        differences = vectors.summary_differences(report, decided)
        if name in DRIFTS:
            saved = case["previous_state"]["lastNoRebootInstallOperationTime"]
            assert differences.pop("LastNoRebootInstallOperationTime")[0] == aws_time(saved)
        assert differences == {}
        assert installed_times(report, decided) == {}


def judge_unsure(case, report):
    """Where the reference could not decide, the rules that hold for every report still do."""
    rows = {row["Id"]: row for row in report["patches"]}
    for package in case["installed"]:
        if package.get("status") == "hold ok installed":
            native = (case.get("architectures") or ["amd64"])[0]
            arch = native if package["arch"] == "all" else package["arch"]
            assert rows[f"{package['name']}.{arch}"]["installed_version"] == package["version"], "a hold was broken"
    if case["operation"] == "Install" and case["install_override_list"] is None:
        assert report["summary"]["MissingCount"] == "0"
    bad = any(row["Status"] == "NON_COMPLIANT" for row in report["patches"])
    assert (report["compliance"] == "NON_COMPLIANT") == bad


def installed_times(report, decided):
    """Return the install times that differ; the vectors give them in epoch seconds."""
    have = {row["Title"]: row["InstalledTime"] for row in report["patches"]}
    found = {}
    for row in decided["states"].values():
        title = f"{row['name']}.{row['arch']}:{row['version']}"
        time = row["installed_time"]
        if time == vectors.NOW or not row["state"].startswith("Installed"):
            continue
        if have[title] != (aws_time(time) if time else ""):
            found[title] = (have[title], time)
    return found


def packages_of(root):
    """The content of dpkg's database: nothing of it may change in a scan."""
    with open(f"{root}/var/lib/dpkg/status") as handle:
        return handle.read()


def installed(root):
    out = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package}:${Architecture} ${Version}\\n"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return dict(line.split() for line in out.splitlines())
