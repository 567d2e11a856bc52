# SPDX-License-Identifier: Apache-2.0
"""The page itself: figures and charts as markup, the lists as data for the script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from ...model import COMPLIANT, NON_COMPLIANT, UNKNOWN
from ...wording import amount
from ..fleetreport import FleetReport
from ..formatting import date_and_time, span
from ..hosts import NO_REPORT, UNREACHABLE, VERDICTS
from ..totals import WORDS, Share, Totals, percent
from .charts import Slice, donut, stack, trend
from .data import data_json
from .script import SCRIPT
from .style import STYLE

SHOWN_SHARES = 10
SHOWN_CLOSED = 20
#: The lists that figures lead to, where it is not that of the hosts.
_LISTS = {"patches": "packages", "cves": "cves"}


def html_text(report: FleetReport) -> Iterator[str]:
    """The report as one HTML page that needs nothing else, in pieces."""
    yield _head(report)
    yield "<main>"
    yield _figures(report)
    yield _held_back(report)
    yield _warnings(report)
    yield '<section class="charts">' + "".join(_charts(report)) + "</section>"
    yield _filters(report)
    yield from _lists(report)
    yield _oldest(report)
    yield _closed(report)
    yield "</main>"
    yield _footer(report)
    yield '<dialog aria-labelledby="opened"><div class="inside"></div></dialog>'
    yield '<script type="application/json" id="data">'
    yield from data_json(report)
    yield f"</script>\n<script>{SCRIPT}</script>\n</body></html>\n"


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _head(report: FleetReport) -> str:
    # Even if markup got in, nothing but this very script and style would run, and nothing could be loaded or sent.
    sources = f"style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}"
    policy = f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"
    about = f"{report.target} · {amount(report.totals.hosts, 'host')} · {date_and_time(report.made)}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>Patch compliance · {escape(report.target)}</title>\n<style>{STYLE}</style></head>\n<body>"
        f"<header><div><h1>Patch compliance</h1><p>{escape(about)}</p></div>"
        '<button type="button" class="tool" id="theme">Light / dark</button></header>'
        "<noscript><main><p>The lists of hosts and packages need JavaScript; the charts do not.</p></main></noscript>"
    )


def _figures(report: FleetReport) -> str:
    totals = report.totals
    compliant, patches = totals.verdicts[COMPLIANT], totals.patches
    doubtful = [(totals.verdicts[verdict], WORDS[verdict]) for verdict in (UNKNOWN, NO_REPORT, UNREACHABLE)]
    lacking = [(patches[key], key) for key in ("missing", "failed")]
    figures = [
        ("compliant", percent(totals.compliant), "compliant", f"{compliant:,} of {amount(totals.hosts, 'host')}"),
        ("non-compliant", f"{totals.verdicts[NON_COMPLIANT]:,}", "hosts non-compliant", "by their baselines"),
        ("unknown", f"{sum(n for n, _ in doubtful):,}", "hosts in an unknown state", _parts(doubtful)),
        ("patches", f"{sum(n for n, _ in lacking):,}", "patches to install", _parts(lacking)),
        ("reboot", f"{len(totals.reboots):,}", "hosts wait for a reboot", "patched, but not in effect"),
        ("stale", f"{len(totals.stale):,}", "stale reports", f"older than {span(report.stale_after)}"),
    ]
    chips = [COMPLIANT, NON_COMPLIANT, "UNSURE", "LACKING", "REBOOT", "STALE"]
    if totals.cves.any:
        known = f"{totals.cves.exploited:,} exploited, {amount(len(totals.cves.affected), 'host')}"
        figures.append(("cves", f"{len(totals.cves.open):,}", "open CVEs", known))
        chips.append("CVES")
    cards = (
        f'<button type="button" class="card figure {kind}" data-list="{_LISTS.get(kind, "hosts")}" '
        f'data-chip="{chip}"><b>{value}</b><span>{words}</span><small>{escape(detail)}</small></button>'
        for (kind, value, words, detail), chip in zip(figures, chips, strict=True)
    )
    return f'<section class="figures" aria-label="Key figures">{"".join(cards)}</section>'


def _parts(parts: Sequence[tuple[int, str]]) -> str:
    """What a figure adds up: ``12 missing, 3 failed``."""
    return ", ".join(f"{number:,} {words}" for number, words in parts)


def _held_back(report: FleetReport) -> str:
    number = report.totals.patches["held_back"]
    if not number:
        return ""
    share = percent(report.totals.frozen_compliant)
    words = f"{amount(number, 'missing patch')} held back by frozen sets."
    return f'<p class="note">{words} Without these {share} of the hosts are compliant.</p>'


def _warnings(report: FleetReport) -> str:
    warnings = (*report.warnings, *report.trends.warnings)
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<section class="card warnings" aria-label="Warnings"><ul>{items}</ul></section>'


def _charts(report: FleetReport) -> Iterator[str]:
    totals = report.totals
    slices = _slices(totals.verdicts)
    ring = donut(slices, middle=percent(totals.compliant), below="compliant", label=_spoken("Hosts", slices))
    legend = "".join(
        f'<li><span><span class="mark {part.kind}"></span>{part.label}</span><span>{part.value:,}</span></li>'
        for part in slices
    )
    yield _card("Hosts", f'<div class="ring">{ring}<ul class="legend">{legend}</ul></div>', "third")
    yield _card("Compliance over time", _trend(report), "wide")
    yield _card("By system", _shares(totals.by_system))
    yield _card("Non-compliant patches by level", _levels(totals))
    cards = [("By baseline", _shares(totals.by_baseline))]
    cards += [(f"By {report.group_by}", _shares(totals.by_group))] * bool(totals.by_group)
    cards += [("By ring", _shares(totals.by_ring))] * bool(totals.by_ring)
    cards.append(("Mean time to patch", _mean(report)))
    for title, content in cards:
        yield _card(title, content, "third" if len(cards) == 3 else "")


def _card(title: str, content: str, kind: str = "") -> str:
    return f'<section class="card {kind}"><h2>{escape(title)}</h2>{content}</section>'


def _slices(verdicts: Mapping[str, int]) -> list[Slice]:
    return [Slice(WORDS[verdict].replace(" ", "-"), WORDS[verdict], verdicts[verdict]) for verdict in VERDICTS]


def _spoken(what: str, slices: Sequence[Slice]) -> str:
    return f"{what}: " + ", ".join(f"{part.value} {part.label}" for part in slices)


def _shares(shares: Sequence[Share]) -> str:
    lines = []
    for share in shares[:SHOWN_SHARES]:
        slices = _slices(share.verdicts)
        lines.append(
            f'<dt title="{escape(share.name)}">{escape(share.name)}</dt>'
            f'<dd class="bar">{stack(slices, label=_spoken(share.name, slices))}</dd>'
            f'<dd class="number">{percent(share.compliant)} of {share.hosts:,}</dd>'
        )
    more = len(shares) - SHOWN_SHARES
    note = f'<p class="note">and {more:,} more</p>' if more > 0 else ""
    return f'<dl class="bars">{"".join(lines)}</dl>{note}'


def _levels(totals: Totals) -> str:
    levels = totals.levels
    bars = _bars([(level, number, f"{number:,}") for level, number in levels.items()], max(levels.values(), default=0))
    states = [(totals.patches[key], key) for key in ("missing", "failed", "rejected")]
    states.append((totals.patches["pending"], "pending a reboot"))
    return f'{bars}<p class="note">{sum(levels.values()):,} in all: {_parts(states)}</p>'


def _bars(lines: Sequence[tuple[str, int, str]], most: int) -> str:
    """Bars of one colour each: level, length, and the words beside it."""
    drawn = (
        f'<dt>{level.lower()}</dt><dd class="bar">'
        + stack([Slice(level.lower(), level.lower(), length)], scale=max(1, most), label=f"{level.lower()}: {words}")
        + f'</dd><dd class="number">{words}</dd>'
        for level, length, words in lines
    )
    return f'<dl class="bars">{"".join(drawn)}</dl>'


def _trend(report: FleetReport) -> str:
    days = [day for day in report.trends.days if day.hosts]
    if len(days) < 2:
        return '<p class="note">The series begins today; the curve appears with the report of another day.</p>'
    points = [(day.day, day.values.get(COMPLIANT, 0) / day.hosts) for day in days]
    return trend(points, label=f"Compliant hosts from {points[0][0]} to {points[-1][0]}")


def _mean(report: FleetReport) -> str:
    known = report.trends.mean_seconds
    if not known:
        return '<p class="note">Known once a patch that a report named missing is missing no more.</p>'
    lines = [(level, round(mean), f"{span(mean)} · {amount(number, 'patch')}") for level, number, mean in known]
    return _bars(lines, max(length for _, length, _ in lines))


def _chips(report: FleetReport) -> str:
    totals = report.totals
    chips = [("", "all", totals.hosts)]
    chips += [(verdict, WORDS[verdict], totals.verdicts[verdict]) for verdict in VERDICTS]
    unsure = sum(totals.verdicts[verdict] for verdict in (UNKNOWN, NO_REPORT, UNREACHABLE))
    chips += [("UNSURE", "unknown state", unsure)]
    chips += [("LACKING", "missing or failed", sum(h.counts.missing + h.counts.failed > 0 for h in report.hosts))]
    chips += [("STALE", "stale", len(totals.stale)), ("REBOOT", "reboot pending", len(totals.reboots))]
    chips += [("OLD", "running old code", len(totals.old_code))]
    chips += [("HELD", "with updates held back", sum(host.counts.held_back > 0 for host in report.hosts))]
    chips += [("CVES", "with open CVEs", len(totals.cves.affected))]
    chips += [("EXPLOITED", "with exploited CVEs", len(totals.cves.endangered))]
    chips += [("UNSAID", "CVEs not known", len(totals.cves.unknown))]
    chips = [chip for chip in chips if chip[2] or not chip[0]]
    buttons = "".join(
        f'<button type="button" class="chip" data-chip="{name}" aria-pressed="{"false" if name else "true"}">'
        f"{words} {number:,}</button>"
        for name, words, number in chips
    )
    return f'<div class="chips" role="group" aria-label="Hosts by status">{buttons}</div>'


def _filters(report: FleetReport) -> str:
    return (
        '<section class="card filters" role="search" aria-label="Filters"><div class="head">'
        '<label class="search"><span>Search</span><input type="search" id="search" autocomplete="off" '
        'spellcheck="false" placeholder="Host, package, version, CVE, advisory …"></label>'
        '<button type="button" class="tool" id="clear" hidden>Clear filters</button></div>'
        f'<div id="selects"></div>{_chips(report)}<p class="note" id="found" role="status"></p></section>'
    )


def _lists(report: FleetReport) -> Iterator[str]:
    told = report.totals.cves.any
    advised = any(row.advisories for host in report.hosts for row in host.rows) or any(
        each.advisories for each in report.totals.cves.open
    )
    yield _list(
        "hosts", "Hosts", more='<button type="button" class="tool" id="patches-csv">CSV of their patches</button>'
    )
    yield _list("packages", "Missing packages")
    of_missing = "" if told else " of missing packages"
    yield _list("cves", "Open CVEs" if told else f"CVEs{of_missing}")
    yield _list("advisories", f"Advisories{of_missing}", attributes="" if advised else " hidden")


def _list(name: str, title: str, *, more: str = "", attributes: str = "") -> str:
    """A table that the script fills."""
    return (
        f'<section class="card list" id="{name}" aria-labelledby="{name}-title"{attributes}><div class="head">'
        f'<h2 id="{name}-title">{title} <span class="quiet"></span></h2>{more}'
        f'<button type="button" class="tool csv" aria-label="CSV of {title[0].lower()}{title[1:]}">CSV</button></div>'
        f'<table aria-labelledby="{name}-title"><thead></thead><tbody></tbody></table>'
        f'<div class="pager"><span></span><div><button type="button" class="tool" aria-label="Previous {title}">'
        f'Previous</button><button type="button" class="tool" aria-label="Next {title}">Next</button></div></div>'
        "</section>"
    )


def _footer(report: FleetReport) -> str:
    return (
        "<footer><p>Every host counts: one in an unknown state is not compliant. <b>Unknown</b>: the host could not "
        "read all of its sources, and so cannot say that nothing is missing. <b>No report</b>: it answered, but has "
        "not scanned. <b>Unreachable</b>: it did not answer.</p><p>A report older than "
        f"{escape(span(report.stale_after))} is stale. The filters are kept in the address of this page: copy it to "
        "share what you see. A CSV file has what the filters let through.</p></footer>"
    )


def _closed(report: FleetReport) -> str:
    """The CVEs that no host has any more, those closed last first."""
    closed = [each for each in report.trends.cves if each.gone]
    rows = [
        (each.id, f"{each.closed:,}", span(each.mean) if each.closed else "", date_and_time(each.gone)[:10])
        for each in closed[:SHOWN_CLOSED]
    ]
    return _static("closed", "CVEs closed last", ("CVE", "Hosts", "Mean time", "Closed"), rows)


def _static(name: str, title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without a script; nothing without rows. All but its first column are numbers."""
    if not rows:
        return ""
    kinds = ["", *[' class="count"'] * (len(titles) - 1)]
    head = "".join(f'<th scope="col"{kind}><span>{each}</span></th>' for each, kind in zip(titles, kinds, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<section class="card list" aria-labelledby="{name}-title"><div class="head"><h2 id="{name}-title">{title}'
        f'</h2></div><table aria-labelledby="{name}-title"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody>'
        "</table></section>"
    )


def _oldest(report: FleetReport) -> str:
    if not report.trends.oldest:
        return ""
    rows = "".join(
        f"<tr><td>{escape(each.host)}</td><td>{escape(each.patch)}</td>"
        f'<td><span class="badge {each.level.lower()}">{each.level.lower()}</span></td>'
        f'<td class="count">{span(max(0.0, report.made - each.since))}</td></tr>'
        for each in report.trends.oldest
    )
    titles = "".join(f'<th scope="col"><span>{title}</span></th>' for title in ("Host", "Package", "Level"))
    return (
        '<section class="card list" aria-labelledby="oldest-title"><div class="head"><h2 id="oldest-title">Oldest open '
        'patches</h2></div><table aria-labelledby="oldest-title">'
        f'<thead><tr>{titles}<th scope="col" class="count"><span>Known for</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )
