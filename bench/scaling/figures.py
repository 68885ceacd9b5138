# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The simulator's results as SVG: curves on logarithmic axes, and bars of where time goes."""

import math
from xml.sax.saxutils import escape

WORKLOADS = ("fib", "uneven", "tiny", "large", "burst", "inject", "ping", "echo", "echo_busy")
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STEPS = (
    ("today", (), "#0d1117"),
    ("steal by request", ("steal_fence=2",), "#8250df"),
    ("and parkers without membarrier", ("park_fence=1",), "#0969da"),
    ("and begin_search adds", ("search_add=1",), "#1a7f37"),
    ("and announcing the first fork only", ("announce_first=1",), "#d4a72c"),
    ("and an idle set for each L3: proposed", ("idle_groups=1",), "#bc4c00"),
)
KINDS = {
    "work": "#1a7f37", "announce": "#d4a72c", "search": "#0969da", "idle_line": "#bc4c00",
    "injection": "#a40e26", "fence": "#8250df", "interrupt": "#d2a8ff", "wake": "#57606a",
    "registry": "#953800", "poll": "#54aeff", "sleep": "#eaeef2",
}
PANEL, GAP, LEFT, TOP = 230, 62, 56, 66


def _text(x, y, content, anchor="start", weight="normal", colour="#24292f"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{colour}">{escape(content)}</text>')


def _picture(width, height, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>"]) + "\n"


def _place(column, row):
    return LEFT + column * (PANEL + GAP), TOP + row * (PANEL + GAP)


def _across(workers):
    return PANEL * math.log2(workers) / math.log2(COUNTS[-1])


def _axes(x, y, title):
    parts = [_text(x + PANEL / 2, y - 8, title, "middle", "bold")]
    for count in COUNTS[::2]:
        at = _across(count)
        parts.append(f'<line x1="{x + at:.1f}" y1="{y}" x2="{x + at:.1f}" y2="{y + PANEL}" '
                     f'stroke="#d0d7de"/>')
        parts.append(f'<line x1="{x}" y1="{y + PANEL - at:.1f}" x2="{x + PANEL}" '
                     f'y2="{y + PANEL - at:.1f}" stroke="#d0d7de"/>')
        parts.append(_text(x + at, y + PANEL + 16, str(count), "middle", colour="#57606a"))
        parts.append(_text(x - 6, y + PANEL - at + 4, str(count), "end", colour="#57606a"))
    parts.append(f'<line x1="{x}" y1="{y + PANEL}" x2="{x + PANEL}" y2="{y}" stroke="#8c959f" '
                 f'stroke-dasharray="4 4"/>')
    return parts


def _curve(x, y, values, colour):
    points = []
    for count, value in zip(COUNTS, values):
        height = _across(min(max(value, 1), COUNTS[-1]))
        points.append(f"{x + _across(count):.1f},{y + PANEL - height:.1f}")
    dots = "".join(
        f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}">'
        f"<title>{count} workers: {value:.1f}</title></circle>"
        for p, count, value in zip(points, COUNTS, values))
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" ' \
           f'stroke-width="2"/>{dots}'


def _legend(entries, y=34):
    parts = []
    x = LEFT
    for title, colour in entries:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(x + 17, y, title))
        x += 36 + 6.6 * len(title)
    return parts


def speed_ups(simulator):
    """A panel for each workload: today's rules and the proposed ones."""
    proposed = tuple(rule for _, rules, _ in STEPS for rule in rules)
    parts = [_text(LEFT, 16, "Speed-up over one worker, by workers", weight="bold"),
             *_legend((("today", STEPS[0][2]), ("proposed", STEPS[-1][2])))]
    for i, workload in enumerate(WORKLOADS):
        x, y = _place(i % 3, i // 3)
        parts += _axes(x, y, workload)
        for rules, colour in ((proposed, STEPS[-1][2]), ((), STEPS[0][2])):
            values = [simulator.speed_up(workload, count, *(rules if count > 1 else ()))
                      for count in COUNTS]
            parts.append(_curve(x, y, values, colour))
    width, height = _place(3, 3)
    return _picture(width - 20, height - 20, parts)


def steps(simulator, workloads=("fib", "uneven", "echo")):
    """What each further change adds."""
    parts = [_text(LEFT, 16, "Speed-up over one worker, one change after the other",
                   weight="bold"),
             *_legend([(title, colour) for title, _, colour in STEPS[:3]]),
             *_legend([(title, colour) for title, _, colour in STEPS[3:]], 54)]
    for i, workload in enumerate(workloads):
        x, y = _place(i, 0)
        y += 24
        parts += _axes(x, y, workload)
        rules = ()
        for _, more, colour in STEPS:
            rules += more
            values = [simulator.speed_up(workload, count, *(rules if count > 1 else ()))
                      for count in COUNTS]
            parts.append(_curve(x, y, values, colour))
    width, height = _place(3, 1)
    return _picture(width - 20, height + 4, parts)


def _bar(x, y, run):
    parts = []
    at = y + PANEL
    for kind, colour in KINDS.items():
        height = PANEL * run.share(kind)
        at -= height
        parts.append(f'<rect x="{x:.1f}" y="{at:.1f}" width="20" height="{height:.1f}" '
                     f'fill="{colour}"><title>{kind}: {100 * run.share(kind):.1f} %</title></rect>')
    return parts


def shares(simulator, workloads=("fib", "uneven", "tiny", "burst", "ping", "echo")):
    """Where the workers' time goes under today's rules."""
    parts = [_text(LEFT, 16, "Share of all workers' time under today's rules, by workers",
                   weight="bold"), *_legend(KINDS.items())]
    for i, workload in enumerate(workloads):
        x, y = _place(i % 3, i // 3)
        parts.append(_text(x + PANEL / 2, y - 8, workload, "middle", "bold"))
        for k, count in enumerate(COUNTS):
            left = x + k * PANEL / len(COUNTS)
            parts += _bar(left, y, simulator.run(workload, count))
            parts.append(_text(left + 10, y + PANEL + 16, str(count), "middle", colour="#57606a"))
    width, height = _place(3, 2)
    return _picture(width - 20, height - 20, parts)


def write(simulator, folder):
    """Three pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("speed_up", speed_ups), ("steps", steps), ("shares", shares)):
        path = folder / f"scaling_{name}.svg"
        path.write_text(draw(simulator), encoding="utf-8")
        print(path)
