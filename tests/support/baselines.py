# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for baselines: valid documents, damaged ones, and anything at all that YAML can hold."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

from hypothesis import strategies as st

from ssmpatchlib.baseline import schema

SYSTEMS = st.sampled_from(schema.OPERATING_SYSTEMS)
LEVELS = st.sampled_from(schema.COMPLIANCE_LEVELS)
NAMES = st.text("abzABZ019_-.", min_size=3, max_size=50)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=True)
    | st.dates()
    | st.datetimes()
    | st.text(max_size=20)
    | st.binary(max_size=5)
)
#: Whatever a pillar can hold.
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=12) | st.integers() | st.none(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@st.composite
def filters(draw: st.DrawFn, system: str) -> dict[str, Any]:
    """A PatchFilter of that system."""
    family = schema.FAMILIES[system]
    key = draw(st.sampled_from(schema.FILTER_KEYS[family]))
    value = st.sampled_from((*schema.PRIORITIES, "*")) if key == "PRIORITY" else WORDS | st.just("*")
    return {"Key": key, "Values": draw(st.lists(value, min_size=1, max_size=4))}


@st.composite
def rules(draw: st.DrawFn, system: str) -> dict[str, Any]:
    """A PatchRule of that system."""
    rule: dict[str, Any] = {"PatchFilterGroup": {"PatchFilters": draw(st.lists(filters(system), max_size=3))}}
    if draw(st.booleans()):
        rule["ApproveAfterDays"] = draw(st.integers(0, schema.MAX_DAYS))
    else:
        rule["ApproveUntilDate"] = draw(st.dates(dt.date(1000, 1, 1)).map(dt.date.isoformat))
    rule |= draw(st.fixed_dictionaries({}, optional={"ComplianceLevel": LEVELS, "EnableNonSecurity": st.booleans()}))
    return rule


@st.composite
def baselines(draw: st.DrawFn) -> dict[str, Any]:
    """A valid baseline in API form."""
    system = draw(SYSTEMS)
    patches = st.lists(WORDS, max_size=3)
    sources = st.fixed_dictionaries(
        {"Name": NAMES, "Products": st.lists(WORDS, min_size=1, max_size=2), "Configuration": WORDS}
    )
    optional = {
        "Name": NAMES,
        "OperatingSystem": st.just(system),
        "Description": WORDS,
        "GlobalFilters": st.fixed_dictionaries({"PatchFilters": st.lists(filters(system), max_size=2)}),
        "ApprovalRules": st.fixed_dictionaries({"PatchRules": st.lists(rules(system), max_size=3)}),
        "ApprovedPatches": patches,
        "ApprovedPatchesComplianceLevel": LEVELS,
        "ApprovedPatchesEnableNonSecurity": st.booleans(),
        "RejectedPatches": patches,
        "RejectedPatchesAction": st.sampled_from(schema.REJECTED_ACTIONS),
        "Sources": st.lists(sources, max_size=2),
    }
    return draw(st.fixed_dictionaries({}, optional=optional)) | {"OperatingSystem": system}


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A baseline of which one place, anywhere, holds something else."""
    document = copy.deepcopy(draw(baselines()))
    container, key = draw(st.sampled_from(places(document)))
    container[key] = draw(ANYTHING)
    return document


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def rule(**changes: Any) -> dict[str, Any]:
    """A valid PatchRule in API form with some keys changed; a value of None leaves the key out."""
    document = {
        "PatchFilterGroup": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
        "ApproveAfterDays": 7,
    } | changes
    return {key: value for key, value in document.items() if value is not None}


def baseline(**changes: Any) -> dict[str, Any]:
    """A valid Debian baseline in API form with some keys changed."""
    return {"OperatingSystem": "DEBIAN", "ApprovalRules": {"PatchRules": [rule()]}} | changes
