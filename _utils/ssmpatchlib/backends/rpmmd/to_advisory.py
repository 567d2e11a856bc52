# SPDX-License-Identifier: Apache-2.0
"""Makes the ``Advisory`` that a baseline judges, from a record or for a package without one."""

from __future__ import annotations

import datetime as dt

from ...model import Advisory
from .advisory_types import AdvisoryRecord, Outline, outline


def from_outline(outline: Outline, *, capitalize: bool) -> Advisory:
    """Return an advisory with only the values that approval rules ask for.

    An advisory without a type is no metadata. To one without a severity, or with an empty one, a SEVERITY filter is not
    applied. ``capitalize`` writes the type as dnf shows it, ``Security``.
    Rule: docs/rules.md, Baselines: dates, metadata.
    """
    type_, severity, released = outline
    return Advisory(
        metadata=bool(type_),
        attributes={"CLASSIFICATION": type_.capitalize() if capitalize else type_, "SEVERITY": severity or None},
        released=None if released is None else utc(released),
    )


def from_advisory(advisory: AdvisoryRecord, *, capitalize: bool) -> Advisory:
    """Return an advisory from its record.

    An approved list can name it by its id, by a reference to itself, and by CVE and Bugzilla ids.
    Rule: docs/rules.md, Baselines: approved list.
    """
    plain = from_outline(outline(advisory), capitalize=capitalize)
    named = {advisory.id.lower()} if advisory.id else set()
    cves = set()
    for kind, id_ in advisory.references:
        if kind in ("self", "cve", "bugzilla"):
            named.add(id_.lower())
        if kind == "cve":
            cves.add(id_)
    return Advisory(
        metadata=plain.metadata,
        attributes=plain.attributes,
        classification=plain.attributes["CLASSIFICATION"] or "",
        severity=advisory.severity or "",
        id=advisory.id,
        released=plain.released,
        cves=tuple(sorted(cves)),
        references=frozenset(named),
        reboot_suggested=advisory.reboot_suggested,
    )


def without_advisory(build_time: int) -> Advisory:
    """Return the stand-in for a version without an advisory; its date is the build time, if known."""
    return Advisory(metadata=False, released=utc(build_time) if build_time else None)


def utc(seconds: int) -> dt.datetime | None:
    """Return epoch seconds as an aware time; None for a number that is no time."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
