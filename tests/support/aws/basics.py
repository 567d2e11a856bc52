# SPDX-License-Identifier: Apache-2.0
"""The node, the baseline and the clock of the tests of the AWS room."""

from __future__ import annotations

from ssmpatchlib.host import Host

INSTANCE = "i-0123456789abcdef0"
REGION = "eu-central-1"
KEY = "AKIAENVIRONMENT00000"

DEBIAN_BASELINE = {
    "Name": "debian-security",
    "BaselineId": "pb-0123456789abcdef0",
    "OperatingSystem": "DEBIAN",
    "GlobalFilters": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
    "ApprovalRules": {
        "PatchRules": [
            {
                "PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]},
                "ComplianceLevel": "HIGH",
                "ApproveAfterDays": 0,
                "EnableNonSecurity": False,
            }
        ]
    },
    "ApprovedPatches": [],
    "ApprovedPatchesComplianceLevel": "UNSPECIFIED",
    "ApprovedPatchesEnableNonSecurity": False,
    "RejectedPatches": ["vim*"],
    "RejectedPatchesAction": "ALLOW_AS_DEPENDENCY",
    "Sources": [],
}


class TestHost(Host):
    """This machine with a clock that can be moved and without waiting."""

    __test__ = False

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return super().now() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
