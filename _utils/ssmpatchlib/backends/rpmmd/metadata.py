# SPDX-License-Identifier: Apache-2.0
"""One repository's metadata, in the form that ``candidates`` searches and ``cache`` stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import SsmpatchError
from . import advisory_types

#: ``(evr, build_time, vendor)`` of one package on offer; epoch seconds, 0 where unknown.
Offer = tuple[str, int, str]
#: ``(evr, number of the advisory, number of the module or -1)``: the advisory names this version.
Mention = tuple[str, int, int]
#: ``(evr, numbers of the advisories)``: an offer and the advisories that name it.
Advised = tuple[str, tuple[int, ...]]
#: ``(name.arch, evr, replaced name, operator, replaced evr)``: an offer that obsoletes another package.
Replacement = tuple[str, str, str, str, str]
#: ``(name.arch, evr, names)``: an offer that provides the names of other packages.
Provision = tuple[str, str, tuple[str, ...]]

#: The status of a patch that its vendor took back: its versions are never installed.
RETRACTED = "retracted"


class DamagedMetadata(SsmpatchError):
    """A metadata document is missing, cut short or malformed; the parts read before the error are good."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The packages that a repository offers, and its advisories.

    ``offers`` has the versions by ``name.arch``, oldest first. ``advised`` and ``mentions`` say by ``name.arch`` which
    advisories name which version, by number in ``advisories`` (whose ``collections`` are empty here), ``outlines`` and
    ``modules``. A package is in ``advised``, oldest version first, when all its advisories are plain: of versions on
    offer, of no module and not retracted. Otherwise it is in ``mentions``.

    Three tables by architecture and ``name.arch`` serve counting (benchmarks/rpm.py, "scan"). For packages in
    ``advised``, ``spoken`` has the numbers of all their advisories. ``oldest`` has the build time of a package's oldest
    version, ``silent`` that of its oldest version without an advisory.

    ``problems`` are the parts that were left out; with ``damage``, parts that could not be read are missing.
    """

    offers: Mapping[str, tuple[Offer, ...]]
    replacements: tuple[Replacement, ...] = ()
    provisions: tuple[Provision, ...] = ()
    advisories: Sequence[advisory_types.AdvisoryRecord] = ()
    outlines: tuple[advisory_types.Outline, ...] = ()
    advised: Mapping[str, tuple[Advised, ...]] = field(default_factory=dict)
    mentions: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)
    spoken: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    oldest: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    silent: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    modules: tuple[advisory_types.ModuleRef, ...] = ()
    builds: tuple[advisory_types.ModuleBuild, ...] = ()
    default_streams: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()

    def mentions_of(self, id_: str) -> Sequence[Mention]:
        """Return all mentions of a package by advisories, from ``advised`` or ``mentions``."""
        plain = self.advised.get(id_)
        if plain is None:
            return self.mentions.get(id_, ())
        return [(evr, number, -1) for evr, numbers in plain for number in numbers]
