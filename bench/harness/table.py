# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The figures as text: a block for every case and metric, a column for every number of workers."""

import math
import textwrap


def format_value(value):
    """Three significant digits, and never an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(measurement):
    if measurement is None:
        return f"{'-':>10}{'':>18}"
    value = format_value(measurement.median)
    spread = f"±{format_value(measurement.mad)}"
    ratio = "" if math.isnan(measurement.ratio) else f"{measurement.ratio:.2f}x"
    return f"{value:>10} {spread:<8}{ratio:>7}  "


def format_block(label, measurements, workers, titles):
    """One metric of one case. The ratio is to the best contender in the same column."""
    by_place = {(m.contender, m.workers): m for m in measurements}
    unit = measurements[0].unit
    largest = max(m.size for m in measurements)
    heads = "".join(f"{f'{n} worker' + 's' * (n > 1):>18}{'ratio':>8}  " for n in workers)
    lines = [f"{f'{label} ({unit})':<32}{heads}".rstrip()]
    measured = {m.contender for m in measurements}
    for contender in (name for name in titles if name in measured):
        cells = [by_place.get((contender, n)) for n in workers]
        sizes = {cell.size for cell in cells if cell is not None} - {largest}
        note = f" size {sizes.pop()}" if sizes else ""
        row = "".join(_cell(cell) for cell in cells)
        lines.append(f"  {titles[contender]:<30}{row}{note}".rstrip())
    return "\n".join(lines)


def _subject(verdict, titles):
    against = f" / {titles[verdict.against]}" if verdict.against else ""
    return f"{verdict.subject}: weft{against}"


def format_verdicts(verdicts, titles):
    """A line for every budget that was measured, then the names of the others."""
    lines = []
    for verdict in verdicts:
        if verdict.figure is None:
            continue
        workers = f"{verdict.workers} worker{'s' * (verdict.workers > 1)}"
        state = "reached" if verdict.reached else "NOT reached"
        value = f"{verdict.figure:.3f}" if verdict.against else format_value(verdict.figure)
        figure = f"{value:>8} (at most {verdict.at_most:g})"
        lines.append(f"  {_subject(verdict, titles) + ', ' + workers:<58}{figure} {state}")
    open_ones = dict.fromkeys(_subject(v, titles) for v in verdicts if v.figure is None)
    if open_ones:
        names = textwrap.fill("; ".join(open_ones), 96, initial_indent="    ",
                              subsequent_indent="    ")
        lines.append(f"  not measured, for want of weft or of the other:\n{names}")
    return "\n".join(lines)
