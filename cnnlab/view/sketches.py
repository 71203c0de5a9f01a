"""Small drawings in letters: a kernel's cells, bars of a pyramid."""

import math

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import Lattice, Span, Spans

MOST_CELLS = 32
"""Rows and columns of a lattice that is drawn in letters."""

READ, SKIPPED = "●", "·"


def lattice_lines(lattice: Lattice) -> list[str]:
    """A line per row, ● where the kernel reads and · where it does not."""
    return [" ".join(READ if read else SKIPPED for read in row) for row in lattice.read.tolist()]


def span_lines(spans: Spans, width: int) -> list[str]:
    """A line per span, no longer than `width`: its label, its bar, its size; below, the ends of their common axis."""
    names = [shortened(printable(span.label), 24) for span in spans.spans]
    sizes = [size_text(span) for span in spans.spans]
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
    low, high = shown(float(least), ".4g"), shown(float(most), ".4g")
    lines.append(f"{'':{beside}} {low}{high:>{max(1, across - len(low))}}")
    return lines


def size_text(span: Span) -> str:
    """How long a span is, as every renderer writes it."""
    return "no end" if math.isinf(span.size) else shown(float(span.size), ".4g")


def _fill(cells: list[str], start: int, end: int, letter: str) -> None:
    cells[start:end] = letter * (end - start)
