# SPDX-License-Identifier: Apache-2.0
"""Baselines between pillar and AWS by boto3: create-patch-baseline takes ours, pillar takes get-patch-baseline's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from ssmpatchlib import config
from ssmpatchlib.aws.snapshot import deployable_baseline
from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.baseline.export import to_api
from ssmpatchlib.baseline.parse import parse_baseline
from ssmpatchlib.model import Baseline
from ssmpatchlib.osinfo import OsInfo
from support.aws.basics import DEBIAN_BASELINE, REGION, TestHost
from support.aws.ssm_server import SsmServer
from support.baselines import baselines as baseline_documents


@pytest.fixture
def client(ssm: SsmServer) -> Any:
    return boto3.client("ssm", region_name=REGION, endpoint_url=ssm.url)


def same_rules(found: Baseline) -> Baseline:
    """Without what AWS gives anew (id) or people read (origin); a rule without a delay is one of zero days."""
    rules = tuple(
        dataclasses.replace(rule, approve_after_days=0)
        if rule.approve_after_days is None and rule.approve_until_date is None
        else rule
        for rule in found.rules
    )
    return dataclasses.replace(found, id="", origin="", rules=rules)


def as_printed(answer: dict[str, Any]) -> str:
    """What ``aws ssm get-patch-baseline`` prints: dates as ISO text, no escapes, without boto3's metadata."""
    answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return json.dumps(answer, default=lambda value: value.isoformat(), ensure_ascii=False)


def by_pillar(document: str, read: Callable[[str], Any]) -> Baseline:
    """The baseline after it was pasted into pillar and rendered by ``read``."""
    loaded = config.load(pillar=read(f'{{"baseline": "ours", "baselines": {{"ours": {document}}}}}'))
    return parse_baseline(loaded.baselines["ours"], origin="pillar")


def there_and_back(client: Any, found: Baseline, read: Callable[[str], Any] = json.loads) -> Baseline:
    baseline_id = client.create_patch_baseline(**json.loads(json.dumps(to_api(found))))["BaselineId"]
    back = by_pillar(as_printed(client.get_patch_baseline(BaselineId=baseline_id)), read)
    assert back.id == baseline_id
    return back


@pytest.mark.parametrize("system", DEFAULTS)
def test_awss_default_baselines(client: Any, system: str) -> None:
    assert same_rules(there_and_back(client, DEFAULTS[system], yaml.safe_load)) == same_rules(DEFAULTS[system])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=baseline_documents().filter(lambda document: "OperatingSystem" in document))
def test_any_baseline(client: Any, document: dict[str, Any]) -> None:
    found = parse_baseline(document, origin="x", name="given")
    assert same_rules(there_and_back(client, found)) == same_rules(found)


def test_what_aws_stores_is_what_a_node_gets(
    ssm: SsmServer, client: Any, settings: Callable[..., Any], debian: OsInfo, host: TestHost
) -> None:
    """The exported baseline, as a snapshot and as GetPatchBaseline, means the same on the node."""
    found = parse_baseline({**DEBIAN_BASELINE, "Description": "ours"}, origin="x")
    baseline_id = client.create_patch_baseline(**to_api(found))["BaselineId"]
    ssm.node_baseline["i-0123456789abcdef0"] = baseline_id
    by_snapshot = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host).baseline
    by_id = deployable_baseline(settings(endpoint_url=ssm.url, aws_baseline=baseline_id), debian, host=host).baseline
    assert same_rules(by_snapshot) == same_rules(by_id) == same_rules(found)


def test_moto_takes_it_too(moto: str) -> None:
    ssm = boto3.client("ssm", region_name=REGION, endpoint_url=moto)
    assert ssm.create_patch_baseline(**to_api(DEFAULTS["DEBIAN"]))["BaselineId"].startswith("pb-")
