# SPDX-License-Identifier: Apache-2.0
"""The words that vendors use for classification and severity, so that a filter that can never match is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..model import Baseline, Filter
from . import schema

# Facts on filter values per operating system, and the words of Fedora's and EPEL's metadata.
_RPM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CLASSIFICATION": ("Security", "Bugfix", "Enhancement", "Recommended", "Newpackage", "Unspecified"),
        "SEVERITY": ("Critical", "Important", "Moderate", "Medium", "Low", "None", "Urgent", "High", "Unspecified"),
    }
)
_SUSE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CLASSIFICATION": ("Security", "Recommended", "Optional", "Feature", "Document", "Yast"),
        "SEVERITY": ("Critical", "Important", "Moderate", "Medium", "Low", "Unspecified"),
    }
)
_APT: Mapping[str, tuple[str, ...]] = MappingProxyType({"CLASSIFICATION": ("Security",)})
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {schema.RPM: _RPM, schema.SUSE: _SUSE, schema.APT: _APT}
)


def strange_words(baseline: Baseline) -> tuple[str, ...]:
    """Warnings about CLASSIFICATION and SEVERITY values that no vendor of the baseline's operating system uses.

    AWS accepts any text there, so it is no error; but a misspelt severity approves nothing, and a host that lacks
    the fixes would look compliant. Without an operating system in the baseline there are none.
    """
    words = _WORDS.get(schema.FAMILIES.get(baseline.operating_system, ""), {})
    return tuple(
        f"baseline {baseline.name}: {path}: {value!r} is no {each.key} that {baseline.operating_system} uses, so it "
        f"matches nothing; {_hint(value, words[each.key])}"
        for path, each in _filters(baseline)
        for value in each.values
        if each.key in words and value != "*" and value.lower() not in map(str.lower, words[each.key])
    )


def _filters(baseline: Baseline) -> Iterator[tuple[str, Filter]]:
    for each in baseline.global_filters:
        yield "GlobalFilters", each
    for index, rule in enumerate(baseline.rules):
        for each in rule.filters:
            yield f"ApprovalRules.PatchRules[{index}]", each


def _hint(value: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(value.title(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
