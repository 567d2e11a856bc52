# SPDX-License-Identifier: Apache-2.0
"""Whose credentials are used, in which order, and never somebody's whom the operator did not choose."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.aws import sessions
from ssmpatchlib.aws.calls import Connection
from ssmpatchlib.aws.faults import AwsError
from ssmpatchlib.config import AwsSettings
from ssmpatchlib.errors import SsmpatchError
from support.aws.basics import INSTANCE, KEY, REGION, TestHost
from support.aws.imds_server import ImdsServer
from support.aws.ssm_server import Failure, ServiceError, SsmServer

Connect = Callable[..., Connection]


@pytest.fixture
def connect(ssm: SsmServer, host: TestHost) -> Connect:
    def make(*, ec2: bool = True, **given: Any) -> Connection:
        aws = AwsSettings(**{"region": REGION, "endpoint_url": ssm.url, **given})
        return Connection(aws, region=REGION, ec2=ec2, host=host)

    return make


def ask(connection: Connection) -> None:
    connection.call("ssm", "GetDefaultPatchBaseline", OperatingSystem="DEBIAN")


def keys(ssm: SsmServer) -> list[str]:
    return [call.access_key for call in ssm.calls]


def test_on_ec2_the_instances_role_comes_first(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    connection = connect()
    ask(connection)
    assert keys(ssm) == [imds.access_key]
    assert ssm.calls[0].token == "instance-token"
    assert connection.warnings == ()


def test_an_instance_without_a_role_uses_the_chain(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    imds.role = None
    connection = connect()
    ask(connection)
    assert keys(ssm) == [KEY]
    assert connection.warnings == ()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"])
def test_a_role_that_is_refused_gives_way_once_and_the_warning_says_so(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    ssm.fail("*", Failure("error", ServiceError(code, "no")))
    connection = connect()
    ask(connection)
    assert keys(ssm) == [imds.access_key, KEY]
    (warning,) = connection.warnings
    assert code in warning
    assert warning.endswith("boto3's credential chain was used instead")


def test_both_refused_is_an_error_of_the_first(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    ssm.refused_keys = {KEY, imds.access_key}
    with pytest.raises(AwsError, match="the instance's role.*AccessDeniedException") as caught:
        ask(connect())
    assert caught.value.code == 135
    assert keys(ssm) == [imds.access_key, KEY]


def test_a_role_that_is_refused_is_not_asked_again_as_part_of_the_chain(
    ssm: SsmServer, connect: Connect, imds: ImdsServer
) -> None:
    ssm.refused_keys = {imds.access_key}
    with pytest.raises(AwsError, match="AccessDeniedException"):
        ask(connect())
    assert keys(ssm) == [imds.access_key]


def test_other_failures_do_not_change_the_credentials(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    ssm.fail("*", Failure("error", ServiceError("InternalServerError", "no", status=500)))
    with pytest.raises(AwsError):
        ask(connect())
    assert keys(ssm) == [imds.access_key]


def test_elsewhere_the_chain_comes_first_and_ends_with_the_metadata_service(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connect(ec2=False))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    ask(connect(ec2=False))
    assert keys(ssm) == [imds.access_key, KEY]


def test_version_1_of_the_metadata_service_gives_credentials_only_where_allowed(
    ssm: SsmServer, connect: Connect, imds: ImdsServer
) -> None:
    imds.version_1, imds.version_2 = True, False
    with pytest.raises(AwsError, match="IMDSv1"):
        ask(connect())
    ask(connect(allow_imdsv1=True))
    assert keys(ssm) == [imds.access_key]


# --- files of users -------------------------------------------------------------------------------------------


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize("ec2", [True, False])
@pytest.mark.parametrize("variable", [None, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_files_of_a_user_are_not_read(
    ssm: SsmServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, ec2: bool, variable: str | None
) -> None:
    """Somebody's ``~/.aws`` and ``~/.boto`` are there and hold working keys."""
    if variable:
        monkeypatch.setenv(variable, "default")
    with pytest.raises(AwsError) as caught:
        ask(connect(ec2=ec2))
    text = str(caught.value)
    assert "Unable to locate credentials" in text
    assert "attach a role to the instance, or set ssmpatch:aws:profile" in text
    assert caught.value.code == 133
    assert ssm.calls == []


@pytest.mark.usefixtures("no_environment")
def test_a_profile_of_the_user_that_the_process_runs_as(
    ssm: SsmServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its home is the password database's: HOME may be that of whoever called sudo."""
    home = tmp_path / "service"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "[patching]\naws_access_key_id = AKIACHOSENPROFILE000\naws_secret_access_key = chosen\n"
    )
    user = pwd.getpwuid(os.geteuid())
    fields = list(user)
    fields[5] = str(home)
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: pwd.struct_passwd(fields))
    ask(connect(profile="patching"))
    assert keys(ssm) == ["AKIACHOSENPROFILE000"]
    with pytest.raises(AwsError, match=r"profile missing.*could not be found"):
        ask(connect(profile="missing"))


def test_a_profile_beats_environment_and_role(
    ssm: SsmServer, connect: Connect, imds: ImdsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "home" / ".aws" / "credentials"))
    ssm.refused_keys = {"AKIASOMEBODYELSE0000"}
    with pytest.raises(AwsError, match="profile default"):
        ask(connect(profile="default"))
    assert keys(ssm) == ["AKIASOMEBODYELSE0000"]
    assert imds.requests == []


@pytest.mark.usefixtures("no_environment")
def test_files_that_the_environment_names_are_read(
    ssm: SsmServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SSM agent's own credentials file of a node, for example."""
    path = tmp_path / "credentials"
    path.write_text("[default]\naws_access_key_id = AKIANAMEDFILE0000000\naws_secret_access_key = named\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    ask(connect(ec2=False))
    assert keys(ssm) == ["AKIANAMEDFILE0000000"]


# --- roles and endpoints --------------------------------------------------------------------------------------


def test_a_role_is_assumed_by_sts(ssm: SsmServer, connect: Connect, moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
    ask(connect(ec2=False, role_arn="arn:aws:iam::123456789012:role/patching"))
    (call,) = ssm.calls
    assert call.access_key.startswith("ASIA")
    assert call.token


def test_a_role_that_cannot_be_assumed(ssm: SsmServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(AwsError, match=r"role/patching by boto3's credential chain.*127\.0\.0\.1:9"):
        ask(connect(ec2=False, role_arn="arn:aws:iam::123456789012:role/patching"))
    assert ssm.calls == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "https://ssm.eu-central-1.amazonaws.com"),
        ({"use_dualstack_endpoint": True}, "https://ssm.eu-central-1.api.aws"),
        ({"use_fips_endpoint": True}, "https://ssm-fips.us-east-1.amazonaws.com"),
        ({"use_dualstack_endpoint": True, "endpoint_url": "https://vpce-1.example"}, "https://vpce-1.example"),
        ({"use_fips_endpoint": True, "endpoint_url": "https://vpce-1.example"}, "https://vpce-1.example"),
    ],
)
def test_endpoints(given: dict[str, Any], expected: str) -> None:
    aws = AwsSettings(**given)
    region = "us-east-1" if "fips" in expected else "eu-central-1"
    (source,) = sessions.sources(aws, region=region, ec2=False)
    client = sessions.make_client(source.open(), "ssm", aws=aws, region=region)
    sent: list[str] = []

    class Stop(Exception):
        pass

    def stop(request: Any, **_: Any) -> None:
        sent.append(request.url)
        raise Stop

    client.meta.events.register("before-send.ssm", stop)
    with pytest.raises(Stop):
        client.get_default_patch_baseline()
    assert sent == [f"{expected}/"]
    s3 = sessions.make_client(source.open(), "s3", aws=aws, region=region).meta.config
    assert bool(s3.use_dualstack_endpoint) == aws.use_dualstack_endpoint
    assert bool(s3.use_fips_endpoint) == aws.use_fips_endpoint


def test_retries_are_adaptive_and_bounded_and_boto3s_variables_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = AwsSettings()
    (source,) = sessions.sources(aws, region=REGION, ec2=False)

    def retries() -> Any:
        return sessions.make_client(source.open(), "ssm", aws=aws, region=REGION).meta.config.retries

    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    assert retries() == {"mode": "adaptive", "total_max_attempts": 5}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    assert retries() == {"mode": "standard", "total_max_attempts": 3}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
    assert retries()["total_max_attempts"] == 5


@pytest.mark.parametrize("version", ["1.28.85", "1.9.0", "0.1"])
def test_a_boto3_that_would_ask_version_1_of_the_metadata_service_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("boto3.__version__", version)
    with pytest.raises(SsmpatchError, match=rf"AWS needs boto3 1\.29\.4 or newer, this is {version}; salt-pip install"):
        connect()


def test_what_an_old_botocore_cannot_send_is_named(ssm: SsmServer, connect: Connect) -> None:
    with pytest.raises(SsmpatchError, match="is too old to send UseQuantumEndpoint of GetDefaultPatch"):
        connect().call("ssm", "GetDefaultPatchBaseline", OperatingSystem="DEBIAN", UseQuantumEndpoint=True)
    assert ssm.calls == []


def test_a_burst_of_throttling_is_waited_out(ssm: SsmServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    throttled = Failure("error", ServiceError("ThrottlingException", "Rate exceeded"))
    ssm.fail("*", throttled, throttled)
    ask(connect(ec2=False))
    assert len(ssm.calls) == 3


def test_throttling_without_end_is_an_error(ssm: SsmServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    ssm.fail("*", *[Failure("error", ServiceError("ThrottlingException", "Rate exceeded"))] * 3)
    with pytest.raises(AwsError, match="run fewer hosts at once") as caught:
        ask(connect(ec2=False))
    assert caught.value.kind == "throttled"
    assert len(ssm.calls) == 2


def test_instance_id_of_the_tests_is_an_ec2_instance() -> None:
    from ssmpatchlib.aws.identity import Identity

    assert Identity(INSTANCE, REGION, "").ec2
    assert not Identity("mi-0123456789abcdef0", REGION, "").ec2
