# SPDX-License-Identifier: Apache-2.0
"""ssmpatch and the AWS agent on one host: its files are read, ours are of its form, its lock is respected."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ssmpatchlib.aws.upload import send_report
from ssmpatchlib.config import Settings
from ssmpatchlib.errors import Busy
from ssmpatchlib.store.lock import AWS_LOCK_NAME
from support import vectors
from support.aws.basics import INSTANCE, TestHost
from support.aws.node import Node, install, scan, states
from support.aws.reports import make_report, row
from support.aws.ssm_server import SsmServer

Make = Callable[..., Settings]
ROWS = (row("bash"), row("curl", "Missing"))

STATES = "patch-states-configuration.json"
SUMMARY = "patch-inventory-from-last-operation.json"


#: The keys of a row in the order in which the agent writes them; what is not of every row comes last.
AGENTS_ROW = (
    *("Id", "Title", "Severity", "Status", "PatchBaselineId", "PatchState", "PatchGroup", "DocumentName"),
    *("DocumentVersion", "InstalledTime", "Classification", "PatchSeverity", "CVEIds", "InstallOverrideList"),
)
AGENTS_SUMMARY = (
    *("BaselineId", "PatchGroup", "SnapshotId", "ExecutionId", "InstalledCount", "InstalledOtherCount"),
    *("InstalledRejectedCount", "InstalledPendingRebootCount", "NotApplicableCount", "MissingCount", "FailedCount"),
    *("CriticalNonCompliantCount", "SecurityNonCompliantCount", "OtherNonCompliantCount", "OperationType"),
    *("OperationStartTime", "OperationEndTime", "RebootOption", "InstallOverrideList"),
    *("LastNoRebootInstallOperationTime", "NonCompliantSeverity"),
)


def agent_hash(content: list[dict[str, str]]) -> str:
    """As the agent makes it of the same rows: in its own order of keys, sha256 over Python's plain JSON."""
    rows = [{key: row[key] for key in AGENTS_ROW if key in row} for row in content]
    assert [len(row) for row in rows] == [len(row) for row in content], "rows have keys that the agent does not know"
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def test_inventory_is_byte_by_byte_what_the_agent_sends(ssm: SsmServer, settings: Make, host: TestHost) -> None:
    rows = (
        row("curl", "InstalledOther", Classification="", PatchSeverity=""),
        row("bash", "Missing", CVEIds="CVE-2021-1,CVE-2021-2"),
    )
    report = make_report(
        *rows,
        OperationType="Install",
        InstallOverrideList="s3://bucket/list.yaml",
        LastNoRebootInstallOperationTime="2026-02-01T00:00:00Z",
    )
    send_report(report, settings(endpoint_url=ssm.url), host=host)
    summary, compliance = ssm.calls_of("PutInventory")[0].parameters["Items"]
    assert list(summary) == ["TypeName", "SchemaVersion", "ContentHash", "CaptureTime", "Content"]
    assert list(compliance) == ["TypeName", "SchemaVersion", "ContentHash", "CaptureTime", "Context", "Content"]
    assert list(compliance["Context"]) == ["ComplianceType", "ExecutionId", "ExecutionType", "ExecutionTime"]
    assert tuple(summary["Content"][0]) == AGENTS_SUMMARY
    assert tuple(compliance["Content"][1]) == AGENTS_ROW
    common = '"PatchBaselineId": "pb-0c7e89f711c3095f4", "PatchState": "%s", "PatchGroup": "", "DocumentName": "", '
    first = (
        '{"Id": "curl.x86_64", "Title": "curl.x86_64:0:1.0-1", "Severity": "UNSPECIFIED", "Status": "COMPLIANT", '
        + common % "InstalledOther"
        + '"DocumentVersion": "", "InstalledTime": "2026-01-01T00:00:00Z", "Classification": "", "PatchSeverity": "", '
        '"InstallOverrideList": "s3://bucket/list.yaml"}'
    )
    second = (
        '{"Id": "bash.x86_64", "Title": "bash.x86_64:0:1.0-1", "Severity": "UNSPECIFIED", "Status": "NON_COMPLIANT", '
        + common % "Missing"
        + '"DocumentVersion": "", "InstalledTime": "", "Classification": "Security", "PatchSeverity": "Important", '
        '"CVEIds": "CVE-2021-1,CVE-2021-2", "InstallOverrideList": "s3://bucket/list.yaml"}'
    )
    assert json.dumps(compliance["Content"]) == f"[{first}, {second}]"
    assert compliance["ContentHash"] == hashlib.sha256(f"[{first}, {second}]".encode()).hexdigest()


def test_what_the_agent_has_uploaded_is_not_uploaded_again(
    ssm: SsmServer, settings: Make, host: TestHost, tmp_path: Path
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    send_report(make_report(*ROWS), chosen, host=host)
    content = ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]
    hashes = tmp_path / "ssm" / "pb-hashes"
    for path in hashes.iterdir():
        path.rmdir()
    (hashes / agent_hash(content)).mkdir()
    assert send_report(make_report(*ROWS, minutes=1), chosen, host=host).partial


def test_what_we_have_uploaded_the_agent_finds(ssm: SsmServer, settings: Make, host: TestHost, tmp_path: Path) -> None:
    send_report(make_report(*ROWS), settings(endpoint_url=ssm.url), host=host)
    content = ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]
    assert (tmp_path / "ssm" / "pb-hashes" / agent_hash(content)).is_dir()


def test_another_uploads_content_is_found_out_and_replaced(ssm: SsmServer, settings: Make, host: TestHost) -> None:
    """The agent has uploaded something else since, but left our hash where it was."""
    chosen = settings(endpoint_url=ssm.url)
    send_report(make_report(*ROWS), chosen, host=host)
    ssm.inventory[INSTANCE]["AWS:ComplianceItem"].update(Content=[], ContentHash=agent_hash([]))
    result = send_report(make_report(*ROWS, minutes=1), chosen, host=host)
    assert (result.sent, result.partial) == (True, False)
    assert len(ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]) == 2


@pytest.mark.root
def test_the_files_of_a_run_are_of_the_agents_form(ssm: SsmServer, node: Node) -> None:
    settings = node()
    done = install(settings, reboot_option="NoReboot")
    saved = json.loads((settings.aws_dir / STATES).read_text())
    assert set(saved) == {"patchStates", "lastNoRebootInstallOperationTime"}
    assert isinstance(saved["lastNoRebootInstallOperationTime"], float)
    assert saved["patchStates"]["bash.amd64:5.2-1+deb12u1"]["state"] == "InstalledPendingReboot"
    for title, patch in saved["patchStates"].items():
        assert list(patch) == ["id", "installedTime", "state"]
        assert title.startswith(f"{patch['id']}:")
        assert patch["installedTime"] is None or isinstance(patch["installedTime"], float)
        assert patch["state"] in ("Installed", "InstalledOther", "InstalledRejected", "InstalledPendingReboot")
    text = (settings.aws_dir / SUMMARY).read_text()
    item = json.loads(text)
    assert text.strip() == json.dumps(item, indent=4)
    assert item["Content"] == [done["summary"]]
    assert all(isinstance(value, str) for value in item["Content"][0].values())
    assert re.fullmatch(r"[0-9a-f]{64}", item["ContentHash"])


def test_a_reboot_that_the_agents_install_left_pending_stays_pending(ssm: SsmServer, node: Node) -> None:
    settings = node()
    since = vectors.CaseHost({}).boot_time() + 3600
    settings.aws_dir.mkdir(parents=True)
    (settings.aws_dir / STATES).write_text(
        json.dumps(
            {
                "patchStates": {
                    "curl.amd64:7.88-1": {
                        "id": "curl.amd64",
                        "installedTime": since,
                        "state": "InstalledPendingReboot",
                    }
                },
                "lastNoRebootInstallOperationTime": since,
            }
        )
    )
    report = scan(settings)
    assert states(report)["curl.amd64:7.88-1"] == "InstalledPendingReboot"
    assert "LastNoRebootInstallOperationTime" in report["summary"]


@pytest.mark.parametrize("damage", ["", "{", '{"patchStates": 7}', "[]"])
def test_a_states_file_that_somebody_damaged_ends_nothing(ssm: SsmServer, node: Node, damage: str) -> None:
    settings = node()
    settings.aws_dir.mkdir(parents=True)
    (settings.aws_dir / STATES).write_text(damage)
    report = scan(settings)
    assert report["compliance"] == "NON_COMPLIANT"
    assert any(STATES in warning for warning in report["warnings"])
    assert json.loads((settings.aws_dir / STATES).read_text())["patchStates"]


def test_while_the_agent_patches_we_wait_and_then_say_so(ssm: SsmServer, node: Node) -> None:
    settings = node(lock_timeout=1)
    settings.aws_dir.mkdir(parents=True)
    path = settings.aws_dir.parent / AWS_LOCK_NAME
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="the AWS Systems Manager agent is patching") as caught:
            scan(settings)
        assert caught.value.code == 4
    assert scan(settings)["compliance"] == "NON_COMPLIANT"
    assert path.exists()


def test_the_agents_lock_file_is_never_made(ssm: SsmServer, node: Node) -> None:
    settings = node()
    scan(settings)
    assert not (settings.aws_dir.parent / AWS_LOCK_NAME).exists()
