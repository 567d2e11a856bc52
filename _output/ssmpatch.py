# SPDX-License-Identifier: Apache-2.0
"""
Print what ``ssmpatch`` found as a table
========================================

The default outputter of ``ssmpatch.scan``, ``install``, ``plan``, ``report`` and ``explain``. Anything else that
arrives here (an error, a text, a shape of another version) is printed by Salt's ``nested`` outputter, and
``--out=json`` or ``--out=yaml`` print the same return as exact data.

The table is 100 columns wide, or as wide as the terminal. It has colours where Salt has them. What minions send is
printed without control characters, so that a return cannot steer the terminal.

CLI Example:

.. code-block:: bash

    salt-call ssmpatch.scan
    salt '*' ssmpatch.report --out=ssmpatch
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import typing
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import salt.utils.color

if typing.TYPE_CHECKING:
    __opts__: dict[str, typing.Any]
    __salt__: dict[str, typing.Any]

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
_COUNTS = (
    ("MissingCount", "missing"),
    ("FailedCount", "failed"),
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
_LABEL = 12
_NARROWEST_NOTE = 26


class _Row(typing.NamedTuple):
    """One line of a table: aligned cells, and a sentence that is wrapped."""

    cells: tuple[str, ...]
    note: str = ""


class _Page:
    """The lines of one minion, with the width and the colours they are printed in."""

    def __init__(self, *, width: int, colors: Mapping[str, str]) -> None:
        self.width = width
        self.colors = colors
        self.lines: list[str] = []

    def paint(self, color: str, text: str) -> str:
        return f"{self.colors[color]}{text}{self.colors['ENDC']}" if text else ""

    def field(self, label: str, *sentences: str, color: str = "") -> None:
        """Print ``Label   sentence``, each further sentence on a line of its own, wrapped beside the label."""
        lead = f"  {label:<{_LABEL}}"
        for sentence in filter(None, sentences):
            for line in _wrap(sentence, self.width - len(lead)):
                self.lines.append((lead + (self.paint(color, line) if color else line)).rstrip())
                lead = " " * len(lead)

    def section(self, title: str, rows: Sequence[_Row], color: str) -> None:
        """Print a titled table; nothing when it has no rows."""
        if not rows:
            return
        self.lines += ["", "  " + self.paint(color, f"{title} ({len(rows)})")]
        self.lines += self._table(rows, color)

    def _table(self, rows: Sequence[_Row], color: str) -> Iterable[str]:
        """The rows with their notes beside them; else under a heading per note where many share one; else below."""
        widths = [max(map(len, column)) for column in zip(*(row.cells for row in rows), strict=True)]
        head = 4 + sum(width + 2 for width in widths if width)
        notes = list(dict.fromkeys(row.note for row in rows))
        if head + min(max(map(len, notes)), _NARROWEST_NOTE) <= self.width:
            for row in rows:
                (cells,) = self._cells(row, widths, color, 4)
                first, *rest = _wrap(row.note, self.width - head) or [""]
                yield f"{cells}  {first}".rstrip()
                yield from (" " * head + line for line in rest)
        elif len(notes) * 2 <= len(rows):
            for note in notes:
                yield from ("    " + line for line in _wrap(note, self.width - 4))
                for row in rows:
                    if row.note == note:
                        yield from self._cells(row, widths, color, 6)
        else:
            for row in rows:
                yield from self._cells(row, widths, color, 4)
                yield from ("        " + line for line in _wrap(row.note, self.width - 8))

    def _cells(self, row: _Row, widths: Sequence[int], color: str, indent: int) -> list[str]:
        """The aligned cells of a row on one line; each on a line of its own where one is too short."""
        cells = [cell.ljust(width) for cell, width in zip(row.cells, widths, strict=True) if width] or [""]
        if indent + sum(len(cell) + 2 for cell in cells) - 2 <= self.width:
            return [" " * indent + "  ".join([self.paint(color, cells[0]), *cells[1:]])]
        rest = [" " * (indent + 2) + cell.rstrip() for cell in cells[1:] if cell.strip()]
        return [" " * indent + self.paint(color, cells[0].rstrip()), *rest]

    def bullets(self, title: str, sentences: Sequence[str], color: str) -> None:
        """Print a titled list of sentences; nothing when there are none."""
        if not sentences:
            return
        self.lines += ["", "  " + self.paint(color, title)]
        for sentence in sentences:
            first, *rest = _wrap(sentence, self.width - 6) or [""]
            self.lines += [f"    - {first}", *("      " + line for line in rest)]


def output(data: typing.Any, **kwargs: typing.Any) -> str:
    """Return the printable text for ``{minion: return}``."""
    if not isinstance(data, Mapping):
        return _nested(data, **kwargs)
    blocks = []
    for minion, returned in data.items():
        render = _renderer(returned)
        if render is None:
            blocks.append(_nested({minion: returned}, **kwargs).rstrip("\n"))
            continue
        colors = salt.utils.color.get_colors(__opts__.get("color"), __opts__.get("color_theme"))
        page = _Page(width=shutil.get_terminal_size((100, 24)).columns, colors=colors)
        page.lines.append(page.paint("CYAN", _text(minion) + ":"))
        render(page, returned)
        blocks.append("\n".join(line.rstrip() for line in page.lines))
    return "\n\n".join(blocks) + "\n"


def _nested(data: typing.Any, **kwargs: typing.Any) -> str:
    return str(__salt__["nested"](data, **kwargs))


def _renderer(returned: typing.Any) -> typing.Callable[[_Page, typing.Any], None] | None:
    """The function that prints a return of this shape, or None when no table fits it."""
    if isinstance(returned, Mapping):
        if isinstance(returned.get("summary"), Mapping) and _all_mappings(returned.get("patches")):
            return _print_report
        if all(_all_mappings(returned.get(key)) for key in ("packages", "blocked")):
            return _print_plan
    elif returned and _all_mappings(returned) and all(_all_mappings(entry.get("versions")) for entry in returned):
        return _print_explanations
    return None


def _all_mappings(value: typing.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


# --- reports -------------------------------------------------------------------------------------


def _print_report(page: _Page, report: Mapping[str, typing.Any]) -> None:
    verdict = _text(report.get("compliance"))
    summary = report["summary"]
    page.field("Compliance", verdict, color=_VERDICTS.get(verdict, "LIGHT_YELLOW"))
    _print_baseline(page, report.get("baseline"))
    page.field("Operation", _operation(summary, report.get("run")))
    page.field("Patches", _counts(summary, _COUNTS))
    if any(_number(summary.get(key)) for key, _ in _SEVERITY_COUNTS):
        page.field("Of these", "non-compliant: " + _counts(summary, _SEVERITY_COUNTS))
    page.field("Held back", _held_back(report))
    page.field("Reboot", *_reboot(report.get("reboot")))
    page.field("Window", _prefixed("closed, opens ", report.get("next_open")))
    by_state: dict[str, list[_Row]] = {state: [] for state in _STATES}
    vendor_words = _operating_system(report) not in _WITHOUT_SEVERITIES
    for patch in report["patches"]:
        by_state.setdefault(_text(patch.get("PatchState")), []).append(_patch_row(patch, vendor_words=vendor_words))
    for state, rows in by_state.items():
        page.section(state, rows, _STATES.get(state, "LIGHT_YELLOW"))
    page.section("Changed", _changed_rows(report.get("changes")), "LIGHT_GREEN")
    page.bullets("Warnings", _texts(report.get("warnings")), "LIGHT_YELLOW")


def _held_back(report: Mapping[str, typing.Any]) -> str:
    number, verdict = len(_texts(report.get("held_back"))), _text(report.get("frozen_compliance"))
    if not number:
        return ""
    return f"{number} of the missing by the frozen set" + (f"; {verdict} without them" if verdict else "")


def _print_baseline(page: _Page, baseline: typing.Any) -> None:
    if not isinstance(baseline, Mapping):
        return
    name, identity = _text(baseline.get("name")), _text(baseline.get("id"))
    title = f"{name} ({identity})" if name and identity and identity != name else name or identity
    system = " ".join(filter(None, (_text(baseline.get("operating_system")), _text(baseline.get("product")))))
    frozen = _prefixed("frozen by ", baseline.get("frozen") or None)
    page.field("Baseline", ", ".join(filter(None, (title, system, frozen))))
    page.field("Origin", _text(baseline.get("origin")))


def _operation(summary: Mapping[str, typing.Any], run: typing.Any) -> str:
    words = [_text(summary.get("OperationType")), _text(summary.get("OperationEndTime"))]
    if isinstance(run, Mapping):
        duration = _number(run.get("duration"))
        words += [f"in {duration:.1f} s" if duration else "", _prefixed("run ", run.get("id"))]
    return ", ".join(filter(None, words))


def _counts(summary: Mapping[str, typing.Any], names: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{_text(summary.get(key)) or '0'} {word}" for key, word in names)


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


def _operating_system(report: Mapping[str, typing.Any]) -> str:
    baseline = report.get("baseline")
    return _text(baseline.get("operating_system")) if isinstance(baseline, Mapping) else ""


def _patch_row(patch: Mapping[str, typing.Any], *, vendor_words: bool) -> _Row:
    words = [_text(patch.get("reason"))]
    cves = [cve for cve in _text(patch.get("CVEIds")).replace(",", " ").split() if cve]
    if cves:
        more = f" and {len(cves) - 3} more" if len(cves) > 3 else ""
        words.append(f"fixes {', '.join(cves[:3])}{more}")
    return _Row(
        (
            _text(patch.get("Id")),
            _from_to(patch.get("installed_version"), patch.get("available_version")),
            _level(patch.get("Severity"), patch.get("PatchSeverity") if vendor_words else None),
        ),
        "; ".join(filter(None, words)),
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


def _print_plan(page: _Page, plan: Mapping[str, typing.Any]) -> None:
    changes = plan["packages"]
    new = sum(1 for change in changes if not change.get("old"))
    parts = [_plural(len(changes) - new, "update"), _plural(new, "new package"), f"{len(plan['blocked'])} blocked"]
    batches = plan.get("batches")
    number = len(batches) if isinstance(batches, list) else int(_number(batches))
    page.field("Plan", ", ".join(parts) + (f", in {_plural(number, 'batch', 'batches')}" if number else ""))
    _print_baseline(page, plan.get("baseline"))
    page.field("Size", ", ".join(filter(None, (_size(plan, "download_size", "to download"), _disk(plan)))))
    page.field("Held back", ", ".join(_texts(plan.get("held_back"))))
    page.field("Window", _prefixed("closed, opens ", plan.get("next_open")))
    page.section("Updates", [_change_row(item) for item in changes if item.get("target")], "LIGHT_GREEN")
    page.section("Needed by them", [_change_row(item) for item in changes if not item.get("target")], "CYAN")
    page.section("Removed", _removal_rows(plan.get("removals")), "LIGHT_RED")
    blocked = [_Row((_text(i.get("id")), _text(i.get("version"))), _text(i.get("reason"))) for i in plan["blocked"]]
    page.section("Blocked", blocked, "LIGHT_RED")
    page.bullets("Warnings", _texts(plan.get("warnings")), "LIGHT_YELLOW")


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


def _print_explanations(page: _Page, entries: Sequence[Mapping[str, typing.Any]]) -> None:
    for entry in entries:
        state = _text(entry.get("state"))
        installed = _prefixed("installed ", entry.get("installed")) or "not installed"
        page.lines.append("")
        page.field("Package", f"{_text(entry.get('id'))}, {installed}")
        page.field("State", state, color=_STATES.get(state, "LIGHT_YELLOW"))
        page.field("Because", _text(entry.get("reason")))
        page.section("Versions", [_version_row(version) for version in entry["versions"]], "CYAN")


def _version_row(version: Mapping[str, typing.Any]) -> _Row:
    answer = "rejected" if version.get("rejected") else "approved" if version.get("approved") else "not approved"
    kept_out = _text(version.get("kept_out"))
    answer += ", kept out" if kept_out else ""
    facts = [_text(version.get("reason")), kept_out, _prefixed("from ", version.get("origin"))]
    facts += [_prefixed("released ", version.get("released")), _prefixed("advisory ", version.get("advisory"))]
    return _Row((_text(version.get("version")), answer, _level(version.get("level"))), "; ".join(filter(None, facts)))


# --- words ---------------------------------------------------------------------------------------


def _text(value: typing.Any) -> str:
    """One line of printable text: white space as single spaces, characters that steer a terminal as ``?``."""
    if value is None:
        return ""
    spaced = " ".join(str(value).split())
    return "".join("?" if unicodedata.category(char)[0] == "C" else char for char in spaced)


def _texts(value: typing.Any) -> list[str]:
    if isinstance(value, (list, tuple, Mapping)):
        return [text for text in map(_text, value) if text]
    return [_text(value)] if isinstance(value, str) and value else []


def _prefixed(prefix: str, value: typing.Any) -> str:
    text = _text(value)
    return prefix + text if text else ""


def _number(value: typing.Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


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


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_on_hyphens=False)
