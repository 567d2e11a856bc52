# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG: drawn without a script, coloured by classes, so that one drawing fits light, dark and print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_RADIUS = 54.0
_RING = 20
#: How many parts the axis of shares has.
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a chart: its CSS class, its label and its number."""

    kind: str
    label: str
    value: int


def donut(slices: Sequence[Slice], *, middle: str, below: str, label: str) -> str:
    """A ring of the parts, with a text in its middle."""
    total = sum(part.value for part in slices)
    circumference = 2 * math.pi * _RADIUS
    drawn = []
    start = 0.0
    for part in slices:
        length = circumference * part.value / total if total else 0.0
        if length:
            # A hair's breadth between parts; a part too thin for it is drawn whole.
            shown = length - 1.5 if 3 < length < circumference else length
            drawn.append(
                f'<circle class="{part.kind}" cx="80" cy="80" r="{_RADIUS}" fill="none" stroke-width="{_RING}" '
                f'stroke-dasharray="{shown:.2f} {circumference - shown:.2f}" stroke-dashoffset="{-start:.2f}" '
                f'transform="rotate(-90 80 80)"><title>{escape(part.label)}: {part.value:,}</title></circle>'
            )
        start += length
    if not total:
        drawn.append(f'<circle class="empty" cx="80" cy="80" r="{_RADIUS}" fill="none" stroke-width="{_RING}"/>')
    return (
        f'<svg class="donut" viewBox="0 0 160 160" role="img" aria-label="{escape(label)}">{"".join(drawn)}'
        f'<text class="middle" x="80" y="82" text-anchor="middle">{escape(middle)}</text>'
        f'<text class="below" x="80" y="98" text-anchor="middle">{escape(below)}</text></svg>'
    )


def stack(slices: Sequence[Slice], *, scale: int | None = None, label: str) -> str:
    """One horizontal bar of the parts; ``scale`` is what the whole width stands for, the sum unless given."""
    whole = scale or sum(part.value for part in slices)
    drawn = []
    left = 0.0
    for part in slices:
        width = 100 * part.value / whole if whole else 0.0
        if width:
            drawn.append(
                f'<rect class="{part.kind}" x="{left:.3f}" y="0" width="{max(width, 0.4):.3f}" height="10">'
                f"<title>{escape(part.label)}: {part.value:,}</title></rect>"
            )
        left += width
    return (
        f'<svg class="stack" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f'<rect class="track" x="0" y="0" width="100" height="10"/>{"".join(drawn)}</svg>'
    )


def trend(points: Sequence[tuple[str, float]], *, label: str) -> str:
    """A line over days; each point is a day and a share of 0 to 1. The axis has all of it: 0 to 100 %."""
    width, height, left, top, bottom = 640.0, 200.0, 54.0, 12.0, 26.0
    step = (width - left - 12) / max(1, len(points) - 1)

    def place(index: int, share: float) -> tuple[float, float]:
        return left + index * step, top + (height - top - bottom) * (1 - share)

    lines = []
    for tick in range(_TICKS + 1):
        share = tick / _TICKS
        y = place(0, share)[1]
        lines.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{width}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    places = [place(index, share) for index, (_, share) in enumerate(points)]
    path = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
    base = height - bottom
    area = f"{path} L{places[-1][0]:.1f} {base} L{places[0][0]:.1f} {base} Z"
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{3 if len(points) < 40 else 1.5}">'
        f"<title>{escape(day)}: {share:.1%}</title></circle>"
        for (x, y), (day, share) in zip(places, points, strict=True)
    )
    first, last = points[0][0], points[-1][0]
    return (
        f'<svg class="trend" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f'{"".join(lines)}<path class="area" d="{area}"/><path class="line" d="{path}"/>{dots}'
        f'<text x="{left}" y="{height - 6}">{escape(first)}</text>'
        f'<text x="{width - 12}" y="{height - 6}" text-anchor="end">{escape(last)}</text></svg>'
    )
