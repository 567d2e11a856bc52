# SPDX-License-Identifier: Apache-2.0
"""Reads a patch baseline in the API's (PascalCase) or the snapshot's (camelCase) form, and tells all that is wrong."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..config_reader import Section
from ..input_errors import either, kind, one_of, refuse, show
from ..masking import masked
from ..model import ALLOW_AS_DEPENDENCY, LEVELS, Baseline, Filter, Rule, Source
from . import schema
from .export import to_api

T = TypeVar("T")

_ID = "an id such as pb-0123456789abcdef0"
_CHARACTERS = "characters out of a-z, A-Z, 0-9, _ - ."
UNNAMED = "unnamed"
WRAPPER = "patchBaseline"
#: How many unknown parts of a baseline a warning names.
_MOST_NAMED = 20
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SNAPSHOT_SPELLING = {"PatchFilters": "filters", "PatchRules": "rules", "PatchFilterGroup": "filterGroup"}


def parse_baseline(data: Any, *, origin: str, path: str = "", name: str = "", operating_system: str = "") -> Baseline:
    """The baseline that ``data`` describes.

    Null counts as absent. A snapshot document (``{"patchBaseline": …}``) is unwrapped.

    Args:
        data: a baseline in API form (as CreatePatchBaseline takes and GetPatchBaseline gives it) or snapshot form.
        origin: where it came from, for people.
        path: what stands before the path of each problem.
        name: the name of a baseline that states none.
        operating_system: the system of a baseline that states none; its filter keys are checked against it.

    Raises:
        InvalidInput: ``problems`` has each ``path: what is wrong; what is allowed``. The rules are those of AWS's
            service model and of the user guide's list of filter keys per operating system.
    """
    problems: list[str] = []
    baseline = _read(data, path, problems, origin=origin, name=name, operating_system=operating_system)
    if problems:
        refuse(f"baseline ({origin})", problems)
    return baseline


def find_problems(data: Any, path: str = "", operating_system: str = "") -> list[str]:
    """All that ``parse_baseline`` would refuse, as ``path: what`` lines; empty when the baseline is valid."""
    problems: list[str] = []
    _read(data, path, problems, origin="", name="", operating_system=operating_system)
    return problems


def parse_sent(data: Any, *, origin: str, path: str = "") -> tuple[Baseline, tuple[str, ...]]:
    """The baseline of a document that AWS itself sent, and the path of each thing in it that was passed over.

    AWS adds fields, words and room as it likes. Such a document is taken as far as it is understood: unknown fields are
    passed over, an unknown compliance level counts as UNSPECIFIED, larger numbers are taken.

    Raises:
        InvalidInput: ``problems`` as in ``parse_baseline``; what is not understood could approve the wrong thing.
    """
    problems: list[str] = []
    passed_over: list[str] = []
    top = Section(data, path, problems)
    document = _Document(top, snapshot=_is_snapshot(data), operating_system="", passed_over=passed_over)
    baseline = document.baseline(origin=origin, name="")
    if problems:
        refuse(f"baseline ({origin})", problems)
    return baseline, tuple(passed_over)


def said_of(passed_over: Sequence[str], what: str) -> tuple[str, ...]:
    """The warning about what a newer AWS sends; none where all is known."""
    if not passed_over:
        return ()
    more = f" and {len(passed_over) - _MOST_NAMED} more" if len(passed_over) > _MOST_NAMED else ""
    names = ", ".join(passed_over[:_MOST_NAMED])
    return (f"{what} has keys that ssmpatch does not know and ignored: {names}{more}",)


def _read(data: Any, path: str, problems: list[str], *, origin: str, name: str, operating_system: str) -> Baseline:
    if isinstance(data, Mapping) and WRAPPER in data:
        outer = Section(data, path, problems)
        outer.ignore(*schema.SNAPSHOT_KEYS)
        data, path = outer.raw(WRAPPER), outer.at(WRAPPER)
        outer.finish()
    if data is None:
        problems.append(f"{path or 'baseline'}: nothing; use a mapping")
    document = _Document(Section(data, path, problems), snapshot=_is_snapshot(data), operating_system=operating_system)
    return document.baseline(origin=origin, name=name)


def _is_snapshot(data: Any) -> bool:
    """Whether more keys are spelt as a snapshot's than as the API's."""
    if not isinstance(data, Mapping):
        return False
    initials = [key[0] for key in data if isinstance(key, str) and key]
    return sum(map(str.islower, initials)) > sum(map(str.isupper, initials))


def made_up_id(text: str) -> str:
    """An id of AWS's form for a baseline that AWS does not know; the same text gives the same id."""
    return f"pb-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:17]}"


class _Document:
    """One baseline being read: its form decides how keys are spelt, its system which filter keys there are.

    ``passed_over`` takes the path of each thing that is not known, in a document that AWS itself sent; in others,
    where it is None, such things are problems.
    """

    def __init__(
        self, top: Section, *, snapshot: bool, operating_system: str, passed_over: list[str] | None = None
    ) -> None:
        self.top = top
        self.snapshot = snapshot
        self.passed_over = passed_over
        self.limits = schema.DOCUMENTED if passed_over is None else schema.SENT_BY_AWS
        self.system = self._operating_system() or operating_system

    def spell(self, key: str) -> str:
        """A key of the API as this document writes it."""
        if not self.snapshot:
            return key
        return _SNAPSHOT_SPELLING.get(key) or key[0].lower() + key[1:]

    def baseline(self, *, origin: str, name: str) -> Baseline:
        """The baseline; meaningless once there are problems."""
        top, spell = self.top, self.spell
        stated_id = top.text(spell("BaselineId"), pattern=self.limits.baseline_id, allowed=_ID)
        stated_name = top.text(spell("Name"), pattern=self.limits.baseline_name, allowed=f"3 to 128 {_CHARACTERS}")
        result = Baseline(
            id=stated_id,
            name=stated_name or name or UNNAMED,
            operating_system=self.system,
            origin=masked(origin),
            description=top.text(
                spell("Description"),
                pattern=rf"(?s:.{{0,{self.limits.description_length}}})",
                allowed=f"at most {self.limits.description_length} characters",
            ),
            global_filters=self._filters(self._below(top, "GlobalFilters")),
            rules=self._rules(self._below(top, "ApprovalRules")),
            approved_patches=self._patches("ApprovedPatches"),
            approved_patches_compliance_level=self._level(top, "ApprovedPatchesComplianceLevel"),
            approved_patches_enable_non_security=top.flag(spell("ApprovedPatchesEnableNonSecurity")),
            rejected_patches=self._patches("RejectedPatches"),
            rejected_patches_action=top.choice(
                spell("RejectedPatchesAction"), schema.REJECTED_ACTIONS, ALLOW_AS_DEPENDENCY
            ),
            sources=self._list(top, "Sources", self.limits.sources, self._source),
            available_security_updates_compliance_status=self._word(
                top, "AvailableSecurityUpdatesComplianceStatus", schema.AVAILABLE_STATUSES, ""
            ),
        )
        top.ignore(*map(spell, schema.IGNORED_KEYS))
        self._finish(top)
        if result.id or top.problems:
            return result
        text = f"{self.system} {result.name}" if stated_name or name else json.dumps(to_api(result), sort_keys=True)
        return dataclasses.replace(result, id=made_up_id(text))

    def _operating_system(self) -> str:
        key = self.spell("OperatingSystem")
        value = self.top.raw(key)
        if value in schema.NOT_LINUX:
            allowed = either(schema.OPERATING_SYSTEMS)
            self.top.problems.append(f"{self.top.at(key)}: {value} is not Linux; use {allowed}")
            return ""
        return self.top.choice(key, schema.OPERATING_SYSTEMS, "")

    def _finish(self, section: Section) -> None:
        """Tell the keys that nobody asked for."""
        if self.passed_over is None:
            section.finish()
        else:
            self.passed_over += section.unknown()

    def _level(self, section: Section, key: str) -> str:
        return self._word(section, key, schema.COMPLIANCE_LEVELS, LEVELS[0])

    def _word(self, section: Section, key: str, known: Sequence[str], default: str) -> str:
        """One of the known words, of which none can approve or reject anything; an unknown one counts as default."""
        spelt = self.spell(key)
        value = section.raw(spelt)
        if self.passed_over is None or value is None or (isinstance(value, str) and value in known):
            return section.choice(spelt, known, default)
        self.passed_over.append(f"{section.at(spelt)} ({show(value)} counts as {default or 'unset'})")
        return default

    def _patches(self, key: str) -> tuple[str, ...]:
        return self._list(self.top, key, self.limits.patches, _text_of_at_most(self.limits.patch_length))

    def _list(
        self,
        section: Section,
        key: str,
        most: int,
        read: Callable[[Any, str], T | None],
        *,
        least: int = 0,
    ) -> tuple[T, ...]:
        """The items of a list, each read by ``read(item, path)``; those with problems are left out."""
        spelt = self.spell(key)
        value = section.raw(spelt)
        if value is None and least == 0:
            return ()
        if value is None:
            section.lacks(spelt, "a list")
            return ()
        if not isinstance(value, (list, tuple)):
            section.problems.append(f"{section.at(spelt)}: {show(value)} is {kind(value)}; use a list")
            return ()
        if not least <= len(value) <= most:
            section.problems.append(f"{section.at(spelt)}: {len(value)} items are not allowed; use {least} to {most}")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read(item, f"{section.at(spelt)}[{index}]"))
            except _Wrong as exc:
                section.problems.append(str(exc))
        return tuple(item for item in items if item is not None)

    def _filters(self, group: Section) -> tuple[Filter, ...]:
        filters = self._list(group, "PatchFilters", self.limits.filters, self._filter)
        self._finish(group)
        return filters

    def _filter(self, data: Any, path: str) -> Filter:
        section = self._nested(data, path)
        key = self._filter_key(section)
        values = self._list(section, "Values", self.limits.values, _text_of_at_most(self.limits.value_length), least=1)
        if key == "PRIORITY":
            self._check_priorities(section, values)
        self._finish(section)
        return Filter(key, values)

    def _check_priorities(self, section: Section, values: Sequence[str]) -> None:
        """Tell values that no package has: alone they approve nothing."""
        known = ("*", *map(str.lower, schema.PRIORITIES))
        for index, value in enumerate(values):
            if value.lower() in known:
                continue
            place = f"{self.spell('Values')}[{index}]"
            if self.passed_over is None:
                section.problem(place, value, one_of([*schema.PRIORITIES, "*"], value))
            else:
                self.passed_over.append(f"{section.at(place)} ({show(value)})")

    def _filter_key(self, section: Section) -> str:
        spelt = self.spell("Key")
        value = section.raw(spelt)
        family = schema.FAMILIES.get(self.system, "")
        allowed = schema.FILTER_KEYS.get(family, schema.ALL_FILTER_KEYS)
        if isinstance(value, str) and value in allowed:
            return value
        if isinstance(value, str) and value in schema.ALL_FILTER_KEYS:
            what = f"{value} does not exist on {self.system}"
        elif isinstance(value, str) and value in schema.QUERY_KEYS:
            what = f"{value} has no meaning in a Linux baseline"
        elif value is None:
            what = "missing"
        else:
            what = f"{show(value)} is not allowed"
        section.problems.append(f"{section.at(spelt)}: {what}; use {one_of(allowed, value)}")
        return ""

    def _rules(self, rules: Section) -> tuple[Rule, ...]:
        result = self._list(rules, "PatchRules", self.limits.rules, self._rule)
        self._finish(rules)
        return result

    def _rule(self, data: Any, path: str) -> Rule:
        section = self._nested(data, path)
        group = self._below(section, "PatchFilterGroup")
        if group.raw(self.spell("PatchFilters")) is None:
            group.lacks(self.spell("PatchFilters"), "a list of filters, where [] approves every package")
        days = self._days(section)
        date = self._date(section)
        if not self.snapshot and self.passed_over is None:
            self._exactly_one_delay(section)
        elif date is not None:
            days = None
        rule = Rule(
            filters=self._filters(group),
            compliance_level=self._level(section, "ComplianceLevel"),
            approve_after_days=days,
            approve_until_date=date,
            enable_non_security=section.flag(self.spell("EnableNonSecurity")),
        )
        self._finish(section)
        return rule

    def _days(self, section: Section) -> int | None:
        key = self.spell("ApproveAfterDays")
        value = section.raw(key)
        if self.passed_over is not None and isinstance(value, float) and value.is_integer():
            section = Section({key: int(value)}, section.path, section.problems, joint=".")
        return section.integer_or_none(key, low=0, high=self.limits.days)

    def _exactly_one_delay(self, section: Section) -> None:
        given = [key for key in ("ApproveAfterDays", "ApproveUntilDate") if section.raw(key) is not None]
        if not given:
            section.lacks("ApproveAfterDays", "ApproveAfterDays or ApproveUntilDate")
        elif len(given) == 2:
            section.problems.append(f"{section.at('ApproveUntilDate')}: not together with ApproveAfterDays; remove one")

    def _date(self, section: Section) -> dt.date | None:
        key = self.spell("ApproveUntilDate")
        value = section.raw(key)
        if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
            return value
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                section.problem(key, value, "a day of the calendar")
                return None
        section.problem(key, value, "a date written YYYY-MM-DD")
        return None

    def _source(self, data: Any, path: str) -> Source:
        section = self._nested(data, path)
        name = section.required_text(self.spell("Name"), self.limits.source_name, f"3 to 50 {_CHARACTERS}")
        products = self._list(
            section, "Products", self.limits.products, _text_of_at_most(self.limits.product_length), least=1
        )
        configuration = self._configuration(section)
        self._finish(section)
        return Source(name, products, configuration)

    def _configuration(self, section: Section) -> str:
        """The text of a repository; a problem does not show it, for it may hold a password."""
        key = self.spell("Configuration")
        value = section.raw(key)
        if isinstance(value, str) and 1 <= len(value) <= self.limits.configuration_length:
            return value
        allowed = f"text of 1 to {self.limits.configuration_length} characters"
        if value is None:
            section.lacks(key, allowed)
        else:
            what = f"{len(value)} characters are" if isinstance(value, str) else f"{kind(value)} is"
            section.problems.append(f"{section.at(key)}: {what} not allowed; use {allowed}")
        return ""

    def _below(self, section: Section, key: str) -> Section:
        spelt = self.spell(key)
        return Section(section.raw(spelt), section.at(spelt), section.problems, joint=".")

    def _nested(self, data: Any, path: str) -> Section:
        if data is None:
            self.top.problems.append(f"{path}: nothing; use a mapping")
        return Section(data, path, self.top.problems, joint=".")


class _Wrong(Exception):
    """A list item is not allowed; the text is the problem."""


def _text_of_at_most(length: int) -> Callable[[Any, str], str]:
    def read(item: Any, path: str) -> str:
        if isinstance(item, str) and 1 <= len(item) <= length:
            return item
        if isinstance(item, str):
            raise _Wrong(f"{path}: {len(item)} characters are not allowed; use 1 to {length}")
        what = "nothing" if item is None else f"{show(item)} is {kind(item)}"
        raise _Wrong(f"{path}: {what}; use text, in quotes")

    return read
