# SPDX-License-Identifier: Apache-2.0
"""Whether the system that a minion says it runs is the one that the master knows it by. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from ..osinfo import PREFIXES, UNSUPPORTED
from .untrusted import clean, shown

_SYSTEM = re.compile(r"[A-Z0-9_]{1,60}")
_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,100}")
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}$")
_AMAZON = ("AMAZON_LINUX", "AMAZON_LINUX_2", "AMAZON_LINUX_2022", "AMAZON_LINUX_2023")
#: The beginning of Salt's grain ``os``, in lower case, and what it can be to AWS.
_OPERATING_SYSTEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("debian", ("DEBIAN",)),
    ("raspbian", ("RASPBIAN",)),
    ("ubuntu", ("UBUNTU",)),
    ("redhat", ("REDHAT_ENTERPRISE_LINUX",)),
    ("red hat", ("REDHAT_ENTERPRISE_LINUX",)),
    ("centos", ("CENTOS",)),
    ("rocky", ("ROCKY_LINUX",)),
    ("alma", ("ALMA_LINUX",)),
    ("oel", ("ORACLE_LINUX",)),
    ("oracle", ("ORACLE_LINUX",)),
    ("suse", ("SUSE",)),
    ("sles", ("SUSE",)),
    ("opensuse", ("SUSE",)),
    ("amazon", _AMAZON),
)
_REMEDY = "set ssmpatch:operating_system and product in its pillar, where the master sees them"


def system_of(said: Mapping[Any, Any], *, grains: Any, pillar: Any) -> str:
    """The name of a minion's system, ``DEBIAN-Debian12``.

    Args:
        said: has ``operating_system`` and ``product`` as the minion says them.
        grains, pillar: what the master has of the minion; pillar beats grains.

    Raises:
        InvalidInput: it is no name of a system, or not of the one that the master knows.
    """
    system, product = said.get("operating_system"), said.get("product")
    if not _is(system, _SYSTEM) or not _is(product, _PRODUCT):
        raise InvalidInput(f"{shown(system)} and {shown(product)} are no operating system and product")
    problem = _contradiction(str(system), str(product), grains, pillar)
    if problem:
        raise InvalidInput(f"it says that it runs {system} {product}, but {problem}; {_REMEDY}")
    return f"{system}-{product}"


def _contradiction(system: str, product: str, grains: Any, pillar: Any) -> str:
    settings = pillar.get("ssmpatch") if isinstance(pillar, Mapping) else None
    settings = settings if isinstance(settings, Mapping) else {}
    chosen = {"operating_system": system, "product": product}
    for key, value in chosen.items():
        if settings.get(key) not in (None, value):
            return f"its pillar says {clean(settings[key], 60)}"
    if not isinstance(grains, Mapping) or not isinstance(grains.get("os"), str):
        return "the master has no grains of it (minion_data_cache)"
    known = f"its grains say {clean(grains['os'], 60)} {clean(grains.get('osrelease'), 60)}"
    if not settings.get("operating_system") and system not in _possible(grains["os"]):
        return known
    if not settings.get("product") and not _fits(system, product, grains.get("osrelease")):
        return known
    return ""


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _possible(name: str) -> tuple[str, ...]:
    """What the grain ``os`` can be to AWS, which does not know every release of a system (openSUSE Tumbleweed)."""
    word = name[:60].lower()
    known = (systems for start, systems in _OPERATING_SYSTEMS if word.startswith(start))
    return (*next(known, ()), UNSUPPORTED)


def _fits(system: str, product: str, release: Any) -> bool:
    """Whether a product is of the release in the grains: one of both versions is the beginning of the other."""
    prefix = PREFIXES.get(system, "")
    if not product.startswith(prefix):
        return False
    match = _VERSION.search(product)
    if match is None or not isinstance(release, str) or not release:
        return True
    ours, theirs = match[0].split("."), release[:60].split(".")
    shared = min(len(ours), len(theirs))
    # SUSE's literals have a zero where the release has no second part.
    return ours[:shared] == theirs[:shared] and (system != "SUSE" or shared > 1 or ours[1:] in ([], ["0"]))
