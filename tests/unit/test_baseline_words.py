# SPDX-License-Identifier: Apache-2.0
"""Filter values that a host cannot have are noticed, and so is a baseline that can approve nothing there."""

from __future__ import annotations

from typing import Any

import pytest

from ssmpatchlib.baseline import schema
from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.baseline.filter_values import Reach, find_reach
from ssmpatchlib.baseline.parse import parse_baseline
from support.baselines import rule

PRODUCTS = {"DEBIAN": ("Debian12",), "UBUNTU": ("Ubuntu22.04",), "SUSE": ("Suse15.6", "Suse15")}
NOTHING = "so that nothing can be approved on this host; compliance is unknown"


def filters(*given: tuple[str, str]) -> dict[str, Any]:
    """A group of filters: `("SECTION", "libs net")`."""
    return {"PatchFilters": [{"Key": key, "Values": values.split(" ")} for key, values in given]}


def reach(
    *rules: tuple[tuple[str, str], ...],
    system: str = "CENTOS",
    everywhere: tuple[tuple[str, str], ...] = (),
    seen: dict[str, set[str]] | None = None,
    products: tuple[str, ...] = (),
    **more: Any,
) -> Reach:
    document = {
        "OperatingSystem": system,
        "GlobalFilters": filters(*everywhere),
        "ApprovalRules": {"PatchRules": [rule(PatchFilterGroup=filters(*each)) for each in rules]},
        **more,
    }
    return find_reach(
        parse_baseline(document, origin="x", name="web"),
        family=schema.FAMILIES[system],
        products=products or PRODUCTS.get(system, (f"{system.title()}9",)),
        seen=lambda key: (seen or {}).get(key, set()),
    )


@pytest.mark.parametrize(
    ("system", "key", "values", "problem"),
    [
        ("CENTOS", "SEVERITY", "Critcal", "'Critcal' is no SEVERITY that CENTOS uses, so it matches nothing; did you"),
        ("SUSE", "CLASSIFICATION", "Bugfix", "'Bugfix' is no CLASSIFICATION that SUSE uses"),
        (
            "DEBIAN",
            "PRODUCT",
            "Debain12",
            "PRODUCT 'Debain12' is not this host's, so it matches nothing; did you mean Deb",
        ),
        ("DEBIAN", "PRODUCT", "Debian", "did you mean Debian12?"),
        ("DEBIAN", "PRODUCT", "Ubuntu22.04", "PRODUCT 'Ubuntu22.04' is not this host's"),
        ("SUSE", "PRODUCT", "sles", "known are Suse15.6 or Suse15"),
        (
            "DEBIAN",
            "SECTION",
            "webb",
            "'webb' is no SECTION that DEBIAN uses, so it matches nothing; did you mean web?",
        ),
        ("DEBIAN", "SECTION", "nonfree/net", "'nonfree/net' is no SECTION"),
    ],
)
def test_a_value_that_the_host_cannot_have_is_named_with_its_rule_and_nothing_is_certain(
    system: str, key: str, values: str, problem: str
) -> None:
    found = reach(((key, values),), system=system)
    assert found.nothing and len(found.problems) == 2
    assert found.problems[0].startswith("ApprovalRules.PatchRules[0]: ") and problem in found.problems[0]
    assert found.problems[1] == f"ApprovalRules: no rule of the baseline can apply, {NOTHING}"
    everywhere = reach((), system=system, everywhere=((key, values),))
    assert everywhere.nothing and everywhere.problems[0].startswith("GlobalFilters: ")
    several = reach(((key, values),), (), system=system)
    assert not several.nothing
    listed = reach(((key, values),), system=system, ApprovedPatches=["bash"])
    assert not listed.nothing
    with_star = reach(((key, f"{values} *"),), system=system)
    assert not with_star.nothing


def test_a_filter_that_is_not_applied_bars_nothing() -> None:
    found = reach((("CLASSIFICATION", "Bugfix"),), system="DEBIAN")
    what = "'Bugfix' is no CLASSIFICATION that DEBIAN uses; filters of CLASSIFICATION are not applied there"
    assert found == Reach((f"ApprovalRules.PatchRules[0]: {what}",), False)


def test_a_value_with_a_space() -> None:
    found = reach(
        system="DEBIAN",
        GlobalFilters={"PatchFilters": [{"Key": "PRODUCT", "Values": ["Debian 12"]}]},
        ApprovalRules={"PatchRules": [rule()]},
    )
    assert found.nothing and "did you mean Debian12?" in found.problems[0]


@pytest.mark.parametrize("everywhere", [(), (("PRODUCT", "Debian12"),)])
def test_without_rules_and_approved_patches_nothing_is_certain(everywhere: tuple[tuple[str, str], ...]) -> None:
    found = reach(system="DEBIAN", everywhere=everywhere)
    assert found == Reach((f"ApprovalRules: there is no rule and no approved patch, {NOTHING}",), True)
    assert reach(system="DEBIAN", ApprovedPatches=["bash"]) == Reach((), False)


def test_filters_that_exclude_each_other_approve_nothing() -> None:
    found = reach((("CLASSIFICATION", "Security"),), everywhere=(("CLASSIFICATION", "Bugfix"),))
    assert found.nothing
    assert found.problems[0] == "ApprovalRules.PatchRules[0]: its filters of CLASSIFICATION exclude each other"
    assert not reach((("PRODUCT", "Suse15.6"),), system="SUSE", everywhere=(("PRODUCT", "Suse15"),)).nothing


def test_rules_for_other_products_are_no_problem_beside_one_that_can_apply() -> None:
    rules = ((("PRODUCT", "Debian11"),), (("PRODUCT", "Debian12"),), (("PRODUCT", "Debian11 Debian12"),))
    assert reach(*rules, system="DEBIAN") == Reach((), False)
    misspelt = reach((("PRODUCT", "Debain12"),), (("PRODUCT", "Debian12"),), system="DEBIAN")
    assert len(misspelt.problems) == 1 and not misspelt.nothing
    others = reach(*rules[:1], system="DEBIAN")
    assert others.nothing and "PRODUCT 'Debian11' is not this host's" in others.problems[0]


def test_what_packages_have_can_match_though_it_is_no_known_word() -> None:
    for key, value in (("SECTION", "stable"), ("CLASSIFICATION", "hotfix"), ("SEVERITY", "Urgentest")):
        system = "DEBIAN" if key == "SECTION" else "CENTOS"
        assert reach(((key, value),), system=system, seen={key: {value.lower()}}) == Reach((), False)
        assert reach(((key, value),), system=system).nothing


@pytest.mark.parametrize(
    ("system", "key", "values"),
    [
        ("ORACLE_LINUX", "SEVERITY", "critical IMPORTANT Moderate Medium low *"),
        ("AMAZON_LINUX_2023", "SEVERITY", "None"),
        ("ALMA_LINUX", "CLASSIFICATION", "security Bugfix enhancement Recommended newpackage"),
        ("SUSE", "CLASSIFICATION", "Security recommended optional Feature Document Yast"),
        ("UBUNTU", "CLASSIFICATION", "security"),
        ("UBUNTU", "SECTION", "universe/libs Net non-free-firmware/kernel web"),
        ("UBUNTU", "PRIORITY", "required Extra"),
        ("SUSE", "PRODUCT", "SUSE15"),
        ("CENTOS", "PRODUCT", "*"),
    ],
)
def test_known_words_in_any_case_are_not_named(system: str, key: str, values: str) -> None:
    assert reach(((key, values),), system=system) == Reach((), False)


@pytest.mark.parametrize("system", DEFAULTS)
def test_awss_own_baselines_apply_everywhere(system: str) -> None:
    found = find_reach(DEFAULTS[system], family=schema.FAMILIES[system], products=("Any1",), seen=lambda key: set())
    assert found == Reach((), False)


def test_on_a_system_of_no_known_family_only_products_can_be_judged() -> None:
    baseline = parse_baseline(
        {"ApprovalRules": {"PatchRules": [rule(PatchFilterGroup=filters(("SEVERITY", "Critcal")))]}}, origin="x"
    )
    assert find_reach(baseline, family="", products=("Plan9",), seen=lambda key: set()) == Reach((), False)


def test_two_words_for_one_severity_do_not_exclude_each_other() -> None:
    assert reach((("SEVERITY", "Moderate"),), everywhere=(("SEVERITY", "Medium"),)) == Reach((), False)
    assert reach((("SEVERITY", "Moderate"),), everywhere=(("SEVERITY", "Low"),)).nothing
