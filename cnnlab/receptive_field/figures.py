"""The box of a unit drawn on a person's image, with the effective field inside it; and all layers as an animation."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import fit_image, read_image
from cnnlab.receptive_field.effective.report import EffectiveFacts, contours_of
from cnnlab.receptive_field.run import Inspection, plane_of, unit_box
from cnnlab.view import gif
from cnnlab.view.blocks import Figure
from cnnlab.view.layer_rows import at_depth, size_text
from cnnlab.view.scenes import Box, Scene
from cnnlab.view.tiles import tile
from cnnlab.walk.layout import Layout

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
    if height != width:
        raise RequestError(f"`image` is drawn for square images; these are {height} × {width}")
    return tile(fit_image(decoded, height, "crop"))
