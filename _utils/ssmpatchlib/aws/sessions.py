# SPDX-License-Identifier: Apache-2.0
"""Makes boto3 sessions and clients: whose credentials are used, how often and how long is tried."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..config import AwsSettings
from ..errors import SsmpatchError

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
ATTEMPTS = 5

# botocore's names of the places that credentials come from.
INSTANCE_ROLE = "iam-role"
BOTO2_FILES = "boto-config"

#: The first that can be told not to ask version 1 of the metadata service.
OLDEST_BOTO3 = (1, 29, 4)
UPGRADE = "salt-pip install --upgrade boto3"

SHARED_FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")


@dataclass(frozen=True, slots=True)
class Source:
    """One set of credentials to try: what to call it, and what opens a session with it."""

    name: str
    open: Callable[[], Any]


def boto3_or_refuse() -> Any:
    """The library.

    Raises:
        SsmpatchError: it is not installed for this Python, or too old; the message says how to install it.
    """
    try:
        import boto3
    except ImportError as exc:
        why = "" if getattr(exc, "name", None) == "boto3" else f" ({exc})"
        raise SsmpatchError(
            f"AWS needs the Python library boto3, which {sys.executable} cannot import{why}; "
            "install it with: salt-pip install boto3"
        ) from exc
    found = tuple(int(part) for part in boto3.__version__.split(".")[:3] if part.isdecimal())
    if found < OLDEST_BOTO3:
        oldest = ".".join(map(str, OLDEST_BOTO3))
        raise SsmpatchError(f"AWS needs boto3 {oldest} or newer, this is {boto3.__version__}; {UPGRADE}")
    return boto3


def require_known(client: Any, operation: str, parameters: Collection[str]) -> None:
    """Refuse parameters that this botocore is too old to send.

    Raises:
        SsmpatchError: the message names them and says how to upgrade.
    """
    from botocore import __version__ as version

    members = client.meta.service_model.operation_model(operation).input_shape.members
    unknown = sorted(set(parameters) - set(members))
    if unknown:
        raise SsmpatchError(f"botocore {version} is too old to send {', '.join(unknown)} of {operation}; {UPGRADE}")


def sources(aws: AwsSettings, *, region: str, ec2: bool) -> tuple[Source, ...]:
    """The credentials to use, in order; a later one is for when an earlier one is missing or refused.

    With ``profile`` that profile alone. Without, on EC2 the instance's role, then boto3's chain; elsewhere boto3's
    chain. The chain reads a user's ``~/.aws`` or ``~/.boto`` in no case: only files that the environment names.
    ``role_arn`` is assumed with whichever of them it is. Rule: docs/rules.md, What AWS stores.
    """
    boto3_or_refuse()
    if aws.profile:
        found = [Source(f"profile {aws.profile}", lambda: _profile_session(aws, region))]
    else:
        found = [Source("boto3's credential chain", lambda: _chain_session(aws, region, instance_role=not ec2))]
        if ec2:
            found.insert(0, Source("the instance's role", lambda: _role_session(aws, region)))
    if aws.role_arn:
        found = [_assuming(aws, source, region) for source in found]
    return tuple(found)


def make_client(session: Any, service: str, *, aws: AwsSettings, region: str) -> Any:
    """A client of ``service``. ``endpoint_url`` is Systems Manager's; dual-stack and FIPS then go without saying."""
    from botocore.config import Config

    endpoint = aws.endpoint_url if service == "ssm" else ""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": os.environ.get("AWS_RETRY_MODE") or "adaptive", "total_max_attempts": _attempts()},
        use_dualstack_endpoint=(aws.use_dualstack_endpoint and not endpoint) or None,
        use_fips_endpoint=(aws.use_fips_endpoint and not endpoint) or None,
        user_agent_extra=f"ssmpatch/{__version__}",
    )
    return session.client(service, region_name=region, endpoint_url=endpoint or None, config=config)


def _attempts() -> int:
    value = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return int(value) if value.isdecimal() and int(value) else ATTEMPTS


def _session(core: Any, region: str) -> Any:
    return boto3_or_refuse().Session(botocore_session=core, region_name=region)


def _profile_session(aws: AwsSettings, region: str) -> Any:
    """A session of the profile, from the files the environment names or those of the user that this process runs as.

    The home directory is the password database's, not ``HOME``, which ``sudo`` may leave another user's.
    """
    import botocore.session

    core = botocore.session.Session(profile=aws.profile)
    home = pwd.getpwuid(os.geteuid()).pw_dir
    for variable, setting, name in zip(
        SHARED_FILES, ("credentials_file", "config_file"), ("credentials", "config"), strict=True
    ):
        if not os.environ.get(variable):
            core.set_config_variable(setting, os.path.join(home, ".aws", name))
    return _session(core, region)


def _chain_session(aws: AwsSettings, region: str, *, instance_role: bool) -> Any:
    core = _bare(aws)
    resolver = core.get_component("credential_provider")
    resolver.remove(BOTO2_FILES)
    if not instance_role:
        resolver.remove(INSTANCE_ROLE)
    return _session(core, region)


def _role_session(aws: AwsSettings, region: str) -> Any:
    core = _bare(aws)
    resolver = core.get_component("credential_provider")
    for method in [provider.METHOD for provider in resolver.providers]:
        if method != INSTANCE_ROLE:
            resolver.remove(method)
    return _session(core, region)


def _bare(aws: AwsSettings) -> Any:
    """A session that reads no user's files, only those the environment names; without any, ``AWS_PROFILE`` is void."""
    import botocore.session

    named = [variable for variable in SHARED_FILES if os.environ.get(variable)]
    unset = (None, None, None, None)
    core = botocore.session.Session(session_vars=None if named else {"profile": unset})
    for variable, setting in zip(SHARED_FILES, ("credentials_file", "config_file"), strict=True):
        if variable not in named:
            core.set_config_variable(setting, os.devnull)
    if not aws.allow_imdsv1:
        core.set_config_variable("ec2_metadata_v1_disabled", True)
    return core


def _assuming(aws: AwsSettings, source: Source, region: str) -> Source:
    def assume() -> Any:
        sts = make_client(source.open(), "sts", aws=aws, region=region)
        answer = sts.assume_role(RoleArn=aws.role_arn, RoleSessionName="ssmpatch")
        given = answer["Credentials"]
        return boto3_or_refuse().Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=region,
            botocore_session=_bare(aws),
        )

    return Source(f"{aws.role_arn} by {source.name}", assume)
