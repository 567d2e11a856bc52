# SPDX-License-Identifier: Apache-2.0
"""One repository's metadata in the form that candidates are found in, kept on disk as long as it does not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import SsmpatchError
from . import advisory_types, modulemd

#: ``(evr, build_time, vendor)`` of one package on offer; epoch seconds, 0 where unknown.
Offer = tuple[str, int, str]
#: ``(evr, number of the advisory, number of the module or -1)``: an advisory speaks of this version.
Mention = tuple[str, int, int]
#: ``(evr, numbers of the advisories)``: an offer and what advisories say of it.
Advised = tuple[str, tuple[int, ...]]
#: ``(name.arch, evr, replaced name, operator, replaced evr)``: an offer that obsoletes another package.
Replacement = tuple[str, str, str, str, str]
#: ``(name.arch, evr, names)``: an offer that provides the names of other packages.
Provision = tuple[str, str, tuple[str, ...]]

#: A patch of this status was taken back by its vendor: its versions are never installed.
RETRACTED = "retracted"


class DamagedMetadata(SsmpatchError):
    """A metadata document is missing, cut short or malformed; what was read before the error is still good."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a repository offers and what its advisories say.

    ``offers`` by ``name.arch``, oldest version first. What advisories say refers by number to ``advisories`` (whose own
    ``collections`` are empty here), their ``outlines`` and ``modules``. It is in ``advised``, oldest version first, for
    packages whose advisories are all of versions on offer, of no module and not retracted, and in ``mentions`` for the
    others.

    For packages that are only counted there are, by architecture and ``name.arch``: in ``spoken`` the numbers of all
    advisories, of those that are in ``advised``; in ``oldest`` when the oldest version was built; in ``silent`` when
    the oldest one was built of which no advisory speaks.

    ``problems`` are parts that were left out; ``damage`` is what could not be read: what is here is then not all.
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
    builds: tuple[modulemd.ModuleBuild, ...] = ()
    default_streams: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()

    def mentions_of(self, id_: str) -> Sequence[Mention]:
        """Everything that advisories say of a package, in whichever form it is kept."""
        plain = self.advised.get(id_)
        if plain is None:
            return self.mentions.get(id_, ())
        return [(evr, number, -1) for evr, numbers in plain for number in numbers]
