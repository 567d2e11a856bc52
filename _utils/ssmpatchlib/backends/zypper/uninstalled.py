# SPDX-License-Identifier: Apache-2.0
"""Packages on offer that are not installed: thousands, of which a report only counts those that are approved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ...model import Notice, Package, Version
from ...versions_rpm import sort_key
from ..rpm import notices
from ..rpm.search import Offering, Rules, Search


def uninstalled_packages(offerings: Sequence[Offering], *, without: Collection[str], rules: Rules) -> Iterable[Package]:
    """Yield the packages on offer except ``without`` (``name.arch``), as if no patch spoke of them.

    Rule: decisions.md, "Details that the decided vectors settle": on SUSE an uninstalled package is NotApplicable by
    what approves it without its patches. Priorities hold for them too.

    Args:
        offerings: the repositories, the most preferred first.
    """
    known: dict[int, tuple[Notice]] = {}
    architectures = Search((), rules).architectures
    found: dict[str, tuple[int, list[Version]]] = {}
    for offering in offerings:
        for id_, rows in offering.metadata.offers.items():
            if id_ in without or (architectures is not None and id_.rpartition(".")[2] not in architectures):
                continue
            versions = [
                Version(
                    evr, known.get(built) or known.setdefault(built, (notices.without_advisory(built),)), offering.name
                )
                for evr, built, _size, _vendor in rows
            ]
            earlier = found.get(id_)
            if earlier is None:
                found[id_] = offering.priority, versions
            elif earlier[0] == offering.priority:
                earlier[1].extend(versions)
                earlier[1].sort(key=lambda version: sort_key(version.version))
    for id_, (_priority, versions) in found.items():
        name, _, arch = id_.rpartition(".")
        yield Package(name, arch, versions=tuple(versions))
