# SPDX-License-Identifier: Apache-2.0
"""What AWS gets of a report, what it gets only once, and that nothing is lost when it gets nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.aws import items, limits, sessions
from ssmpatchlib.aws.upload import UploadResult, send_report, send_waiting
from ssmpatchlib.config import Settings
from ssmpatchlib.report_form import summary_content
from support.aws.basics import INSTANCE, TestHost
from support.aws.reports import make_report, row
from support.aws.ssm_server import Failure, ServiceError, SsmServer

Make = Callable[..., Settings]
Send = Callable[..., UploadResult]

ASSOCIATION = "aaaaaaaa-1234-1234-1234-1234567890ab"
ROWS = (row("bash"), row("zsh", "InstalledOther"), row("curl", "Missing", CVEIds="CVE-2026-1,CVE-2026-2"))


@pytest.fixture
def send(ssm: SsmServer, settings: Make, host: TestHost) -> Send:
    return lambda report, **given: send_report(report, settings(endpoint_url=ssm.url, **given), host=host)


@pytest.fixture
def queue(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: sorted(path.name for path in (tmp_path / "state" / "upload-queue").glob("*.json"))


Queue = Callable[[], list[str]]


def puts(ssm: SsmServer) -> list[list[dict[str, Any]]]:
    """The items of each PutInventory."""
    return [list(call.parameters["Items"]) for call in ssm.calls_of("PutInventory")]


# --- shapes ---------------------------------------------------------------------------------------------------


def test_both_items_go_in_one_call_as_aws_writes_them(ssm: SsmServer, send: Send, queue: Queue) -> None:
    report = make_report(*ROWS)
    result = send(report)
    assert result == UploadResult(sent=True, queued=False, partial=False)
    assert queue() == []
    (call,) = ssm.calls
    assert call.operation == "PutInventory"
    summary, compliance = call.parameters["Items"]
    assert summary == {
        "TypeName": "AWS:PatchSummary",
        "SchemaVersion": "1.0",
        "ContentHash": hashlib.sha256(json.dumps([summary_content(report.summary)]).encode()).hexdigest(),
        "CaptureTime": "2026-03-01T04:16:11Z",
        "Content": [summary_content(report.summary)],
    }
    content = [
        {
            "Id": "bash.x86_64",
            "Title": "bash.x86_64:0:1.0-1",
            "Severity": "UNSPECIFIED",
            "Status": "COMPLIANT",
            "PatchBaselineId": "pb-0c7e89f711c3095f4",
            "PatchState": "Installed",
            "PatchGroup": "",
            "DocumentName": "",
            "DocumentVersion": "",
            "InstalledTime": "2026-01-01T00:00:00Z",
            "Classification": "Security",
            "PatchSeverity": "Important",
        },
        {
            "Id": "zsh.x86_64",
            "Title": "zsh.x86_64:0:1.0-1",
            "Severity": "UNSPECIFIED",
            "Status": "COMPLIANT",
            "PatchBaselineId": "pb-0c7e89f711c3095f4",
            "PatchState": "InstalledOther",
            "PatchGroup": "",
            "DocumentName": "",
            "DocumentVersion": "",
            "InstalledTime": "2026-01-01T00:00:00Z",
            "Classification": "",
            "PatchSeverity": "Important",
        },
        {
            "Id": "curl.x86_64",
            "Title": "curl.x86_64:0:1.0-1",
            "Severity": "UNSPECIFIED",
            "Status": "NON_COMPLIANT",
            "PatchBaselineId": "pb-0c7e89f711c3095f4",
            "PatchState": "Missing",
            "PatchGroup": "",
            "DocumentName": "",
            "DocumentVersion": "",
            "InstalledTime": "",
            "Classification": "Security",
            "PatchSeverity": "Important",
            "CVEIds": "CVE-2026-1,CVE-2026-2",
        },
    ]
    assert compliance == {
        "TypeName": "AWS:ComplianceItem",
        "SchemaVersion": "1.0",
        "ContentHash": hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        "CaptureTime": "2026-03-01T04:16:11Z",
        "Context": {
            "ComplianceType": "Patch",
            "ExecutionId": "12345678-1234-1234-1234-1234567890ab",
            "ExecutionType": "Command",
            "ExecutionTime": "2026-03-01T04:15:51Z",
        },
        "Content": content,
    }
    assert [list(each) for each in compliance["Content"]] == [list(each) for each in content], (
        "the hash covers the order"
    )


def test_the_hash_is_over_pythons_plain_json() -> None:
    """Default separators, insertion order, ASCII escapes: known values, computed by hand (sha256sum)."""
    assert items.content_hash([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    one = [{"Id": "b", "A": "é"}]
    assert json.dumps(one) == '[{"Id": "b", "A": "\\u00e9"}]'
    assert items.content_hash(one) == "3a52776cc313063368c25b1861b7a8759284f7fd017b19bf95af712551af13bd"


def test_an_override_list_is_named_in_both_items(ssm: SsmServer, send: Send) -> None:
    send(make_report(*ROWS, InstallOverrideList="s3://b/list.yaml", OperationType="Install"))
    summary, compliance = puts(ssm)[0]
    assert summary["Content"][0]["InstallOverrideList"] == "s3://b/list.yaml"
    assert {each["InstallOverrideList"] for each in compliance["Content"]} == {"s3://b/list.yaml"}


def test_a_host_without_packages_can_be_reported(ssm: SsmServer, send: Send) -> None:
    assert send(make_report()).sent
    assert puts(ssm)[0][1]["Content"] == []


# --- by hash --------------------------------------------------------------------------------------------------


def test_a_second_unchanged_report_is_sent_as_its_hash(ssm: SsmServer, send: Send) -> None:
    assert not send(make_report(*ROWS)).partial
    assert send(make_report(*ROWS, minutes=30)) == UploadResult(sent=True, queued=False, partial=True)
    first, second = puts(ssm)
    assert "Content" not in second[1]
    assert second[1]["ContentHash"] == first[1]["ContentHash"]
    assert second[1]["CaptureTime"] == "2026-03-01T04:46:11Z"
    assert second[0]["Content"][0]["OperationStartTime"] == "2026-03-01T04:45:51Z"
    stored = ssm.inventory[INSTANCE]
    assert stored["AWS:ComplianceItem"]["CaptureTime"] == "2026-03-01T04:46:11Z"
    assert len(stored["AWS:ComplianceItem"]["Content"]) == 3
    assert stored["AWS:PatchSummary"]["Content"][0]["OperationStartTime"] == "2026-03-01T04:45:51Z"


def test_a_changed_report_is_sent_in_full_and_the_old_hash_is_forgotten(
    ssm: SsmServer, send: Send, tmp_path: Path
) -> None:
    send(make_report(*ROWS))
    send(make_report(row("bash"), minutes=1))
    send(make_report(*ROWS, minutes=2))
    assert all("Content" in put[1] for put in puts(ssm))
    (known,) = (tmp_path / "ssm" / "pb-hashes").iterdir()
    assert known.name == puts(ssm)[-1][1]["ContentHash"]
    assert list(known.iterdir()) == []


def test_when_aws_has_lost_the_content_all_of_it_is_sent(ssm: SsmServer, send: Send) -> None:
    send(make_report(*ROWS))
    ssm.inventory.clear()
    assert send(make_report(*ROWS, minutes=1)) == UploadResult(sent=True, queued=False, partial=False)
    assert ["Content" in put[1] for put in puts(ssm)] == [True, False, True]
    assert send(make_report(*ROWS, minutes=2)).partial


def test_when_aws_calls_the_hash_invalid_all_of_it_is_sent(ssm: SsmServer, send: Send) -> None:
    send(make_report(*ROWS))
    ssm.fail("PutInventory", Failure("error", ServiceError("InvalidItemContentException", "no")))
    assert send(make_report(*ROWS, minutes=1)).sent
    assert ["Content" in put[1] for put in puts(ssm)] == [True, False, True]


def test_content_that_aws_calls_invalid_is_not_sent_twice(ssm: SsmServer, send: Send, queue: Queue) -> None:
    ssm.fail("PutInventory", Failure("error", ServiceError("InvalidItemContentException", "attribute X")))
    result = send(make_report(*ROWS))
    assert (result.sent, result.queued, result.code) == (False, True, 149)
    assert "InvalidItemContentException: attribute X" in result.error
    assert len(puts(ssm)) == 1
    assert queue() == ["inventory-system.json"]


def test_a_mismatch_twice_is_an_error(ssm: SsmServer, send: Send, queue: Queue) -> None:
    send(make_report(*ROWS))
    mismatch = Failure("error", ServiceError("ItemContentMismatchException", "no"))
    ssm.fail("PutInventory", mismatch, mismatch)
    result = send(make_report(*ROWS, minutes=1))
    assert (result.sent, result.code) == (False, 149)
    assert len(puts(ssm)) == 3
    assert send(make_report(*ROWS, minutes=2)).sent


def test_a_failed_upload_is_not_remembered_as_sent(ssm: SsmServer, send: Send) -> None:
    ssm.fail("PutInventory", Failure("close"))
    assert not send(make_report(*ROWS)).sent
    assert not send(make_report(*ROWS, minutes=1)).partial
    assert "Content" in puts(ssm)[-1][1]


def test_what_was_sent_cannot_be_noted(ssm: SsmServer, send: Send, tmp_path: Path) -> None:
    (tmp_path / "ssm").mkdir()
    (tmp_path / "ssm" / "pb-hashes").write_text("a file")
    result = send(make_report(*ROWS))
    assert result.sent
    assert "what was sent could not be noted, so it will be sent in full again" in result.warnings[0]
    assert not send(make_report(*ROWS, minutes=1)).partial


def test_nothing_but_hashes_is_deleted_among_them(ssm: SsmServer, send: Send, tmp_path: Path) -> None:
    hashes = tmp_path / "ssm" / "pb-hashes"
    (hashes / "notes").mkdir(parents=True)
    (hashes / ("a" * 64)).mkdir()
    (hashes / ("b" * 64)).write_text("a file of somebody")
    assert send(make_report(*ROWS)).sent
    assert {path.name[:5] for path in hashes.iterdir()} == {"notes", "bbbbb", puts(ssm)[0][1]["ContentHash"][:5]}


# --- size -----------------------------------------------------------------------------------------------------


def large_report(minutes: int = 0) -> dict[str, Any]:
    cves = ",".join(f"CVE-2026-{number:05}" for number in range(250))
    bad = (row(f"bad{number}", "Missing", CVEIds=cves) for number in range(300))
    return make_report(*bad, *(row(f"other{number}", "InstalledOther") for number in range(1500)), minutes=minutes)


def test_a_large_report_is_cut_before_it_is_sent(ssm: SsmServer, send: Send) -> None:
    result = send(large_report())
    assert result.sent
    assert any("CVE lists of 300 row(s) were shortened" in warning for warning in result.warnings)
    (call,) = ssm.calls
    assert call.size < 1024 * 1024
    assert len(call.parameters["Items"][1]["Content"]) == 1800
    assert send(large_report(minutes=1)).partial


@pytest.mark.parametrize("code", ["ItemSizeLimitExceededException", "TotalSizeLimitExceededException"])
def test_what_aws_still_finds_too_large_is_sent_with_less(ssm: SsmServer, send: Send, code: str) -> None:
    ssm.fail("PutInventory", Failure("error", ServiceError(code, "too large")))
    result = send(make_report(*ROWS))
    assert result.sent
    assert result.warnings == (f"{code}: AWS took the report without CVE lists and InstalledOther rows only",)
    content = puts(ssm)[1][1]["Content"]
    assert [each["Id"] for each in content] == ["bash.x86_64", "curl.x86_64"]
    assert "CVEIds" not in content[1]


def test_too_large_even_then_is_an_error(ssm: SsmServer, send: Send) -> None:
    too_large = Failure("error", ServiceError("ItemSizeLimitExceededException", "too large"))
    ssm.fail("PutInventory", too_large, too_large)
    result = send(make_report(*ROWS))
    assert (result.sent, result.queued, result.code) == (False, True, 149)


def test_limits_are_the_services_own(ssm: SsmServer) -> None:
    """The numbers in our code are those of botocore's model."""
    model = ssm.models.operation("AmazonSSM.PutInventory").input_shape
    item = model.members["Items"].member
    entries = item.members["Content"]
    assert entries.metadata["max"] == limits.MAX_ROWS
    assert entries.member.metadata["max"] == limits.MAX_ATTRIBUTES
    assert entries.member.key.metadata["max"] == limits.MAX_NAME
    assert entries.member.value.metadata["max"] == limits.MAX_VALUE


# --- nothing is lost ------------------------------------------------------------------------------------------

PUT_INVENTORY_ERRORS = [
    "InternalServerError",
    "InvalidInstanceId",
    "InvalidTypeNameException",
    "CustomSchemaCountLimitExceededException",
    "UnsupportedInventorySchemaVersionException",
    "UnsupportedInventoryItemContextException",
    "InvalidInventoryItemContextException",
    "SubTypeCountLimitExceededException",
    "AccessDeniedException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "ThrottlingException",
    "SomethingNobodyHasSeenYet",
]


def test_every_documented_error_is_tested(ssm: SsmServer) -> None:
    documented = {shape.name for shape in ssm.models.operation("AmazonSSM.PutInventory").error_shapes}
    elsewhere = {
        "InvalidItemContentException",
        "ItemContentMismatchException",
        "ItemSizeLimitExceededException",
        "TotalSizeLimitExceededException",
    }
    assert documented <= set(PUT_INVENTORY_ERRORS) | elsewhere


@pytest.mark.parametrize("code", PUT_INVENTORY_ERRORS)
def test_a_refused_report_waits_and_is_sent_later(
    ssm: SsmServer, send: Send, settings: Make, host: TestHost, queue: Queue, code: str
) -> None:
    status = 500 if code == "InternalServerError" else 400
    ssm.fail("PutInventory", Failure("error", ServiceError(code, "because", status=status)))
    result = send(make_report(*ROWS))
    assert (result.sent, result.queued, result.partial, result.code) == (False, True, False, 149)
    assert f"{code}: because" in result.error
    assert result.warnings[0].startswith(
        "upload failed, the report will be sent by the next operation or ssmpatch.upload: AWS, ssm:PutInventory"
    )
    assert queue() == ["inventory-system.json"]
    assert send_waiting(settings(endpoint_url=ssm.url), host=host).sent
    assert queue() == []
    assert ssm.inventory[INSTANCE]["AWS:PatchSummary"]["Content"][0]["MissingCount"] == "1"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure("close"), "Connection was closed"),
        (Failure("half"), "ended early"),
        (Failure("garbage"), "cannot be read"),
        (Failure("raw", body=b'{"Message": "Success"}'), "no request id"),
        (Failure("raw", status=502, body=b"<html>bad gateway</html>"), "502"),
        (Failure("raw", status=403, body=b"<html>blocked</html>"), "proxy or a login page"),
        (Failure("raw", status=200, body=b"\x00\xff"), "cannot be read"),
    ],
    ids=["closed", "half-closed", "login-page", "no-request-id", "bad-gateway", "blocked", "binary"],
)
def test_a_report_that_did_not_arrive_waits(
    ssm: SsmServer, send: Send, queue: Queue, failure: Failure, words: str
) -> None:
    ssm.fail("PutInventory", failure)
    result = send(make_report(*ROWS))
    assert (result.sent, result.queued, result.code) == (False, True, 149)
    assert words in result.error
    assert queue() == ["inventory-system.json"]
    assert send(make_report(*ROWS, minutes=1)).sent
    assert queue() == []


def test_a_server_that_hangs_is_not_waited_for_long(
    ssm: SsmServer, send: Send, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.3)
    ssm.fail("PutInventory", Failure("hang", seconds=2))
    result = send(make_report(*ROWS))
    assert "Read timeout" in result.error
    assert queue() == ["inventory-system.json"]


def test_nobody_listening(settings: Make, host: TestHost, queue: Queue) -> None:
    result = send_report(make_report(*ROWS), settings(endpoint_url="http://127.0.0.1:9"), host=host)
    assert (result.sent, result.queued, result.code) == (False, True, 149)
    assert "allow this address in firewall and proxy" in result.error
    assert queue() == ["inventory-system.json"]


def test_a_throttling_burst_is_waited_out(ssm: SsmServer, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    ssm.fail("PutInventory", Failure("error", ServiceError("ThrottlingException", "Rate exceeded")))
    assert send(make_report(*ROWS)).sent
    assert len(puts(ssm)) == 2


def test_a_wrong_clock_is_named_with_the_difference(ssm: SsmServer, send: Send, host: TestHost) -> None:
    host.ahead = -900
    ssm.fail(
        "PutInventory",
        Failure(
            "error", ServiceError("InvalidSignatureException", "Signature expired: 20260301T041551Z is now earlier")
        ),
    )
    result = send(make_report(*ROWS))
    assert "this host's clock is 900 s behind AWS's" in result.error.replace("899", "900").replace("901", "900")
    assert "set this host's clock right" in result.error


def test_a_signature_error_without_skew_is_about_credentials(ssm: SsmServer, send: Send) -> None:
    ssm.fail("PutInventory", Failure("error", ServiceError("InvalidSignatureException", "does not match")))
    assert "renew these credentials" in send(make_report(*ROWS)).error


def test_a_node_that_is_not_identified(
    settings: Make, host: TestHost, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssmpatchlib.aws.identity.REGISTRATIONS", ())
    result = send_report(make_report(*ROWS), settings(instance_id="", region=""), host=host)
    assert (result.sent, result.queued, result.code) == (False, True, 148)
    assert queue() == ["inventory-system.json"]


# --- the queue ------------------------------------------------------------------------------------------------


def test_the_newest_report_takes_the_place_of_one_that_waits(ssm: SsmServer, send: Send, queue: Queue) -> None:
    ssm.fail("PutInventory", Failure("close"), Failure("close"))
    send(make_report(*ROWS))
    send(make_report(row("bash"), minutes=1))
    assert queue() == ["inventory-system.json"]
    send(make_report(row("zsh"), minutes=2))
    assert len(puts(ssm)) == 3
    assert ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"][0]["Id"] == "zsh.x86_64"


def test_an_older_report_does_not_replace_a_newer_one(ssm: SsmServer, send: Send) -> None:
    ssm.fail("PutInventory", Failure("close"))
    send(make_report(row("new"), minutes=10))
    assert send(make_report(row("old"))).sent
    assert ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"][0]["Id"] == "new.x86_64"
    assert len(puts(ssm)) == 2


def test_a_report_from_the_future_does_not_block_those_of_now(ssm: SsmServer, send: Send) -> None:
    """The clock was wrong when it was made."""
    ssm.fail("PutInventory", Failure("close"))
    send(make_report(row("future"), minutes=60 * 24 * 365 * 50))
    send(make_report(row("now")))
    assert ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"][0]["Id"] == "now.x86_64"


def test_kinds_are_sent_in_order_of_time(ssm: SsmServer, send: Send, queue: Queue) -> None:
    ssm.associations[ASSOCIATION] = {"ComplianceSeverity": "HIGH"}
    ssm.fail("*", *[Failure("error", ServiceError("InternalServerError", status=500))] * 4)
    send(make_report(*ROWS), association_id=ASSOCIATION)
    send(make_report(*ROWS, minutes=5))
    assert queue() == [f"association-{ASSOCIATION}-system.json", "inventory-system.json"]
    ssm.failures.clear()
    ssm.calls.clear()
    assert send(make_report(*ROWS, minutes=9)).sent
    assert [call.operation for call in ssm.calls] == ["DescribeAssociation", "PutComplianceItems", "PutInventory"]
    assert queue() == []


def test_one_kind_that_aws_refuses_does_not_hold_up_the_other(ssm: SsmServer, send: Send, queue: Queue) -> None:
    send(make_report(*ROWS), association_id=ASSOCIATION)
    assert queue() == [f"association-{ASSOCIATION}-system.json"]
    result = send(make_report(*ROWS, minutes=1))
    assert (result.sent, result.queued, result.code) == (False, True, 131)
    assert INSTANCE in ssm.inventory
    assert queue() == [f"association-{ASSOCIATION}-system.json"]


def test_when_aws_cannot_be_reached_it_is_not_tried_for_each_report(
    ssm: SsmServer, send: Send, settings: Make, host: TestHost
) -> None:
    ssm.fail("*", *[Failure("close")] * 9)
    send(make_report(*ROWS), association_id=ASSOCIATION)
    assert len(ssm.calls) == 1
    ssm.calls.clear()
    result = send(make_report(*ROWS, minutes=1))
    assert len(ssm.calls) == 1
    assert "2 reports will be sent" in result.warnings[0]


def test_nothing_waiting_asks_nobody(ssm: SsmServer, settings: Make, host: TestHost) -> None:
    assert send_waiting(settings(endpoint_url=ssm.url), host=host) == UploadResult(True, False, False)
    assert ssm.calls == []


def test_each_root_has_a_queue_of_its_own(
    ssm: SsmServer, send: Send, settings: Make, host: TestHost, queue: Queue, tmp_path: Path
) -> None:
    ssm.fail("*", Failure("close"))
    send(make_report(*ROWS), root=tmp_path / "image")
    assert send_waiting(settings(endpoint_url=ssm.url), host=host) == UploadResult(True, False, False)
    assert len(queue()) == 1
    assert queue()[0].startswith("inventory-image-")


@pytest.mark.parametrize("content", ["", "{}", '{"version": 1}', "[1]", '{"version": 1, "summary": {}}', "\0\0"])
def test_a_damaged_entry_is_set_aside_and_named(ssm: SsmServer, send: Send, tmp_path: Path, content: str) -> None:
    directory = tmp_path / "state" / "upload-queue"
    directory.mkdir(parents=True)
    (directory / "inventory-system.json").write_text(content)
    result = send(make_report(*ROWS))
    assert result.sent
    assert "damaged" in result.warnings[0]
    assert len(list(directory.glob("*.damaged-*"))) == 1


def test_a_report_that_cannot_be_stored_is_sent_all_the_same(ssm: SsmServer, send: Send, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory is needed")
    result = send(make_report(*ROWS))
    assert result.sent
    assert result.warnings[0].startswith("the report could not be stored for a later upload: ")


def test_what_waits_is_for_root_alone(ssm: SsmServer, send: Send, tmp_path: Path) -> None:
    ssm.fail("*", Failure("close"))
    send(make_report(*ROWS))
    path = tmp_path / "state" / "upload-queue" / "inventory-system.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_waits_since_before_an_update_is_sent(
    ssm: SsmServer, send: Send, settings: Make, host: TestHost, tmp_path: Path
) -> None:
    ssm.fail("*", Failure("close"))
    send(make_report(*ROWS))
    path = tmp_path / "state" / "upload-queue" / "inventory-system.json"
    older = {key: value for key, value in json.loads(path.read_text()).items() if key != "execution_type"}
    path.write_text(json.dumps(older))
    assert send_waiting(settings(endpoint_url=ssm.url), host=host).sent
    assert ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Context"]["ExecutionType"] == "Command"


def test_text_of_any_language_survives_the_queue(ssm: SsmServer, send: Send) -> None:
    ssm.fail("*", Failure("close"))
    report = make_report({**row("paquet-é"), "Title": "пакет.x86_64:1"}, PatchGroup="grüppe")
    send(report)
    assert send(report).sent
    content = ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]
    assert (content[0]["Title"], content[0]["PatchGroup"]) == ("пакет.x86_64:1", "grüppe")
    stored = ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["ContentHash"]
    assert stored == hashlib.sha256(json.dumps(content).encode()).hexdigest()


# --- associations ---------------------------------------------------------------------------------------------


def test_an_association_gets_one_line(ssm: SsmServer, send: Send) -> None:
    ssm.associations[ASSOCIATION] = {"ComplianceSeverity": "HIGH", "SyncCompliance": "MANUAL"}
    report = make_report(*ROWS)
    assert send(report, association_id=ASSOCIATION) == UploadResult(sent=True, queued=False, partial=False)
    assert len(ssm.inventory[INSTANCE]["AWS:ComplianceItem"]["Content"]) == len(ROWS), "rows are not lost for it"
    kept = ssm.compliance[INSTANCE][ASSOCIATION]
    details = kept["Items"][0].pop("Details")
    assert kept["Items"] == [
        {"Id": ASSOCIATION, "Title": "rhel-security", "Severity": "HIGH", "Status": "NON_COMPLIANT"}
    ]
    counters = json.loads(details.pop("DetailedText"))
    assert details == {
        "DocumentName": "AWS-RunPatchBaselineAssociation",
        "DocumentVersion": "1",
        "PatchBaselineId": "pb-0c7e89f711c3095f4",
    }
    assert counters == {key: value for key, value in summary_content(report.summary).items() if key.endswith("Count")}
    assert counters["MissingCount"] == "1"
    assert {key: kept[key] for key in ("ResourceId", "ResourceType", "ComplianceType", "UploadType")} == {
        "ResourceId": INSTANCE,
        "ResourceType": "ManagedInstance",
        "ComplianceType": "Association",
        "UploadType": "PARTIAL",
    }
    assert kept["ExecutionSummary"] == {
        "ExecutionTime": 1772338551,
        "ExecutionId": ASSOCIATION,
        "ExecutionType": "Command",
    }


def test_the_hash_of_an_association_changes_with_each_run(ssm: SsmServer, send: Send) -> None:
    ssm.associations[ASSOCIATION] = {}
    send(make_report(row("bash")), association_id=ASSOCIATION)
    first = ssm.compliance[INSTANCE][ASSOCIATION]
    send(make_report(row("bash"), minutes=1), association_id=ASSOCIATION)
    second = ssm.compliance[INSTANCE][ASSOCIATION]
    assert first["ItemContentHash"] != second["ItemContentHash"]
    assert second["Items"][0]["Status"] == "COMPLIANT"
    assert second["Items"][0]["Severity"] == "UNSPECIFIED"


def test_other_associations_keep_their_compliance(ssm: SsmServer, send: Send) -> None:
    other = "bbbbbbbb-1234-1234-1234-1234567890ab"
    ssm.associations[ASSOCIATION] = ssm.associations[other] = {}
    send(make_report(row("bash")), association_id=ASSOCIATION)
    send(make_report(row("bash")), association_id=other)
    assert set(ssm.compliance[INSTANCE]) == {ASSOCIATION, other}


PUT_COMPLIANCE_ERRORS = [
    ("InternalServerError", 131),
    ("InvalidItemContentException", 131),
    ("TotalSizeLimitExceededException", 131),
    ("ItemSizeLimitExceededException", 131),
    ("ComplianceTypeCountLimitExceededException", 131),
    ("InvalidResourceType", 131),
    ("InvalidResourceId", 131),
    ("AccessDeniedException", 132),
]


def test_every_documented_error_of_compliance_items_is_tested(ssm: SsmServer) -> None:
    documented = {shape.name for shape in ssm.models.operation("AmazonSSM.PutComplianceItems").error_shapes}
    assert documented <= {code for code, _ in PUT_COMPLIANCE_ERRORS}


@pytest.mark.parametrize(("code", "expected"), PUT_COMPLIANCE_ERRORS)
@pytest.mark.parametrize("operation", ["PutComplianceItems", "DescribeAssociation"])
def test_an_association_that_cannot_be_reported_waits(
    ssm: SsmServer, send: Send, queue: Queue, operation: str, code: str, expected: int
) -> None:
    ssm.associations[ASSOCIATION] = {}
    status = 500 if code == "InternalServerError" else 400
    ssm.fail(operation, Failure("error", ServiceError(code, "because", status=status)))
    result = send(make_report(*ROWS), association_id=ASSOCIATION)
    assert (result.sent, result.queued, result.code) == (False, True, expected)
    assert queue() == [f"association-{ASSOCIATION}-system.json"]
    assert send(make_report(*ROWS, minutes=1), association_id=ASSOCIATION).sent


def test_an_association_that_does_not_exist(ssm: SsmServer, send: Send) -> None:
    result = send(make_report(*ROWS), association_id=ASSOCIATION)
    assert result.code == 131
    assert "AssociationDoesNotExist" in result.error
    assert "correct ssmpatch:aws:association_id" in result.error
