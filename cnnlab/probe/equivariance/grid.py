"""The grid of a layer's units over the image: how far its cells lie apart, and which of them no border reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.network.network import Network
from cnnlab.network.runnable import check_ran
from cnnlab.receptive_field.fields import Fields, fields_with_and_without_gates
from cnnlab.receptive_field.reading import Units, units_of
from cnnlab.view.layer_rows import at_depth
from cnnlab.walk.facts import Output
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts, layouts_of

NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Grid:
    """One layer's units; pairs are (along rows, along columns), lengths in pixels."""

    name: str
    kind: str
    """The class of the module."""
    layout: Layout | None
    """None where the layer's output is no map of the image."""
    why: str
    """Why it is none."""
    image: tuple[int, int]
    """Height and width of the image."""
    stride: tuple[float | None, float | None] = (None, None)
    """Pixels from one cell to the next; None where nothing tells."""
    centre: tuple[float | None, float | None] = (None, None)
    """Centre of the first cell, from 0 at the centre of the first pixel."""
    units: tuple[Units, Units] | None = None

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the map; (1, 1) of what is none."""
        return (1, 1) if self.layout is None else self.layout.size[1:]

    def move(self, pixels: float, axis: int) -> float | None:
        """By how many cells the map moves when the image does by `pixels`; None where nothing tells."""
        stride = self.stride[axis]
        return None if stride is None else pixels / stride

    def fits(self, pixels: float, axis: int) -> int | None:
        """`move`, where it is a whole number of cells; None otherwise."""
        cells = self.move(pixels, axis)
        return round(cells) if cells is not None and abs(cells - round(cells)) < NEAR else None

    def closes(self, axis: int) -> bool:
        """Whether the cells cover the image once around: as many of them as strides go into it."""
        stride = self.stride[axis]
        return stride is not None and abs(stride * self.cells[axis] - self.image[axis]) < NEAR

    def middle(self, axis: int) -> float | None:
        """Where the image's centre lies on the map, in cells from 0; None where nothing tells."""
        stride, centre = self.stride[axis], self.centre[axis]
        return None if stride is None or centre is None else ((self.image[axis] - 1) / 2 - centre) / stride

    def interior(self, pixels: int, axis: int) -> NDArray[np.int64]:
        """The cells that see nothing but what they saw before the image moved, by the receptive fields.

        Cell u sees after a shift by s pixels what u − s/S saw before: neither reads padding, nor what came in from
        outside, and their fields lie s pixels apart. None of them where s is no whole number of cells.
        """
        cells = self.fits(pixels, axis)
        if cells is None or self.units is None:
            return np.zeros(0, dtype=np.int64)
        units, count = self.units[axis], self.cells[axis]
        here = np.arange(count)
        there = here - cells
        here = here[(there >= 0) & (there < count)]
        there = here - cells
        same = (units.first[here] - pixels == units.first[there]) & (units.last[here] - pixels == units.last[there])
        known = units.first[here] >= max(0, pixels)
        known &= units.last[here] < self.image[axis] + min(0, pixels)
        found: NDArray[np.int64] = here[same & known & ~units.padded[here] & ~units.padded[there]]
        return found


def grids(network: Network, depth: int | None = None) -> tuple[Grid, ...]:
    """The grids of the layers of a network, in the order in which they end; of a deep one those of an upper level.

    Where a layer sees all of the image, as behind attention, its cells are taken to lie as those of the last layer with
    as many, or evenly over the image.

    Arguments:
        network: opened with or without its values.
        depth: how deep to go into layers of layers; by default as deep as a table has room for.

    Returns: a grid for each layer; those whose output is no map say why.

    Raises: RequestError where the network cannot run at its size.
    """
    kept, ungated = fields_with_and_without_gates(network.model, network.shape)
    check_ran(network, kept.walk)
    layouts = layouts_of(network.model, network.shape)
    found: list[Grid] = []
    for output in at_depth([output for name, output in layouts.last.items() if name], depth):
        found.append(_grid(output, kept, ungated, layouts, found))
    return tuple(found)


def _grid(output: Output, kept: Fields, ungated: Fields, layouts: Layouts, before: Sequence[Grid]) -> Grid:
    image = kept.shape[1], kept.shape[2]
    layout = layouts.found[output.name]
    if output.part or isinstance(layout, str) or not layout.has_places:
        why = "several tensors" if output.part else layout if isinstance(layout, str) else "a single place"
        return Grid(output.layer, output.kind, None, why, image)
    field = next((one for one in ungated.layers if one.name == output.name), None)
    cells = layout.size[1:]
    like = next((one for one in reversed(before) if one.layout is not None and one.cells == cells), None)
    strides: list[float | None] = []
    centres: list[float | None] = []
    for axis in (0, 1):
        even = image[axis] / cells[axis]
        step, centre = (None, None) if field is None else (field.stride[axis], field.centre[axis])
        if step is None:
            step, centre = (even, (even - 1) / 2) if like is None else (like.stride[axis], like.centre[axis])
        strides.append(step)
        centres.append(centre)
    seen = kept.walk.output(output.name)
    units = None if seen is None or seen.tag is None else units_of(seen.tag, layout)
    return Grid(output.layer, output.kind, layout, "", image, (strides[0], strides[1]), (centres[0], centres[1]), units)
