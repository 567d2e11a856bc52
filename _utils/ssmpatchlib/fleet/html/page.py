# SPDX-License-Identifier: Apache-2.0
"""The page itself: figures and charts as markup, the lists as data for the script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from ...model import COMPLIANT, NON_COMPLIANT, UNKNOWN
from ..fleetreport import FleetReport
from ..formatting import amount, date_and_time, span
from ..hosts import NO_REPORT, UNREACHABLE, VERDICTS
from ..totals import WORDS, Share, percent
from .charts import Slice, donut, stack, trend
from .data import data_json
from .script import SCRIPT
from .style import STYLE

SHOWN_SHARES = 10


def html_text(report: FleetReport) -> Iterator[str]:
    """The report as one HTML page that needs nothing else, in pieces."""
    yield _head(report)
    yield "<main>"
    yield _figures(report)
    yield _held_back(report)
    yield _warnings(report)
    yield '<section class="charts">' + "".join(_charts(report)) + "</section>"
    yield _list("hosts", "Hosts", "Host, address, system, baseline …", _chips(report))
    yield _list("packages", "Missing packages", "Package or version …", "")
    yield _oldest(report)
    yield "<footer>Every host counts: one without a report, or that did not answer, is not compliant. "
    yield f"A report older than {escape(span(report.stale_after))} is stale.</footer></main>"
    yield '<dialog aria-label="Details"><div class="inside"></div></dialog>'
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
    unsure = sum(totals.verdicts[verdict] for verdict in (UNKNOWN, NO_REPORT, UNREACHABLE))
    figures = [
        ("compliant", percent(totals.compliant), "of hosts compliant", COMPLIANT, "hosts"),
        ("non-compliant", f"{totals.verdicts[NON_COMPLIANT]:,}", "hosts non-compliant", NON_COMPLIANT, "hosts"),
        ("unknown", f"{unsure:,}", "hosts without a sure answer", "UNSURE", "hosts"),
        ("patches", f"{totals.patches['missing'] + totals.patches['failed']:,}", "missing patches", "", "packages"),
        ("reboot", f"{len(totals.reboots):,}", "hosts wait for a reboot", "REBOOT", "hosts"),
        ("stale", f"{len(totals.stale):,}", "stale reports", "STALE", "hosts"),
    ]
    cards = (
        f'<button type="button" class="card figure {kind}" data-list="{target}" data-chip="{chip}">'
        f"<b>{value}</b><span>{words}</span></button>"
        for kind, value, words, chip, target in figures
    )
    return f'<section class="figures" aria-label="Key figures">{"".join(cards)}</section>'


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
    return f'<section class="card warnings"><ul>{items}</ul></section>'


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
    yield _card("Non-compliant patches by level", _levels(totals.levels))
    kind = "third" if totals.by_group else ""
    yield _card("By baseline", _shares(totals.by_baseline), kind)
    if totals.by_group:
        yield _card(f"By {report.group_by}", _shares(totals.by_group), kind)
    yield _card("Mean time to patch", _mean(report), kind)


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


def _levels(levels: Mapping[str, int]) -> str:
    most = max(levels.values(), default=0)
    return _bars([(level, number, f"{number:,}") for level, number in levels.items()], most)


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
    chips += [("STALE", "stale", len(totals.stale)), ("REBOOT", "reboot pending", len(totals.reboots))]
    chips += [("HELD", "with updates held back", sum(host.counts.held_back > 0 for host in report.hosts))]
    chips = [chip for chip in chips if chip[2] or not chip[0]]
    buttons = "".join(
        f'<button type="button" class="chip" data-chip="{name}" aria-pressed="{"false" if name else "true"}">'
        f"{words} {number:,}</button>"
        for name, words, number in chips
    )
    return f'<div class="chips">{buttons}</div>'


def _list(name: str, title: str, hint: str, chips: str) -> str:
    return (
        f'<section class="card list" id="{name}"><div class="head"><h2>{title}</h2>'
        f'<input type="search" placeholder="{hint}" aria-label="Search {title.lower()}"></div>{chips}'
        '<div class="scroll"><table><thead></thead><tbody></tbody></table></div>'
        '<div class="pager"><span></span><div><button type="button" class="tool">Previous</button>'
        '<button type="button" class="tool">Next</button></div></div></section>'
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
        '<section class="card list"><div class="head"><h2>Oldest open patches</h2></div><div class="scroll"><table>'
        f'<thead><tr>{titles}<th scope="col" class="count"><span>Known for</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )
