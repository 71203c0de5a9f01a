"""Small drawings in letters: a kernel's cells, bars of a pyramid."""

import math

from cnnlab.render.characters import printable, shortened
from cnnlab.reports.drawings import Lattice, Spans

MOST_CELLS = 32
"""Rows and columns of a lattice that is drawn in letters."""

READ, SKIPPED = "●", "·"


def lattice_lines(lattice: Lattice) -> list[str]:
    """A line per row, ● where the kernel reads and · where it does not."""
    return [" ".join(READ if read else SKIPPED for read in row) for row in lattice.read.tolist()]


def span_lines(spans: Spans, width: int) -> list[str]:
    """A line per span, no longer than `width`: its label, its bar over a common axis, its size; the axis below."""
    names = [shortened(printable(span.label), 24) for span in spans.spans]
    sizes = ["no end" if math.isinf(span.size) else f"{span.size:.4g}" for span in spans.spans]
    beside, behind = max(map(len, names)), max(map(len, sizes))
    across = max(8, min(64, width - beside - behind - 2))
    least, most = spans.limits

    def place(value: float) -> int:
        return round(across * (min(max(value, least), most) - least) / (most - least))

    shade = [" "] * across
    if spans.extent is not None:
        start, end = map(place, spans.extent)
        shade[start:end] = SKIPPED * (end - start)
    lines = []
    for span, name, size in zip(spans.spans, names, sizes, strict=True):
        cells = list(shade)
        start = min(place(span.low), across - 1)
        _fill(cells, start, max(place(span.high), start + 1), "▒" if span.inner is not None else "█")
        if span.inner is not None:
            start = min(place(span.inner[0]), across - 1)
            _fill(cells, start, max(place(span.inner[1]), start + 1), "█")
        lines.append(f"{name:<{beside}} {''.join(cells)} {size:>{behind}}")
    low, high = f"{least:.4g}".replace("-", "−"), f"{most:.4g}".replace("-", "−")
    lines.append(f"{'':{beside}} {low}{high:>{max(1, across - len(low))}} {printable(spans.x_label)}")
    return lines


def _fill(cells: list[str], start: int, end: int, letter: str) -> None:
    cells[start:end] = letter * (end - start)
