"""What one unit of a layer sees: the pixels that it reads, from its field's first to its last.

Source: Araujo, Norris & Sim 2019, https://distill.pub/2019/computing-receptive-fields; Yu & Koltun 2016,
arXiv:1511.07122 (dilation); Wang et al. 2018, arXiv:1702.08502 (its gaps, "gridding").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from cnnlab.core.errors import ShapeError
from cnnlab.receptive_field.reading import Axis, read
from cnnlab.walk.facts import Output, Walk
from cnnlab.walk.layout import moving_dims
from cnnlab.walk.reach import Reach
from cnnlab.walk.walker import walk

_MARGINS = (256, 2048, 8192)
"""Pixels by which a canvas exceeds the image, so that no border clips the field of its central unit."""

LARGEST_PATTERN = 63
"""The side of a field, in pixels, up to which the single pixels are told."""


@dataclass(frozen=True)
class Unit:
    """The central unit of a layer's output; pairs are (vertical, horizontal), in input pixels."""

    size: tuple[int, int]
    """The receptive field; the whole input where the unit sees all of it."""
    exact: bool
    """False where the border of the input clips every unit's field: `size` is a lower bound then."""
    is_global: bool
    """Whether it sees the whole input, however large that is."""
    stride: tuple[float, float] | None
    """From one unit's field to its neighbour's (the jump); None where there is one unit, or it sees everything."""
    padding: tuple[float, float] | None
    """How far the first unit's field begins outside the input, likewise."""
    density: float
    """The share of the field's pixels that the unit really reads, 0 … 1."""
    rows: tuple[int, ...] | None
    """Which rows of the field are read, from 0; None for a field that is global or larger than `LARGEST_PATTERN`."""
    columns: tuple[int, ...] | None
    """Likewise; the pixels that are read are those where a row and a column cross."""

    @property
    def taps(self) -> int | None:
        """How many pixels (of one channel) the unit reads."""
        return None if self.rows is None or self.columns is None else len(self.rows) * len(self.columns)

    @property
    def pattern(self) -> tuple[tuple[bool, ...], ...] | None:
        """The field pixel by pixel: whether it is read."""
        if self.rows is None or self.columns is None:
            return None
        return tuple(
            tuple(row in self.rows and column in self.columns for column in range(self.size[1]))
            for row in range(self.size[0])
        )


def units(model: nn.Module, real: Walk, *, bound: bool) -> dict[str, Unit]:
    """The central unit of every output of `model` that depends on the input, by the output's name.

    real: a walk at the input's own size, with its bits where patterns are wanted. bound: the model fits no other
    size, so that only the fields inside the input can be read.
    """
    best, sizes = {output.name: output for output in real.outputs}, {output.name: real for output in real.outputs}
    for margin in () if bound else _MARGINS:
        canvas = _canvas(model, real, margin)
        if canvas is None:
            break
        for output in canvas.outputs:
            best[output.name], sizes[output.name] = output, canvas
        if all(output.tag is None or all(map(_is_exact, _axes(output, canvas))) for output in canvas.outputs):
            break
    # a weight that a module works out depends on no input
    return {name: _unit(output, sizes[name], real.shape[1:]) for name, output in best.items() if output.tag is not None}


def unread(output: Output, run: Walk) -> tuple[int, int]:
    """Rows and columns of the input that no unit of `output` reads; 0 where the walk kept no bits."""
    rows, columns = (axis.unread or 0 for axis in _axes(output, run))
    return rows, columns


def _canvas(model: nn.Module, real: Walk, margin: int) -> Walk | None:
    """Walk a larger input; None where the model does not run on it, or runs something else there."""
    shape = (real.shape[0], *(side + margin for side in real.shape[1:]))
    try:
        found = walk(model, shape, bits=True, like=real)
    except ShapeError:
        return None
    return found if len(found.outputs) == len(real.outputs) else None


def _is_exact(axis: Axis) -> bool:
    """Whether no border cuts the field: it ends before one, it is everything, or no unit touches padding."""
    return axis.inside or axis.whole or axis.padded == 0


def _axes(output: Output, run: Walk) -> tuple[Axis, ...]:
    assert output.tag is not None
    return read(output.tag, run.shape[1:])


def _unit(output: Output, run: Walk, sides: Sequence[int]) -> Unit:
    axes = _axes(output, run)
    whole = [axis.whole for axis in axes]
    height, width = (
        side if everything else axis.size for axis, side, everything in zip(axes, sides, whole, strict=True)
    )
    strides, paddings = [axis.stride for axis in axes], [axis.padding for axis in axes]
    assert output.tag is not None
    dims = moving_dims([reach.hull for reach in output.tag.axes])
    flat = dims[0] is not None and dims[0] == dims[1]  # rows and columns share a dimension: they do not cross
    drawn = not any(whole) and not flat and max(height, width) <= LARGEST_PATTERN
    rows, columns = (
        _indices(reach, dim, axis) if drawn else None
        for reach, dim, axis in zip(output.tag.axes, dims, axes, strict=True)
    )
    density = 1.0
    for axis in axes:
        density *= 1.0 if axis.density is None else axis.density
    return Unit(
        size=(height, width),
        exact=all(map(_is_exact, axes)),
        is_global=all(whole),
        stride=None if strides[0] is None or strides[1] is None else (strides[0], strides[1]),
        padding=None if paddings[0] is None or paddings[1] is None else (paddings[0], paddings[1]),
        density=density,
        rows=rows,
        columns=columns,
    )


def _indices(reach: Reach, dim: int | None, axis: Axis) -> tuple[int, ...] | None:
    """Which indices the central unit reads, from the first of its field; None where the walk kept no bits."""
    if reach.bits is None:
        return None
    others = tuple(d for d in range(1, reach.bits.ndim) if dim is None or d != dim + 1)
    words = np.bitwise_or.reduce(reach.bits, axis=others).reshape(len(reach.bits), -1)
    mine = np.ascontiguousarray(words[:, min(axis.unit, words.shape[1] - 1)], dtype="<u8")
    read_ = np.flatnonzero(np.unpackbits(mine.view(np.uint8), bitorder="little"))
    return tuple(int(index) - axis.first for index in read_)
