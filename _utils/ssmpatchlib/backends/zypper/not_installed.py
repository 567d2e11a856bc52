# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: grouped, to count the approved ones fast (benchmarks/rpm.py, "scan")."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from ...model import NotInstalled, Package, Version
from ...versions.rpm import sort_key
from ..rpmmd import to_advisory
from ..rpmmd.offers import Offering, Rules, Search


def find_not_installed(offerings: Sequence[Offering], *, without: Collection[str], rules: Rules) -> NotInstalled:
    """Return the packages on offer except ``without`` (``name.arch``), as if no patch named them.

    On SUSE an uninstalled package is NotApplicable by the rules that approve it without its patches. Repositories of a
    worse priority are left out for each package. A rule that approves a version also approves all that were built
    earlier, so that a package counts by its oldest build.

    Args:
        offerings: the repositories, the most preferred first.
    """
    architectures = Search((), rules).architectures
    sources: dict[str, list[Offering]] = {}
    built: dict[str, int] = {}
    for offering in offerings:
        for arch, oldest in offering.metadata.oldest.items():
            for id_, time in oldest.items() if architectures is None or arch in architectures else ():
                if id_ in without:
                    continue
                known = sources.setdefault(id_, [])
                if not known or known[0].priority == offering.priority:
                    known.append(offering)
                    built[id_] = min(time, built.get(id_, time))
    times = Counter(built.values())
    groups = tuple(((number,), count) for number, count in enumerate(times.values()))
    return NotInstalled(tuple(map(to_advisory.without_advisory, times)), groups, lambda: _build(sources))


def _build(sources: Mapping[str, Sequence[Offering]]) -> Iterator[Package]:
    advisories = functools.cache(lambda built: (to_advisory.without_advisory(built),))
    for id_, offerings in sources.items():
        name, _, arch = id_.rpartition(".")
        versions = [
            Version(name, arch, evr, advisories(built), offering.name)
            for offering in offerings
            for evr, built, _vendor in offering.metadata.offers[id_]
        ]
        if len(offerings) > 1:
            versions.sort(key=lambda version: sort_key(version.version))
        yield Package(name, arch, versions=tuple(versions))
