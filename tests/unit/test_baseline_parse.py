# SPDX-License-Identifier: Apache-2.0
"""Baselines in both of AWS's forms: what is read, every limit, and problems with exact paths."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from ssmpatchlib.baseline import schema
from ssmpatchlib.baseline.export import to_pillar
from ssmpatchlib.baseline.parse import find_problems, parse_baseline
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.input_errors import MOST_PROBLEMS
from ssmpatchlib.model import Filter, Rule, Source
from support.baselines import ANYTHING, baseline, baselines, damaged, rule

CASES = sorted((Path(__file__).resolve().parents[1] / "conformance").glob("*/cases/*.json"))

SNAPSHOT = {
    "patchBaseline": {
        "accountId": "000000000000",
        "baselineId": "pb-0c7e89f711c3095f4",
        "name": "AWS-UbuntuDefaultPatchBaseline",
        "description": "Default Patch Baseline for Ubuntu Provided by AWS.",
        "operatingSystem": "UBUNTU",
        "globalFilters": {"filters": [{"key": "PRODUCT", "values": ["*"]}]},
        "approvalRules": {
            "rules": [
                {
                    "filterGroup": {"filters": [{"key": "PRIORITY", "values": ["Required", "Important"]}]},
                    "complianceLevel": "UNSPECIFIED",
                    "enableNonSecurity": False,
                    "approveAfterDays": 7,
                    "approveUntilDate": None,
                },
                {
                    "filterGroup": {"filters": [{"key": "SECTION", "values": ["universe/libs"]}]},
                    "complianceLevel": None,
                    "enableNonSecurity": None,
                    "approveAfterDays": None,
                    "approveUntilDate": "2024-02-29",
                },
            ]
        },
        "approvedPatches": ["bash"],
        "approvedPatchesComplianceLevel": "HIGH",
        "approvedPatchesEnableNonSecurity": True,
        "rejectedPatches": None,
        "rejectedPatchesAction": None,
        "createdTime": 1525194800.0,
        "modifiedTime": 1525194800.0,
        "sources": [{"name": "ours", "products": ["*"], "configuration": "deb https://mirror.example/ x main"}],
    },
    "patchGroup": "web",
    "patches": [],
    "enableApplicationPatches": False,
    "requiredFeatures": [],
}

GET_PATCH_BASELINE = {
    "BaselineId": "arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-0cbb3a633de00f07c",
    "Name": "AWS-RedHatDefaultPatchBaseline",
    "OperatingSystem": "REDHAT_ENTERPRISE_LINUX",
    "GlobalFilters": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
    "ApprovalRules": {
        "PatchRules": [
            {
                "PatchFilterGroup": {
                    "PatchFilters": [
                        {"Key": "CLASSIFICATION", "Values": ["Security"]},
                        {"Key": "SEVERITY", "Values": ["Critical", "Important"]},
                    ]
                },
                "ComplianceLevel": "CRITICAL",
                "ApproveAfterDays": 7,
                "EnableNonSecurity": False,
            }
        ]
    },
    "ApprovedPatches": [],
    "ApprovedPatchesComplianceLevel": "UNSPECIFIED",
    "ApprovedPatchesEnableNonSecurity": False,
    "RejectedPatches": ["kernel*"],
    "RejectedPatchesAction": "BLOCK",
    "PatchGroups": ["db"],
    "CreatedDate": "2020-11-12T09:20:17.061000-08:00",
    "ModifiedDate": dt.datetime(2020, 11, 12, tzinfo=dt.timezone.utc),
    "Description": "",
    "Sources": [],
    "AvailableSecurityUpdatesComplianceStatus": "COMPLIANT",
    "ResponseMetadata": {"RequestId": "x"},
}


def problems_of(document: Any, **arguments: Any) -> list[str]:
    """The problems, which both functions must tell alike."""
    found = find_problems(document, **arguments)
    if found:
        with pytest.raises(InvalidInput) as caught:
            parse_baseline(document, origin="test", **arguments)
        told = list(caught.value.problems)
        more = len(found) - MOST_PROBLEMS
        assert told == (found if more <= 0 else [*found[:MOST_PROBLEMS], f"and {more} more"])
        assert all(problem in str(caught.value) for problem in told)
    else:
        parse_baseline(document, origin="test", **arguments)
    return found


# --- what is read -----------------------------------------------------------------------------------


def test_a_snapshot_is_read_with_its_nulls() -> None:
    found = parse_baseline(SNAPSHOT, origin="AWS")
    assert (found.id, found.name) == ("pb-0c7e89f711c3095f4", "AWS-UbuntuDefaultPatchBaseline")
    assert (found.operating_system, found.origin) == ("UBUNTU", "AWS")
    assert found.global_filters == (Filter("PRODUCT", ("*",)),)
    assert found.rules == (
        Rule((Filter("PRIORITY", ("Required", "Important")),), "UNSPECIFIED", 7, None, False),
        Rule((Filter("SECTION", ("universe/libs",)),), "UNSPECIFIED", None, dt.date(2024, 2, 29), False),
    )
    assert (found.approved_patches, found.approved_patches_compliance_level) == (("bash",), "HIGH")
    assert found.approved_patches_enable_non_security
    assert (found.rejected_patches, found.rejected_patches_action) == ((), "ALLOW_AS_DEPENDENCY")
    assert found.sources == (Source("ours", ("*",), "deb https://mirror.example/ x main"),)


def test_what_get_patch_baseline_prints_is_read() -> None:
    found = parse_baseline(GET_PATCH_BASELINE, origin="pillar: db")
    assert found.id.endswith("patchbaseline/pb-0cbb3a633de00f07c")
    assert found.rules[0] == Rule(
        (Filter("CLASSIFICATION", ("Security",)), Filter("SEVERITY", ("Critical", "Important"))), "CRITICAL", 7
    )
    assert (found.rejected_patches, found.rejected_patches_action) == (("kernel*",), "BLOCK")


def test_the_inner_and_the_wrapped_snapshot_are_the_same() -> None:
    assert parse_baseline(SNAPSHOT, origin="x") == parse_baseline(SNAPSHOT["patchBaseline"], origin="x")


def test_an_empty_baseline_is_valid_and_approves_nothing() -> None:
    found = parse_baseline({}, origin="inline")
    assert (found.rules, found.approved_patches, found.operating_system, found.name) == ((), (), "", "unnamed")


def test_every_conformance_case_has_a_valid_baseline() -> None:
    assert CASES, "tests/conformance/*/cases has no case files"
    assert {path.parent.parent.name for path in CASES} >= {"apt"}
    for path in CASES:
        document = json.loads(path.read_text())["baseline"]
        found = parse_baseline(document, origin=path.name)
        assert found.id == document["baselineId"]
        assert parse_baseline(to_pillar(found), origin=path.name) == found


def test_yaml_dates_are_dates() -> None:
    document = baseline(
        ApprovalRules={"PatchRules": [rule(ApproveAfterDays=None, ApproveUntilDate=dt.date(2024, 6, 1))]}
    )
    assert parse_baseline(document, origin="x").rules[0].approve_until_date == dt.date(2024, 6, 1)


def test_in_a_snapshot_the_date_wins_and_no_delay_approves_at_once() -> None:
    group = {"filterGroup": {"filters": []}}
    rules = [group, group | {"approveAfterDays": 3, "approveUntilDate": "2024-06-01"}]
    found = parse_baseline({"operatingSystem": "DEBIAN", "approvalRules": {"rules": rules}}, origin="x").rules
    assert (found[0].approve_after_days, found[0].approve_until_date) == (None, None)
    assert (found[1].approve_after_days, found[1].approve_until_date) == (None, dt.date(2024, 6, 1))


@pytest.mark.parametrize("days", [0, 360])
def test_the_delay_may_be_nothing_and_a_year(days: int) -> None:
    document = baseline(ApprovalRules={"PatchRules": [rule(ApproveAfterDays=days)]})
    assert parse_baseline(document, origin="x").rules[0].approve_after_days == days


def test_a_made_up_id_is_valid_and_follows_the_name_or_else_the_content() -> None:
    named = [parse_baseline(baseline(Description=text), origin="x", name="web") for text in "ab"]
    assert named[0].id == named[1].id
    unnamed = [parse_baseline(baseline(Description=text), origin="x") for text in "aba"]
    assert unnamed[0].id == unnamed[2].id != unnamed[1].id
    assert re.fullmatch(r"pb-[0-9a-f]{17}", named[0].id)
    assert re.fullmatch(r"pb-[0-9a-f]{17}", unnamed[0].id)


def test_a_stated_name_and_system_beat_the_given_ones() -> None:
    found = parse_baseline(baseline(Name="stated"), origin="x", name="given", operating_system="UBUNTU")
    assert (found.name, found.operating_system) == ("stated", "DEBIAN")


# --- what is refused --------------------------------------------------------------------------------

ANY = {"Key": "PRODUCT", "Values": ["*"]}
SOURCE = {"Name": "abc", "Products": ["*"], "Configuration": "c"}


def of_rule(**changes: Any) -> dict[str, Any]:
    return baseline(ApprovalRules={"PatchRules": [rule(**changes)]})


def of_filter(item: dict[str, Any], *, system: str = "DEBIAN") -> dict[str, Any]:
    return baseline(OperatingSystem=system, GlobalFilters={"PatchFilters": [item]})


def of_source(**changes: Any) -> dict[str, Any]:
    return baseline(Sources=[SOURCE | changes])


WRONG = [
    (of_rule(ApproveAfterDays=400), "ApprovalRules.PatchRules[0].ApproveAfterDays: 400 is not allowed; use 0 to 360"),
    (of_rule(ApproveAfterDays=361), "ApproveAfterDays: 361 is not allowed"),
    (of_rule(ApproveAfterDays=-1), "ApproveAfterDays: -1 is not allowed"),
    (of_rule(ApproveAfterDays="7"), "ApproveAfterDays: '7' is not allowed; use 0 to 360"),
    (of_rule(ApproveAfterDays=True), "ApproveAfterDays: True is not allowed"),
    (of_rule(ApproveAfterDays=7.0), "ApproveAfterDays: 7.0 is not allowed"),
    (of_rule(ApproveAfterDays=None), "ApproveAfterDays: missing; use ApproveAfterDays or ApproveUntilDate"),
    (of_rule(ApproveUntilDate="2024-01-01"), "ApproveUntilDate: not together with ApproveAfterDays"),
    *(
        (
            of_rule(ApproveAfterDays=None, ApproveUntilDate=date),
            f"ApproveUntilDate: {date!r} is not allowed; use {allowed}",
        )
        for date, allowed in (
            ("2024-1-1", "a date written YYYY-MM-DD"),
            ("01.02.2024", "a date written YYYY-MM-DD"),
            ("", "a date written YYYY-MM-DD"),
            (20240101, "a date written YYYY-MM-DD"),
            ("2023-02-29", "a day of the calendar"),
            (dt.datetime(2024, 1, 1, 10), "a date written YYYY-MM-DD"),
        )
    ),
    (of_rule(PatchFilterGroup=None), "PatchRules[0].PatchFilterGroup.PatchFilters: missing"),
    (of_rule(PatchFilterGroup={}), "PatchRules[0].PatchFilterGroup.PatchFilters: missing"),
    (
        of_rule(ComplianceLevel="critical"),
        "PatchRules[0].ComplianceLevel: 'critical' is not allowed; use CRITICAL, HIGH, MEDIUM, LOW, ",
    ),
    (of_rule(EnableNonSecurity="yes"), "EnableNonSecurity: 'yes' is not allowed; use true or false"),
    (of_rule(EnableNonSecurity=1), "EnableNonSecurity: 1 is not allowed"),
    (
        baseline(ApprovalRules={"PatchRules": [rule()] * 11}),
        "ApprovalRules.PatchRules: 11 items are not allowed; use 0 to 10",
    ),
    (baseline(ApprovalRules={"PatchRules": [rule(), "x"]}), "ApprovalRules.PatchRules[1]: 'x' is text; use a mapping"),
    (baseline(ApprovalRules={"PatchRules": [None]}), "ApprovalRules.PatchRules[0]: nothing; use a mapping"),
    (baseline(ApprovalRules={"PatchRules": {}}), "ApprovalRules.PatchRules: {} is a mapping; use a list"),
    (baseline(ApprovalRules=[rule()]), "is a list; use a mapping"),
    (baseline(ApprovalRules={"PatchRule": []}), "ApprovalRules: unknown key 'PatchRule'; did you mean PatchRules?"),
    (of_rule(Delay=3), "ApprovalRules.PatchRules[0]: unknown key 'Delay'"),
    (
        baseline(GlobalFilters={"PatchFilters": [ANY] * 5}),
        "GlobalFilters.PatchFilters: 5 items are not allowed; use 0 to 4",
    ),
    (
        of_filter({"Key": "PRODUCT", "Values": []}),
        "GlobalFilters.PatchFilters[0].Values: 0 items are not allowed; use 1 to 20",
    ),
    (of_filter({"Key": "PRODUCT", "Values": ["x"] * 21}), "Values: 21 items are not allowed"),
    (of_filter({"Key": "PRODUCT"}), "GlobalFilters.PatchFilters[0].Values: missing; use a list"),
    (of_filter({"Key": "PRODUCT", "Values": "*"}), "Values: '*' is text; use a list"),
    (of_filter({"Key": "PRODUCT", "Values": [8.6]}), "Values[0]: 8.6 is a fraction; use text, in quotes"),
    (of_filter({"Key": "PRODUCT", "Values": ["x" * 65]}), "Values[0]: 65 characters are not allowed; use 1 to 64"),
    (of_filter({"Key": "PRODUCT", "Values": [""]}), "Values[0]: 0 characters are not allowed"),
    (
        of_filter({"Key": "PRIORITY", "Values": ["required", "urgent"]}),
        "Values[1]: 'urgent' is not allowed; use Required, Important, ",
    ),
    (of_filter({"Values": ["*"]}), "PatchFilters[0].Key: missing; use PRODUCT"),
    (of_filter({"Key": "product", "Values": ["*"]}), "Key: 'product' is not allowed; use PRODUCT"),
    (of_filter({"Key": "PRODCUT", "Values": ["*"]}), "(did you mean PRODUCT?)"),
    (of_filter({"Key": "PRIORITY", "Values": ["Requierd"]}), "(did you mean Required?)"),
    (of_filter({"Key": ["PRODUCT"], "Values": ["*"]}), "Key: ['PRODUCT'] is not allowed"),
    (
        of_filter({"Key": "SECTION", "Values": ["*"]}, system="CENTOS"),
        "Key: SECTION does not exist on CENTOS; use PRODUCT, CLASSIFICATION or SEVERITY",
    ),
    (of_filter({"Key": "PRIORITY", "Values": ["*"]}, system="SUSE"), "Key: PRIORITY does not exist on SUSE"),
    (of_filter({"Key": "CVE_ID", "Values": ["*"]}), "Key: CVE_ID has no meaning in a Linux baseline"),
    (baseline(OperatingSystem="WINDOWS"), "OperatingSystem: WINDOWS is not Linux; use AMAZON_LINUX, "),
    (baseline(OperatingSystem="MACOS"), "OperatingSystem: MACOS is not Linux"),
    (baseline(OperatingSystem="Debian"), "OperatingSystem: 'Debian' is not allowed; use AMAZON_LINUX, "),
    (baseline(OperatingSystem=["DEBIAN"]), "OperatingSystem: ['DEBIAN'] is not allowed"),
    (baseline(Name="ab"), "Name: 'ab' is not allowed; use 3 to 128 characters"),
    (baseline(Name="with space"), "Name: 'with space' is not allowed"),
    (baseline(Name="x" * 129), "Name: "),
    (baseline(Name=123), "Name: 123 is not allowed"),
    (baseline(BaselineId="pb-1"), "BaselineId: 'pb-1' is not allowed; use an id such as pb-0123456789abcdef0"),
    (baseline(Description="x" * 1025), "at most 1024 characters"),
    (baseline(ApprovedPatches=["x"] * 51), "ApprovedPatches: 51 items are not allowed; use 0 to 50"),
    (baseline(ApprovedPatches=["ok", "x" * 101]), "ApprovedPatches[1]: 101 characters are not allowed; use 1 to 100"),
    (baseline(ApprovedPatches=[1234567]), "ApprovedPatches[0]: 1234567 is a number; use text, in quotes"),
    (baseline(ApprovedPatches="bash"), "ApprovedPatches: 'bash' is text; use a list"),
    (baseline(RejectedPatches=["ok", None, ""]), "RejectedPatches[1]: nothing; use text, in quotes"),
    (baseline(RejectedPatches=["ok", None, ""]), "RejectedPatches[2]: 0 characters are not allowed; use 1 to 100"),
    (
        baseline(RejectedPatchesAction="ALLOW"),
        "RejectedPatchesAction: 'ALLOW' is not allowed; use ALLOW_AS_DEPENDENCY or BLOCK",
    ),
    (baseline(ApprovedPatchesComplianceLevel=1), "ApprovedPatchesComplianceLevel: 1 is not allowed"),
    (baseline(ApprovedPatchesEnableNonSecurity="true"), "ApprovedPatchesEnableNonSecurity: 'true' is not allowed"),
    (baseline(Sources=[{}]), "Sources[0].Name: missing; use 3 to 50 characters"),
    (baseline(Sources=[{}]), "Sources[0].Products: missing; use a list"),
    (baseline(Sources=[{}]), "Sources[0].Configuration: missing; use text of 1 to 1024 characters"),
    (of_source(Name="x y"), "Sources[0].Name: 'x y' is not allowed"),
    (of_source(Products=["*"] * 21), "Sources[0].Products: 21 items"),
    (of_source(Products=["x" * 129]), "Products[0]: 129 characters"),
    (of_source(Configuration="c" * 1025), "Configuration: 1025 characters are not allowed"),
    (of_source(Configuration=3), "Configuration: a number is not allowed"),
    (baseline(Sources=[SOURCE] * 21), "Sources: 21 items are not allowed; use 0 to 20"),
    (baseline(RejectedPatch=["x"]), "document: unknown key 'RejectedPatch'; did you mean RejectedPatches?"),
    (baseline(rejectedPatches=["x"]), "unknown key 'rejectedPatches'; did you mean RejectedPatches?"),
    (baseline() | {3: "x", None: "y"}, "unknown key 3"),
    (
        {"patchBaseline": SNAPSHOT["patchBaseline"], "patchGroups": []},
        "unknown key 'patchGroups'; did you mean patchGroup?",
    ),
    ({"patchBaseline": None}, "patchBaseline: nothing; use a mapping"),
    (None, "baseline: nothing; use a mapping"),
    ("web", "'web' is text; use a mapping"),
    ([baseline()], "is a list; use a mapping"),
]


@pytest.mark.parametrize(("document", "problem"), WRONG, ids=[f"{i}-{row[1][:40]}" for i, row in enumerate(WRONG)])
def test_what_is_wrong_is_told_with_its_path_and_what_is_allowed(document: Any, problem: str) -> None:
    found = problems_of(document)
    assert [each for each in found if problem in each], found


def test_all_problems_are_told_at_once_and_nothing_else() -> None:
    document = baseline(
        Name="x",
        RejectedPatchesAction="NO",
        ApprovalRules={"PatchRules": [rule(), rule(ApproveAfterDays=999, ComplianceLevel="x")]},
    )
    assert problems_of(document) == [
        "Name: 'x' is not allowed; use 3 to 128 characters out of a-z, A-Z, 0-9, _ - .",
        "ApprovalRules.PatchRules[1].ApproveAfterDays: 999 is not allowed; use 0 to 360",
        "ApprovalRules.PatchRules[1].ComplianceLevel: 'x' is not allowed; use CRITICAL, HIGH, MEDIUM, LOW, "
        "INFORMATIONAL or UNSPECIFIED",
        "RejectedPatchesAction: 'NO' is not allowed; use ALLOW_AS_DEPENDENCY or BLOCK",
    ]


def test_problems_of_a_snapshot_are_told_in_its_own_spelling() -> None:
    document = {"patchBaseline": {"operatingSystem": "DEBIAN", "approvalRules": {"rules": [{"approveAfterDays": 400}]}}}
    assert problems_of(document) == [
        "patchBaseline:approvalRules.rules[0].filterGroup.filters: missing; use a list of filters, where [] approves "
        "every package",
        "patchBaseline:approvalRules.rules[0].approveAfterDays: 400 is not allowed; use 0 to 360",
    ]


def test_the_path_of_the_configuration_comes_first() -> None:
    found = problems_of(
        baseline(ApprovalRules={"PatchRules": [rule(ApproveAfterDays=400)]}), path="ssmpatch:baselines:web"
    )
    assert found == [
        "ssmpatch:baselines:web:ApprovalRules.PatchRules[0].ApproveAfterDays: 400 is not allowed; use 0 to 360"
    ]


def test_filter_keys_are_checked_against_the_hosts_system_when_none_is_stated() -> None:
    document = {"GlobalFilters": {"PatchFilters": [{"Key": "SECTION", "Values": ["admin"]}]}}
    assert problems_of(document) == []
    assert problems_of(document, operating_system="UBUNTU") == []
    assert problems_of(document, operating_system="SUSE") == [
        "GlobalFilters.PatchFilters[0].Key: SECTION does not exist on SUSE; use PRODUCT, CLASSIFICATION or SEVERITY"
    ]


def test_a_repository_configuration_is_never_shown() -> None:
    secret = "https://user:hunter2@mirror.example/" + "x" * 1024
    document = baseline(Sources=[{"Name": "abc", "Products": ["*"], "Configuration": secret}])
    assert "hunter2" not in "".join(problems_of(document))
    document = baseline(Sources=[{"Name": "abc", "Products": ["*"], "Configuration": {"url": secret}}])
    assert "hunter2" not in "".join(problems_of(document))


@pytest.mark.parametrize("key", schema.IGNORED_KEYS)
def test_keys_that_say_nothing_about_the_rules_are_accepted(key: str) -> None:
    assert problems_of(baseline(**{key: object()})) == []
    assert problems_of({"operatingSystem": "DEBIAN", key[0].lower() + key[1:]: object()}) == []


@pytest.mark.parametrize("key", schema.SNAPSHOT_KEYS)
def test_what_lies_beside_a_snapshots_baseline_is_accepted(key: str) -> None:
    assert problems_of({"patchBaseline": {"operatingSystem": "DEBIAN"}, key: object()}) == []


# --- anything at all --------------------------------------------------------------------------------


@settings(max_examples=200)
@given(baselines())
def test_every_valid_baseline_is_read(document: dict[str, Any]) -> None:
    assert problems_of(document) == []


@settings(max_examples=250)
@given(damaged())
def test_a_damaged_baseline_is_read_or_refused_with_paths(document: dict[str, Any]) -> None:
    for problem in problems_of(document):
        assert re.match(r"[A-Za-z]+[\w.\[\]]*: .+", problem, re.DOTALL), problem
        assert "\n" not in problem


@settings(max_examples=200)
@given(ANYTHING)
def test_anything_is_read_or_refused(document: Any) -> None:
    assert all(isinstance(problem, str) for problem in problems_of(document, path="ssmpatch:baseline"))
