"""What an operation with a window joins: the channels of each group, and the taps of each window."""

import numpy as np
from numpy.typing import NDArray

from cnnlab.walk.arrays import Array, fill_of, join_ufunc, room_for, width
from cnnlab.walk.reach import Plain, Reach
from cnnlab.walk.tag import Tag


def chosen_channels(reach: Reach, dim: int, groups: int, outputs: int) -> Reach:
    """The channels of each group joined, and each group's result given to its outputs; of `short` the narrowest."""
    if groups == 1:
        reach = reach.once_along(dim)
    channels = reach.shape[dim]
    if channels == 1:
        return reach

    def split(array: Array) -> Array:
        shape = array.shape
        return array.reshape(*shape[: dim + 1], groups, channels // groups, *shape[dim + 2 :])

    def spread(array: Array) -> Array:
        if groups > 1:
            room_for(array, (*array.shape[1:], outputs // groups))
        return array if groups == 1 else array.repeat(outputs // groups, axis=dim + 1)

    def join(array: Array) -> Array:
        return spread(join_ufunc(array).reduce(split(array), axis=dim + 2))

    short = split(reach.short)
    narrowest = np.expand_dims(width(short).argmin(axis=dim + 1), (0, dim + 2))
    best = np.take_along_axis(short, narrowest, axis=dim + 2).squeeze(dim + 2)
    return Plain(join(reach.hull), spread(best), None if reach.bits is None else join(reach.bits))


def windowed(reach: Reach, dim: int, taps: NDArray[np.intp], size: int) -> Reach:
    """Along `dim` (of `size` elements) each output joins its taps: see `cnnlab.walk.taps`."""
    length = reach.hull.shape[dim + 1]
    varies = length > 1
    if length == 1 and (size > 1 or len(taps) > 1):
        if (taps >= 0).any(axis=1).all():
            return reach  # each output reads something, and all there is to read is the same
        length = size

    def slide(array: Array) -> Array:
        axis = dim + 1
        if array.shape[axis] != length:
            array = np.broadcast_to(array, (*array.shape[:axis], length, *array.shape[axis + 1 :]))
        if taps.min(initial=0) < 0:
            # the two last places stand for padding (−2), which counts along its own axis, and for nothing at all (−1)
            rest = [fill_of(array, edge).reshape(-1, *[1] * (array.ndim - 1)) for edge in (varies, False)]
            ends = [np.broadcast_to(r, (*array.shape[:axis], 1, *array.shape[axis + 1 :])) for r in rest]
            array = np.concatenate([array, *ends], axis=axis)
        room_for(array, (*array.shape[1:axis], taps.size, *array.shape[axis + 1 :]))
        if taps.shape[1] == 1:
            return array.take(taps[:, 0], axis=axis)
        return join_ufunc(array).reduce(array.take(taps, axis=axis), axis=axis + 1)  # type: ignore[no-any-return]

    return reach.changed(slide)


def slid(tag: Tag, dim: int, taps: NDArray[np.intp], size: int) -> Tag:
    """`windowed` for every axis of the input."""
    return tag.each(lambda axis: windowed(axis, dim, taps, size))
