# SPDX-License-Identifier: Apache-2.0
"""Filter values that no vendor uses are noticed; those of AWS's own baselines and of every vendor are not."""

from __future__ import annotations

from typing import Any

import pytest

from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.baseline.filter_values import strange_words
from ssmpatchlib.baseline.parse import parse_baseline
from support.baselines import rule


def warnings(key: str, *values: str, system: str = "CENTOS") -> tuple[str, ...]:
    group: dict[str, Any] = {"PatchFilters": [{"Key": key, "Values": list(values)}]}
    document = {"OperatingSystem": system, "ApprovalRules": {"PatchRules": [rule(), rule(PatchFilterGroup=group)]}}
    return strange_words(parse_baseline(document, origin="x", name="web"))


def test_a_misspelt_severity_is_noticed_with_its_place_and_the_right_word() -> None:
    assert warnings("SEVERITY", "Important", "Critcal") == (
        "baseline web: ApprovalRules.PatchRules[1]: 'Critcal' is no SEVERITY that CENTOS uses, so it matches nothing; "
        "did you mean Critical?",
    )


def test_global_filters_are_looked_at_too() -> None:
    document = {
        "OperatingSystem": "SUSE",
        "GlobalFilters": {"PatchFilters": [{"Key": "CLASSIFICATION", "Values": ["Bugfix"]}]},
    }
    (warning,) = strange_words(parse_baseline(document, origin="x"))
    assert "GlobalFilters: 'Bugfix' is no CLASSIFICATION that SUSE uses" in warning
    assert "known are Security, Recommended, Optional, Feature, Document, Yast" in warning


@pytest.mark.parametrize(
    ("system", "key", "values"),
    [
        ("ORACLE_LINUX", "SEVERITY", ("critical", "IMPORTANT", "Moderate", "Medium", "low", "*")),
        ("AMAZON_LINUX_2023", "SEVERITY", ("None",)),
        ("ALMA_LINUX", "CLASSIFICATION", ("security", "Bugfix", "enhancement", "Recommended", "newpackage")),
        ("SUSE", "CLASSIFICATION", ("Security", "recommended", "optional", "Feature", "Document", "Yast")),
        ("UBUNTU", "CLASSIFICATION", ("security",)),
        ("UBUNTU", "SECTION", ("anything/at-all",)),
        ("CENTOS", "PRODUCT", ("AnyProduct1",)),
    ],
)
def test_known_words_in_any_case_are_not(system: str, key: str, values: tuple[str, ...]) -> None:
    assert warnings(key, *values, system=system) == ()


@pytest.mark.parametrize("system", DEFAULTS)
def test_awss_own_baselines_use_known_words(system: str) -> None:
    assert strange_words(DEFAULTS[system]) == ()


def test_without_an_operating_system_nothing_is_said() -> None:
    document = {"GlobalFilters": {"PatchFilters": [{"Key": "SEVERITY", "Values": ["Critcal"]}]}}
    assert strange_words(parse_baseline(document, origin="x")) == ()
