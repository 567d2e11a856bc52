# SPDX-License-Identifier: Apache-2.0
"""What a baseline judges of an advisory, or of a package without one."""

from __future__ import annotations

import datetime as dt

from ...model import Notice
from .updateinfo import Advisory


def from_advisory(advisory: Advisory, *, capitalize: bool) -> Notice:
    """Return the notice of an advisory.

    Without a type an advisory is no metadata; without a severity (an empty one is none) a SEVERITY filter is not
    applied. Its date is ``updated``, else ``issued``. ``capitalize`` writes the type as dnf shows it, ``Security``.
    Rule: docs/rules.md, Baselines: dates, metadata, approved list.
    """
    classification = advisory.type.capitalize() if capitalize else advisory.type
    severity = advisory.severity or ""
    named = {advisory.id.lower()} if advisory.id else set()
    cves = set()
    for kind, id_ in advisory.references:
        if kind in ("self", "cve", "bugzilla"):
            named.add(id_.lower())
        if kind == "cve":
            cves.add(id_)
    seconds = advisory.issued if advisory.updated is None else advisory.updated
    return Notice(
        metadata=bool(advisory.type),
        attributes={"CLASSIFICATION": classification, "SEVERITY": severity or None},
        classification=classification,
        severity=severity,
        id=advisory.id,
        released=None if seconds is None else utc(seconds),
        cves=tuple(sorted(cves)),
        references=frozenset(named),
        reboot_suggested=advisory.reboot_suggested,
    )


def without_advisory(build_time: int) -> Notice:
    """Return the notice of a package that no advisory speaks of; its date is that of its build, if known."""
    return Notice(metadata=False, released=utc(build_time) if build_time else None)


def utc(seconds: int) -> dt.datetime | None:
    """Epoch seconds as an aware time; None for a number that is no time."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
