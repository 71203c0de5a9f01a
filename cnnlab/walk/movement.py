"""Changes of place, replayed on arrays whose constant dimensions have size 1 (see `cnnlab.walk.reach`).

Each function takes what it needs to know of the tensor and gives a `Move`. Where numpy can, a move returns a view of
its argument, so that writing into the view writes into what it came from.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlab.walk.arrays import Array, Move, fill_of, join_ufunc, room_for

LARGEST = 2**26
"""Elements up to which an operation is replayed element by element."""


def same() -> Move:
    """The move that leaves all in place."""
    return lambda array: array


def permuted(order: Sequence[int]) -> Move:
    """Dimension i of the result is dimension order[i]."""
    axes = (0, *(place + 1 for place in order))
    return lambda array: array.transpose(axes)


def sliced(dim: int, size: int, part: slice) -> Move:
    """A part of dimension `dim`, which has `size` elements."""
    if range(size)[part] == range(size):
        return same()
    index = (slice(None),) * (dim + 1) + (part,)
    return lambda array: array[index] if array.shape[dim + 1] > 1 else array


def selected(dim: int, place: int) -> Move:
    """One element of dimension `dim`, which goes."""

    def move(array: Array) -> Array:
        index = (slice(None),) * (dim + 1) + (place if array.shape[dim + 1] > 1 else 0,)
        return array[index]

    return move


def unsqueezed(dim: int) -> Move:
    """A dimension of size 1 before `dim`."""
    return lambda array: np.expand_dims(array, dim + 1)


def expanded(rank: int) -> Move:
    """Dimensions in front until there are `rank`; those of size 1 stand for any size as they are."""
    return lambda array: array.reshape(len(array), *[1] * (rank - array.ndim + 1), *array.shape[1:])


def flipped(dims: Sequence[int]) -> Move:
    """Each of `dims` backwards."""
    return lambda array: np.flip(array, tuple(dim + 1 for dim in dims))


def rolled(dims: Sequence[int], shifts: Sequence[int]) -> Move:
    """Each of `dims` turned by its shift."""
    return lambda array: np.roll(array, tuple(shifts), [dim + 1 for dim in dims])


def repeated(shape: Sequence[int], times: Sequence[int]) -> Move:
    """The whole laid side by side `times` along each dimension, new ones in front."""
    full = [1] * (len(times) - len(shape)) + list(shape)

    def move(array: Array) -> Array:
        array = array.reshape(len(array), *[1] * (len(times) - array.ndim + 1), *array.shape[1:])
        for dim, (count, size) in enumerate(zip(times, full, strict=True), 1):
            if count > 1 and array.shape[dim] == size > 1:
                room_for(array, (*array.shape[1:], count))
                array = np.concatenate([array] * count, axis=dim)
        return array

    return move


def unfolded(dim: int, size: int, step: int) -> Move:
    """`Tensor.unfold`: windows of `size` along `dim`, which become a last dimension."""

    def move(array: Array) -> Array:
        if array.shape[dim + 1] == 1:
            return array[..., None]
        windows = np.lib.stride_tricks.sliding_window_view(array, size, axis=dim + 1, writeable=True)
        return windows[(slice(None),) * (dim + 1) + (slice(None, None, step),)]

    return move


def reshaped(shape: Sequence[int], target: Sequence[int]) -> Move:
    """`shape` read as `target`: only dimensions that are merged or split, and vary, are written out in full."""
    runs = groups(shape, target)

    def move(array: Array) -> Array:
        middle, final = [len(array)], [len(array)]
        for old, new in runs:
            have = [array.shape[dim + 1] for dim in old]
            if all(count == 1 for count in have):
                middle += have
                final += [1] * len(new)
            elif [shape[dim] for dim in old] == [target[dim] for dim in new]:
                middle += have
                final += have
            else:
                middle += [shape[dim] for dim in old]
                final += [target[dim] for dim in new]
        if tuple(middle) != array.shape:
            room_for(array, middle)
            array = np.broadcast_to(array, middle)
        return array.reshape(final)

    return move


def groups(shape: Sequence[int], target: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Runs of dimensions of both sides that hold the same elements, as short as can be."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(shape) or j < len(target):
        old, new, have, want = [], [], 1, 1
        if i < len(shape):
            have, old, i = shape[i], [i], i + 1
        if j < len(target) and (have != 1 or target[j] == 1 or not old):
            want, new, j = target[j], [j], j + 1
        while have != want:
            if (have < want or have == 0) and i < len(shape):
                have, i = have * shape[i], i + 1
                old.append(i - 1)
            elif j < len(target):
                want, j = want * target[j], j + 1
                new.append(j - 1)
            else:
                break
        found.append((old, new))
    return found


def diagonal(one: int, other: int, sizes: tuple[int, int], offset: int) -> Move:
    """The diagonal of two dimensions of `sizes`, which becomes a last dimension; `offset` columns to the right."""
    rows, columns = sizes
    top, left = max(-offset, 0), max(offset, 0)
    length = max(0, min(rows - top, columns - left))

    def move(array: Array) -> Array:
        array = np.moveaxis(array, (one + 1, other + 1), (-2, -1))
        if array.shape[-2:] == (1, 1):
            return array[..., 0]
        if array.shape[-2:] != sizes:
            room_for(array, (*array.shape[1:-2], *sizes))
            array = np.broadcast_to(array, (*array.shape[:-2], *sizes))
        square = array[..., top : top + length, left : left + length]
        return np.einsum("...ii->...i", square)  # type: ignore[no-any-return]

    return move


def anywhere(rank: int) -> Move:
    """Each of the result's elements may be any element."""

    def move(array: Array) -> Array:
        joined = join_ufunc(array).reduce(array, axis=tuple(range(1, array.ndim)))
        return joined.reshape(len(array), *[1] * rank)  # type: ignore[no-any-return]

    return move


def gathered(shape: Sequence[int], index: NDArray[np.int64]) -> Move:
    """Each place of the result takes the element of that flat number in `shape`, or nothing where it is negative."""
    missing = index.reshape(-1) < 0
    some = bool(missing.any())

    def move(array: Array) -> Array:
        if not some and all(size == 1 for size in array.shape[1:]):
            return array.reshape(len(array), *[1] * index.ndim)
        room_for(array, shape)
        room_for(array, index.shape)
        flat = np.broadcast_to(array, (len(array), *shape)).reshape(len(array), -1)
        taken = flat[:, index.reshape(-1)]
        if some:
            taken[:, missing] = fill_of(array)[:, None]
        return taken.reshape(len(array), *index.shape)

    return move
