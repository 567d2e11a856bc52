# SPDX-License-Identifier: Apache-2.0
"""Reads the documents that take a baseline's place for one operation: BaselineOverride and InstallOverrideList."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import documents
from ..config_reader import Section
from ..errors import InvalidInput
from ..input_errors import either, kind, refuse, show
from ..masking import masked
from ..model import Baseline, InstallOverrideList, OverrideEntry
from . import schema
from .parse import parse_baseline, parse_sent

# Return codes of the AWS documents' start-up phase.
DENIED = 160
NO_ARRAY = 161
NOT_READ = 162
NO_ENTRY = 163
SEVERAL_ENTRIES = 165
NO_SUCH_SYSTEM = 166
BOTH_OVERRIDES = 167

INLINE = "inline"
#: What the origin of an override's baseline begins with.
ORIGIN = "override: "
#: The bucket in which Quick Setup keeps the ``baseline_overrides.json`` of a patch policy, which AWS itself writes.
PATCH_POLICY = re.compile(r"s3://aws-quicksetup-patchpolicy-[a-z0-9-]+/.+")
MAX_PATCHES = 10_000
_LARGEST_NUMBER = 10**30
#: What AWS takes from an entry; all else in it (Name, BaselineId, …) is ignored.
USED_KEYS = (
    "OperatingSystem",
    "GlobalFilters",
    "ApprovalRules",
    "ApprovedPatches",
    "ApprovedPatchesComplianceLevel",
    "ApprovedPatchesEnableNonSecurity",
    "RejectedPatches",
    "RejectedPatchesAction",
    "Sources",
    "AvailableSecurityUpdatesComplianceStatus",
)
_USED = frozenset(USED_KEYS) | frozenset(key[0].lower() + key[1:] for key in USED_KEYS)
_OF_A_LIST = ("patches", "lifts_rejected")
_OF_AN_ENTRY = ("id", "title")
#: How much alike a key and one that is used are, from 0 to 1, so that it can only be that one, misspelt.
_MISSPELT = 0.8


def refuse_both(baseline_override: Any, install_override_list: Any) -> None:
    """Refuse an operation that is given both overrides; None and empty text mean: not given.

    Raises:
        InvalidInput: code 167.
    """
    if baseline_override not in (None, "") and install_override_list not in (None, ""):
        raise InvalidInput(
            "baseline_override and install_override_list cannot be used together; leave one of them out",
            code=BOTH_OVERRIDES,
        )


def parse_baseline_override(document: Any, *, operating_system: str, location: str) -> Baseline:
    """The baseline of ``read_baseline_override``."""
    return read_baseline_override(document, operating_system=operating_system, location=location)[0]


def read_baseline_override(document: Any, *, operating_system: str, location: str) -> tuple[Baseline, tuple[str, ...]]:
    """The one entry of a BaselineOverride that is for this operating system, and what in it was passed over.

    Things that are not known are passed over in the file of a patch policy, which AWS writes as it likes.

    Args:
        document: the text of a JSON (or YAML) array of baselines, or the list itself.
        operating_system: this host's, as AWS spells it.
        location: where the document came from; empty for a list given in place.

    Raises:
        InvalidInput: code 160 the text is S3's AccessDenied answer, 161 not an array, 163 no entry for this system,
            165 several, 166 no supported system; code 1 with ``problems`` when the entry is not a valid baseline.
    """
    where = location or INLINE
    subject = f"BaselineOverride ({where})"
    if operating_system not in schema.OPERATING_SYSTEMS:
        allowed = either(schema.OPERATING_SYSTEMS)
        problem = f"the operating system {show(operating_system)} is not supported; set operating_system to {allowed}"
        refuse(subject, [problem], code=NO_SUCH_SYSTEM)
    if isinstance(document, str):
        _refuse_s3_error(document, subject, code=DENIED)
        document = documents.load(document, subject=subject, code=NO_ARRAY)
    if not isinstance(document, (list, tuple)):
        refuse(subject, [f"{kind(document)} is not allowed; use a list of baselines, [{{…}}]"], code=NO_ARRAY)
    index = _entry_for(document, operating_system, subject)
    entry = {key: value for key, value in document[index].items() if key in _USED}
    origin, path = f"{ORIGIN}{where}", f"[{index}]"
    if PATCH_POLICY.fullmatch(location):
        return parse_sent(entry, origin=origin, path=path)
    if misspelt := _misspelt(document[index], entry, USED_KEYS, path):
        refuse(subject, misspelt)
    return parse_baseline(entry, origin=origin, path=path), ()


def _misspelt(given: Mapping[Any, Any], used: Collection[Any], known: Sequence[str], path: str) -> list[str]:
    """The problems of keys that are not used, and are no other words than one of those that are known."""
    import difflib

    words = {re.sub(r"[^a-z]", "", key.lower()): key for key in known}
    found = []
    for key in [key for key in list(given)[:1000] if isinstance(key, str) and key not in used]:
        plain = re.sub(r"[^a-z]", "", key[:64].lower())
        near = difflib.get_close_matches(plain, words, n=1, cutoff=_MISSPELT)
        if near:
            found.append(f"{path}: unknown key {show(key)}; did you mean {words[near[0]]}?")
    return found


def _entry_for(entries: Sequence[Any], operating_system: str, subject: str) -> int:
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            # A list may stand in any file, which an error must not quote.
            refuse(subject, [f"[{index}]: {kind(entry)} is not allowed; use a mapping"], code=NO_ARRAY)
    systems = [entry.get("OperatingSystem", entry.get("operatingSystem")) for entry in entries]
    found = [index for index, system in enumerate(systems) if system == operating_system]
    if not found:
        known = {*schema.OPERATING_SYSTEMS, *schema.NOT_LINUX}
        named = [show(system) if system is None or _is_one_of(system, known) else kind(system) for system in systems]
        there = ", ".join(list(dict.fromkeys(named))[:20]) or "none"
        problem = f"no entry has OperatingSystem {operating_system} (there: {there}); add one"
        refuse(subject, [problem], code=NO_ENTRY)
    if len(found) > 1:
        places = ", ".join(f"[{index}]" for index in found[:20])
        problem = f"{len(found)} entries have OperatingSystem {operating_system} ({places}); keep one"
        refuse(subject, [problem], code=SEVERAL_ENTRIES)
    return found[0]


def _is_one_of(value: Any, words: Collection[str]) -> bool:
    return isinstance(value, str) and value in words


def parse_install_override_list(document: Any, *, location: str) -> InstallOverrideList:
    """The entries of an InstallOverrideList: ``patches: [{id, title}]``; other keys are ignored, misspelt ones refused.

    AWS's lists have nothing else; ``lifts_rejected: false`` beside it leaves the baseline's rejected list in force.

    Args:
        document: YAML text, where ids and titles that look like numbers stay as they are written, or the mapping
            itself, where whole numbers and fractions are taken as Python writes them.
        location: where it came from; empty for a mapping given in place.

    Returns:
        The list; without entries it installs nothing, which the caller warns about.

    Raises:
        InvalidInput: ``problems`` tells what is wrong with which entry.
    """
    where = location or INLINE
    subject = f"InstallOverrideList ({where})"
    if isinstance(document, str):
        _refuse_s3_error(document, subject, code=None)
        document = documents.load(document, subject=subject, scalars=False)
    if not isinstance(document, Mapping):
        refuse(subject, [f"{kind(document)} is not allowed; use a mapping with the key patches"])
    if "patches" not in document:
        import difflib

        near = difflib.get_close_matches(
            "patches", [key[:64] for key in list(document)[:100] if isinstance(key, str)], n=1, cutoff=0.5
        )
        there = f" (keys there: {near[0]!r})" if near else ""
        refuse(subject, [f"patches: missing{there}; use a list of {{id, title}}"])
    patches = document["patches"]
    if patches is None:
        patches = []
    if not isinstance(patches, (list, tuple)):
        refuse(subject, [f"patches: {show(patches)} is {kind(patches)}; use a list of {{id, title}}"])
    if len(patches) > MAX_PATCHES:
        refuse(subject, [f"patches: {len(patches)} entries are not allowed; use at most {MAX_PATCHES}"])
    problems: list[str] = []
    entries = tuple(_entry(item, f"patches[{index}]", problems) for index, item in enumerate(patches))
    # In a document all scalars are text.
    said = document.get("lifts_rejected", True)
    lifts = {"true": True, "false": False}.get(said) if isinstance(said, str) else said
    if not isinstance(lifts, bool):
        problems.append(f"lifts_rejected: {show(said)} is not allowed; use true or false")
    problems += _misspelt(document, _OF_A_LIST, _OF_A_LIST, "the list")
    if problems:
        refuse(subject, problems)
    return InstallOverrideList(entries, masked(where), lifts_rejected=bool(lifts))


def _entry(item: Any, path: str, problems: list[str]) -> OverrideEntry:
    section = Section(item, path, problems, joint=".")
    if item is None:
        problems.append(f"{path}: nothing; use a mapping with the key id")
    elif isinstance(item, Mapping) and item.get("id") in (None, ""):
        section.lacks("id", "name.arch such as bash.x86_64; wildcards are allowed")
    if isinstance(item, Mapping):
        problems += _misspelt(item, _OF_AN_ENTRY, _OF_AN_ENTRY, path)
    return OverrideEntry(id=_pattern(section, "id") or "", title=_pattern(section, "title"))


def _pattern(section: Section, key: str) -> str | None:
    value = section.raw(key)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER:
        return str(value)
    section.problems.append(f"{section.at(key)}: {show(value)} is {kind(value)}; put it in quotes")
    return None


def _refuse_s3_error(text: str, subject: str, *, code: int | None) -> None:
    found = documents.s3_error(text)
    if found:
        problem = f"S3 answered {found} instead of the document; allow s3:GetObject for this node, or check the address"
        refuse(subject, [problem], code=code)
