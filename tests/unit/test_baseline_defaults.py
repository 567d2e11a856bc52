# SPDX-License-Identifier: Apache-2.0
"""AWS's default baselines, as its user guide describes them."""

from __future__ import annotations

import re

import pytest

from ssmpatchlib.baseline import schema
from ssmpatchlib.baseline.defaults import DEFAULTS, default_baseline
from ssmpatchlib.errors import InvalidInput

SECURITY = [("CLASSIFICATION", ("Security",)), ("SEVERITY", ("Critical", "Important"))]
BUGFIX = [("CLASSIFICATION", ("Bugfix",))]
LIKE_RED_HAT = (
    "AMAZON_LINUX",
    "AMAZON_LINUX_2",
    "AMAZON_LINUX_2022",
    "AMAZON_LINUX_2023",
    "REDHAT_ENTERPRISE_LINUX",
    "ROCKY_LINUX",
    "ALMA_LINUX",
)


def rules_of(system: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [[(each.key, each.values) for each in rule.filters] for rule in default_baseline(system).rules]


def test_there_is_one_for_every_linux() -> None:
    assert set(DEFAULTS) == set(schema.OPERATING_SYSTEMS)


@pytest.mark.parametrize("system", schema.OPERATING_SYSTEMS)
def test_what_they_have_in_common(system: str) -> None:
    found = default_baseline(system)
    assert found.operating_system == system
    assert found.origin == "built-in default"
    assert re.fullmatch(r"pb-[0-9a-f]{17}", found.id)
    assert re.fullmatch(r"AWS-(\w+DefaultPatchBaseline|DefaultRaspbianPatchBaseline)", found.name)
    assert [(each.key, each.values) for each in found.global_filters] == [("PRODUCT", ("*",))]
    assert all((rule.compliance_level, rule.approve_after_days) == ("UNSPECIFIED", 7) for rule in found.rules)
    assert not found.approved_patches and not found.rejected_patches and not found.sources
    assert found.rejected_patches_action == "ALLOW_AS_DEPENDENCY"
    assert not found.approved_patches_enable_non_security


def test_ids_and_names_are_distinct() -> None:
    assert len({found.id for found in DEFAULTS.values()}) == len(DEFAULTS)
    assert len({found.name for found in DEFAULTS.values()}) == len(DEFAULTS)


@pytest.mark.parametrize("system", LIKE_RED_HAT)
def test_red_hat_and_its_like(system: str) -> None:
    assert rules_of(system) == [SECURITY, BUGFIX]
    assert not default_baseline(system).non_security


def test_oracle_takes_important_and_moderate() -> None:
    severities = ("SEVERITY", ("Important", "Moderate"))
    assert rules_of("ORACLE_LINUX") == [[("CLASSIFICATION", ("Security",)), severities], BUGFIX]


def test_suse_has_no_rule_for_bug_fixes() -> None:
    assert rules_of("SUSE") == [SECURITY]


def test_centos_takes_everything() -> None:
    assert rules_of("CENTOS") == [[("CLASSIFICATION", ("*",)), ("SEVERITY", ("*",))]]
    assert default_baseline("CENTOS").non_security


@pytest.mark.parametrize("system", ["UBUNTU", "DEBIAN", "RASPBIAN"])
def test_debian_and_its_like_take_every_priority(system: str) -> None:
    assert rules_of(system) == [[("PRIORITY", ("Required", "Important", "Standard", "Optional", "Extra"))]]
    assert not default_baseline(system).non_security


def test_known_ids() -> None:
    assert default_baseline("UBUNTU").id == "pb-0c7e89f711c3095f4"
    assert default_baseline("SUSE").id == "pb-0123fdb36e334a3b2"


@pytest.mark.parametrize("system", ["WINDOWS", "MACOS", "UNSUPPORTED", ""])
def test_another_system_is_refused_with_what_to_set(system: str) -> None:
    with pytest.raises(InvalidInput, match="ssmpatch:operating_system to AMAZON_LINUX") as caught:
        default_baseline(system)
    assert caught.value.code == 146
