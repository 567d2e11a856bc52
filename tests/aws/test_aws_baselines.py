# SPDX-License-Identifier: Apache-2.0
"""Baselines chosen in the settings: by id, ARN, name, tag and patch group, and the account's default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ssmpatchlib.aws import baselines
from ssmpatchlib.aws.calls import Connection
from ssmpatchlib.aws.faults import AwsError
from ssmpatchlib.aws.snapshot import SnapshotResult, deployable_baseline
from ssmpatchlib.config import AwsSettings, BaselineTags, Settings
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.osinfo import OsInfo
from support.aws.basics import DEBIAN_BASELINE, INSTANCE, REGION, TestHost
from support.aws.ssm_server import Failure, ServiceError, SsmServer

Make = Callable[..., Settings]


def named(name: str, number: int, *, system: str = "DEBIAN") -> dict[str, Any]:
    return {**DEBIAN_BASELINE, "Name": name, "BaselineId": f"pb-{number:017x}", "OperatingSystem": system}


@pytest.fixture
def ask(ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost) -> Callable[..., SnapshotResult]:
    return lambda **given: deployable_baseline(settings(endpoint_url=ssm.url, **given), debian, host=host)


Ask = Callable[..., SnapshotResult]


def operations(ssm: SsmServer) -> list[str]:
    return [call.operation for call in ssm.calls]


def test_by_id(ssm: SsmServer, ask: Ask) -> None:
    result = ask(aws_baseline="pb-0123456789abcdef0")
    assert result.baseline.name == "debian-security"
    assert result.baseline.origin == "AWS: configured id (eu-central-1)"
    assert result.baseline.rules[0].approve_after_days == 0
    assert operations(ssm) == ["GetPatchBaseline"]
    assert len(result.snapshot_id) == 36


def test_by_arn_as_awss_own_baselines_need(ssm: SsmServer, ask: Ask) -> None:
    arn = "arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-09a5f8eb62bde80b1"
    ssm.add_baseline({**DEBIAN_BASELINE, "Name": "AWS-DebianDefaultPatchBaseline", "BaselineId": arn})
    assert ask(aws_baseline=arn).baseline.id == arn


def test_an_id_that_does_not_exist(ssm: SsmServer, ask: Ask) -> None:
    with pytest.raises(AwsError, match="pb-00000000000000000 does not exist; correct ssmpatch:aws:baseline") as caught:
        ask(aws_baseline="pb-00000000000000000")
    assert caught.value.code == 134


@pytest.mark.parametrize(
    ("code", "expected"), [("AccessDeniedException", 135), ("InvalidResourceId", 134), ("InternalServerError", 134)]
)
def test_the_errors_of_get_patch_baseline(ssm: SsmServer, ask: Ask, code: str, expected: int) -> None:
    status = 500 if code == "InternalServerError" else 400
    ssm.fail("GetPatchBaseline", Failure("error", ServiceError(code, "no", status=status)))
    with pytest.raises(AwsError) as caught:
        ask(aws_baseline="pb-0123456789abcdef0")
    assert caught.value.code == expected


def test_by_name_over_all_pages(ssm: SsmServer, ask: Ask) -> None:
    for number in range(1, 8):
        ssm.add_baseline(named(f"web-{number}", number))
    ssm.add_baseline(named("web", 8, system="UBUNTU"))
    ssm.add_baseline(named("web", 9))
    assert ask(aws_baseline="web").baseline.id == f"pb-{9:017x}"
    described = ssm.calls_of("DescribePatchBaselines")
    assert len(described) == 4
    assert described[0].parameters["Filters"] == [
        {"Key": "NAME_PREFIX", "Values": ["web"]},
        {"Key": "OPERATING_SYSTEM", "Values": ["DEBIAN"]},
    ]
    assert [call.parameters.get("NextToken") for call in described] == [None, "2", "4", "6"]


def test_a_name_that_is_not_there_or_there_twice(ssm: SsmServer, ask: Ask) -> None:
    with pytest.raises(SsmpatchError, match="region eu-central-1 has no baseline web for DEBIAN") as caught:
        ask(aws_baseline="web")
    assert caught.value.code == 136
    ssm.add_baseline(named("web", 1))
    ssm.add_baseline(named("web", 2))
    with pytest.raises(SsmpatchError, match=f"2 baselines are called web .pb-{1:017x}, pb-{2:017x}.; use an id"):
        ask(aws_baseline="web")


def test_denied_to_list(ssm: SsmServer, ask: Ask) -> None:
    ssm.fail("DescribePatchBaselines", Failure("error", ServiceError("AccessDeniedException", "no")))
    with pytest.raises(AwsError, match="allow ssm:DescribePatchBaselines") as caught:
        ask(aws_baseline="web")
    assert caught.value.code == 138


def test_the_accounts_default(ssm: SsmServer, ask: Ask) -> None:
    ssm.defaults["DEBIAN"] = ssm.add_baseline(named("ours", 1))
    result = ask(aws_baseline="default")
    assert result.baseline.name == "ours"
    assert result.baseline.origin == "AWS: account default for DEBIAN (eu-central-1)"
    assert ssm.calls[0].parameters == {"OperatingSystem": "DEBIAN"}


def test_a_system_without_a_default(ssm: SsmServer, ask: Ask) -> None:
    with pytest.raises(SsmpatchError, match="AWS names no baseline for the account's default") as caught:
        ask(aws_baseline="default")
    assert caught.value.code == 133


def test_by_patch_group(ssm: SsmServer, ask: Ask) -> None:
    ssm.group_baselines["web", "DEBIAN"] = ssm.add_baseline(named("for-web", 1))
    ssm.defaults["DEBIAN"] = ssm.add_baseline(named("for-all", 2))
    found = ask(patch_group="web")
    assert (found.baseline.name, found.patch_group) == ("for-web", "web")
    assert found.baseline.origin == "AWS: patch group web (eu-central-1)"
    assert ask(patch_group="db").baseline.name == "for-all"


def test_by_tag_over_all_pages(ssm: SsmServer, ask: Ask) -> None:
    for number in range(1, 6):
        ssm.add_baseline(named("other", number, system="UBUNTU"), tags={"Team": "web"})
    wanted = ssm.add_baseline(named("tagged", 6), tags={"Team": "web"})
    ssm.add_baseline(named("untagged", 7), tags={"Team": "db"})
    result = ask(baseline_tags=BaselineTags("Team", ("web", "www")))
    assert result.baseline.id == wanted
    assert result.baseline.origin == "AWS: tag Team=web,www (eu-central-1)"
    first = ssm.calls_of("GetResources")[0]
    assert first.parameters["TagFilters"] == [{"Key": "Team", "Values": ["web", "www"]}]
    assert len(ssm.calls_of("GetResources")) == 3


def test_more_values_than_one_request_takes(ssm: SsmServer, ask: Ask) -> None:
    wanted = ssm.add_baseline(named("tagged", 1), tags={"Team": "t45"})
    result = ask(baseline_tags=BaselineTags("Team", tuple(f"t{number}" for number in range(50))))
    assert result.baseline.id == wanted
    assert [len(call.parameters["TagFilters"][0]["Values"]) for call in ssm.calls_of("GetResources")] == [20, 20, 10]


def test_several_tagged_baselines_are_an_error(ssm: SsmServer, ask: Ask) -> None:
    ssm.add_baseline(named("one", 1), tags={"Team": "web"})
    ssm.add_baseline(named("two", 2), tags={"Team": "web"})
    with pytest.raises(
        SsmpatchError, match="2 baselines for DEBIAN have the tag Team: one .*two .*leave it on"
    ) as caught:
        ask(baseline_tags=BaselineTags("Team", ("web",)))
    assert caught.value.code == 142


def test_without_a_tagged_baseline_the_patch_group_decides_then_the_node(ssm: SsmServer, ask: Ask) -> None:
    tags = BaselineTags("Team", ("web",))
    ssm.add_baseline(named("other-system", 1, system="UBUNTU"), tags={"Team": "web"})
    ssm.group_baselines["web", "DEBIAN"] = ssm.add_baseline(named("for-web", 2))
    assert ask(baseline_tags=tags, patch_group="web").baseline.name == "for-web"
    assert ask(baseline_tags=tags).baseline.name == "debian-security"
    assert operations(ssm)[-1] == "GetDeployablePatchSnapshotForInstance"


@pytest.mark.parametrize(("code", "expected"), [("AccessDeniedException", 141), ("InvalidParameterException", 140)])
def test_the_errors_of_get_resources(ssm: SsmServer, ask: Ask, code: str, expected: int) -> None:
    ssm.fail("GetResources", Failure("error", ServiceError(code, "no")))
    with pytest.raises(AwsError, match="tag:GetResources") as caught:
        ask(baseline_tags=BaselineTags("Team", ("web",)))
    assert caught.value.code == expected


def test_pages_without_end_are_an_error(ssm: SsmServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssmpatchlib.aws.calls.MAX_PAGES", 3)
    for number in range(1, 20):
        ssm.add_baseline(named("web", number))
    with pytest.raises(AwsError, match="more than 3 pages"):
        ask(aws_baseline="web")


def test_a_chosen_baseline_is_stored_for_when_aws_cannot_be_reached(ssm: SsmServer, ask: Ask) -> None:
    first = ask(aws_baseline="debian-security")
    ssm.fail("*", Failure("close"))
    again = ask(aws_baseline="debian-security")
    assert again.baseline.rules == first.baseline.rules
    assert "could not be asked" in again.warnings[0]


# --- the same calls against moto ------------------------------------------------------------------------------


@pytest.fixture
def account(moto: str) -> Any:
    """moto's Systems Manager, empty."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST"), timeout=10).close()
    return boto3.client("ssm", region_name=REGION, endpoint_url=moto)


@pytest.fixture
def connection(moto: str, host: TestHost) -> Connection:
    aws = AwsSettings(region=REGION, instance_id=INSTANCE, endpoint_url=moto)
    return Connection(aws, region=REGION, ec2=False, host=host)


def test_moto_lists_by_name(account: Any, connection: Connection) -> None:
    document = {key: value for key, value in DEBIAN_BASELINE.items() if key != "BaselineId"}
    wanted = account.create_patch_baseline(**document)["BaselineId"]
    account.create_patch_baseline(**{**document, "Name": "debian-security-2"})
    assert baselines.id_by_name(connection, "debian-security", "DEBIAN") == wanted


def test_moto_knows_the_baseline_of_a_group(account: Any, connection: Connection) -> None:
    document = {key: value for key, value in DEBIAN_BASELINE.items() if key != "BaselineId"}
    wanted = account.create_patch_baseline(**document)["BaselineId"]
    account.register_patch_baseline_for_patch_group(BaselineId=wanted, PatchGroup="web")
    answer = connection.call("ssm", "GetPatchBaselineForPatchGroup", PatchGroup="web", OperatingSystem="DEBIAN")
    assert answer["BaselineId"] == wanted
