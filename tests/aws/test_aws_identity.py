# SPDX-License-Identifier: Apache-2.0
"""Which node this is: configuration, metadata service, registration, and what is said when none of them knows."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ssmpatchlib import config
from ssmpatchlib.aws import metadata
from ssmpatchlib.aws.identity import Identity, NotIdentified, environment_region, identify, region_and_kind
from ssmpatchlib.config import AwsSettings
from support.aws.basics import INSTANCE, REGION, TestHost
from support.aws.imds_server import ImdsServer

HYBRID = "mi-0123456789abcdef0"


@pytest.fixture
def registration(tmp_path: Path) -> Path:
    path = tmp_path / "registration"
    path.write_text(json.dumps({"ManagedInstanceID": HYBRID, "Region": "us-west-2"}))
    return path


def test_configuration_asks_nobody(imds: ImdsServer, host: TestHost) -> None:
    aws = AwsSettings(instance_id=HYBRID, region="eu-west-1")
    assert identify(aws, host=host) == Identity(HYBRID, "eu-west-1", "configuration")
    assert imds.requests == []


def test_a_configured_id_finds_its_region_in_the_environment(
    imds: ImdsServer, host: TestHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert identify(AwsSettings(instance_id=HYBRID), host=host).region == "eu-west-3"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert identify(AwsSettings(instance_id=HYBRID), host=host).region == "eu-west-1"
    assert imds.requests == []


def test_metadata_is_asked_with_a_session_token(imds: ImdsServer, host: TestHost) -> None:
    assert identify(AwsSettings(), host=host, registrations=()) == Identity(INSTANCE, REGION, "instance metadata")
    assert imds.requests == ["PUT /latest/api/token", "GET /latest/dynamic/instance-identity/document"]


def test_a_configured_region_beats_metadata(imds: ImdsServer, host: TestHost) -> None:
    found = identify(AwsSettings(region="us-east-2"), host=host, registrations=())
    assert found == Identity(INSTANCE, "us-east-2", "instance metadata")


def test_version_1_is_used_only_where_it_is_allowed(imds: ImdsServer, host: TestHost) -> None:
    imds.version_1, imds.version_2 = True, False
    with pytest.raises(NotIdentified, match="answered HTTP 404"):
        identify(AwsSettings(), host=host, registrations=())
    assert imds.requests == ["PUT /latest/api/token"]
    found = identify(AwsSettings(allow_imdsv1=True), host=host, registrations=())
    assert found == Identity(INSTANCE, REGION, "instance metadata")


def test_version_2_is_used_where_version_1_is_only_allowed(imds: ImdsServer, host: TestHost) -> None:
    assert identify(AwsSettings(allow_imdsv1=True), host=host, registrations=()).instance_id == INSTANCE
    assert imds.requests[0] == "PUT /latest/api/token"


def test_an_instance_that_demands_tokens_is_not_read_without(imds: ImdsServer, host: TestHost) -> None:
    imds.version_2 = False
    with pytest.raises(NotIdentified, match="wants a session token"):
        identify(AwsSettings(allow_imdsv1=True), host=host, registrations=())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"raw": b"<html>captive portal</html>"}, "no instance identity document"),
        ({"raw": b"[1]"}, "no instance identity document"),
        ({"raw": b"\xff\xfe"}, "no instance identity document"),
        ({"status": 500}, "answered HTTP 500"),
        ({"status": 302}, "answered HTTP 302"),
        ({"document": {"instanceId": "vm-17", "region": "eu-central-1"}}, "'vm-17', which is no instance id"),
        ({"document": {"instanceId": "i-0000000a"}}, "None, which is no region"),
        ({"document": {"instanceId": "i-0000000a", "region": "RegionOne"}}, "'RegionOne', which is no region"),
        ({"document": {"instanceId": ["i-0000000a"], "region": "eu-central-1"}}, "no instance id"),
    ],
)
def test_what_is_no_metadata_service_is_not_believed(
    imds: ImdsServer, host: TestHost, spoil: dict[str, object], words: str
) -> None:
    for name, value in spoil.items():
        setattr(imds, name, value)
    with pytest.raises(NotIdentified) as caught:
        identify(AwsSettings(), host=host, registrations=())
    assert words in str(caught.value)
    assert caught.value.code == 148


def test_a_registration_is_read_where_metadata_is_not_there(host: TestHost, registration: Path) -> None:
    found = identify(AwsSettings(), host=host, registrations=(registration,))
    assert found == Identity(HYBRID, "us-west-2", "hybrid registration")
    assert not found.ec2


def test_the_registration_of_a_configured_id_tells_the_region(
    imds: ImdsServer, host: TestHost, registration: Path
) -> None:
    """An EC2 instance that is registered as a hybrid node: its metadata is for another id."""
    found = identify(AwsSettings(instance_id=HYBRID), host=host, registrations=(registration,))
    assert found == Identity(HYBRID, "us-west-2", "hybrid registration")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"ManagedInstanceID": "i-1"}', '{"ManagedInstanceID": 7, "Region": 8}']
)
def test_a_damaged_registration_is_named(host: TestHost, registration: Path, content: str) -> None:
    registration.write_text(content)
    with pytest.raises(NotIdentified, match=r"hybrid registration: .*/registration: "):
        identify(AwsSettings(), host=host, registrations=(registration,))


def test_the_error_lists_what_was_tried_and_what_to_do(host: TestHost, tmp_path: Path) -> None:
    with pytest.raises(NotIdentified) as caught:
        identify(AwsSettings(), host=host, registrations=(tmp_path / "none",))
    text = str(caught.value)
    assert caught.value.code == 148
    for words in (
        "ssmpatch:aws:instance_id is not set",
        "ssmpatch:aws:region is not set",
        "switched off by AWS_EC2_METADATA_DISABLED",
        f"{tmp_path}/none: not there",
        "set ssmpatch:aws:instance_id and ssmpatch:aws:region",
    ):
        assert words in text


def test_an_address_where_nobody_listens_is_tried_twice(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(NotIdentified, match="connection refused"):
            identify(AwsSettings(), host=host, registrations=())
    assert host.slept == [metadata.PAUSE_SECONDS]


def test_a_service_that_does_not_answer_costs_its_timeout(
    imds: ImdsServer, host: TestHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    imds.seconds = 2
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "0.2")
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    with pytest.raises(NotIdentified, match="no answer in time"):
        identify(AwsSettings(), host=host, registrations=())


def test_metadata_is_never_asked_through_a_proxy(
    imds: ImdsServer, host: TestHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert identify(AwsSettings(), host=host, registrations=()).instance_id == INSTANCE


def test_ipv6_is_asked_for_with_botocores_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6")
    assert metadata.endpoint() == "http://[fd00:ec2::254]"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[::1]:8080/")
    assert metadata.endpoint() == "http://[::1]:8080"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "file:///etc/passwd")
    with pytest.raises(metadata.Unavailable, match="no http address"):
        metadata.endpoint()


def test_without_an_id_the_region_alone_can_be_told(imds: ImdsServer, host: TestHost) -> None:
    assert region_and_kind(AwsSettings(), host=host) == (REGION, True)
    imds.status = 500
    assert region_and_kind(AwsSettings(region="eu-west-2"), host=host) == ("eu-west-2", False)
    assert region_and_kind(AwsSettings(), host=host) == ("us-east-1", False)


def regions_of_botocore() -> list[str]:
    """Every region of every partition that botocore knows."""
    import botocore.session

    session = botocore.session.Session()
    return sorted(
        {
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions("ssm", partition)
        }
    )


@pytest.mark.parametrize("region", regions_of_botocore())
def test_every_region_of_every_partition_is_one(
    imds: ImdsServer, host: TestHost, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    configured = config.load(pillar={"aws": {"region": region, "instance_id": INSTANCE}}).aws
    assert configured is not None
    assert identify(configured, host=host).region == region
    imds.document = {**imds.document, "region": region}
    assert identify(AwsSettings(), host=host).region == region
    monkeypatch.setenv("AWS_REGION", region)
    assert environment_region() == region
    assert identify(AwsSettings(instance_id=INSTANCE), host=host).region == region


def test_botocore_knows_the_partitions_that_the_guide_names() -> None:
    import botocore.session

    assert {"aws", "aws-cn", "aws-us-gov", "aws-eusc"} <= set(botocore.session.Session().get_available_partitions())
