# SPDX-License-Identifier: Apache-2.0
"""A report in the shapes that AWS takes: inventory items and the compliance item of an association. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..baseline import override
from ..model import COMPLIANT, NON_COMPLIANT
from ..report import Report
from ..report_form import compliance_content, content_hash, summary_content

ASSOCIATION_DOCUMENT = "AWS-RunPatchBaselineAssociation"
#: ``Context.ExecutionType`` of a run that somebody or a schedule started.
COMMAND = "Command"
#: … of a run of a patch policy: for its association, by its override.
PATCH_POLICY = "PatchPolicy"

_NON_COMPLIANT_COUNTS = ("InstalledRejectedCount", "InstalledPendingRebootCount", "MissingCount", "FailedCount")

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InventoryItems:
    """What AWS stores of a report: AWS:PatchSummary's one map and AWS:ComplianceItem's rows, in AWS's order."""

    summary: Row
    compliance: tuple[Row, ...]
    baseline_name: str = ""
    execution_type: str = COMMAND

    @property
    def started(self) -> str:
        """``2021-11-02T04:15:51Z``."""
        return self.summary["OperationStartTime"]

    @property
    def ended(self) -> str:
        """``2021-11-02T04:15:51Z``."""
        return self.summary["OperationEndTime"]


def of_report(report: Report, *, association_id: str = "") -> InventoryItems:
    """What AWS stores of a full report, which is of a patch policy where an association has an override."""
    policy = bool(association_id) and report.baseline.origin.startswith(override.ORIGIN)
    return InventoryItems(
        summary=summary_content(report.summary),
        compliance=tuple(compliance_content(report)),
        baseline_name=report.baseline.name,
        execution_type=PATCH_POLICY if policy else COMMAND,
    )


def compliance_item(items: InventoryItems) -> dict[str, Any]:
    """The AWS:ComplianceItem item of PutInventory. Rule: docs/rules.md, What AWS stores."""
    content = [dict(row) for row in items.compliance]
    return {
        "TypeName": "AWS:ComplianceItem",
        "SchemaVersion": "1.0",
        "ContentHash": content_hash(content),
        "CaptureTime": items.ended,
        "Context": {
            "ComplianceType": "Patch",
            "ExecutionId": items.summary.get("SnapshotId", ""),
            "ExecutionType": items.execution_type,
            "ExecutionTime": items.started,
        },
        "Content": content,
    }


def without_content(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item as AWS takes it for "the same as last time"."""
    return {key: value for key, value in item.items() if key != "Content"}


def association_parameters(
    items: InventoryItems, *, association_id: str, severity: str, instance_id: str
) -> dict[str, Any]:
    """The parameters of PutComplianceItems for a State Manager association. Rule: docs/aws.md.

    The hash covers the start time too, so that each run is stored. ``UploadType`` PARTIAL leaves the node's other
    associations as they are; the association needs ``SyncCompliance`` MANUAL for it.
    """
    summary = items.summary
    compliant = all(int(summary.get(key, "0")) == 0 for key in _NON_COMPLIANT_COUNTS)
    item = {
        "Id": association_id,
        "Title": items.baseline_name,
        "Severity": severity,
        "Status": COMPLIANT if compliant else NON_COMPLIANT,
        "Details": {
            "DocumentName": ASSOCIATION_DOCUMENT,
            "DocumentVersion": "1",
            "PatchBaselineId": summary["BaselineId"],
            "DetailedText": json.dumps({key: value for key, value in summary.items() if key.endswith("Count")}),
        },
    }
    return {
        "ResourceId": instance_id,
        "ResourceType": "ManagedInstance",
        "ComplianceType": "Association",
        "ExecutionSummary": {
            "ExecutionTime": dt.datetime.strptime(items.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc),
            "ExecutionId": association_id,
            "ExecutionType": COMMAND,
        },
        "Items": [item],
        "ItemContentHash": hashlib.sha256(
            json.dumps([{**item, "OperationStartTime": items.started}]).encode()
        ).hexdigest(),
        "UploadType": "PARTIAL",
    }
