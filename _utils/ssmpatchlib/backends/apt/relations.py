# SPDX-License-Identifier: Apache-2.0
"""Dependency fields of Debian packages (Debian Policy 7.1) and the versions that fulfil them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ...versions.deb import sort_key

_RELATION = re.compile(
    r"\s*(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|>=|>>|[<=>])\s*(?P<version>[^\s)]+)\s*\))?"
)
_LOWER, _EQUAL, _HIGHER = -1, 0, 1
#: What the order of a version and the required one may be. ``<`` and ``>`` are old spellings of ``<=`` and ``>=``.
_ALLOWED = {
    "<<": {_LOWER},
    "<=": {_LOWER, _EQUAL},
    "<": {_LOWER, _EQUAL},
    "=": {_EQUAL},
    ">": {_EQUAL, _HIGHER},
    ">=": {_EQUAL, _HIGHER},
    ">>": {_HIGHER},
}


class Relation(NamedTuple):
    """One package that a dependency field names, ``operator`` and ``version`` empty where any version will do."""

    name: str
    arch: str
    operator: str
    version: str

    def fits(self, version: str) -> bool:
        """Return whether a version of the package is one that the relation names."""
        if not self.operator:
            return True
        one, other = sort_key(version), sort_key(self.version)
        return (one > other) - (one < other) in _ALLOWED[self.operator]


def read_relations(field: str) -> Iterator[tuple[Relation, ...]]:
    """Yield the alternatives of each part of a dependency field."""
    for part in field.split(","):
        found = (_RELATION.match(text) for text in part.split("|"))
        if relations := tuple(
            Relation(m["name"], m["arch"] or "", m["operator"] or "", m["version"] or "") for m in found if m
        ):
            yield relations
