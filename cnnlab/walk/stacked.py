"""Parts that lie side by side, as channels that are concatenated do, each kept once."""

from collections.abc import Sequence
from functools import cached_property
from typing import final

import numpy as np

from cnnlab.walk.arrays import Array, room_for
from cnnlab.walk.reach import Reach, uniform


@final
class Stacked(Reach):
    """Parts that lie side by side along one dimension, as channels that are concatenated do.

    Each part is the same all along that dimension, and is kept once: a network that concatenates all that went before
    (DenseNet) would write each layer's rows once for every channel and every layer behind it. What asks for the arrays
    gets them written out; joins along the dimension, and what is read of a field, need no more than one of each part.
    """

    def __init__(self, parts: Reach, dim: int, sizes: Sequence[int]) -> None:
        self.parts = parts
        """One element for each part along `dim`."""
        self.dim = dim
        self.sizes = tuple(sizes)
        """How many elements each part has along `dim`."""

    @cached_property
    def hull(self) -> Array:
        """As that of any other."""
        return self._written(self.parts.hull)

    @cached_property
    def short(self) -> Array:
        """As that of any other."""
        return self._written(self.parts.short)

    @cached_property
    def bits(self) -> Array | None:
        """As that of any other."""
        return None if self.parts.bits is None else self._written(self.parts.bits)

    def _written(self, array: Array) -> Array:
        return array.repeat(self.sizes, axis=self.dim + 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """As that of any other."""
        shape = self.parts.shape
        return (*shape[: self.dim], sum(self.sizes), *shape[self.dim + 1 :])

    @property
    def numbers(self) -> int:
        """As those of any other: what is written out costs."""
        return self.parts.numbers // len(self.sizes) * sum(self.sizes)

    @property
    def words(self) -> int:
        """As those of any other."""
        return self.parts.words // len(self.sizes) * sum(self.sizes)

    def once(self, *, but: int | None = None) -> Reach:
        """Return one element for each part, unless they lie along `but`."""
        return self if but == self.dim else self.parts

    def once_along(self, dim: int) -> Reach:
        """Return one element for each part, if they lie along `dim`."""
        return self.parts if dim == self.dim else self

    def _joined(self, axes: tuple[int, ...]) -> Reach:
        return self.parts._joined(axes) if self.dim + 1 in axes else super()._joined(axes)


def side_by_side(parts: Sequence[Reach], sizes: Sequence[int], dim: int) -> Reach:
    """Return parts of `sizes` elements side by side along `dim`; each once if all are the same along it."""
    pieces = [part.parts if isinstance(part, Stacked) and part.dim == dim else part for part in parts]
    counts = [
        part.sizes if piece is not part and isinstance(part, Stacked) else (size,)
        for part, piece, size in zip(parts, pieces, sizes, strict=True)
    ]
    if all(piece.shape[dim] == len(some) and min(some) for piece, some in zip(pieces, counts, strict=True)):
        once = _beside(pieces, [len(some) for some in counts], dim)
        if once.shape[dim] == 1:
            return once
        made = Stacked(once, dim, [count for some in counts for count in some])
        for array in (once.hull, once.bits):
            if array is not None:
                room_for(array, made.shape)
        return made
    return _beside(parts, sizes, dim)


def _beside(parts: Sequence[Reach], sizes: Sequence[int], dim: int) -> Reach:
    bits = [part.bits for part in parts if part.bits is not None]
    return uniform(
        concatenated([part.hull for part in parts], sizes, dim),
        concatenated([part.short for part in parts], sizes, dim),
        concatenated(bits, sizes, dim) if bits else None,
    )


def concatenated(arrays: Sequence[Array], sizes: Sequence[int], dim: int) -> Array:
    """Side by side along `dim`, where the parts have `sizes` elements; one alone where all parts are equal."""
    first = arrays[0]
    if all(a.shape == first.shape and a.shape[dim + 1] == 1 and (a is first or (a == first).all()) for a in arrays):
        return first
    rest = np.broadcast_shapes(*((*a.shape[: dim + 1], 1, *a.shape[dim + 2 :]) for a in arrays))
    room_for(first, (*rest[1 : dim + 1], sum(sizes), *rest[dim + 2 :]))
    shapes = [(*rest[: dim + 1], size, *rest[dim + 2 :]) for size in sizes]
    parts = [a if a.shape == shape else np.broadcast_to(a, shape) for a, shape in zip(arrays, shapes, strict=True)]
    return np.concatenate(parts, axis=dim + 1)
