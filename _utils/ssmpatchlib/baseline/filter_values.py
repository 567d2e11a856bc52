# SPDX-License-Identifier: Apache-2.0
"""What of a baseline's filters can match on a host, so that a rule that never approves anything is noticed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..model import Baseline, Filter
from ..rules import fold
from . import schema

#: The values of a filter key that packages of the host have, in lower case.
Seen = Callable[[str], Collection[str]]

# Facts on filter values per operating system, and the words of Fedora's and EPEL's metadata.
_RPM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CLASSIFICATION": ("Security", "Bugfix", "Enhancement", "Recommended", "Newpackage", "Unspecified"),
        "SEVERITY": ("Critical", "Important", "Moderate", "Medium", "Low", "None", "Urgent", "High", "Unspecified"),
    }
)
_SUSE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CLASSIFICATION": ("Security", "Recommended", "Optional", "Feature", "Document", "Yast"),
        "SEVERITY": ("Critical", "Important", "Moderate", "Medium", "Low", "Unspecified"),
    }
)
# The sections of Debian's archive; areas and Ubuntu's components stand before them (``non-free/net``).
_SECTIONS = (
    "admin cli-mono comm database debian-installer debug devel doc editors education electronics embedded fonts games "
    "gnome gnu-r gnustep golang graphics hamradio haskell httpd interpreters introspection java javascript kde kernel "
    "libdevel libs lisp localization mail math metapackages misc net news ocaml oldlibs otherosfs perl php python ruby "
    "rust science shells sound tasks tex text translations utils vcs video virtual web x11 xfce zope"
)
_APT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CLASSIFICATION": ("Security",),
        # Ubuntu's priorities and Debian's urgencies, from a feed of advisories.
        "SEVERITY": ("Critical", "High", "Medium", "Low", "Negligible", "Unimportant"),
        "PRIORITY": schema.PRIORITIES,
        "SECTION": tuple(_SECTIONS.split()),
    }
)
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {schema.RPM: _RPM, schema.SUSE: _SUSE, schema.APT: _APT}
)
#: Filters that are not applied to a family's packages, which have no such attribute without a feed of advisories.
_NOT_APPLIED: Mapping[str, tuple[str, ...]] = MappingProxyType({schema.APT: ("CLASSIFICATION", "SEVERITY")})
_AREAS = ("contrib", "non-free", "non-free-firmware", "main", "universe", "multiverse", "restricted", "partner")
#: AWS's literals for the products of its Linux systems, which baselines for several systems name in different rules.
_PRODUCT = re.compile(
    r"(?:amazonlinux|centos|redhatenterpriselinux|rockylinux|almalinux|oraclelinux|suse|ubuntu|debian|raspbian)"
    r"[0-9]+(?:\.[0-9]+)*"
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a baseline cannot apply on a host.

    ``problems`` are ``path: what; hint`` lines; ``nothing``: no rule and no approved list can approve anything.
    """

    problems: tuple[str, ...]
    nothing: bool


def find_reach(baseline: Baseline, *, family: str, products: Sequence[str], seen: Seen, by_feed: bool = False) -> Reach:
    """Return what of a baseline cannot apply on a host.

    AWS accepts any text as a value, so a misspelt one is no error; but it approves nothing, and a host that lacks the
    fixes would look compliant. A rule for another product of AWS's is a problem only where nothing else can apply.

    Args:
        family: a family of ``schema``, ``""`` where it is not known.
        products: the values that a PRODUCT filter may name the host by.
        seen: asked only for values that are no known words.
        by_feed: whether a feed of advisories says what the repositories do not.
    """
    not_applied = () if by_feed else _NOT_APPLIED.get(family, ())
    host = _Host(baseline.operating_system, family, tuple(products), seen, not_applied)
    rules = [(_at(number), rule.filters) for number, rule in enumerate(baseline.rules)]
    barred = {path: host.bars((*baseline.global_filters, *filters)) for path, filters in rules}
    nothing = not baseline.approved_patches and all(barred.values())
    found = list(host.strange(baseline, all_products=nothing))
    if nothing and rules:
        found += [f"{path}: {words}" for path, words in barred.items() if words and not _told(path, found)]
    if nothing:
        what = "no rule of the baseline can apply" if rules else "there is no rule and no approved patch"
        found.append(f"ApprovalRules: {what}, so that nothing can be approved on this host; compliance is unknown")
    return Reach(tuple(found), nothing)


def _at(number: int) -> str:
    return f"ApprovalRules.PatchRules[{number}]"


def _told(path: str, problems: Sequence[str]) -> bool:
    return any(problem.startswith((path, "GlobalFilters")) for problem in problems)


@dataclass(frozen=True, slots=True)
class _Host:
    """What the filters are compared with."""

    system: str
    family: str
    products: tuple[str, ...]
    seen: Seen
    not_applied: tuple[str, ...] = ()

    def can_be(self, key: str, value: str) -> bool:
        """Return whether a package of the host can have the value."""
        lowered = value.lower()
        if value == "*":
            return True
        if key == "PRODUCT":
            return lowered in (product.lower() for product in self.products)
        words = _WORDS.get(self.family, {}).get(key, ())
        area, slash, section = lowered.rpartition("/")
        if key == "SECTION" and slash and area in _AREAS:
            lowered = section
        return fold(lowered) in map(fold, words) or not self.family or value.lower() in self.seen(key)

    def bars(self, filters: Sequence[Filter]) -> str:
        """Return why no package can pass all filters, ``""`` when one can."""
        left: dict[str, set[str]] = {}
        for each in (each for each in filters if each.key not in self.not_applied):
            possible = {fold(value) for value in each.values if self.can_be(each.key, value)}
            if not possible:
                return f"no {each.key} of {', '.join(each.values)} is one that this host can have"
            if "*" in possible or each.key == "PRODUCT":
                continue
            left[each.key] = left.get(each.key, possible) & possible
            if not left[each.key]:
                return f"its filters of {each.key} exclude each other"
        return ""

    def strange(self, baseline: Baseline, *, all_products: bool) -> Iterator[str]:
        """Yield every value that no package of the host can have; literals of other products only on request."""
        for path, each in _filters(baseline):
            for value in each.values:
                other = each.key == "PRODUCT" and not all_products and _PRODUCT.fullmatch(value.lower())
                if not other and not self.can_be(each.key, value):
                    yield f"{path}: {self._words(each.key, value)}"

    def _words(self, key: str, value: str) -> str:
        if key == "PRODUCT":
            have = " or ".join(self.products)
            return f"PRODUCT {value!r} is not this host's, so it matches nothing; {_hint(value, self.products, have)}"
        known = _WORDS.get(self.family, {}).get(key, ())
        what = f"{value!r} is no {key} that {self.system or 'this system'} uses"
        if key in self.not_applied:
            return f"{what}; filters of {key} are not applied there"
        hint = f"; {_hint(value, known, ', '.join(known))}" if known else ""
        return f"{what}, so it matches nothing{hint}"


def _filters(baseline: Baseline) -> Iterator[tuple[str, Filter]]:
    for each in baseline.global_filters:
        yield "GlobalFilters", each
    for number, rule in enumerate(baseline.rules):
        for each in rule.filters:
            yield _at(number), each


def _hint(value: str, known: Sequence[str], listed: str) -> str:
    import difflib

    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(value.lower(), list(by_lower), n=1)
    return f"did you mean {by_lower[near[0]]}?" if near else f"known are {listed}"
