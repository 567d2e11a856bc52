# SPDX-License-Identifier: Apache-2.0
"""
Print what ``ssmpatch`` found as a table
========================================

The default outputter of ``ssmpatch.scan``, ``install``, ``plan``, ``report``, ``explain``, ``cve``, ``status``,
``history``, ``restarts``, ``freeze`` and ``validate``, and of the runner's rollouts. Anything else that arrives here
(an error, a text, a shape of another version) is printed by Salt's ``nested`` outputter, and ``--out=json`` or
``--out=yaml`` print the same return as exact data.

Packages stand together by the reason they share. The table is 100 columns wide, or as wide as the terminal. It has
colours where Salt has them. What minions send is printed without control characters, so that a return cannot steer the
terminal.

CLI Example:

.. code-block:: bash

    salt-call ssmpatch.scan
    salt '*' ssmpatch.report --out=ssmpatch
    salt-run ssmpatch.rollout_status
"""

from __future__ import annotations

import math
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

if typing.TYPE_CHECKING:
    __opts__: dict[str, typing.Any]
    __salt__: dict[str, typing.Any]

    _Parts = Iterator[tuple[typing.Any, ...]]
    _Teller = Callable[[typing.Any], _Parts]

__virtualname__ = "ssmpatch"

# Patch states in the order they are printed, with their colours; the first four are what makes a host non-compliant.
_STATES = {
    "Failed": "LIGHT_RED",
    "Missing": "LIGHT_RED",
    "InstalledRejected": "LIGHT_MAGENTA",
    "InstalledPendingReboot": "LIGHT_YELLOW",
    "InstalledOther": "LIGHT_GRAY",
    "Installed": "GREEN",
    "NotApplicable": "DARK_GRAY",
}
_VERDICTS = {"COMPLIANT": "GREEN", "NON_COMPLIANT": "LIGHT_RED", "UNKNOWN": "LIGHT_YELLOW"}
_ALWAYS_COUNTED = (("MissingCount", "missing"), ("FailedCount", "failed"))
_COUNTS = (
    ("InstalledRejectedCount", "rejected"),
    ("InstalledPendingRebootCount", "pending reboot"),
    ("InstalledCount", "installed"),
    ("InstalledOtherCount", "other"),
    ("NotApplicableCount", "not applicable"),
)
_SEVERITY_COUNTS = (
    ("CriticalNonCompliantCount", "critical"),
    ("SecurityNonCompliantCount", "security"),
    ("OtherNonCompliantCount", "other"),
)
# Where AWS's PatchSeverity is the priority of the package, which says nothing about the update.
_WITHOUT_SEVERITIES = ("DEBIAN", "UBUNTU", "RASPBIAN")


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text for ``{minion: return}``, or for what the runner returns of a rollout."""
    if not isinstance(data, Mapping):
        return str(__salt__["ssmpatch_page"](data, **kwargs))
    if (line := _progress(data)) is not None:
        return line
    rings = data.get("rings")
    if rings and _all_mappings(rings) and all("minions" in ring for ring in rings):
        return str(__salt__["ssmpatch_rollout"](data, **kwargs))
    blocks = []
    for minion, returned in data.items():
        tell = _teller(returned)
        if tell is None:
            other = "ssmpatch_cve" if _is_of_cves(returned) else "ssmpatch_host"
            blocks.append(str(__salt__[other]({minion: returned}, **kwargs)).rstrip("\n"))
            if _is_of_cves(returned) and _are_explanations(packages := returned.get("packages")):
                parts = list(_tell_explanations(packages))
                blocks[-1] += "\n" + str(__salt__["ssmpatch_page"]({"title": "", "parts": parts}))
        else:
            blocks.append(str(__salt__["ssmpatch_page"]({"title": f"{minion}:", "parts": list(tell(returned))})))
    return "\n\n".join(blocks) + "\n"


def _progress(data: Mapping[str, typing.Any]) -> str | None:
    """The line of a progress event as ``salt-run`` hands it over, None for anything else."""
    event = data.get("event")
    if data.get("suffix") != "progress" or not isinstance(event, Mapping) or len(data) != 2:
        return None
    return "".join(char if char.isprintable() else "?" for char in _text(event.get("message")))


def _teller(returned: typing.Any) -> _Teller | None:
    """The function that tells a return of this shape, or None when no table here fits it."""
    if isinstance(returned, Mapping):
        if isinstance(returned.get("summary"), Mapping) and _all_mappings(returned.get("patches")):
            return _tell_report
        if all(_all_mappings(returned.get(key)) for key in ("packages", "blocked")):
            return _tell_plan
    elif _are_explanations(returned):
        return _tell_explanations
    return None


def _are_explanations(value: typing.Any) -> bool:
    return bool(value) and _all_mappings(value) and all(_all_mappings(entry.get("versions")) for entry in value)


def _is_of_cves(returned: typing.Any) -> bool:
    return isinstance(returned, Mapping) and {"data", "cves", "problem"} <= set(returned)


def _all_mappings(value: typing.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


# --- reports -------------------------------------------------------------------------------------


def _tell_report(report: Mapping[str, typing.Any]) -> _Parts:
    verdict = _text(report.get("compliance"))
    summary = report["summary"]
    yield _field("Compliance", verdict, color=_VERDICTS.get(verdict, "LIGHT_YELLOW"))
    yield from _tell_baseline(report.get("baseline"))
    yield _field("Operation", _operation(summary, report.get("run")))
    yield _field("Patches", _counts(summary, _COUNTS, always=_ALWAYS_COUNTED))
    yield _field("Of these", _prefixed("non-compliant: ", _counts(summary, _SEVERITY_COUNTS)))
    yield _field("CVEs", *_cves(report.get("cves"), _texts(report.get("warnings"))))
    yield _field("Held back", _held_back(report))
    yield _field("Reboot", *_reboot(report.get("reboot")))
    yield _field("Old code", *_old_code(report.get("restarts")))
    yield _field("Window", _prefixed("closed, opens ", report.get("next_open")))
    by_state: dict[str, list[_Row]] = {state: [] for state in _STATES}
    vendor_words = _operating_system(report) not in _WITHOUT_SEVERITIES
    for patch in report["patches"]:
        by_state.setdefault(_text(patch.get("PatchState")), []).append(_patch_row(patch, vendor_words=vendor_words))
    for state, rows in by_state.items():
        yield _table(state, rows, _STATES.get(state, "LIGHT_YELLOW"))
    yield _table("Changed", _changed_rows(report.get("changes")), "LIGHT_GREEN")
    yield _list("Warnings", _texts(report.get("warnings")), "LIGHT_YELLOW")


def _held_back(report: Mapping[str, typing.Any]) -> str:
    number, verdict = len(_texts(report.get("held_back"))), _text(report.get("frozen_compliance"))
    if not number:
        return ""
    return f"{number} of the missing by the frozen set" + (f"; {verdict} without them" if verdict else "")


# What a report counts of its CVEs, and in which words.
_CVE_COUNTS = (("exploited", "exploited"), ("fixable", "with a fix on offer"), ("unknown", "unknown"))
_CVE_SEVERITIES = ("critical", "high", "medium", "low", "other")


def _cves(cves: typing.Any, warnings: list[str]) -> list[str]:
    """How many CVEs are open, and by what that is known, or why it is not; nothing where nobody looked."""
    if not isinstance(cves, Mapping):
        return []
    said = cves.get("counts")
    counts: Mapping[str, typing.Any] = said if isinstance(said, Mapping) else {}
    counted = [f"{number} {word}" for key, word in _CVE_COUNTS if (number := _whole(counts.get(key)))]
    by_severity = ", ".join(f"{number} {word}" for word in _CVE_SEVERITIES if (number := _whole(counts.get(word))))
    opened, data = _whole(counts.get("open")), _text(cves.get("data"))
    words = ", ".join([f"{opened} open" if opened else "none open", *counted]) if data or opened else ""
    by = ", ".join(filter(None, (data, _text(cves.get("time")))))
    known = _prefixed("by ", by) if data else ""
    problem = _text(cves.get("problem"))
    told = any(problem in warning for warning in warnings)
    unknown = "not known, see the warnings" if problem and told else _prefixed("not known: ", problem)
    return ["; ".join(filter(None, (words, by_severity))), known, unknown]


def _whole(value: typing.Any) -> int:
    return max(int(_number(value)), 0)


def _tell_baseline(baseline: typing.Any) -> _Parts:
    if not isinstance(baseline, Mapping):
        return
    name, identity = _text(baseline.get("name")), _text(baseline.get("id"))
    title = f"{name} ({identity})" if name and identity and identity != name else name or identity
    system = " ".join(filter(None, (_text(baseline.get("operating_system")), _text(baseline.get("product")))))
    frozen = _prefixed("frozen by ", baseline.get("frozen") or None)
    yield _field("Baseline", ", ".join(filter(None, (title, system, frozen))))
    yield _field("Origin", _text(baseline.get("origin")))


def _operation(summary: Mapping[str, typing.Any], run: typing.Any) -> str:
    words = [_text(summary.get("OperationType")), _text(summary.get("OperationEndTime"))]
    if isinstance(run, Mapping):
        duration = _number(run.get("duration"))
        words += [f"in {duration:.1f} s" if duration else "", _prefixed("run ", run.get("id"))]
    return ", ".join(filter(None, words))


def _counts(
    summary: Mapping[str, typing.Any], names: Iterable[tuple[str, str]], *, always: Iterable[tuple[str, str]] = ()
) -> str:
    """``3 missing, 1 failed``; of ``names`` only those of which there are any."""
    numbers = [(_text(summary.get(key)) or "0", word) for key, word in always]
    numbers += [(number, word) for key, word in names if (number := _text(summary.get(key))) not in ("", "0")]
    return ", ".join(f"{number} {word}" for number, word in numbers)


def _reboot(reboot: typing.Any) -> list[str]:
    if not isinstance(reboot, Mapping):
        return []
    action = _text(reboot.get("action"))
    words = ["" if action == "none" else action, _prefixed("due ", reboot.get("due")), _text(reboot.get("reason"))]
    decision = ", ".join(filter(None, words))
    pending = reboot.get("pending")
    waiting = ", ".join(_texts(pending)) or ("yes" if pending else "")
    hints = "; ".join(_texts(reboot.get("required_hints")))
    return [decision, _prefixed("pending: ", waiting), _prefixed("asked for by: ", hints)]


# What a report says of code that still runs though it was replaced, and in which words.
_OLD_CODE = (
    ("restarted", "restarted: "),
    ("later", "restarted after this run: "),
    ("units", "services to restart: "),
    ("sessions", "users to log in again: "),
    ("processes", "programs: "),
    ("containers", "containers: "),
    ("reboot", "until a reboot: "),
)


def _old_code(restarts: typing.Any) -> list[str]:
    if not isinstance(restarts, Mapping):
        return []
    return [_prefixed(words, ", ".join(_texts(restarts.get(key)))) for key, words in _OLD_CODE]


def _operating_system(report: Mapping[str, typing.Any]) -> str:
    baseline = report.get("baseline")
    return _text(baseline.get("operating_system")) if isinstance(baseline, Mapping) else ""


def _patch_row(patch: Mapping[str, typing.Any], *, vendor_words: bool) -> _Row:
    cves, advisories = (_text(patch.get(key)).replace(",", " ").split() for key in ("CVEIds", "advisories"))
    return _Row(
        (
            _text(patch.get("Id")),
            _from_to(patch.get("installed_version"), patch.get("available_version")),
            _level(patch.get("Severity"), patch.get("PatchSeverity") if vendor_words else None),
        ),
        group=_text(patch.get("reason")),
        note="; ".join(filter(None, (_prefixed("fixes ", _some(cves, 3)), _some(advisories, 2)))),
    )


def _changed_rows(changes: typing.Any) -> list[_Row]:
    if not isinstance(changes, Mapping):
        return []
    rows = []
    for name, change in sorted(changes.items(), key=lambda item: str(item[0])):
        old, new = (change.get("old"), change.get("new")) if isinstance(change, Mapping) else (None, change)
        rows.append(_Row((_text(name), _transition(old, new))))
    return rows


# --- plans ---------------------------------------------------------------------------------------


def _tell_plan(plan: Mapping[str, typing.Any]) -> _Parts:
    changes = plan["packages"]
    new = sum(1 for change in changes if not change.get("old"))
    parts = [_plural(len(changes) - new, "update"), _plural(new, "new package"), f"{len(plan['blocked'])} blocked"]
    batches = plan.get("batches")
    number = len(batches) if isinstance(batches, list) else int(_number(batches))
    yield _field("Plan", ", ".join(parts) + (f", in {_plural(number, 'batch', 'batches')}" if number else ""))
    yield from _tell_baseline(plan.get("baseline"))
    yield _field("Size", ", ".join(filter(None, (_size(plan, "download_size", "to download"), _disk(plan)))))
    yield _field("Held back", ", ".join(_texts(plan.get("held_back"))))
    yield _field("Window", _prefixed("closed, opens ", plan.get("next_open")))
    yield _table("Updates", [_change_row(item) for item in changes if item.get("target")], "LIGHT_GREEN")
    yield _table("Needed by them", [_change_row(item) for item in changes if not item.get("target")], "CYAN")
    yield _table("Removed", _removal_rows(plan.get("removals")), "LIGHT_RED")
    blocked = [_Row((_text(i.get("id")), _text(i.get("version"))), _text(i.get("reason"))) for i in plan["blocked"]]
    yield _table("Blocked", blocked, "LIGHT_RED")
    yield _list("Warnings", _texts(plan.get("warnings")), "LIGHT_YELLOW")


def _change_row(change: Mapping[str, typing.Any]) -> _Row:
    return _Row(
        (_text(change.get("id")), _transition(change.get("old"), change.get("new"))), _text(change.get("reason"))
    )


def _removal_rows(removals: typing.Any) -> list[_Row]:
    if not isinstance(removals, list):
        return []
    return [_Row((_text(item.get("id") if isinstance(item, Mapping) else item),)) for item in removals]


def _size(plan: Mapping[str, typing.Any], key: str, what: str) -> str:
    return f"{_bytes(_number(plan.get(key)))} {what}" if plan.get(key) is not None else ""


def _disk(plan: Mapping[str, typing.Any]) -> str:
    freed = _number(plan.get("disk_size")) < 0
    return _size(plan, "disk_size", "freed on disk" if freed else "more on disk")


def _bytes(number: float) -> str:
    number = abs(number)
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


# --- explanations --------------------------------------------------------------------------------


def _tell_explanations(entries: Sequence[Mapping[str, typing.Any]]) -> _Parts:
    for entry in entries:
        state = _text(entry.get("state"))
        installed = _prefixed("installed ", entry.get("installed")) or "not installed"
        yield ("gap",)
        yield _field("Package", f"{_text(entry.get('id'))}, {installed}")
        yield _field("State", state, color=_STATES.get(state, "LIGHT_YELLOW"))
        yield _field("Because", _text(entry.get("reason")))
        yield _table("Versions", [_version_row(version) for version in entry["versions"]], "CYAN")


def _version_row(version: Mapping[str, typing.Any]) -> _Row:
    answer = "rejected" if version.get("rejected") else "approved" if version.get("approved") else "not approved"
    kept_out = _text(version.get("kept_out"))
    answer += ", kept out" if kept_out else ""
    facts = [_text(version.get("reason")), kept_out, _prefixed("from ", version.get("origin"))]
    facts += [_prefixed("released ", version.get("released")), _prefixed("advisory ", version.get("advisory"))]
    cells = (_text(version.get("version")), answer, _level(version.get("level")))
    return _Row(cells, note="; ".join(filter(None, facts)))


# --- parts of a page, as ``ssmpatch_page`` takes them ----------------------------------------------


def _field(label: str, *sentences: str, color: str = "") -> tuple[typing.Any, ...]:
    return "field", label, sentences, color


def _table(title: str, rows: Iterable[_Row], color: str, headings: Sequence[str] = ()) -> tuple[typing.Any, ...]:
    return "table", title, color, list(rows), headings


def _list(title: str, sentences: Sequence[str], color: str) -> tuple[typing.Any, ...]:
    return "list", title, color, sentences


class _Row(typing.NamedTuple):
    """One line of a table: aligned cells, the words it shares with others, and what is said of it alone."""

    cells: tuple[str, ...]
    group: str = ""
    note: str = ""


# --- words ---------------------------------------------------------------------------------------


def _text(value: typing.Any) -> str:
    return "" if value is None else " ".join(str(value).split())


def _texts(value: typing.Any) -> list[str]:
    if isinstance(value, (list, tuple, Mapping)):
        return [text for text in map(_text, value) if text]
    return [_text(value)] if isinstance(value, str) and value else []


def _some(names: Sequence[str], number: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - number} more" if len(names) > number else ""
    return ", ".join(names[:number]) + more


def _prefixed(prefix: str, value: typing.Any) -> str:
    text = _text(value)
    return prefix + text if text else ""


def _number(value: typing.Any) -> float:
    """A finite number, 0 for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def _level(level: typing.Any, vendor: typing.Any = None) -> str:
    """The baseline's word, and the vendor's in brackets where both say something."""
    words = [word for word in (_text(level), _text(vendor)) if word not in ("", "UNSPECIFIED")]
    return words[0] + "".join(f" ({word})" for word in words[1:]) if words else ""


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _arrow() -> str:
    try:
        "→".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "->"
    return "→"


def _from_to(old: typing.Any, new: typing.Any) -> str:
    return f" {_arrow()} ".join(filter(None, (_text(old), _text(new))))


def _transition(old: typing.Any, new: typing.Any) -> str:
    return _from_to(_text(old) or "(new)", _text(new) or "(removed)")
