# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The ratios as an SVG: a row for every case, metric and number of workers, a dot for every
contender, its place the ratio to the best one on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

from .running import PEAK_MEMORY

COLOURS = {
    "weft": "#0d1117",
    "libfork": "#8250df",
    "onetbb": "#0969da",
    "asio": "#1a7f37",
    "tokio": "#bc4c00",
    "go": "#d4a72c",
    "uvloop": "#bf3989",
    "bare": "#8c959f",
    "epoll": "#8c959f",
}
LEFT, RIGHT, TOP, ROW, WIDTH = 230, 40, 64, 22, 900


def _text(x, y, content, anchor="start", weight="normal", colour="#24292f"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}">{escape(content)}</text>'
    )


def _line(x, top, bottom, colour="#d0d7de"):
    return f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"/>'


def _scale(largest):
    """Returns the place of a ratio, and the ratios that get a grid line."""
    top = max(1, math.ceil(math.log2(max(largest, 2))))
    width = WIDTH - LEFT - RIGHT
    return lambda ratio: LEFT + width * math.log2(ratio) / top, [2**i for i in range(top + 1)]


def _legend(contenders, titles):
    parts = []
    x = LEFT
    for contender in contenders:
        colour = COLOURS.get(contender, "#24292f")
        parts.append(f'<circle cx="{x}" cy="36" r="5" fill="{colour}"/>')
        parts.append(_text(x + 10, 40, titles[contender]))
        x += 30 + 7 * len(titles[contender])
    return parts


def _row(y, label, measurements, place, titles):
    parts = [_text(LEFT - 14, y + 4, label, "end")]
    ratios = [m.ratio for m in measurements]
    parts.append(
        f'<line x1="{place(min(ratios)):.1f}" y1="{y}" x2="{place(max(ratios)):.1f}" y2="{y}" '
        f'stroke="#d0d7de" stroke-width="2"/>'
    )
    # weft last, so that no dot hides its own.
    for m in sorted(measurements, key=lambda m: m.contender == "weft"):
        colour = COLOURS.get(m.contender, "#24292f")
        note = f"{titles[m.contender]}: {m.median:.6g} {m.unit}, {m.ratio:.2f} of the best"
        radius = 7 if m.contender == "weft" else 5
        parts.append(
            f'<circle cx="{place(m.ratio):.1f}" cy="{y}" r="{radius}" fill="{colour}" '
            f'fill-opacity="0.85"><title>{escape(note)}</title></circle>'
        )
    return parts


def render(measurements, titles, caption):
    """The whole picture as text; measurements without a ratio are left out."""
    rows = {}
    labels = list(dict.fromkeys(m.label for m in measurements))
    for m in sorted(measurements, key=lambda m: (labels.index(m.label), m.workers)):
        if math.isfinite(m.ratio) and m.ratio >= 1 and m.metric != PEAK_MEMORY:
            rows.setdefault(f"{m.label}, {m.workers}w", []).append(m)
    place, grid = _scale(max((m.ratio for row in rows.values() for m in row), default=2))
    bottom = TOP + ROW * len(rows) + 10
    contenders = list(dict.fromkeys(m.contender for m in measurements))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 46}" '
        f'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{bottom + 46}" fill="#ffffff"/>',
        _text(LEFT, 18, "Time over the best contender's (left is better)", weight="bold"),
        *_legend(contenders, titles),
    ]
    for ratio in grid:
        parts.append(_line(place(ratio), TOP - 8, bottom))
        parts.append(_text(place(ratio), bottom + 16, f"{ratio}x", "middle", colour="#57606a"))
    for i, (label, row) in enumerate(rows.items()):
        parts += _row(TOP + ROW * i + ROW / 2, label, row, place, titles)
    parts += [_text(LEFT, bottom + 38, caption, colour="#57606a"), "</svg>"]
    return "\n".join(parts) + "\n"
