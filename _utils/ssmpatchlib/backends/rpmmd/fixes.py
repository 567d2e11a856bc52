# SPDX-License-Identifier: Apache-2.0
"""Finds the advisories that name a vulnerability, with all packages that they say have the fix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from ...model import Advisory, Published
from . import to_advisory
from .advisory_types import AdvisoryRecord, ModuleRef
from .metadata import RETRACTED, Metadata

#: Returns whether the module that an advisory is for is active.
Applies = Callable[[ModuleRef], bool]

#: The kinds of references by which an advisory has an id or names a vulnerability.
_KINDS = frozenset({"self", "cve"})
#: The architectures of packages that nobody installs.
_SOURCES = frozenset({"src", "nosrc"})


def find_published(
    ids: Collection[str], repositories: Iterable[tuple[Metadata, Applies | None]], *, capitalize: bool = True
) -> tuple[Published, ...]:
    """Return what the advisories say that have one of the ids or name it as a CVE, compared without case.

    Args:
        repositories: what was read of each one, and which modules its advisories are heeded for, None for all.
        capitalize: as in ``to_advisory``.
    """
    wanted = frozenset(id_.lower() for id_ in ids if id_)
    # Repositories may have the same advisory.
    advisories: dict[AdvisoryRecord, tuple[int, Advisory]] = {}
    found: dict[tuple[str, str, int], Published] = {}
    for metadata, applies in repositories if wanted else ():
        named = {}
        for number, record in enumerate(metadata.advisories):
            if _names(record, wanted):
                made = to_advisory.from_advisory(record, capitalize=capitalize)
                named[number] = advisories.setdefault(record, (len(advisories), made))
        for id_, evr, number in _mentions(metadata, named, applies):
            name, _, arch = id_.rpartition(".")
            place, advisory = named[number]
            found.setdefault((id_, evr, place), Published(name, arch, evr, advisory))
    return tuple(found.values())


def _names(record: AdvisoryRecord, wanted: frozenset[str]) -> bool:
    """Return whether a valid advisory has one of the ids or names it."""
    if record.status == RETRACTED:
        return False
    return record.id.lower() in wanted or any(
        kind in _KINDS and id_.lower() in wanted for kind, id_ in record.references
    )


def _mentions(metadata: Metadata, numbers: Collection[int], applies: Applies | None) -> Iterator[tuple[str, str, int]]:
    """Yield ``(name.arch, evr, number)`` of the packages that some advisories name."""
    if not numbers:
        return
    for id_ in (*metadata.advised.keys(), *metadata.mentions.keys()):
        if id_.rpartition(".")[2] in _SOURCES:
            continue
        for evr, number, module in metadata.mentions_of(id_):
            if number in numbers and (module < 0 or applies is None or applies(metadata.modules[module])):
                yield id_, evr, number
