# SPDX-License-Identifier: Apache-2.0
"""Baselines out: AWS's service model accepts them, and reading them back gives the same."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings

from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.baseline.export import to_api, to_pillar
from ssmpatchlib.baseline.parse import parse_baseline
from ssmpatchlib.model import Baseline
from support.baselines import baseline, baselines, rule

botocore_session = pytest.importorskip("botocore.session")


@pytest.fixture(scope="module")
def service() -> Any:
    """AWS's own description of the SSM API."""
    return botocore_session.get_session().get_service_model("ssm")


def assert_aws_takes(service: Any, shape: str, document: dict[str, Any]) -> None:
    """Types, required members and lengths as botocore checks them; enumerations and patterns, which it does not."""
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(document, service.shape_for(shape))
    assert not report.has_errors(), report.generate_report()
    check(service.shape_for(shape), document)


def check(shape: Any, value: Any) -> None:
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members)
        for key, member in value.items():
            check(shape.members[key], member)
    elif shape.type_name == "list":
        assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", 10**9)
        for item in value:
            check(shape.member, item)
    elif shape.type_name == "string":
        import re

        assert not shape.enum or value in shape.enum
        assert len(value) <= shape.metadata.get("max", 10**9)
        assert re.search(shape.metadata.get("pattern", ""), value)
    elif shape.type_name == "integer":
        assert shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value)


def without_id(found: Baseline) -> Baseline:
    return dataclasses.replace(found, id="")


@settings(max_examples=150)
@given(document=baselines())
def test_what_aws_takes_comes_back_the_same(service: Any, document: dict[str, Any]) -> None:
    found = parse_baseline(document, origin="x", name="given")
    exported = to_api(found)
    assert_aws_takes(service, "CreatePatchBaselineRequest", exported)
    assert parse_baseline(json.loads(json.dumps(exported)), origin="x") == found


@settings(max_examples=150)
@given(document=baselines())
def test_the_pillar_form_comes_back_with_its_id(document: dict[str, Any]) -> None:
    found = parse_baseline(document | {"BaselineId": "pb-0123456789abcdef0"}, origin="x", name="given")
    assert parse_baseline(json.loads(json.dumps(to_pillar(found))), origin="x") == found


@pytest.mark.parametrize("system", DEFAULTS)
def test_default_baselines_survive_both_forms(service: Any, system: str) -> None:
    found = DEFAULTS[system]
    assert_aws_takes(service, "CreatePatchBaselineRequest", to_api(found))
    assert without_id(parse_baseline(to_api(found), origin=found.origin)) == without_id(found)
    assert parse_baseline(to_pillar(found), origin=found.origin) == found


def test_the_largest_baseline_that_is_allowed_is_the_largest_that_aws_takes(service: Any) -> None:
    each = {"Key": "SECTION", "Values": ["v" * 64] * 20}
    document = baseline(
        Name="n" * 128,
        Description="d" * 1024,
        GlobalFilters={"PatchFilters": [each] * 4},
        ApprovalRules={"PatchRules": [rule(PatchFilterGroup={"PatchFilters": [each] * 4}, ApproveAfterDays=360)] * 10},
        ApprovedPatches=["p" * 100] * 50,
        RejectedPatches=["p" * 100] * 50,
        Sources=[{"Name": "s" * 50, "Products": ["p" * 128] * 20, "Configuration": "c" * 1024}] * 20,
    )
    assert_aws_takes(service, "CreatePatchBaselineRequest", to_api(parse_baseline(document, origin="x")))


def test_an_override_for_aws_is_the_api_form_without_name_and_description(service: Any) -> None:
    exported = to_api(parse_baseline(baseline(), origin="x"))
    del exported["Name"]
    assert_aws_takes(service, "BaselineOverride", exported)


def test_a_name_that_aws_refuses_is_changed_to_one_it_takes(service: Any) -> None:
    for name, expected in (("db", "baseline-db"), ("web servers/ä", "web-servers--"), ("x" * 200, "x" * 128)):
        exported = to_api(parse_baseline(baseline(), origin="x", name=name))
        assert exported["Name"] == expected
        assert_aws_takes(service, "CreatePatchBaselineRequest", exported)


def test_a_rule_without_delay_gets_the_one_that_aws_needs(service: Any) -> None:
    document = {"operatingSystem": "DEBIAN", "approvalRules": {"rules": [{"filterGroup": {"filters": []}}]}}
    found = parse_baseline(document, origin="x")
    exported = to_api(found)
    assert exported["ApprovalRules"]["PatchRules"][0]["ApproveAfterDays"] == 0
    assert_aws_takes(service, "CreatePatchBaselineRequest", exported)
    assert parse_baseline(to_pillar(found), origin="x") == found


def test_a_get_patch_baseline_answer_of_the_service_model_goes_into_pillar(service: Any) -> None:
    members = set(service.shape_for("GetPatchBaselineResult").members)
    answer = to_api(DEFAULTS["DEBIAN"]) | {
        "BaselineId": "pb-09a5f8eb62bde80b1",
        "PatchGroups": ["a"],
        "CreatedDate": 1.5,
        "ModifiedDate": 1.5,
        "Description": "text",
        "AvailableSecurityUpdatesComplianceStatus": "COMPLIANT",
    }
    assert set(answer) == members
    found = parse_baseline(answer, origin=DEFAULTS["DEBIAN"].origin)
    assert found == dataclasses.replace(
        DEFAULTS["DEBIAN"], description="text", available_security_updates_compliance_status="COMPLIANT"
    )
    assert to_api(found)["AvailableSecurityUpdatesComplianceStatus"] == "COMPLIANT"
    assert parse_baseline(to_pillar(found), origin=found.origin) == found
