"""Figures of receptive fields: how they grow from layer to layer, what a unit sees on a given image, an animation."""

from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import read_image
from cnnlab.data.fitting import Fitting
from cnnlab.receptive_field.effective.report import EffectiveFacts, contours_of
from cnnlab.receptive_field.fields import Field, Fields
from cnnlab.receptive_field.run import Inspection, plane_of, unit_box
from cnnlab.view import gif
from cnnlab.view.blocks import Figure
from cnnlab.view.drawings import Curves, Series, Span, Spans, tile
from cnnlab.view.layer_rows import at_depth, size_text
from cnnlab.view.scenes import Box, Scene
from cnnlab.walk.layout import Layout

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


SECONDS = 0.8
"""Seconds of a layer in the animation."""


def field_figure(
    inspection: Inspection,
    layer: str,
    unit: tuple[int, int] | None,
    image: Path | None,
    facts: EffectiveFacts | None,
) -> Figure:
    """The clipped box of a unit of `layer`, and the contours of its effective field where that was measured."""
    (row, column), rows, columns = unit_box(inspection, layer, unit)
    scene = Scene(
        (inspection.network.shape[1], inspection.network.shape[2]),
        image=_background(inspection, image),
        boxes=(Box(f"field of unit {row},{column}", rows[0], rows[1], columns[0], columns[1]),),
        contours=contours_of(facts) if facts else (),
    )
    field, maps = inspection.field(layer), plane_of(inspection, layer)
    return Figure(
        "box",
        f"What unit {row},{column} of {layer} sees",
        scene,
        f"{layer} puts out {size_text(maps.size)}; the field is {size_text(field.size)} pixels, clipped here to "
        f"rows {rows[0]}–{rows[1]} and columns {columns[0]}–{columns[1]}.",
    )


def animation(inspection: Inspection, image: Path | None, path: Path) -> Path:
    """A GIF in which the central unit's box grows from layer to layer."""
    background = _background(inspection, image)
    frames: list[Figure] = []
    found = inspection.layouts.found
    layers = [field for field in inspection.fields.layers if field.name and isinstance(found.get(field.name), Layout)]
    seen: set[tuple[int, ...]] = set()
    for field in at_depth(layers):
        if field.size in seen:
            continue
        seen.add(field.size)
        _, rows, columns = unit_box(inspection, field.name, None)
        box = Box("receptive field", rows[0], rows[1], columns[0], columns[1])
        scene = Scene((inspection.network.shape[1], inspection.network.shape[2]), image=background, boxes=(box,))
        title = f"{field.name}: {size_text(field.size)} px"
        frames.append(Figure(f"layer-{len(frames)}", title, scene))
    gif.save(frames, path, seconds=SECONDS)
    return path


def _background(inspection: Inspection, image: Path | None) -> NDArray[np.uint8] | None:
    if image is None:
        return None
    channels, height, width = inspection.network.shape
    if not image.exists():
        raise RequestError(f"{image}: no such image")
    decoded = read_image(image, channels=1 if channels == 1 else 3, name=str(image))
    prepared = inspection.network.prepared
    return tile((prepared.fitting if prepared is not None else Fitting((height, width)))(decoded))
