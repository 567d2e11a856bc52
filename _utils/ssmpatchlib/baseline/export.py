# SPDX-License-Identifier: Apache-2.0
"""Writes a baseline in the forms that AWS's command line and pillar take."""

from __future__ import annotations

import re
from typing import Any

from ..model import Baseline, Filter, Rule
from . import schema


def to_api(baseline: Baseline) -> dict[str, Any]:
    """The baseline as ``aws ssm create-patch-baseline --cli-input-json`` takes it; plain JSON values.

    A rule without a delay becomes ``ApproveAfterDays: 0``, which AWS needs. AWS gives the id, so it is left out, as is
    an operating system that AWS does not know.
    A name that AWS does not allow is changed to the nearest that it does.
    """
    result: dict[str, Any] = {"Name": _aws_name(baseline.name)}
    if baseline.operating_system in schema.OPERATING_SYSTEMS:
        result["OperatingSystem"] = baseline.operating_system
    if baseline.description:
        result["Description"] = baseline.description
    return result | {
        "GlobalFilters": {"PatchFilters": [_api_filter(each) for each in baseline.global_filters]},
        "ApprovalRules": {"PatchRules": [_api_rule(rule) for rule in baseline.rules]},
        "ApprovedPatches": list(baseline.approved_patches),
        "ApprovedPatchesComplianceLevel": baseline.approved_patches_compliance_level,
        "ApprovedPatchesEnableNonSecurity": baseline.approved_patches_enable_non_security,
        "RejectedPatches": list(baseline.rejected_patches),
        "RejectedPatchesAction": baseline.rejected_patches_action,
        "Sources": [
            {"Name": each.name, "Products": list(each.products), "Configuration": each.configuration}
            for each in baseline.sources
        ],
        **_available_status(baseline, "AvailableSecurityUpdatesComplianceStatus"),
    }


def to_pillar(baseline: Baseline) -> dict[str, Any]:
    """The baseline in snapshot form, which can say all that a Baseline holds, its id included; plain JSON values."""
    result: dict[str, Any] = {"baselineId": baseline.id}
    if re.fullmatch(schema.BASELINE_NAME, baseline.name):
        result["name"] = baseline.name
    if baseline.operating_system in schema.OPERATING_SYSTEMS:
        result["operatingSystem"] = baseline.operating_system
    if baseline.description:
        result["description"] = baseline.description
    return result | {
        "globalFilters": {"filters": [_snapshot_filter(each) for each in baseline.global_filters]},
        "approvalRules": {"rules": [_snapshot_rule(rule) for rule in baseline.rules]},
        "approvedPatches": list(baseline.approved_patches),
        "approvedPatchesComplianceLevel": baseline.approved_patches_compliance_level,
        "approvedPatchesEnableNonSecurity": baseline.approved_patches_enable_non_security,
        "rejectedPatches": list(baseline.rejected_patches),
        "rejectedPatchesAction": baseline.rejected_patches_action,
        "sources": [
            {"name": each.name, "products": list(each.products), "configuration": each.configuration}
            for each in baseline.sources
        ],
        **_available_status(baseline, "availableSecurityUpdatesComplianceStatus"),
    }


def _available_status(baseline: Baseline, key: str) -> dict[str, str]:
    """What a baseline says for Windows only: kept where it is set."""
    status = baseline.available_security_updates_compliance_status
    return {key: status} if status else {}


def _aws_name(name: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_\-.]", "-", name)[:128]
    return name if len(name) >= 3 else f"baseline-{name}"


def _api_filter(each: Filter) -> dict[str, Any]:
    return {"Key": each.key, "Values": list(each.values)}


def _api_rule(rule: Rule) -> dict[str, Any]:
    result: dict[str, Any] = {
        "PatchFilterGroup": {"PatchFilters": [_api_filter(each) for each in rule.filters]},
        "ComplianceLevel": rule.compliance_level,
        "EnableNonSecurity": rule.enable_non_security,
    }
    if rule.approve_until_date is not None:
        result["ApproveUntilDate"] = rule.approve_until_date.isoformat()
    else:
        result["ApproveAfterDays"] = rule.approve_after_days or 0
    return result


def _snapshot_filter(each: Filter) -> dict[str, Any]:
    return {"key": each.key, "values": list(each.values)}


def _snapshot_rule(rule: Rule) -> dict[str, Any]:
    date = rule.approve_until_date
    return {
        "filterGroup": {"filters": [_snapshot_filter(each) for each in rule.filters]},
        "complianceLevel": rule.compliance_level,
        "enableNonSecurity": rule.enable_non_security,
        "approveAfterDays": rule.approve_after_days,
        "approveUntilDate": date.isoformat() if date else None,
    }
