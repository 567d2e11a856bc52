# SPDX-License-Identifier: Apache-2.0
"""A baseline under which nothing can be approved on a host is no proof of compliance: said, and UNKNOWN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.loader_minion import LoaderMinion, case, package

MakeMinion = Callable[..., LoaderMinion]


def baseline(*rules: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    """A Debian baseline with a rule for each mapping of filter key to values."""
    found = [
        {
            "PatchFilterGroup": {"PatchFilters": [{"Key": key, "Values": values} for key, values in each.items()]},
            "ApproveAfterDays": 0,
        }
        for each in rules
    ]
    return {"Name": "web", "OperatingSystem": "DEBIAN", "ApprovalRules": {"PatchRules": found}, **more}


UNREACHABLE = {
    "misspelt product": baseline({"PRODUCT": ["Debain12"]}),
    "product with a space": baseline({"PRODUCT": ["Debian 12"]}),
    "another system's product": baseline({"PRODUCT": ["Ubuntu22.04"]}),
    "product without a version": baseline({"PRODUCT": ["Debian"]}),
    "misspelt section": baseline({"SECTION": ["webb"]}),
    "global filter": baseline({}, GlobalFilters={"PatchFilters": [{"Key": "PRODUCT", "Values": ["Debain12"]}]}),
    "no rule": baseline(),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_nothing_missing_is_no_proof(make_minion: MakeMinion, name: str) -> None:
    minion = make_minion(case([package("curl", "1.0")], [package("curl", "2.0")]), baseline=UNREACHABLE[name])
    found = minion("scan")
    assert found["compliance"] == "UNKNOWN" and found["patches"] == []
    said = [text for text in found["warnings"] if text.startswith("baseline web: ")]
    assert said[-1].endswith("nothing can be approved on this host; compliance is unknown")
    assert minion("validate") == said
    ret = minion.state("compliant")
    assert ret["result"] is False and ret["comment"].startswith("Compliance is unknown") and said[0] in ret["warnings"]


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (baseline({"PRODUCT": ["Debain12"]}, {"PRODUCT": ["Debian12"]}), 1),
        (baseline({"PRODUCT": ["Debain12"]}, ApprovedPatches=["bash"]), 1),
        (baseline({"PRODUCT": ["Debian11", "*"]}), 0),
        (baseline({"PRODUCT": ["Debian11"]}, {"PRODUCT": ["Debian12"]}), 0),
        (baseline({"SECTION": ["house-made", "net"]}), 0),
    ],
)
def test_one_rule_that_can_apply_is_enough(make_minion: MakeMinion, given: dict[str, Any], problems: int) -> None:
    own = package("own", "1.0", section="house-made")
    what = case([package("curl", "1.0"), own], [own])
    minion = make_minion(what, baseline=given)
    found = minion("scan")
    assert found["compliance"] == "COMPLIANT"
    assert len([text for text in found["warnings"] if text.startswith("baseline web: ")]) == problems
    assert len(minion("validate")) == problems


def test_what_is_rejected_is_non_compliant_all_the_same(make_minion: MakeMinion) -> None:
    given = baseline(RejectedPatches=["curl"], RejectedPatchesAction="BLOCK")
    minion = make_minion(case([package("curl", "1.0")], []), baseline=given)
    assert minion("scan")["compliance"] == "NON_COMPLIANT"
