# SPDX-License-Identifier: Apache-2.0
"""The AWS guide and its IAM policy against the code: nothing missing, nothing granted that is never used."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.aws import faults
from ssmpatchlib.baseline import override
from ssmpatchlib.config import HOOKS, AwsSettings

REPO = Path(__file__).resolve().parents[2]
GUIDE = (REPO / "docs" / "aws.md").read_text()
POLICY = json.loads((REPO / "docs" / "iam-policy.json").read_text())

SERVICES = {"GetResources": "resourcegroupstaggingapi", "GetObject": "s3"}


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_the_policy_grants_what_is_called_and_nothing_else() -> None:
    called = {faults.Request(SERVICES.get(operation, "ssm"), operation, "", "").action for operation in faults.CODES}
    granted = {action for statement in POLICY["Statement"] for action in listed(statement["Action"])}
    assert granted == called


def test_the_policy_is_well_formed() -> None:
    assert POLICY["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in POLICY["Statement"]]
    assert len(set(names)) == len(names)
    for statement in POLICY["Statement"]:
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        assert not [action for action in listed(statement["Action"]) if "*" in action]
        for resource in listed(statement["Resource"]):
            assert resource == "*" or re.fullmatch(r"arn:aws:(s3:::\S+|ssm:\*:\*:patchbaseline/\*)", resource)


def test_every_operation_of_the_code_exists_in_aws() -> None:
    import botocore.session

    session = botocore.session.Session()
    for operation in faults.CODES:
        model = session.get_service_model(SERVICES.get(operation, "ssm"))
        assert operation in model.operation_names


@pytest.mark.parametrize("name", [field.name for field in fields(AwsSettings)])
def test_every_setting_is_in_the_guide(name: str) -> None:
    assert re.search(rf"\b{name}\b", GUIDE)


def test_every_operation_is_in_the_guide() -> None:
    assert not [operation for operation in faults.CODES if f"`{operation}`" not in GUIDE]


def test_every_return_code_is_in_the_guide() -> None:
    table = GUIDE.partition("## Return codes")[2].partition("## Beside")[0]
    shown = {int(number) for number in re.findall(r"\b1\d\d\b", table)}
    used = {number for codes in faults.CODES.values() for number in (codes.error, codes.api, codes.denied)}
    used |= {142, 148, 150, faults.UNSUPPORTED_SYSTEM, override.BOTH_OVERRIDES}
    assert used - set(range(160, 168)) <= shown
    assert "160 – 167" in table


PARAMETERS = {
    "AWS-RunPatchBaseline": (
        "Operation",
        "AssociationId",
        "SnapshotId",
        "InstallOverrideList",
        "BaselineOverride",
        "RebootOption",
        "StepTimeoutSeconds",
    ),
    "AWS-RunPatchBaselineAssociation": (
        "Operation",
        "AssociationId",
        "BaselineTags",
        "InstallOverrideList",
        "RebootOption",
    ),
    "AWS-RunPatchBaselineWithHooks": (
        "Operation",
        "SnapshotId",
        "RebootOption",
        "PreInstallHookDocName",
        "PostInstallHookDocName",
        "OnExitHookDocName",
    ),
}


@pytest.mark.parametrize("document", PARAMETERS)
def test_every_parameter_of_awss_documents_is_mapped(document: str) -> None:
    section = GUIDE.partition(f"\n### {document}\n")[2].partition("\n### ")[0]
    first_cells = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    assert not [name for name in PARAMETERS[document] if f"`{name}`" not in first_cells]


def test_every_hook_is_mapped() -> None:
    assert not [name for name in HOOKS if f"`hooks:{name}`" not in GUIDE]
