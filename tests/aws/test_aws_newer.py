# SPDX-License-Identifier: Apache-2.0
"""What a newer AWS sends: taken as far as it is understood, the rest said once by its path, no rule misread."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import botocore.loaders
import pytest

from ssmpatchlib.aws.faults import AwsError
from ssmpatchlib.aws.snapshot import SnapshotResult, deployable_baseline
from ssmpatchlib.baseline import schema
from ssmpatchlib.baseline.defaults import DEFAULTS
from ssmpatchlib.baseline.export import to_api
from ssmpatchlib.config import Settings
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.osinfo import OsInfo
from support.aws.basics import DEBIAN_BASELINE, TestHost
from support.aws.ssm_server import SsmServer, snapshot_document

SNAPSHOT = "12345678-1234-1234-1234-1234567890ab"
SAID = "AWS's baseline has keys that ssmpatch does not know and ignored: "
Make = Callable[..., Settings]
Ask = Callable[[Any], SnapshotResult]
Sent = dict[str, Any]

SOURCE = {"Name": "internal", "Products": ["*"], "Configuration": "deb http://apt.example/ x main"}


def systems_of_aws() -> list[str]:
    """The operating systems of botocore's model that are Linux."""
    shapes = botocore.loaders.Loader().load_service_model("ssm", "service-2")["shapes"]
    return [each for each in shapes["OperatingSystem"]["enum"] if each not in schema.NOT_LINUX]


def sent_baseline() -> Sent:
    """The snapshot of the Debian baseline as AWS sends it today."""
    return copy.deepcopy(snapshot_document({**DEBIAN_BASELINE, "Sources": [SOURCE]}, ""))


@pytest.fixture
def ask(ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost) -> Ask:
    """Ask for the baseline where AWS sends this document."""

    def asked(document: Any) -> SnapshotResult:
        ssm.snapshots[SNAPSHOT] = document
        return deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)

    return asked


def with_a_new_field_everywhere(value: Any, path: str = "") -> tuple[Any, list[str]]:
    """A document with the unknown field ``new`` in each of its mappings, and the paths of these fields."""
    if isinstance(value, dict):
        parts = {
            key: with_a_new_field_everywhere(item, f"{path}.{key}" if path else key) for key, item in value.items()
        }
        here = f"{path}.new" if path else "new"
        return {**{key: part for key, (part, _) in parts.items()}, "new": None}, [
            here,
            *(found for _, below in parts.values() for found in below),
        ]
    if isinstance(value, list):
        items = [with_a_new_field_everywhere(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [item for item, _ in items], [found for _, below in items for found in below]
    return value, []


@pytest.mark.parametrize("system", systems_of_aws())
def test_a_new_field_at_every_level_is_said_by_its_path(
    ssm: SsmServer, settings: Make, host: TestHost, system: str
) -> None:
    baseline = DEFAULTS[system]
    document = snapshot_document({**to_api(baseline), "BaselineId": baseline.id, "Sources": [SOURCE]}, "")
    ssm.snapshots[SNAPSHOT], paths = with_a_new_field_everywhere(document)
    os_info = OsInfo(system, "x", ("x",), system, "1", "")
    result = deployable_baseline(settings(endpoint_url=ssm.url), os_info, host=host, snapshot_id=SNAPSHOT)
    assert result.baseline.rules == baseline.rules
    assert result.baseline.global_filters == baseline.global_filters
    assert [each.name for each in result.baseline.sources] == ["internal"]
    (warning,) = result.warnings
    assert warning.startswith(SAID)
    said = warning.removeprefix(SAID).partition(";")[0].split(", ")
    assert sorted(said) == sorted(path.removeprefix("patchBaseline.") for path in paths)


def spoil(document: Sent, path: str, value: Any) -> Sent:
    """The document with another value at ``path`` below patchBaseline."""
    *above, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = document["patchBaseline"]
    for part in above:
        place = place[part]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("approvedPatches", [f"package{number}" for number in range(51)]),
        ("rejectedPatches", [f"package{number}" for number in range(400)]),
        ("rejectedPatches", ["x" * 101]),
        ("approvalRules/rules/0/filterGroup/filters/0/values", ["x" * 65, "*"]),
        ("approvalRules/rules/0/filterGroup/filters/0/values", ["*"] * 21),
        ("approvalRules/rules/0/filterGroup/filters", [{"key": "PRIORITY", "values": ["*"]}] * 5),
        ("approvalRules/rules/0/approveAfterDays", 7.0),
        ("approvalRules/rules/0/approveAfterDays", 400),
        ("globalFilters/filters", [{"key": "PRODUCT", "values": ["*"]}] * 5),
        ("sources", [{"name": "internal", "products": ["*"], "configuration": "deb http://a/ x main"}] * 21),
        ("sources/0/products", ["*"] * 21),
        ("sources/0/configuration", "x" * 1025),
        ("sources/0/name", "x" * 51),
        ("description", "x" * 1025),
        ("name", "a name with blanks, as AWS may allow one day"),
        ("name", "x" * 129),
        ("baselineId", "pb-" + "0" * 140),
        ("createdTime", float("nan")),
        ("modifiedTime", "1e999"),
        ("unknown", float("inf")),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_raised_limits_stop_nothing(ask: Ask, path: str, value: Any) -> None:
    assert ask(spoil(sent_baseline(), path, value)).baseline.rules


def test_eleven_rules_are_read(ask: Ask) -> None:
    document = sent_baseline()
    rules = document["patchBaseline"]["approvalRules"]["rules"]
    rules *= 11
    assert len(ask(document).baseline.rules) == 11


def test_days_as_a_fraction_without_a_fraction_are_days(ask: Ask) -> None:
    result = ask(spoil(sent_baseline(), "approvalRules/rules/0/approveAfterDays", 7.0))
    assert repr(result.baseline.rules[0].approve_after_days) == "7"


@pytest.mark.parametrize("path", ["approvalRules/rules/0/complianceLevel", "approvedPatchesComplianceLevel"])
def test_a_new_compliance_level_counts_as_unspecified_and_is_said(ask: Ask, path: str) -> None:
    result = ask(spoil(sent_baseline(), path, "SEVERE"))
    assert result.baseline.rules[0].compliance_level == ("UNSPECIFIED" if "rules" in path else "HIGH")
    (warning,) = result.warnings
    assert "omplianceLevel ('SEVERE' counts as UNSPECIFIED)" in warning


def test_a_new_priority_is_said_and_kept(ask: Ask) -> None:
    result = ask(spoil(sent_baseline(), "approvalRules/rules/0/filterGroup/filters/0/values", ["Optional", "Vital"]))
    assert result.baseline.rules[0].filters[0].values == ("Optional", "Vital")
    assert "values[1] ('Vital')" in result.warnings[0]


MISREAD = [
    ("approvalRules/rules/0/filterGroup/filters/0/key", "EXPLOITABILITY"),
    ("approvalRules/rules/0/filterGroup/filters/0/key", "CVE_ID"),
    ("globalFilters/filters/0/key", "EXPLOITABILITY"),
    ("rejectedPatchesAction", "QUARANTINE"),
    ("approvalRules/rules/0/approveAfterDays", float("nan")),
    ("approvalRules/rules/0/approveAfterDays", float("inf")),
    ("approvalRules/rules/0/approveAfterDays", 7.5),
    ("approvalRules/rules/0/approveAfterDays", -1),
    ("approvalRules/rules/0/approveAfterDays", "seven"),
    ("approvalRules/rules/0/approveUntilDate", "the ides of March"),
    ("approvalRules/rules/0/enableNonSecurity", "false"),
    ("approvalRules/rules/0/filterGroup", None),
    ("approvalRules/rules", {}),
    ("rejectedPatches", "vim"),
    ("operatingSystem", "PLAN_9"),
    ("operatingSystem", "UBUNTU"),
    ("sources/0/name", "../../etc/passwd"),
]


@pytest.mark.parametrize(("path", "value"), MISREAD)
def test_what_could_approve_the_wrong_thing_is_a_failure_with_its_code(ask: Ask, path: str, value: Any) -> None:
    with pytest.raises(SsmpatchError) as caught:
        ask(spoil(sent_baseline(), path, value))
    assert not isinstance(caught.value, InvalidInput), "nobody passed an argument"
    assert caught.value.code == 150
    assert "no earlier snapshot is stored" in str(caught.value)


@pytest.mark.parametrize(("path", "value"), MISREAD)
def test_then_the_last_good_snapshot_stands_in(ask: Ask, path: str, value: Any) -> None:
    good = ask(sent_baseline())
    result = ask(spoil(sent_baseline(), path, value))
    assert dataclasses.replace(result.baseline, origin="") == dataclasses.replace(good.baseline, origin="")
    (warning,) = result.warnings
    assert warning.startswith("what AWS sent was not understood; its baseline from ")
    again = ask(spoil(sent_baseline(), path, value))
    assert again.warnings, "the document that was not understood is not kept"


def test_a_chosen_baseline_of_a_newer_aws_is_read_alike(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    newer = copy.deepcopy(DEBIAN_BASELINE)
    newer["ApprovalRules"]["PatchRules"] *= 11  # type: ignore[index]
    newer["ApprovalRules"]["PatchRules"][0]["ComplianceLevel"] = "SEVERE"  # type: ignore[index]
    baseline_id = ssm.add_baseline({**newer, "BaselineId": "pb-0aaaaaaaaaaaaaaaa"})
    result = deployable_baseline(settings(endpoint_url=ssm.url, aws_baseline=baseline_id), debian, host=host)
    assert len(result.baseline.rules) == 11
    assert "counts as UNSPECIFIED" in result.warnings[0]


@pytest.mark.parametrize("spoiled", [[], {}, {"patchBaseline": None}, {"patchBaseline": [1]}])
def test_the_last_good_snapshot_also_stands_in_for_none(ask: Ask, spoiled: Any) -> None:
    ask(sent_baseline())
    assert "holds no patchBaseline" in ask(spoiled).warnings[0]


def test_a_very_long_list_of_new_fields_is_cut(ask: Ask) -> None:
    document = sent_baseline()
    document["patchBaseline"].update({f"new{number}": 1 for number in range(5000)})
    (warning,) = ask(document).warnings
    assert len(warning) < 5000
    assert "and 4980 more" in warning


def test_the_error_names_what_was_not_understood(ask: Ask) -> None:
    with pytest.raises(AwsError, match=r"approvalRules.rules\[0\].filterGroup.filters\[0\].key: 'NEW' is not allowed"):
        ask(spoil(sent_baseline(), "approvalRules/rules/0/filterGroup/filters/0/key", "NEW"))
