# SPDX-License-Identifier: Apache-2.0
"""The enumerations and limits of patch baselines (AWS Systems Manager API, model 2014-11-06)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..model import ALLOW_AS_DEPENDENCY, BLOCK, COMPLIANT, LEVELS, NON_COMPLIANT

APT = "apt"
RPM = "rpm"
SUSE = "suse"

#: The OperatingSystem enumeration without what is not Linux, each with the family its packages belong to.
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "AMAZON_LINUX": RPM,
        "AMAZON_LINUX_2": RPM,
        "AMAZON_LINUX_2022": RPM,
        "AMAZON_LINUX_2023": RPM,
        "CENTOS": RPM,
        "REDHAT_ENTERPRISE_LINUX": RPM,
        "ROCKY_LINUX": RPM,
        "ALMA_LINUX": RPM,
        "ORACLE_LINUX": RPM,
        "SUSE": SUSE,
        "UBUNTU": APT,
        "DEBIAN": APT,
        "RASPBIAN": APT,
    }
)
OPERATING_SYSTEMS = tuple(FAMILIES)
#: What a host is called whose operating system the enumeration lacks.
UNSUPPORTED = "UNSUPPORTED"
#: How the versions of a family's packages are ordered.
VERSION_ORDERS: Mapping[str, str] = MappingProxyType({APT: "deb", RPM: "rpm", SUSE: "rpm"})
NOT_LINUX = ("WINDOWS", "MACOS")

#: The filter keys with a meaning in a Linux baseline, by family. CLASSIFICATION on apt is Security or nothing; SEVERITY
#: is known there from a feed of advisories only.
FILTER_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        APT: ("PRODUCT", "PRIORITY", "SECTION", "CLASSIFICATION", "SEVERITY"),
        RPM: ("PRODUCT", "CLASSIFICATION", "SEVERITY"),
        SUSE: ("PRODUCT", "CLASSIFICATION", "SEVERITY"),
    }
)
ALL_FILTER_KEYS = ("PRODUCT", "CLASSIFICATION", "SEVERITY", "PRIORITY", "SECTION")
#: Further keys of the PatchFilterKey enumeration: they query DescribeAvailablePatches and never match in a baseline.
QUERY_KEYS = (
    "ARCH",
    "ADVISORY_ID",
    "BUGZILLA_ID",
    "PATCH_SET",
    "PRODUCT_FAMILY",
    "CVE_ID",
    "EPOCH",
    "MSRC_SEVERITY",
    "NAME",
    "PATCH_ID",
    "REPOSITORY",
    "RELEASE",
    "SECURITY",
    "VERSION",
)
PRIORITIES = ("Required", "Important", "Standard", "Optional", "Extra")

COMPLIANCE_LEVELS = tuple(reversed(LEVELS))
REJECTED_ACTIONS = (ALLOW_AS_DEPENDENCY, BLOCK)
AVAILABLE_STATUSES = (COMPLIANT, NON_COMPLIANT)

MAX_FILTERS = 4
MAX_VALUES = 20
MAX_VALUE_LENGTH = 64
MAX_RULES = 10
MAX_PATCHES = 50
MAX_PATCH_LENGTH = 100
MAX_SOURCES = 20
MAX_PRODUCTS = 20
MAX_PRODUCT_LENGTH = 128
MAX_CONFIGURATION_LENGTH = 1024
MAX_DESCRIPTION_LENGTH = 1024
MAX_DAYS = 360

BASELINE_ID = r"[a-zA-Z0-9_\-:/]{20,128}"
BASELINE_NAME = r"[a-zA-Z0-9_\-.]{3,128}"
SOURCE_NAME = r"[a-zA-Z0-9_\-.]{3,50}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of what, and how long, a baseline may have; as AWS documents them unless said otherwise."""

    filters: int = MAX_FILTERS
    values: int = MAX_VALUES
    value_length: int = MAX_VALUE_LENGTH
    rules: int = MAX_RULES
    patches: int = MAX_PATCHES
    patch_length: int = MAX_PATCH_LENGTH
    sources: int = MAX_SOURCES
    products: int = MAX_PRODUCTS
    product_length: int = MAX_PRODUCT_LENGTH
    configuration_length: int = MAX_CONFIGURATION_LENGTH
    description_length: int = MAX_DESCRIPTION_LENGTH
    days: int = MAX_DAYS
    baseline_id: str = BASELINE_ID
    baseline_name: str = BASELINE_NAME
    source_name: str = SOURCE_NAME


DOCUMENTED = Limits()
#: For what AWS itself sends: AWS may raise its own limits any day. These keep a document readable, and names harmless.
SENT_BY_AWS = Limits(
    filters=100,
    values=2_000,
    value_length=1_024,
    rules=1_000,
    patches=10_000,
    patch_length=1_024,
    sources=200,
    products=1_000,
    product_length=1_024,
    configuration_length=65_536,
    description_length=65_536,
    days=36_500,
    baseline_id=r"[!-~]{0,1024}",
    baseline_name=r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,1024}",
    source_name=r"[a-zA-Z0-9_\-.]{3,200}",
)

#: Keys that AWS's own documents carry beside the baseline and that say nothing about it, in API spelling.
IGNORED_KEYS = (
    "AccountId",
    "ClientToken",
    "CreatedDate",
    "CreatedTime",
    "ModifiedDate",
    "ModifiedTime",
    "PatchGroups",
    "ResponseMetadata",
    "Tags",
)
#: Keys of a snapshot document beside ``patchBaseline``, as the service and the agent's local copy write them.
SNAPSHOT_KEYS = (
    "associationId",
    "associationSeverity",
    "baselineOverride",
    "enableApplicationPatches",
    "installOverrideList",
    "instanceId",
    "operation",
    "patchGroup",
    "patches",
    "product",
    "rebootOption",
    "region",
    "requiredFeatures",
    "snapshotId",
)
