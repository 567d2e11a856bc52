# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: thousands, of which a report only counts those that are approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from ...model import Absent, Notice, Package, Version
from ...versions_rpm import sort_key
from ..rpm import notices
from ..rpm.metadata import Offer
from ..rpm.search import Offering, Rules, Search

#: By ``name.arch`` the repositories of the best priority that have a package, each with its versions.
_Rows = dict[str, list[tuple[Offering, tuple[Offer, ...]]]]


def uninstalled_packages(offerings: Sequence[Offering], *, without: Collection[str], rules: Rules) -> Absent:
    """Return the packages on offer except ``without`` (``name.arch``), as if no patch spoke of them.

    Rule: docs/rules.md, SUSE: an uninstalled package is NotApplicable by what approves it without its patches.
    Priorities hold for them too. What approves a version approves every one that was built earlier, so that a
    package counts by its oldest build.

    Args:
        offerings: the repositories, the most preferred first.
    """
    architectures = Search((), rules).architectures
    found: _Rows = {}
    for offering in offerings:
        for id_, offers in offering.metadata.offers.items():
            if id_ in without or (architectures is not None and id_.rpartition(".")[2] not in architectures):
                continue
            known = found.setdefault(id_, [])
            if not known or known[0][0].priority == offering.priority:
                known.append((offering, offers))
    oldest = Counter(min(offer[1] for _, offers in parts for offer in offers) for parts in found.values())
    groups = tuple(((number,), count) for number, count in enumerate(oldest.values()))
    return Absent(tuple(map(notices.without_advisory, oldest)), groups, lambda: _build(found))


def _build(found: _Rows) -> Iterator[Package]:
    known: dict[int, tuple[Notice]] = {}
    for id_, parts in found.items():
        name, _, arch = id_.rpartition(".")
        versions = [
            Version(evr, known.get(built) or known.setdefault(built, (notices.without_advisory(built),)), offering.name)
            for offering, offers in parts
            for evr, built, _vendor in offers
        ]
        if len(parts) > 1:
            versions.sort(key=lambda version: sort_key(version.version))
        yield Package(name, arch, versions=tuple(versions))
