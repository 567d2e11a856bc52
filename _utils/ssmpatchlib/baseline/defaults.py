# SPDX-License-Identifier: Apache-2.0
"""AWS's predefined default baselines for Linux, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import InvalidInput
from ..input_errors import either, show
from ..model import Baseline, Filter, Rule
from . import schema

ORIGIN = "built-in default"
DELAY = 7


def default_baseline(operating_system: str) -> Baseline:
    """AWS's default baseline for that operating system (the user guide's list of predefined baselines).

    Raises:
        InvalidInput: code 146, AWS knows no such Linux.
    """
    try:
        return DEFAULTS[operating_system]
    except KeyError:
        raise InvalidInput(
            f"operating system {show(operating_system)}: AWS has no default baseline for it; "
            f"set ssmpatch:baseline, or ssmpatch:operating_system to {either(schema.OPERATING_SYSTEMS)}",
            code=146,
        ) from None


def _rule(*filters: tuple[str, tuple[str, ...]], non_security: bool = False) -> Rule:
    return Rule(
        filters=tuple(Filter(key, values) for key, values in filters),
        approve_after_days=DELAY,
        enable_non_security=non_security,
    )


_ALL = ("*",)
_SECURITY = _rule(("CLASSIFICATION", ("Security",)), ("SEVERITY", ("Critical", "Important")))
_ORACLE_SECURITY = _rule(("CLASSIFICATION", ("Security",)), ("SEVERITY", ("Important", "Moderate")))
_BUGFIX = _rule(("CLASSIFICATION", ("Bugfix",)))
_EVERYTHING = _rule(("CLASSIFICATION", _ALL), ("SEVERITY", _ALL), non_security=True)
# The delay is stored by AWS and has no meaning where repositories give no dates.
_ANY_PRIORITY = _rule(("PRIORITY", schema.PRIORITIES))

# Ids are those of us-east-1, of us-east-2 for AMAZON_LINUX and SUSE; Raspbian's is not published and made up.
_TABLE: tuple[tuple[str, str, str, tuple[Rule, ...]], ...] = (
    ("AMAZON_LINUX", "AWS-AmazonLinuxDefaultPatchBaseline", "pb-0e392de35e7c563b7", (_SECURITY, _BUGFIX)),
    ("AMAZON_LINUX_2", "AWS-AmazonLinux2DefaultPatchBaseline", "pb-0be8c61cde3be63f3", (_SECURITY, _BUGFIX)),
    ("AMAZON_LINUX_2022", "AWS-AmazonLinux2022DefaultPatchBaseline", "pb-0028ca011460d5eaf", (_SECURITY, _BUGFIX)),
    ("AMAZON_LINUX_2023", "AWS-AmazonLinux2023DefaultPatchBaseline", "pb-05c9c9bf778d4c4d0", (_SECURITY, _BUGFIX)),
    ("CENTOS", "AWS-CentOSDefaultPatchBaseline", "pb-03e3f588eec25344c", (_EVERYTHING,)),
    ("REDHAT_ENTERPRISE_LINUX", "AWS-RedHatDefaultPatchBaseline", "pb-0cbb3a633de00f07c", (_SECURITY, _BUGFIX)),
    ("ROCKY_LINUX", "AWS-RockyLinuxDefaultPatchBaseline", "pb-03ec98bc512aa3ac0", (_SECURITY, _BUGFIX)),
    ("ALMA_LINUX", "AWS-AlmaLinuxDefaultPatchBaseline", "pb-0cb0c4966f86b059b", (_SECURITY, _BUGFIX)),
    ("ORACLE_LINUX", "AWS-OracleLinuxDefaultPatchBaseline", "pb-06bff38e95fe85c02", (_ORACLE_SECURITY, _BUGFIX)),
    ("SUSE", "AWS-SuseDefaultPatchBaseline", "pb-0123fdb36e334a3b2", (_SECURITY,)),
    ("UBUNTU", "AWS-UbuntuDefaultPatchBaseline", "pb-0c7e89f711c3095f4", (_ANY_PRIORITY,)),
    ("DEBIAN", "AWS-DebianDefaultPatchBaseline", "pb-09a5f8eb62bde80b1", (_ANY_PRIORITY,)),
    ("RASPBIAN", "AWS-DefaultRaspbianPatchBaseline", "pb-00000000000009bd1", (_ANY_PRIORITY,)),
)

#: AWS's default baselines by operating system.
DEFAULTS: Mapping[str, Baseline] = MappingProxyType(
    {
        system: Baseline(
            id=baseline_id,
            name=name,
            operating_system=system,
            origin=ORIGIN,
            global_filters=(Filter("PRODUCT", _ALL),),
            rules=rules,
        )
        for system, name, baseline_id, rules in _TABLE
    }
)
