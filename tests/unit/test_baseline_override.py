# SPDX-License-Identifier: Apache-2.0
"""BaselineOverride and InstallOverrideList: which entry, which codes, which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.baseline.export import to_api
from ssmpatchlib.baseline.override import parse_baseline_override, parse_install_override_list, refuse_both
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.model import Filter, OverrideEntry, Rule
from support.baselines import ANYTHING, WORDS, baseline, rule

DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
DEBIAN = baseline(RejectedPatches=["kernel*"], RejectedPatchesAction="BLOCK")
UBUNTU = baseline(OperatingSystem="UBUNTU")


def override(document: Any, system: str = "DEBIAN", location: str = "salt://patch/web.json") -> Any:
    return parse_baseline_override(document, operating_system=system, location=location)


def override_list(document: Any, location: str = "s3://bucket/list.yaml") -> Any:
    return parse_install_override_list(document, location=location)


def refused(document: Any, system: str = "DEBIAN") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        override(document, system)
    return caught.value


# --- BaselineOverride -------------------------------------------------------------------------------


@pytest.mark.parametrize("spell", [json.dumps, lambda value: value, lambda value: f"# comment\n{json.dumps(value)}"])
def test_the_entry_of_this_system_is_taken_from_text_and_from_a_list(spell: Any) -> None:
    found = override(spell([UBUNTU, DEBIAN]))
    assert (found.operating_system, found.origin) == ("DEBIAN", "override: salt://patch/web.json")
    assert found.rules == (Rule((Filter("PRODUCT", ("*",)),), "UNSPECIFIED", 7),)
    assert (found.rejected_patches, found.rejected_patches_action) == (("kernel*",), "BLOCK")


def test_a_list_given_in_place_says_so() -> None:
    assert override([DEBIAN], location="").origin == "override: inline"


def test_keys_that_aws_does_not_take_are_ignored_whatever_they_hold() -> None:
    extra = {"Name": 3, "BaselineId": "no id", "Description": [], "PatchGroups": 1, "Wrong": object(), 5: 6, "note": {}}
    assert override([DEBIAN | extra]) == override([DEBIAN])


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("RejectedPatchs", "RejectedPatches"),
        ("rejectedpatches", "RejectedPatches"),
        ("Rejected_Patches", "RejectedPatches"),
        ("rejectedPatches ", "RejectedPatches"),
        ("ApprovalRule", "ApprovalRules"),
        ("approvedPatchess", "ApprovedPatches"),
        ("GlobalFilter", "GlobalFilters"),
        ("RejectedPatchesActions", "RejectedPatchesAction"),
        ("Source", "Sources"),
    ],
)
def test_a_misspelt_key_is_refused(key: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        override([UBUNTU, DEBIAN | {key: []}])
    assert caught.value.problems == (f"[1]: unknown key {key!r}; did you mean {meant}?",)


def test_other_keys_of_awss_own_baselines_are_not_misspelt() -> None:
    words = (
        "BaselineId Name Description CreatedDate ModifiedDate PatchGroups Tags ClientToken ResponseMetadata accountId"
    )
    others = dict.fromkeys([*words.split(), "createdTime", "modifiedTime", "baselineId", "name", "description"])
    assert override([others | DEBIAN]) == override([DEBIAN])


def test_the_snapshot_spelling_is_taken_too() -> None:
    found = override([{"operatingSystem": "DEBIAN", "name": "x", "rejectedPatches": ["bash"]}])
    assert found.rejected_patches == ("bash",)


def test_the_same_rules_have_the_same_id() -> None:
    assert override([DEBIAN]).id == override([UBUNTU, DEBIAN | {"Name": "x"}]).id
    assert override([DEBIAN]).id != override([baseline()]).id


def test_other_systems_entries_are_not_looked_into() -> None:
    assert override([{"OperatingSystem": "WINDOWS", "ApprovedPatches": 3}, DEBIAN]).operating_system == "DEBIAN"


@pytest.mark.parametrize(
    ("document", "system", "code", "message"),
    [
        (DENIED, "DEBIAN", 160, "S3 answered AccessDenied instead of the document; allow s3:GetObject"),
        ("<Error><Code>NoSuchKey</Code></Error>", "DEBIAN", 160, "S3 answered NoSuchKey"),
        (DEBIAN, "DEBIAN", 161, "a mapping is not allowed; use a list of baselines"),
        (json.dumps(DEBIAN), "DEBIAN", 161, "a mapping is not allowed"),
        ("", "DEBIAN", 161, "nothing is not allowed"),
        ("just words", "DEBIAN", 161, "text is not allowed"),
        (3, "DEBIAN", 161, "a number is not allowed"),
        (None, "DEBIAN", 161, "nothing is not allowed"),
        ("[{]", "DEBIAN", 161, "not valid JSON or YAML"),
        ([DEBIAN, "x"], "DEBIAN", 161, r"\[1\]: text is not allowed; use a mapping"),
        ([], "DEBIAN", 163, r"no entry has OperatingSystem DEBIAN \(there: none\)"),
        ([UBUNTU], "DEBIAN", 163, r"no entry has OperatingSystem DEBIAN \(there: 'UBUNTU'\); add one"),
        ([{}], "DEBIAN", 163, r"\(there: None\)"),
        ([DEBIAN, UBUNTU, DEBIAN], "DEBIAN", 165, r"2 entries have OperatingSystem DEBIAN \(\[0\], \[2\]\); keep one"),
        ([DEBIAN], "UNSUPPORTED", 166, "'UNSUPPORTED' is not supported; set operating_system to AMAZON_LINUX"),
        ([{"OperatingSystem": "WINDOWS"}], "WINDOWS", 166, "'WINDOWS' is not supported"),
    ],
)
def test_each_mistake_has_its_code_and_words(document: Any, system: str, code: int, message: str) -> None:
    error = refused(document, system)
    assert error.code == code
    with pytest.raises(InvalidInput, match=message):
        raise error
    assert str(error).startswith("BaselineOverride (salt://patch/web.json): ")


def test_an_entry_that_is_no_valid_baseline_is_refused_with_paths() -> None:
    wrong = baseline(ApprovalRules={"PatchRules": [rule(ApproveAfterDays=400)]}, RejectedPatchesAction="x")
    assert refused([UBUNTU, wrong]).problems == (
        "[1]:ApprovalRules.PatchRules[0].ApproveAfterDays: 400 is not allowed; use 0 to 360",
        "[1]:RejectedPatchesAction: 'x' is not allowed; use ALLOW_AS_DEPENDENCY or BLOCK",
    )


@settings(max_examples=150)
@given(st.lists(ANYTHING, max_size=3) | ANYTHING)
def test_any_value_is_read_or_refused(document: Any) -> None:
    try:
        override(document)
    except InvalidInput as exc:
        assert exc.problems


# --- InstallOverrideList ----------------------------------------------------------------------------

AWS_SAMPLE = """\
patches:
    ##
    ## Full package names
    - id: 'kernel.x86_64'
    - id: 'bash.x86_64'
      title: 'bash.x86_64:0:4.2.46-*'
    - id: 'bind*.x86_64'
      title: '32:9.8.2-0.62.rc1.57.amzn1'
      note: other keys are ignored
"""


def test_the_entries_of_a_text_are_read() -> None:
    found = override_list(AWS_SAMPLE)
    assert found.location == "s3://bucket/list.yaml"
    assert found.entries == (
        OverrideEntry("kernel.x86_64"),
        OverrideEntry("bash.x86_64", "bash.x86_64:0:4.2.46-*"),
        OverrideEntry("bind*.x86_64", "32:9.8.2-0.62.rc1.57.amzn1"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("patches: [{id: a, titel: 1}]", "patches[0]: unknown key 'titel'; did you mean title?"),
        ("patches: [{id: a}, {id: b, Title: 1}]", "patches[1]: unknown key 'Title'; did you mean title?"),
        ("patches: [{id: a, titles: 1}]", "patches[0]: unknown key 'titles'; did you mean title?"),
        ("patches: [{id: a, ID: b}]", "patches[0]: unknown key 'ID'; did you mean id?"),
        ("{patches: [], lift_rejected: no}", "the list: unknown key 'lift_rejected'; did you mean lifts_rejected?"),
        ("{patches: [], Patches: []}", "the list: unknown key 'Patches'; did you mean patches?"),
    ],
)
def test_a_misspelt_key_of_a_list_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_install_override_list(text, location="")
    assert caught.value.problems == (problem,)


def test_titles_that_look_like_numbers_stay_as_they_are_written() -> None:
    text = "patches: [{id: a, title: 1.10}, {id: b, title: 20240101}, {id: c, title: 2024-01-01}, {id: 7, title: }]"
    assert override_list(text).entries == (
        OverrideEntry("a", "1.10"),
        OverrideEntry("b", "20240101"),
        OverrideEntry("c", "2024-01-01"),
        OverrideEntry("7"),
    )


def test_numbers_given_in_place_become_text() -> None:
    document = {"patches": [{"id": "a", "title": 5}, {"id": "b", "title": 1.5}, {"id": "c", "title": None}]}
    found = override_list(document, location="")
    assert found.entries == (OverrideEntry("a", "5"), OverrideEntry("b", "1.5"), OverrideEntry("c"))
    assert found.location == "inline"


@pytest.mark.parametrize(
    ("document", "lifts"),
    [
        ("patches: [{id: a}]", True),
        ("patches: [{id: a}]\nlifts_rejected: true", True),
        ("patches: [{id: a}]\nlifts_rejected: false", False),
        ({"patches": [{"id": "a"}], "lifts_rejected": False}, False),
    ],
)
def test_a_list_may_leave_the_rejected_list_in_force(document: Any, lifts: bool) -> None:
    assert override_list(document).lifts_rejected is lifts


@pytest.mark.parametrize("value", ["no", 0, 1, None, [], {}])
def test_a_list_says_so_by_a_truth_value(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"lifts_rejected: .* is not allowed; use true or false"):
        override_list({"patches": [{"id": "a"}], "lifts_rejected": value})


@pytest.mark.parametrize("document", ["patches: []", "patches:", {"patches": []}, {"patches": None}])
def test_an_empty_list_is_valid(document: Any) -> None:
    assert override_list(document).entries == ()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("patches: [{title: x}]", "patches[0].id: missing; use name.arch such as bash.x86_64; wildcards are allowed"),
        ("patches: [{id: }]", "patches[0].id: missing"),
        ("patches: [{id: ''}]", "patches[0].id: missing"),
        ("patches: [bash]", "patches[0]: 'bash' is text; use a mapping"),
        ("patches: [{id: a}, ]\nother: 1\n---\n", "not valid JSON or YAML"),
        ("patches: [null]", "patches[0]: nothing; use a mapping with the key id"),
        ("patches: bash", "patches: 'bash' is text; use a list of {id, title}"),
        ("patches: {id: a}", "patches: {'id': 'a'} is a mapping; use a list of {id, title}"),
        ("patch: []", "patches: missing (keys there: 'patch'); use a list of {id, title}"),
        ("[{id: a}]", "a list is not allowed; use a mapping with the key patches"),
        ("", "nothing is not allowed; use a mapping with the key patches"),
        (DENIED, "S3 answered AccessDenied instead of the document"),
        ({"patches": [{"id": True}]}, "patches[0].id: True is a truth value; put it in quotes"),
        ({"patches": [{"id": "a", "title": ["x"]}]}, "patches[0].title: ['x'] is a list; put it in quotes"),
        ({"patches": [{"id": "a"}] * 10_001}, "patches: 10001 entries are not allowed; use at most 10000"),
    ],
)
def test_a_wrong_list_is_refused(document: Any, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        override_list(document)
    assert problem in caught.value.problems[0]
    assert str(caught.value).startswith("InstallOverrideList (s3://bucket/list.yaml): ")
    assert caught.value.code == 1


@settings(max_examples=150)
@given(ANYTHING | st.fixed_dictionaries({"patches": st.lists(ANYTHING, max_size=3) | ANYTHING}))
def test_any_list_is_read_or_refused(document: Any) -> None:
    try:
        override_list(document)
    except InvalidInput as exc:
        assert exc.problems


@settings(max_examples=100)
@given(st.lists(st.tuples(WORDS, st.none() | WORDS), max_size=4))
def test_what_json_writes_is_read_back(pairs: list[tuple[str, str | None]]) -> None:
    document = {"patches": [{"id": name, "title": title} for name, title in pairs]}
    found = override_list(json.dumps(document))
    assert found.entries == tuple(OverrideEntry(name, title) for name, title in pairs)


# --- both -------------------------------------------------------------------------------------------


def test_both_overrides_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match="leave one of them out") as caught:
        refuse_both("salt://a", {"patches": []})
    assert caught.value.code == 167


@pytest.mark.parametrize("pair", [(None, None), ("salt://a", None), (None, "salt://b"), ("", "salt://b"), ([], "")])
def test_one_override_is_fine(pair: tuple[Any, Any]) -> None:
    refuse_both(*pair)


def test_what_aws_says_of_updates_that_are_not_approved_is_kept() -> None:
    entry = {**baseline(), "AvailableSecurityUpdatesComplianceStatus": "NON_COMPLIANT"}
    found = parse_baseline_override([entry], operating_system="DEBIAN", location="")
    assert found.available_security_updates_compliance_status == "NON_COMPLIANT"
    assert to_api(found)["AvailableSecurityUpdatesComplianceStatus"] == "NON_COMPLIANT"


def test_merge_keys_in_an_install_override_list() -> None:
    text = "patches:\n- &a {id: 'bind*.x86_64', title: '1.10'}\n- <<: *a\n  id: bash.x86_64\n- <<: *a\n"
    found = parse_install_override_list(text, location="s3://b/l.yaml")
    assert found.entries == (
        OverrideEntry("bind*.x86_64", "1.10"),
        OverrideEntry("bash.x86_64", "1.10"),
        OverrideEntry("bind*.x86_64", "1.10"),
    )


def test_a_missing_dash_in_an_install_override_list_drops_no_patch_in_silence() -> None:
    text = "patches:\n- id: bash.x86_64\n  title: '1'\n\n  id: curl.x86_64\n  title: '2'\n"
    with pytest.raises(
        InvalidInput, match=r"InstallOverrideList \(s3://b/l.yaml\): lines 2 and 5: .* begin a new entry"
    ):
        parse_install_override_list(text, location="s3://b/l.yaml")
