# SPDX-License-Identifier: Apache-2.0
"""The words for what a host is to a CVE, and for how bad one is, as ``ssmpatch.cve`` and reports have them."""

from __future__ import annotations

from types import MappingProxyType

NOT_AFFECTED = "not affected"
FIXED = "fixed"
FIX_AVAILABLE = "fix available"
BEYOND_FROZEN = "fix beyond the frozen set"
KEPT_OUT = "fix kept out"
NO_FIX = "affected, no fix yet"
NOT_KNOWN = "unknown"
#: The states of a host that is affected, those first that can be ended soonest.
OPEN_STATES = (FIX_AVAILABLE, BEYOND_FROZEN, KEPT_OUT, NO_FIX)
#: The states in which there is a fix.
WITH_FIX = frozenset((FIX_AVAILABLE, BEYOND_FROZEN, KEPT_OUT))

#: Debian's word for what is no vulnerability in practice.
UNIMPORTANT = "unimportant"
#: The words by which severities are counted, the worst first; ``OTHER`` for every severity that is none of the others.
OTHER = "other"
SEVERITIES = ("critical", "high", "medium", "low", OTHER)
_SYNONYMS = MappingProxyType({"important": "high", "moderate": "medium"})
_RANKS = {"critical": 6, "high": 5, "medium": 4, "low": 3, "negligible": 2, UNIMPORTANT: 1, OTHER: 0}
_RANKS |= {word: _RANKS[same] for word, same in _SYNONYMS.items()}


def severity_rank(word: str) -> int:
    """Return the place of a vendor's word for a severity, higher is worse; 0 for others."""
    return _RANKS.get(word.lower(), 0)


def counted_severity(word: str) -> str:
    """Return the one of ``SEVERITIES`` that a vendor's word counts as."""
    lowered = word.lower()
    found = _SYNONYMS.get(lowered, lowered)
    return found if found in SEVERITIES else OTHER
