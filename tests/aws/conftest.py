# SPDX-License-Identifier: Apache-2.0
"""An AWS of our own on loopback, and a process environment that reaches nothing else."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import config
from ssmpatchlib.config import AwsSettings, Settings
from ssmpatchlib.osinfo import OsInfo
from support import apt_root
from support.aws import imds_server, ssm_server
from support.aws.basics import DEBIAN_BASELINE, INSTANCE, KEY, REGION, TestHost
from support.aws.node import CASE, Node


@pytest.fixture(autouse=True, scope="session")
def quick_boto3() -> Iterator[None]:
    """Read botocore's data files once for all tests, and leave its debug messages unformatted."""
    import botocore.session

    patch = pytest.MonkeyPatch()
    patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
    logging.getLogger("botocore").setLevel(logging.INFO)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment, no metadata service, one attempt, and a home whose files nobody chose."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIASOMEBODYELSE0000\naws_secret_access_key = theirs\n"
    )
    (home / ".aws" / "config").write_text("[default]\nregion = us-gov-west-1\n")
    (home / ".boto").write_text(
        "[Credentials]\naws_access_key_id = AKIASOMEBODYELSE0000\naws_secret_access_key = theirs\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture
def host() -> TestHost:
    return TestHost()


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ssm_server.SsmServer]:
    """Systems Manager with one node, whose baseline is for Debian."""
    with ssm_server.serving() as server:
        server.instances.add(INSTANCE)
        server.node_baseline[INSTANCE] = server.add_baseline(DEBIAN_BASELINE)
        monkeypatch.setenv("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", server.url)
        yield server
        assert server.rejected == []


@pytest.fixture
def imds(monkeypatch: pytest.MonkeyPatch) -> Iterator[imds_server.ImdsServer]:
    """A metadata service that both we and boto3 find."""
    with imds_server.serving() as server:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings with directories of their own: ``settings(upload="always", region=…)``."""
    names = set(AwsSettings.__dataclass_fields__)

    def make(**given: Any) -> Settings:
        aws = {"region": REGION, "instance_id": INSTANCE}
        aws.update({key: value for key, value in given.items() if key in names and key != "baseline"})
        aws.update({"baseline": given["aws_baseline"]} if "aws_baseline" in given else {})
        rest = {key: value for key, value in given.items() if key not in names and key != "aws_baseline"}
        return Settings(
            **{
                "baseline": "aws",
                "aws": AwsSettings(**aws),
                "state_dir": tmp_path / "state",
                "aws_dir": tmp_path / "ssm" / "patch-configuration",
                **rest,
            }
        )

    return make


@pytest.fixture
def debian() -> OsInfo:
    return OsInfo("DEBIAN", "Debian12", ("Debian12",), "Debian GNU/Linux", "12", "apt")


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """moto's server: S3, STS and what it knows of Systems Manager."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    yield f"http://{address}:{port}"
    server.stop()


@pytest.fixture
def node(ssm: ssm_server.SsmServer, tmp_path: Path) -> Node:
    """Settings of a node on a fresh apt root, as its pillar would have them."""
    root = apt_root.build(CASE, str(tmp_path / "root"))

    def make(**more: Any) -> Settings:
        aws = {"region": REGION, "instance_id": INSTANCE, "endpoint_url": ssm.url}
        return config.load(
            pillar={"baseline": "aws", "root": str(root), **CASE["os"], "lock_timeout": 5, "aws": aws, **more}
        )

    return make
