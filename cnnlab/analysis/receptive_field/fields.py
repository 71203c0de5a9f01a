"""The receptive field of every layer of a network: on a canvas that is large enough, and at the picture's own size.

The canvas gives r, S and P, which no border disturbs; the walk at the real size gives what is clipped there: boxes,
coverage, padding, gaps. On meta tensors a canvas of thousands of pixels costs no more than a small one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Literal

from torch import nn

from cnnlab.analysis.receptive_field.reading import Axis, read
from cnnlab.analysis.walk.facts import Output, Walk
from cnnlab.analysis.walk.reach import Tag
from cnnlab.analysis.walk.walker import walk, walked

Reading = Callable[[Tag, tuple[int, ...]], tuple[Axis, ...]]
"""`read`, which may remember: what a layer puts out is often what another put in."""

Flag = Literal["global", "gaps", "misaligned", "varies", "channels", "clipped", "unread"]

_MARGINS, _SMALLER = (2048, 8192, 32768), (512, 128)
"""Pixels by which the canvas exceeds the picture: multiples of every common stride, so that padding which depends on
the picture's size is the same on both. Larger ones follow while fields are clipped, smaller ones for want of memory."""

_BUDGET = 2**24
"""Numbers that a tag on the canvas may need."""

_VALUES_CANVAS = 768
"""The largest side of a canvas on which a network that looks at its values is run."""


@dataclass(frozen=True, eq=False)
class Field:
    """What the units of one layer's output see; pairs are (vertical, horizontal), in input pixels."""

    name: str
    kind: str
    depth: int
    leaf: bool
    output: tuple[int, ...]
    """The shape at the picture's size, without the batch."""
    size: tuple[int, ...]
    """r; the whole axis where the layer is global."""
    exact: bool
    """False where every unit is clipped by the border of every canvas that the network runs on: r is a lower bound."""
    sizes: tuple[tuple[int, int], ...]
    channels: tuple[tuple[int, int], ...]
    stride: tuple[float | None, ...]
    padding: tuple[float | None, ...]
    centre: tuple[float | None, ...]
    """Of the first unit: (r − 1)/2 − P, from 0 at the centre of the first pixel."""
    shortest: tuple[int, ...]
    """r along the shortest path (r_min)."""
    is_global: bool
    """Every unit sees the whole picture, however large it is."""
    because: str | None
    """The layer that made it so."""
    box: tuple[tuple[int, int], ...]
    """(first, last) pixel of the central unit at the picture's size, clipped, inclusive."""
    coverage: float
    """The share of the picture inside that box, 0 … 1."""
    padded: float
    """The share of units whose field touches padding, 0 … 1. Padding around a map of a single row or column is not
    counted: along that axis nothing tells its units apart."""
    density: float
    """The share of the pixels inside the box that the unit really reads, 0 … 1."""
    unread: tuple[int, ...]
    """Rows and columns of the picture that no unit of this layer reads."""
    misaligned: tuple[float, ...] | None
    """Where paths meet in this layer's own code: how far their centres lie apart, in pixels."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is out of the ordinary."""
        found: list[Flag] = ["global"] if self.is_global else []
        if self.density < 0.995 and not self.is_global:
            found.append("gaps")
        if self.misaligned and max(self.misaligned) > 0:
            found.append("misaligned")
        if any(low != high for low, high in self.sizes) and not self.is_global:
            found.append("varies")
        if any(low != high for low, high in self.channels) and not self.is_global:
            found.append("channels")
        if not self.exact:
            found.append("clipped")
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Fields:
    """Those of all layers, in the order in which they ran."""

    shape: tuple[int, ...]
    """(channels, height, width) of the picture."""
    layers: tuple[Field, ...]
    walk: Walk
    """At the picture's own size."""
    canvas: Walk | None

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.layers if field.name == name)


def receptive_fields(model: nn.Module, shape: Sequence[int], *, ignore_gates: bool = False) -> Fields:
    """Those of every module's output for pictures of `shape` (channels, *spatial).

    A network that cannot run at this size gives the layers up to where it stops; `walk.failure` says why it does.
    """
    real = walked(model, shape, bits=True, count=True, ignore_gates=ignore_gates)
    read_once: Reading = cache(read)
    canvas = _canvas(model, real, ignore_gates, read_once)
    large = {output.name: output for output in canvas.outputs} if canvas else {}
    layers = [
        field_of(output, real, large.get(output.name), canvas, read_once)
        for output in real.outputs
        if output.tag is not None
    ]
    return Fields(tuple(shape), tuple(layers), real, canvas)


def _canvas(model: nn.Module, real: Walk, ignore_gates: bool, reading: Reading) -> Walk | None:
    """A walk on which the central fields of all layers lie inside, or the largest that the network can run on."""
    if real.on_values:
        side = max(real.shape[1:])
        margins = [margin for margin in (side, 3 * side) if side + margin <= _VALUES_CANVAS]
    else:
        margins = list(_MARGINS)
    found, smaller = None, iter(_SMALLER)
    while margins:
        margin = margins.pop(0)
        shape = (real.shape[0], *(side + margin for side in real.shape[1:]))
        tried = walk(model, shape, on_values=real.on_values, ignore_gates=ignore_gates, budget=_BUDGET)
        if tried.over_budget and found is None:
            margins = [margin for margin in [next(smaller, 0)] if margin]
            continue
        if not tried.outputs or (found and len(tried.outputs) < len(found.outputs)):
            break
        found = tried
        if all(_is_inside(output, shape[1:], reading) for output in tried.outputs):
            break
    return found


def _is_inside(output: Output, sizes: tuple[int, ...], reading: Reading) -> bool:
    if output.tag is None:
        return True
    axes = zip(reading(output.tag, sizes), output.tag.because, strict=True)
    return all(axis.inside or axis.whole or because for axis, because in axes)


def field_of(output: Output, real: Walk, large: Output | None, canvas: Walk | None, reading: Reading = read) -> Field:
    """One layer's, from its output at the picture's size and, where there is one, on the canvas."""
    assert output.tag is not None
    here = reading(output.tag, real.shape[1:])
    there = reading(large.tag, canvas.shape[1:]) if canvas and large and large.tag else here
    if canvas and large and not _grows(output, large, there, canvas.shape[1] - real.shape[1]):
        there, large = here, None  # an adaptive pool: its windows depend on the picture's size
    reasons = large.tag.because if large and large.tag else output.tag.because
    whole = [axis.whole for axis in there]
    sides = real.shape[1:]
    size = tuple(side if all_ else axis.size for axis, side, all_ in zip(there, sides, whole, strict=True))
    box = tuple((axis.first, axis.last) for axis in here)
    return Field(
        name=output.name,
        kind=output.kind,
        depth=output.depth,
        leaf=output.leaf,
        output=output.shape[1:],
        size=size,
        exact=all(axis.inside or all_ for axis, all_ in zip(there, whole, strict=True)),
        sizes=tuple(axis.sizes for axis in there),
        channels=tuple(axis.channels for axis in there),
        stride=tuple(None if all_ else axis.stride for axis, all_ in zip(there, whole, strict=True)),
        padding=tuple(None if all_ else axis.padding for axis, all_ in zip(there, whole, strict=True)),
        centre=tuple(
            None if all_ or axis.padding is None else (axis.size - 1) / 2 - axis.padding
            for axis, all_ in zip(there, whole, strict=True)
        ),
        shortest=tuple(min(axis.shortest, r) for axis, r in zip(there, size, strict=True)),
        is_global=all(whole),
        because=next((because for because in reasons if because), None) if any(whole) else None,
        box=box,
        coverage=prod(max(0, last - first + 1) / side for (first, last), side in zip(box, sides, strict=True)),
        padded=1 - prod(1 - axis.padded for axis in here),
        density=prod(1.0 if axis.density is None else axis.density for axis in here),
        unread=tuple(axis.unread or 0 for axis in here),
        misaligned=_misaligned(large or output, canvas if large and canvas else real),
    )


def _grows(output: Output, large: Output, axes: Sequence[Axis], margin: int) -> bool:
    """Whether the layer has as many units more on the canvas as its stride says."""
    for axis in axes:
        if axis.stride and len(output.shape) > axis.dim >= 0:
            more = large.shape[axis.dim] - output.shape[axis.dim]
            if abs(more * axis.stride - margin) > axis.stride:
                return False
        elif not axis.whole and len(output.shape) > axis.dim >= 0 and output.shape[axis.dim] == large.shape[axis.dim]:
            return False
    return True


def _misaligned(output: Output, run: Walk) -> tuple[float, ...] | None:
    found = [
        op.misaligned
        for op in run.operations[output.began : output.ended]
        if op.misaligned and op.layer == output.layer
    ]
    return tuple(max(values) for values in zip(*found, strict=True)) if found else None
