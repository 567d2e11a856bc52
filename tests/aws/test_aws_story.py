# SPDX-License-Identifier: Apache-2.0
"""A node patched by AWS's baseline: snapshot in, scan, install on a real apt root, compliance out, AWS down and up."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ssmpatchlib import api
from ssmpatchlib.aws import items
from ssmpatchlib.aws.upload import send_waiting
from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.report_form import from_plain, summary_item
from support import osv
from support.aws.basics import DEBIAN_BASELINE, INSTANCE, REGION
from support.aws.node import Node, host, install, scan, states
from support.aws.ssm_server import Failure, ServiceError, SsmServer

SNAPSHOT = "12345678-1234-1234-1234-1234567890ab"


def puts(ssm: SsmServer) -> list[Any]:
    return [call.parameters["Items"] for call in ssm.calls_of("PutInventory")]


def sent(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What PutInventory must have been given for a report."""
    found = items.of_report(from_plain(report))
    return [summary_item(found.summary), items.compliance_item(found)]


@pytest.mark.root
def test_the_whole_story(ssm: SsmServer, node: Node) -> None:
    settings = node()
    ssm.groups[INSTANCE] = "web"

    # The baseline comes from AWS, the first report goes there in full.
    first = scan(settings, snapshot_id=SNAPSHOT)
    assert first["baseline"]["name"] == "debian-security"
    assert first["baseline"]["origin"] == f"AWS: snapshot {SNAPSHOT} for {INSTANCE} ({REGION})"
    assert first["compliance"] == "NON_COMPLIANT"
    assert states(first) == {
        "bash.amd64:5.2-1+deb12u1": "Missing",
        "curl.amd64:7.88-1": "Installed",
        "own.amd64:1-1": "InstalledOther",
        "vim.amd64:9.0-1": "InstalledOther",
    }
    assert (first["summary"]["PatchGroup"], first["summary"]["SnapshotId"]) == ("web", SNAPSHOT)
    assert json.dumps(puts(ssm)[0]) == json.dumps(sent(first)), "byte by byte"
    context = puts(ssm)[0][1]["Context"]
    assert (context["ExecutionId"], context["ExecutionTime"]) == (SNAPSHOT, first["summary"]["OperationStartTime"])

    # The file that the AWS agent's hooks document reads is the very item that AWS got.
    on_disk = settings.aws_dir / "patch-inventory-from-last-operation.json"
    assert json.loads(on_disk.read_text()) == puts(ssm)[0][0]

    # The second report changed nothing: its hash is enough.
    second = scan(settings, snapshot_id=SNAPSHOT)
    assert "Content" not in puts(ssm)[1][1]
    assert puts(ssm)[1][1]["ContentHash"] == puts(ssm)[0][1]["ContentHash"]
    assert not second["warnings"]

    # The install brings in what AWS's baseline approves, and nothing else.
    done = install(settings, snapshot_id=SNAPSHOT, reboot_option="NoReboot")
    assert done["changes"] == {"bash": {"old": "5.2-1", "new": "5.2-1+deb12u1"}}
    assert states(done)["bash.amd64:5.2-1+deb12u1"] == "InstalledPendingReboot"
    assert states(done)["vim.amd64:9.0-1"] == "InstalledOther"
    assert json.dumps(puts(ssm)[2]) == json.dumps(sent(done))

    # AWS goes away: the last snapshot serves, the report waits.
    ssm.fail("*", *[Failure("close")] * 2)
    alone = scan(settings)
    assert states(alone) == states(done)
    assert re.match(r"AWS, \d+ s ago: snapshot", alone["baseline"]["origin"])
    assert re.match(r"AWS could not be asked; its baseline from \d+ s ago was used", alone["warnings"][0])
    assert any("upload failed, the report will be sent by the next operation" in text for text in alone["warnings"])
    assert len(list((settings.state_dir / "upload-queue").glob("*.json"))) == 1

    # AWS is back: the next operation sends.
    back = scan(settings)
    assert not [text for text in back["warnings"] if "AWS" in text]
    assert list((settings.state_dir / "upload-queue").glob("*.json")) == []
    stored = ssm.inventory[INSTANCE]
    assert stored["AWS:PatchSummary"]["Content"] == [back["summary"]]
    content = stored["AWS:ComplianceItem"]["Content"]
    assert stored["AWS:ComplianceItem"]["ContentHash"] == hashlib.sha256(json.dumps(content).encode()).hexdigest()


@pytest.mark.root
def test_a_failed_upload_leaves_the_patch_result_untouched(ssm: SsmServer, node: Node) -> None:
    ssm.fail("PutInventory", Failure("error", ServiceError("AccessDeniedException", "not authorized")))
    done = install(node(), reboot_option="NoReboot")
    assert done["summary"]["FailedCount"] == "0"
    assert done["changes"] == {"bash": {"old": "5.2-1", "new": "5.2-1+deb12u1"}}
    assert any("allow ssm:PutInventory" in text for text in done["warnings"])


@pytest.mark.root
def test_the_vendors_advisories_go_to_aws_too(ssm: SsmServer, node: Node, tmp_path: Path) -> None:
    fixed = osv.debian_cve("CVE-2026-1001", "bash", "5.2-1+deb12u1", modified="2026-11-01T00:00:00Z")
    feed = tmp_path / "DEBIAN-12.jsonl.gz"
    feed.write_bytes(osv.compiled("DEBIAN-12", [fixed], until="2026-11-30T00:00:00Z"))
    scan(node(advisories={"location": str(feed), "max_age": "3650d"}))
    rows = {row["Id"]: row for row in ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]}
    assert (rows["bash.amd64"]["CVEIds"], rows["bash.amd64"]["PatchSeverity"]) == ("CVE-2026-1001", "high")
    assert "CVEIds" not in rows["curl.amd64"] and "advisories" not in rows["bash.amd64"]


def test_upload_sends_the_last_stored_report_again(ssm: SsmServer, node: Node) -> None:
    settings = node(upload="never")
    report = scan(settings)
    assert puts(ssm) == []
    answer = api.upload(settings, caller=api.Caller(), host=host())
    assert (answer["sent"], answer["queued"], answer["partial"]) == (True, False, False)
    assert json.dumps(puts(ssm)[0]) == json.dumps(sent(report))
    assert api.upload(settings, caller=api.Caller(), host=host())["partial"]


def test_results_of_an_override_are_sent_only_when_told_so(ssm: SsmServer, node: Node) -> None:
    override = [{**DEBIAN_BASELINE, "RejectedPatches": []}]
    report = scan(node(), baseline_override=override)
    assert states(report)["vim.amd64:9.0-1+deb12u1"] == "Missing"
    assert puts(ssm) == []
    assert any("not uploaded: the baseline was overridden" in text for text in report["warnings"])
    scan(node(upload="always"), baseline_override=override)
    assert len(puts(ssm)) == 1


def test_a_snapshot_id_keeps_the_rules_between_operations(ssm: SsmServer, node: Node) -> None:
    scan(node(), snapshot_id=SNAPSHOT)
    ssm.baselines[DEBIAN_BASELINE["BaselineId"]]["RejectedPatches"] = ["bash"]
    assert states(scan(node(), snapshot_id=SNAPSHOT))["bash.amd64:5.2-1+deb12u1"] == "Missing"
    assert "bash.amd64:5.2-1+deb12u1" not in states(scan(node()))


def test_a_snapshot_id_keeps_the_rules_of_an_override_too(ssm: SsmServer, node: Node) -> None:
    """AWS evaluates an override once for an id; whoever comes with that id gets the same rules."""
    settings = node()
    first = scan(settings, snapshot_id=SNAPSHOT, baseline_override=[{**DEBIAN_BASELINE, "RejectedPatches": ["bash"]}])
    other = [{**DEBIAN_BASELINE, "RejectedPatches": ["vim", "curl"]}]
    second = scan(settings, snapshot_id=SNAPSHOT, baseline_override=other)
    assert states(second) == states(first)
    assert "bash.amd64:5.2-1+deb12u1" not in states(second)
    assert len(ssm.calls_of("GetDeployablePatchSnapshotForInstance")) == 2
    assert first["baseline"]["origin"].startswith(f"override: inline, by AWS: snapshot {SNAPSHOT} for {INSTANCE}")
    assert puts(ssm) == []
    # While AWS cannot be reached, its answer for this id serves, whatever the override says by then.
    ssm.fail("*", Failure("close"))
    third = scan(settings, snapshot_id=SNAPSHOT, baseline_override=other)
    assert states(third) == states(first)
    assert third["warnings"][0].startswith("AWS could not be asked")
    # Without the id the override is what is judged by.
    assert states(scan(settings, baseline_override=other)) != states(first)


def test_what_aws_refuses_ends_the_scan_with_its_code(ssm: SsmServer, node: Node) -> None:
    ssm.fail("*", Failure("error", ServiceError("AccessDeniedException", "no")))
    with pytest.raises(SsmpatchError) as caught:
        scan(node())
    assert caught.value.code == 145


def test_an_association_is_reported_as_one_line(ssm: SsmServer, node: Node) -> None:
    association = "aaaaaaaa-1234-1234-1234-1234567890ab"
    ssm.associations[association] = {"ComplianceSeverity": "CRITICAL", "SyncCompliance": "MANUAL"}
    settings = node()
    assert settings.aws is not None
    scan(dataclasses.replace(settings, aws=dataclasses.replace(settings.aws, association_id=association)))
    (item,) = ssm.compliance[INSTANCE][association]["Items"]
    assert (item["Title"], item["Severity"], item["Status"]) == ("debian-security", "CRITICAL", "NON_COMPLIANT")
    assert puts(ssm)[0][1]["Context"]["ExecutionType"] == "Command"
    assert len(puts(ssm)[0][1]["Content"]) == 4


def test_an_association_of_another_document_has_no_line_of_ours(ssm: SsmServer, node: Node) -> None:
    association = "aaaaaaaa-1234-1234-1234-1234567890ab"
    ssm.associations[association] = {"Name": "AWS-RunPatchBaseline", "SyncCompliance": "AUTO"}
    settings = node()
    assert settings.aws is not None
    report = scan(dataclasses.replace(settings, aws=dataclasses.replace(settings.aws, association_id=association)))
    assert ssm.compliance == {}
    assert len(puts(ssm)) == 1
    assert not report["warnings"]


# --- override documents in S3, through the operation -------------------------------------------------------------


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    found = boto3.resource("s3", region_name=REGION, endpoint_url=moto).Bucket("story-overrides")
    try:
        found.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    except ClientError as exc:
        assert exc.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
    return found


def body(*systems: str) -> str:
    return json.dumps([{**DEBIAN_BASELINE, "OperatingSystem": system, "RejectedPatches": []} for system in systems])


DENIED = '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (DENIED, 160),
        (json.dumps(DEBIAN_BASELINE), 161),
        ("[not json", 161),
        (None, 162),
        (body("UBUNTU", "SUSE"), 163),
        ("[]", 163),
        (body("DEBIAN", "DEBIAN"), 165),
    ],
)
def test_a_bad_override_in_s3_ends_the_scan_with_awss_code(
    ssm: SsmServer, node: Node, bucket: Any, text: str | None, code: int
) -> None:
    if text is not None:
        bucket.put_object(Key=f"override-{code}.json", Body=text.encode())
    with pytest.raises(SsmpatchError) as caught:
        scan(node(), baseline_override=f"s3://story-overrides/override-{code}.json")
    assert caught.value.code == code
    assert puts(ssm) == []


def test_an_override_for_a_system_that_aws_does_not_know(node: Node, bucket: Any) -> None:
    bucket.put_object(Key="override.json", Body=body("DEBIAN").encode())
    settings = node()
    (settings.root / "etc" / "os-release").write_text('ID=plan9\nNAME="Plan 9"\nVERSION_ID=4\n')
    unknown = dataclasses.replace(settings, operating_system=None, product=None)
    with pytest.raises(SsmpatchError) as caught:
        scan(unknown, baseline_override="s3://story-overrides/override.json")
    assert caught.value.code == 166


def test_a_good_override_in_s3_is_used(node: Node, bucket: Any) -> None:
    bucket.put_object(Key="override.json", Body=body("UBUNTU", "DEBIAN").encode())
    report = scan(node(), baseline_override="s3://story-overrides/override.json")
    assert states(report)["vim.amd64:9.0-1+deb12u1"] == "Missing"
    assert report["baseline"]["origin"] == "override: s3://story-overrides/override.json"


@pytest.mark.root
def test_a_patch_policy_of_quick_setup_as_a_whole(
    ssm: SsmServer, node: Node, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file lies in the policy's home region, has an entry for each system, and is written by AWS as it likes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    name = "aws-quicksetup-patchpolicy-123456789012-ab1cd"
    home = boto3.resource("s3", region_name="us-east-1", endpoint_url=moto).Bucket(name)
    home.create()
    systems = [*DEFAULTS, "WINDOWS", "MACOS"]
    entries = [{**DEBIAN_BASELINE, "OperatingSystem": system, "RejectedPatches": []} for system in systems]
    (ours,) = (entry for entry in entries if entry["OperatingSystem"] == "DEBIAN")
    ours["ApprovalRules"] = copy.deepcopy(ours["ApprovalRules"])
    ours["ApprovalRules"]["PatchRules"][0]["ApproveAfterHours"] = None  # type: ignore[index]
    ours["AvailableSecurityUpdatesComplianceStatus"] = "NON_COMPLIANT"
    home.put_object(Key="baseline_overrides.json", Body=json.dumps(entries).encode())

    association = "aaaaaaaa-1234-1234-1234-1234567890ab"
    location = f"s3://{name}/baseline_overrides.json"
    settings = node(
        baseline_override=location,
        aws={"region": REGION, "instance_id": INSTANCE, "endpoint_url": ssm.url, "association_id": association},
    )
    found = scan(settings)
    assert states(found)["vim.amd64:9.0-1+deb12u1"] == "Missing"
    assert found["baseline"]["origin"] == f"override: {location}"
    assert any("ApproveAfterHours" in text for text in found["warnings"])
    assert any("has no effect on Linux" in text for text in found["warnings"])
    done = install(settings, reboot_option="NoReboot", snapshot_id=SNAPSHOT)
    assert set(done["changes"]) == {"bash", "vim"}
    again = scan(settings, snapshot_id=SNAPSHOT)
    assert not [row for row in again["patches"] if row["PatchState"] == "Missing"]
    contexts = [put[1]["Context"] for put in puts(ssm)]
    assert [each["ExecutionType"] for each in contexts] == ["PatchPolicy"] * 3
    assert contexts[2]["ExecutionId"] == SNAPSHOT
    assert ssm.compliance == {}, "State Manager itself keeps the line of a policy's association"
    # What AWS could not be given is of a policy still when it is sent later.
    ssm.fail("PutInventory", Failure("close"))
    scan(settings)
    assert send_waiting(settings, host=host()).sent
    assert api.upload(settings, caller=api.Caller(), host=host())["sent"]
    assert [put[1]["Context"]["ExecutionType"] for put in puts(ssm)[3:]] == ["PatchPolicy"] * 3


def test_a_users_own_override_is_read_strictly(node: Node, bucket: Any) -> None:
    entry = json.loads(body("DEBIAN"))
    entry[0]["ApprovalRules"]["PatchRules"][0]["ApproveAfterDay"] = 3
    bucket.put_object(Key="typo.json", Body=json.dumps(entry).encode())
    with pytest.raises(SsmpatchError, match="unknown key 'ApproveAfterDay'; did you mean ApproveAfterDays"):
        scan(node(), baseline_override="s3://story-overrides/typo.json")


@pytest.mark.root
def test_both_overrides_are_refused(node: Node) -> None:
    with pytest.raises(SsmpatchError) as caught:
        install(node(), baseline_override="s3://b/o.json", install_override_list="s3://b/l.yaml")
    assert caught.value.code == 167


@pytest.mark.root
def test_an_install_override_list_in_s3_is_installed_and_named_in_the_report(
    ssm: SsmServer, node: Node, bucket: Any
) -> None:
    bucket.put_object(Key="list.yaml", Body=b"patches:\n- id: 'vim.amd64'\n  title: '9.0-1+deb12u1'\n")
    done = install(node(), install_override_list="s3://story-overrides/list.yaml", reboot_option="NoReboot")
    assert done["changes"] == {"vim": {"old": "9.0-1", "new": "9.0-1+deb12u1"}}
    assert states(done)["bash.amd64:5.2-1+deb12u1"] == "Missing"
    summary, compliance = puts(ssm)[0]
    assert summary["Content"][0]["InstallOverrideList"] == "s3://story-overrides/list.yaml"
    assert {row["InstallOverrideList"] for row in compliance["Content"]} == {"s3://story-overrides/list.yaml"}
