# SPDX-License-Identifier: Apache-2.0
"""The AWS guide and its IAM policy against the code: nothing missing, nothing granted that is never used."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
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


def partitions() -> list[dict[str, Any]]:
    import botocore.loaders

    found: list[dict[str, Any]] = botocore.loaders.Loader().load_data("partitions")["partitions"]
    return found


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_the_policy_of_another_partition(partition: str) -> None:
    """The guide's command gives a policy of that partition's names only; its table says what botocore knows of it."""
    command = next(line for line in GUIDE.splitlines() if line.startswith("sed 's/arn:aws:/"))
    argv = shlex.split(command.replace("arn:aws-eusc:", f"arn:{partition}:"))
    changed = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=True, timeout=20).stdout
    resources = [each for statement in json.loads(changed)["Statement"] for each in listed(statement["Resource"])]
    assert {each.split(":")[1] for each in resources if each != "*"} == {partition}
    row = next(line for line in GUIDE.splitlines() if f"| `arn:{partition}:` |" in line)
    (known,) = (each for each in partitions() if each["id"] == partition)
    assert f"`{known['outputs']['dnsSuffix']}`" in row
    assert f"`{known['outputs']['dualStackDnsSuffix']}`" in row
    assert all(region in known["regions"] for region in re.findall(r"`([a-z]+-[a-z-]+-\d)`", row))


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


#: What Patch Manager has in 2026 besides parameters; the last ones are not here.
FEATURES = (
    *("SnapshotId", "BaselineOverride", "InstallOverrideList", "RebootOption", "patch policies", "Patch now"),
    *("maintenance windows", "rate control", "lifecycle hooks", "AWS-ExportPatchReportToS3"),
    *("AvailableSecurityUpdatesComplianceStatus", "AvailableSecurityUpdateCount", "AVAILABLE_SECURITY_UPDATE"),
)
NOT_HERE = ("kernel live patching", "rollback", "macOS", "Windows")


def rows_of(section: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]


def test_every_feature_is_mapped_and_what_is_missing_has_a_reason() -> None:
    section = GUIDE.partition("## Patch Manager in 2026, and here\n")[2].partition("\n## ")[0]
    there, _, missing = section.partition("What is not there, and why:")
    firsts = " ".join(cells[0] for cells in rows_of(there))
    assert not [name for name in FEATURES if name not in firsts]
    reasons = {cells[0]: cells[1] for cells in rows_of(missing)}
    for name in NOT_HERE:
        assert any(name in first and len(reason) > 20 for first, reason in reasons.items()), name
