# SPDX-License-Identifier: Apache-2.0
"""Looks up a patch baseline in the account: by id, name, tag or patch group, or the account's default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..baseline import schema
from ..config import AwsSettings, BaselineTags
from ..errors import SsmpatchError
from .calls import Connection

#: ``ssmpatch:aws:baseline`` that means the account's default for the operating system.
ACCOUNT_DEFAULT = "default"

SEVERAL_TAGGED = 142
NOT_FOUND = 133
NAME_NOT_FOUND = 136
VALUES_PER_FILTER = 20
PAGE = 100


def find(
    connection: Connection, aws: AwsSettings, *, operating_system: str, patch_group: str
) -> tuple[dict[str, Any], str] | None:
    """The baseline that the settings choose, in API form, and how it was chosen (for people).

    Order: ``aws.baseline``, ``aws.baseline_tags`` where a baseline of this operating system has the tag, then
    ``patch_group``. None when nothing is chosen: then AWS chooses by the node's own tags.

    Raises:
        AwsError: AWS could not be asked.
        SsmpatchError: code 142 several have the tag, 133 or 136 there is no such baseline.
    """
    if aws.baseline == ACCOUNT_DEFAULT:
        answer = connection.call("ssm", "GetDefaultPatchBaseline", OperatingSystem=operating_system)
        return by_id(connection, _id_in(answer, "the account's default")), f"account default for {operating_system}"
    if aws.baseline:
        if is_id(aws.baseline):
            return by_id(connection, aws.baseline), "configured id"
        return by_id(connection, id_by_name(connection, aws.baseline, operating_system)), "configured name"
    if aws.baseline_tags:
        tagged = by_tags(connection, aws.baseline_tags, operating_system)
        if tagged is not None:
            return tagged, f"tag {aws.baseline_tags.key}={','.join(aws.baseline_tags.values)}"
    if patch_group:
        answer = connection.call(
            "ssm", "GetPatchBaselineForPatchGroup", PatchGroup=patch_group, OperatingSystem=operating_system
        )
        return by_id(connection, _id_in(answer, f"patch group {patch_group}")), f"patch group {patch_group}"
    return None


def is_id(text: str) -> bool:
    """Whether it is a baseline's id or ARN, not a name."""
    return text.startswith(("pb-", "arn:"))


def by_id(connection: Connection, baseline_id: str) -> dict[str, Any]:
    """A baseline in API form, without what says nothing about it."""
    answer = connection.call("ssm", "GetPatchBaseline", BaselineId=baseline_id)
    return {key: value for key, value in answer.items() if key not in schema.IGNORED_KEYS}


def id_by_name(connection: Connection, name: str, operating_system: str) -> str:
    """The id of the one baseline of this name and operating system, AWS's own included."""
    filters = [
        {"Key": "NAME_PREFIX", "Values": [name]},
        {"Key": "OPERATING_SYSTEM", "Values": [operating_system]},
    ]
    listed = connection.pages("ssm", "DescribePatchBaselines", "BaselineIdentities", Filters=filters, MaxResults=PAGE)
    found = sorted(
        str(each["BaselineId"])
        for each in listed
        if each.get("BaselineName") == name and each.get("OperatingSystem", operating_system) == operating_system
    )
    if not found:
        raise SsmpatchError(
            f"ssmpatch:aws:baseline: region {connection.region} has no baseline {name} for {operating_system}; "
            "correct the name, or use its id",
            code=NAME_NOT_FOUND,
        )
    if len(found) > 1:
        raise SsmpatchError(
            f"ssmpatch:aws:baseline: {len(found)} baselines are called {name} ({', '.join(found)}); use an id",
            code=NAME_NOT_FOUND,
        )
    return found[0]


def by_tags(connection: Connection, tags: BaselineTags, operating_system: str) -> dict[str, Any] | None:
    """The one tagged baseline of this operating system; None without, several are an error."""
    ids: dict[str, None] = {}
    for start in range(0, len(tags.values), VALUES_PER_FILTER):
        values = list(tags.values[start : start + VALUES_PER_FILTER])
        resources = connection.pages(
            "resourcegroupstaggingapi",
            "GetResources",
            "ResourceTagMappingList",
            TagFilters=[{"Key": tags.key, "Values": values}],
            ResourceTypeFilters=["ssm:patchbaseline"],
        )
        ids.update(dict.fromkeys(_ids(resources)))
    found = [
        baseline
        for baseline in (by_id(connection, each) for each in ids)
        if baseline.get("OperatingSystem") == operating_system
    ]
    if len(found) > 1:
        names = ", ".join(f"{each.get('Name')} ({each.get('BaselineId')})" for each in found)
        raise SsmpatchError(
            f"ssmpatch:aws:baseline_tags: {len(found)} baselines for {operating_system} have the tag {tags.key}: "
            f"{names}; leave it on one of them",
            code=SEVERAL_TAGGED,
        )
    return found[0] if found else None


def _ids(resources: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """``…:patchbaseline/pb-…`` without what stands before the id."""
    return (str(each["ResourceARN"]).rpartition("/")[2] for each in resources if each.get("ResourceARN"))


def _id_in(answer: Mapping[str, Any], what: str) -> str:
    found = answer.get("BaselineId")
    if not found:
        raise SsmpatchError(f"AWS names no baseline for {what}; set ssmpatch:aws:baseline", code=NOT_FOUND)
    return str(found)
