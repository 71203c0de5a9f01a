"""From intervals to sizes: what the central unit of a tensor sees, how far its neighbours lie, where padding begins.

Unit u along an axis sees the input indices u·S − P … u·S − P + r − 1: r its size, S the effective stride (the jump), P
the effective padding, all in input pixels; the first unit's centre is (r − 1)/2 − P. Source: Araujo, Norris & Sim 2019,
"Computing receptive fields of convolutional neural networks", https://distill.pub/2019/computing-receptive-fields.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.walk.arrays import NOTHING
from cnnlab.walk.layout import Layout, moving_dims
from cnnlab.walk.reach import Plain, Reach
from cnnlab.walk.tag import Tag

_WINDOW = 32
"""Units on each side of the central one that are looked at."""

_REMEMBERED = 2**16
"""Numbers of a reach up to which it is remembered."""

Ends = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Axis:
    """Along one axis of the input."""

    size: int
    """r of the central unit, the widest of its channels; pixels."""
    sizes: tuple[int, int]
    """The least and the largest among the central units (phases of a transposed convolution differ)."""
    channels: tuple[int, int]
    """The least and the largest among the channels of the central unit: branches that were concatenated differ."""
    stride: float | None
    """S in pixels; None for a single unit, or one that sees the whole axis."""
    padding: float | None
    """P in pixels, likewise."""
    shortest: int
    """r along the shortest path, without what padding cut off."""
    dim: int
    """The dimension of the tensor along which the field moves over this axis; −1 where there is none, or where rows and
    columns share it."""
    unit: int
    """The index of the central unit along that dimension."""
    first: int
    last: int
    """The interval of the central unit, clipped to the input."""
    inside: bool
    """Neither end is clipped."""
    whole: bool
    """Every unit sees all of the axis that the network reads, however long it is."""
    padded: float
    """The share of units along this axis whose field touches padding, 0 … 1."""
    density: float | None
    """The share of the interval that is really read, 0 … 1; None where that was not asked for."""
    unread: int | None
    """Indices of the axis that no unit reads."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """The clipped field of every unit: inclusive input indices, empty ones as (0, −1)."""

    rows: Ends
    """(units, 2) along the first axis of the input."""
    columns: Ends
    """(units, 2) along the second."""


def read(tag: Tag, sizes: Sequence[int]) -> tuple[Axis, ...]:
    """What `tag` says of the central unit, for each axis of an input of `sizes` pixels."""
    dims = moving_dims([reach.once().hull for reach in tag.axes])
    tag = Tag(tuple(axis.once(but=dim) for axis, dim in zip(tag.axes, dims, strict=True)), tag.because)
    shared = [dim for dim in set(dims) if dim is not None and dims.count(dim) > 1]
    if shared:
        return _read_tokens(tag, sizes, shared[0])
    rows = zip(tag.axes, sizes, dims, tag.because, strict=True)
    return tuple(_read_axis(reach, size, dim, because is not None) for reach, size, dim, because in rows)


def remembering() -> Callable[[Tag, tuple[int, ...]], tuple[Axis, ...]]:
    """`read` that remembers: what a layer puts out is often what another put in, or the same in other arrays."""
    known: dict[tuple[object, ...], tuple[Axis, ...]] = {}

    def reading(tag: Tag, sizes: tuple[int, ...]) -> tuple[Axis, ...]:
        if any(not isinstance(reach, Plain) or reach.numbers > _REMEMBERED for reach in tag.axes):
            return read(tag, sizes)
        arrays = [array for reach in tag.axes for array in (reach.hull, reach.short, reach.bits) if array is not None]
        key = (sizes, *(why is None for why in tag.because), *((array.shape, array.tobytes()) for array in arrays))
        if key not in known:
            known[key] = read(tag, sizes)
        return known[key]

    return cache(reading)


def boxes(tag: Tag, rows: int, columns: int) -> Boxes:
    """The field of every unit of a plane whose rows and columns lie along these dimensions."""
    return Boxes(_ends(_flat(tag.axes[0].hull, rows)), _ends(_flat(tag.axes[1].hull, columns)))


def boxes_of(tag: Tag, layout: Layout) -> Boxes:
    """The field of every unit of feature maps that lie so, tokens of a grid among them."""
    if layout.grid is None:
        return boxes(tag, *layout.places)
    one, other = (layout.grid.joined(reach.hull, layout.places, layout.shape) for reach in tag.axes[:2])
    return Boxes(_ends(one.max(2)), _ends(other.max(1)))


@dataclass(frozen=True, eq=False)
class Units:
    """What the units along one axis of a feature map see, all channels together, clipped to the input."""

    first: NDArray[np.int64]
    """(units,): the first input index of each."""
    last: NDArray[np.int64]
    """(units,): the last one."""
    padded: NDArray[np.bool_]
    """(units,): whether some of its field is padding."""


def units_of(tag: Tag, layout: Layout) -> tuple[Units, Units]:
    """The units along the rows and along the columns of feature maps that lie so, tokens of a grid among them."""
    if layout.grid is None:
        flat = [_flat(reach.hull, dim) for reach, dim in zip(tag.axes[:2], layout.places, strict=True)]
    else:
        joined = [layout.grid.joined(reach.hull, layout.places, layout.shape) for reach in tag.axes[:2]]
        flat = [joined[0].max(2), joined[1].max(1)]
    # what every unit along an axis sees alike is held once
    flat = [np.broadcast_to(hull, (len(hull), cells)) for hull, cells in zip(flat, layout.size[1:], strict=True)]
    made = [Units(-hull[0].astype(np.int64), hull[1].astype(np.int64), hull[2] > 0) for hull in flat]
    return made[0], made[1]


def _ends(hull: NDArray[Any]) -> Ends:
    """(units, 2): first and last index of each unit."""
    hull = hull.astype(np.int64)
    ends = np.stack([-hull[0], hull[1]], axis=1)
    ends[hull[1] <= NOTHING] = (0, -1)
    return ends


def _flat(array: NDArray[Any], dim: int | None) -> NDArray[Any]:
    """(components, units): joined over every dimension but `dim`."""
    ufunc = np.bitwise_or if array.dtype == np.uint64 else np.maximum
    axes = tuple(axis for axis in range(1, array.ndim) if dim is None or axis != dim + 1)
    made: NDArray[Any] = ufunc.reduce(array, axis=axes)
    return made.reshape(len(array), -1)


def same_ends(here: Reach, there: Reach, dim: int, sizes: tuple[int, int]) -> bool:
    """Whether the units along `dim` that read no padding see the same at two sizes of the input, `here` the smaller.

    They are counted from the front, and their intervals from the front or from the far end; what lies beyond the
    smaller input is cut off.
    """
    if dim >= len(here.shape):
        return True
    one, two = (_flat(reach.once(but=dim).hull, dim).astype(np.int64) for reach in (here, there))
    count = min(one.shape[1], two.shape[1])
    one, two = one[:, :count], two[:, :count]
    free = (one[2] <= 0) & (one[1] > NOTHING) & (two[1] > NOTHING)
    more = sizes[1] - sizes[0]
    front = (one[0] == two[0]) & (one[1] == np.minimum(two[1], sizes[0] - 1))
    back = (one[1] + more == two[1]) & (one[0] - more == np.minimum(two[0], -more))
    return bool((front | back | ~free).all())


def _read_axis(reach: Reach, size: int, dim: int | None, reason: bool) -> Axis:
    hull = _flat(reach.hull, dim).astype(np.int64)
    first, last = -hull[0], hull[1]
    known = last > NOTHING
    if not known.any():
        return _nothing(len(first), float(hull[2].mean()))
    distance = np.where(known, np.abs(first + last - (size - 1)), 2**40)
    unit = int(distance.argmin())
    inside = _inside(hull, size)
    near = slice(max(0, unit - _WINDOW), unit + _WINDOW + 1)
    widths = (last - first + 1)[near][inside[near]]
    sizes = (int(widths.min()), int(widths.max())) if widths.size else (int(last[unit] - first[unit] + 1),) * 2
    whole = reason and len({(a, b) for a, b in zip(first[known].tolist(), last[known].tolist(), strict=True)}) == 1
    stride = None if whole or dim is None else _slope(first, unit, inside)
    return Axis(
        size=int(last[unit] - first[unit] + 1),
        sizes=sizes,
        channels=_widths(reach.hull, dim, unit),
        stride=stride,
        padding=None if stride is None else unit * stride - float(first[unit]),
        shortest=_widths(reach.short, dim, unit)[0],
        dim=-1 if dim is None else dim,
        unit=unit,
        first=int(first[unit]),
        last=int(last[unit]),
        inside=bool(inside[unit]),
        whole=whole,
        padded=float(hull[2].mean()),
        density=_density(reach, dim, unit, int(last[unit] - first[unit] + 1)),
        unread=_unread(reach, size),
    )


def _inside(hull: Ends, size: int) -> NDArray[np.bool_]:
    """Which units no border clips: a dilated window may lose a tap to the padding and yet end before the border."""
    touches = hull[2] > 0
    clipped = touches if not touches.all() else np.zeros_like(touches)
    return (-hull[0] > 0) & (hull[1] < size - 1) & ~clipped & (hull[1] > NOTHING)  # type: ignore[no-any-return]


def _slope(first: Ends, unit: int, inside: NDArray[np.bool_]) -> float | None:
    """Pixels from one unit to the next: over as many as can be, so that the phases of an upsampling average out."""

    def ok(u: int) -> bool:
        return abs(u - unit) <= _WINDOW and 0 <= u < len(inside) and bool(inside[u])

    reach = 1
    while ok(unit - 2 * reach) and ok(unit + 2 * reach):
        reach *= 2
    if ok(unit - reach) and ok(unit + reach):
        return float(first[unit + reach] - first[unit - reach]) / (2 * reach)
    for other in (unit + 1, unit - 1):
        if ok(other) and ok(unit):
            return float(first[other] - first[unit]) / (other - unit)
    return None


def _widths(ends: NDArray[Any], dim: int | None, unit: int) -> tuple[int, int]:
    """The least and the largest width of a unit's intervals, one for each channel; zeros where there is none."""
    at = ends if dim is None else ends.take([min(unit, ends.shape[dim + 1] - 1)], axis=dim + 1)
    widths = (at[0] + at[1] + 1)[at[1] > NOTHING]
    return (int(widths.min()), int(widths.max())) if widths.size else (0, 0)


def _density(reach: Reach, dim: int | None, unit: int, width: int) -> float | None:
    if reach.bits is None:
        return None
    return _ones(_flat(reach.bits, dim)[:, unit]) / width


def _unread(reach: Reach, size: int) -> int | None:
    if reach.bits is None:
        return None
    return size - int(_ones(_flat(reach.bits, None)[:, 0]))


def _ones(words: NDArray[np.uint64]) -> float:
    return float(np.unpackbits(np.ascontiguousarray(words).view(np.uint8)).sum())


def _nothing(units: int, padded: float) -> Axis:
    return Axis(0, (0, 0), (0, 0), None, None, 0, -1, units // 2, 0, -1, True, False, padded, None, None)


def _read_tokens(tag: Tag, sizes: Sequence[int], dim: int) -> tuple[Axis, ...]:
    """Places in a row, as a transformer has them: rows and columns move along the same dimension."""
    flat = [_flat(reach.hull, dim).astype(np.int64) for reach in tag.axes]
    count = max(hull.shape[1] for hull in flat)
    flat = [np.broadcast_to(hull, (3, count)) for hull in flat]
    distance = np.zeros(count)
    for hull, size in zip(flat, sizes, strict=True):
        distance += np.where(hull[1] > NOTHING, np.abs(hull[1] - hull[0] - (size - 1)), 2**40)
    unit = int(distance.argmin())
    made = []
    for reach, hull, size, because in zip(tag.axes, flat, sizes, tag.because, strict=True):
        first, last = -hull[0], hull[1]
        whole = because is not None and reach.single is not None
        places = np.unique(first[(first > 0) & (last < size - 1) & (last > NOTHING)])
        steps = np.diff(places)
        stride = float(np.median(steps)) if len(steps) and not whole else None
        width = int(last[unit] - first[unit] + 1)
        # by both ends, as the border cuts off the first one; wider ones, as a class token is, stand at no place
        everywhere = np.unique((first + last)[(last > NOTHING) & (last - first < width)])
        number = int(np.searchsorted(everywhere, first[unit] + last[unit])) if width < size else 0
        along = dim if reach.hull.shape[dim + 1] > 1 else None
        made.append(
            Axis(
                size=width,
                sizes=(width, width),
                channels=(width, width),
                stride=stride,
                padding=None if stride is None else number * stride - float(first[unit]),
                shortest=_widths(reach.short, along, unit)[0],
                dim=-1,
                unit=unit,
                first=int(first[unit]),
                last=int(last[unit]),
                inside=bool(first[unit] > 0 and last[unit] < size - 1),
                whole=whole,
                padded=float(hull[2].mean()),
                density=_density(reach, along, unit if along is not None else 0, width),
                unread=_unread(reach, size),
            )
        )
    return tuple(made)
