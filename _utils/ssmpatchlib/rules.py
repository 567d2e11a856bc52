# SPDX-License-Identifier: Apache-2.0
"""The approval rules of a baseline, compiled once and asked for every advisory. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .model import LEVELS, Advisory, Baseline, Filter, Rule

_SYNONYMS = {"moderate": "medium"}


@dataclass(frozen=True, slots=True)
class _Passing:
    """A rule whose filters let an advisory's attributes pass; only the date remains to be checked."""

    number: int
    rule: Rule
    described: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the filters say of an advisory: rules that let it pass, refusals by rule, the global filters' refusal."""

    passing: tuple[_Passing, ...]
    refusals: Mapping[int, str]
    overall: str = ""


class ApprovalRules:
    """The approval rules for one baseline, host and time; the filters' answers are cached by an advisory's attributes.

    Args:
        products: the values that a PRODUCT filter may name this host by.
        now: the time of the judgement, aware.
        switch: whether rules approve what has no metadata only where they say so (EnableNonSecurity).
    """

    def __init__(self, baseline: Baseline, *, products: Sequence[str], now: dt.datetime, switch: bool) -> None:
        self._baseline = baseline
        self._products = products
        self._switch = switch
        used = {f.key for filters in (baseline.global_filters, *(r.filters for r in baseline.rules)) for f in filters}
        self._keys = tuple(sorted(used - {"PRODUCT"}))
        self._ends = [_end(rule, now) for rule in baseline.rules]
        self._outcomes: dict[tuple[object, ...], _Outcome] = {}

    def approve(self, advisory: Advisory) -> bool:
        """Return whether a rule approves a version with this advisory, by the advisory's own date."""
        return any(self._in_time(p, advisory.released) for p in self._outcome(advisory).passing)

    def answer(self, advisory: Advisory, released: dt.datetime | None) -> tuple[str, str]:
        """Return ``(level, reason)`` for a version released at ``released``; an empty level is a refusal."""
        outcome = self._outcome(advisory)
        best: _Passing | None = None
        for passing in outcome.passing:
            better = best is None or _rank(passing.rule) > _rank(best.rule)
            if better and self._in_time(passing, released):
                best = passing
        if best:
            return best.rule.compliance_level, f"approved by rule {best.number}{best.described}"
        return "", self._refusal(outcome, released)

    def _outcome(self, advisory: Advisory) -> _Outcome:
        attributes = advisory.attributes
        key = (advisory.metadata, *[attributes.get(name, "") for name in self._keys])
        found = self._outcomes.get(key)
        if found is None:
            found = self._outcomes[key] = self._ask_filters(advisory)
        return found

    def _ask_filters(self, advisory: Advisory) -> _Outcome:
        mismatch = _first_mismatch(self._baseline.global_filters, advisory, self._products)
        if mismatch:
            return _Outcome((), {}, f"global filter {mismatch}")
        passing, refusals = [], {}
        for number, rule in enumerate(self._baseline.rules):
            known = advisory.metadata or not self._switch or rule.enable_non_security
            words = _first_mismatch(rule.filters, advisory, self._products) if known else "not a security update"
            if words:
                refusals[number] = words
            else:
                passing.append(_Passing(number, rule, _describe(rule, advisory)))
        return _Outcome(tuple(passing), refusals)

    def _in_time(self, passing: _Passing, released: dt.datetime | None) -> bool:
        end = self._ends[passing.number]
        return released is None or end is None or released < end

    def _refusal(self, outcome: _Outcome, released: dt.datetime | None) -> str:
        if outcome.overall:
            return outcome.overall
        late = {p.number: _lateness(p.rule, released) for p in outcome.passing if released}
        refusals = {**outcome.refusals, **late}
        return "; ".join(f"rule {number}: {refusals[number]}" for number in sorted(refusals)) or "no approval rule"


def asks_for_advisories(baseline: Baseline, *, switch: bool) -> bool:
    """Return whether something can be approved only with an advisory, by rule, global filter or approved list.

    ``switch`` says that only EnableNonSecurity approves what has no advisory.
    """
    listed = baseline.approved_patches and switch and not baseline.approved_patches_enable_non_security
    return bool(listed) or any(
        (switch and not rule.enable_non_security) or any(map(_by_advisory, (*baseline.global_filters, *rule.filters)))
        for rule in baseline.rules
    )


def _by_advisory(wanted: Filter) -> bool:
    return wanted.key in ("CLASSIFICATION", "SEVERITY") and "*" not in wanted.values


def _end(rule: Rule, now: dt.datetime) -> dt.datetime | None:
    """Return the time before which a version must be released; None where the date does not matter.

    Rule: docs/rules.md, Baselines: strictly before now minus the delay; the named day is included.
    """
    last = rule.approve_until_date
    if last is not None:
        day = dt.datetime.combine(last, dt.time(), dt.timezone.utc)
        return day + dt.timedelta(days=1) if last < dt.date.max else None
    return now - dt.timedelta(days=rule.approve_after_days) if rule.approve_after_days is not None else None


def _lateness(rule: Rule, released: dt.datetime) -> str:
    """Return why a release date is too late for a rule."""
    if rule.approve_until_date is not None:
        return f"released {released:%Y-%m-%d}, after {rule.approve_until_date}"
    words = f"released {released:%Y-%m-%d}, approved {rule.approve_after_days} days later"
    delay = dt.timedelta(days=rule.approve_after_days or 0)
    if released > dt.datetime.max.replace(tzinfo=dt.timezone.utc) - delay:
        return words
    return f"{words} ({released + delay:%Y-%m-%d})"


def _rank(rule: Rule) -> int:
    return LEVELS.index(rule.compliance_level)


def filter_matches(wanted: Filter, advisory: Advisory, products: Sequence[str]) -> bool:
    """Return whether one filter lets the advisory pass; ``*`` is any value, and case is ignored."""
    if "*" in wanted.values:
        return True
    if wanted.key == "PRODUCT":
        values = {value.lower() for value in wanted.values}
        return any(product.lower() in values for product in products)
    value = advisory.attributes.get(wanted.key, "")
    if value is None:
        return True
    return fold(value) in map(fold, wanted.values)


def _first_mismatch(filters: Iterable[Filter], advisory: Advisory, products: Sequence[str]) -> str:
    """Return the reason of the first filter that refuses an advisory, ``""`` when all let it pass."""
    wanted = next((each for each in filters if not filter_matches(each, advisory, products)), None)
    if wanted is None:
        return ""
    have = "/".join(products) if wanted.key == "PRODUCT" else advisory.attributes.get(wanted.key, "")
    return f"{wanted.key} is {have or 'empty'}, not {'|'.join(wanted.values)}"


def _describe(rule: Rule, advisory: Advisory) -> str:
    named = [f"{f.key}={advisory.attributes.get(f.key)}" for f in rule.filters if advisory.attributes.get(f.key)]
    return f" ({', '.join(named)})" if named else ""


def fold(value: str) -> str:
    """Return a filter's value in the form in which values are compared: case is ignored, synonyms are one word."""
    lowered = value.lower()
    return _SYNONYMS.get(lowered, lowered)
