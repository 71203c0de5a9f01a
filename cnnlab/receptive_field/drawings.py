"""How receptive fields grow from layer to layer, and what the central unit of each sees: two figures."""

from math import sqrt

from cnnlab.receptive_field.fields import Field, Fields
from cnnlab.view.blocks import Figure
from cnnlab.view.drawings import Curves, Series, Span, Spans
from cnnlab.view.layer_rows import at_depth

MOST_SPANS = 40
"""Rows of the pyramid."""


def _planes(fields: Fields) -> list[Field]:
    """The rows of the table that have units at several places."""
    rows = at_depth([field for field in fields.layers if field.name])
    return [field for field in rows if len(field.output) > 1 and not field.is_global]


def field_figures(fields: Fields) -> tuple[Figure, ...]:
    """Both; none for a network in which nothing has a place, such as one of dense layers alone."""
    return (_growth(fields), _pyramid(fields)) if _planes(fields) else ()


def _growth(fields: Fields) -> Figure:
    """r over depth."""
    rows = _planes(fields)
    x = tuple(float(place) for place in range(1, len(rows) + 1))
    longest = tuple(sqrt(field.size[0] * field.size[-1]) for field in rows)
    shortest = tuple(sqrt(field.shortest[0] * field.shortest[-1]) for field in rows)
    side = sqrt(fields.shape[1] * fields.shape[-1])
    return Figure(
        "growth",
        "How the receptive field grows",
        Curves(
            (
                Series("r, the longest path", x, longest),
                Series("r min, the shortest path", x, shortest, "dashed"),
                Series("the image's side", x, (side,) * len(x), "faint", colour=6),
            ),
            "layer, in the order in which they run",
            "side of the field (px)",
        ),
        "Where the upper line crosses the image's side, a unit can see all of it; behind the crossing of the lower "
        "one, every path has seen it.",
    )


def _pyramid(fields: Fields) -> Figure:
    """The central unit's extent along a row of pixels, layer by layer."""
    rows = _planes(fields)
    distinct = [field for place, field in enumerate(rows) if place == 0 or field.size != rows[place - 1].size]
    width = float(fields.shape[-1])
    spans = []
    for field in distinct[-MOST_SPANS:]:
        first, last = field.box[-1]
        clipped = first == 0 or last == fields.shape[-1] - 1
        centre = width / 2 if clipped else (first + last + 1) / 2
        spans.append(Span(field.name, centre - field.size[-1] / 2, centre + field.size[-1] / 2))
    return Figure(
        "pyramid",
        "What the central unit of each layer sees",
        Spans(tuple(spans), "column of the image (px)", "receptive field", extent=(0.0, width)),
        "Bars that reach beyond the image see padding there.",
    )
