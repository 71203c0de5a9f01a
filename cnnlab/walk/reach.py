"""What a tensor's elements depend on along one axis of the input: for each, the interval of the input's indices.

A dimension along which nothing changes has size 1, whatever the tensor's size: in a convolutional network the rows that
a unit sees depend on its own row alone, so that a canvas of 4,000 × 4,000 pixels costs arrays of 4,000 numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import final

import numpy as np

from cnnlab.walk.arrays import NOTHING, Array, Move, element, join_ufunc


class Reach(ABC):
    """What the elements of a tensor depend on along one axis of the input, in one of the ways to keep it."""

    @property
    @abstractmethod
    def hull(self) -> Array:
        """(3, …) −first, last index, and 1 where padding was read on the way; joined by the maximum."""

    @property
    @abstractmethod
    def short(self) -> Array:
        """(2, …) −first, last index along the shortest of the paths that lead here (Richter et al. 2021)."""

    @property
    @abstractmethod
    def bits(self) -> Array | None:
        """(words, …) one bit for each index that is really read, for gaps inside the hull; None where not asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension of the tensor, or 1 where nothing changes along it."""
        return self.hull.shape[1:]

    @property
    def numbers(self) -> int:
        """How many numbers `hull` and `short` hold, written out."""
        return self.hull.size + self.short.size

    @property
    def words(self) -> int:
        """How many words `bits` holds, written out."""
        return 0 if self.bits is None else self.bits.size

    def once(self, *, but: int | None = None) -> "Reach":
        """Return the same with each run of equal elements once, unless those lie along the dimension `but`."""
        return self

    def once_along(self, dim: int) -> "Reach":
        """Return the same with each run of equal elements along `dim` once."""
        return self

    @cached_property
    def single(self) -> tuple[int, int] | None:
        """The interval that all elements share, those aside that depend on nothing; None where they differ."""
        hull = self.once().hull
        if differ([element(hull, place) for place in some_places(hull.shape[1:])]):
            return None
        some = hull[1] > NOTHING
        if not some.any():
            return None
        first, last = -hull[0], hull[1]
        one = int(first[some].min()), int(last[some].max())
        return one if (first[some] == one[0]).all() and (last[some] == one[1]).all() else None

    @cached_property
    def centres(self) -> tuple[int, ...]:
        """Twice the centre of the central unit's interval, the least and the largest among the images and channels."""
        hull = self.hull
        index = tuple(slice(None) if dim < 2 else size // 2 for dim, size in enumerate(hull.shape[1:]))
        first, last = -hull[0][index], hull[1][index]
        centre = (first + last)[last > NOTHING]
        return (int(np.min(centre)), int(np.max(centre))) if centre.size else ()

    def moved(self, move: Move) -> "Reach":
        """Return the reach at other places."""
        return self.changed(move)

    def changed(self, change: Callable[[Array], Array]) -> "Reach":
        """Return what `change`, which may join elements, makes of the arrays."""
        return Plain(change(self.hull), change(self.short), None if self.bits is None else change(self.bits))

    def joined_along(self, dims: Sequence[int]) -> "Reach":
        """Return every element along `dims` (of the tensor, from 0) joined; those dimensions stay, with size 1."""
        shape = self.shape
        axes = tuple(dim + 1 for dim in dims if shape[dim] > 1)
        return self._joined(axes) if axes else self

    def _joined(self, axes: tuple[int, ...]) -> "Reach":
        """Every element along `axes` of the arrays joined, along which there are several."""
        return self.changed(lambda array: join_ufunc(array).reduce(array, axis=axes, keepdims=True))

    def compacted(self) -> "Reach":
        """Return the same without the repetition along dimensions along which nothing changes."""
        hull, short, bits = self.hull, self.short, self.bits
        for axis, size in enumerate(hull.shape[1:], 1):
            if size < 2:
                continue
            border, middle = (0,) * (hull.ndim - 1), [0] * (hull.ndim - 1)
            middle[axis - 1] = size // 2
            if hull.item(1, *border) != hull.item(1, *middle):
                continue
            if (hull.take(size // 2, axis) != hull.take(0, axis)).any():
                continue
            one = (*(slice(None),) * axis, slice(0, 1))
            parts = [part for part in (hull, short, bits) if part is not None]
            if not any((part != part[one]).any() for part in parts):
                hull, short, bits = hull[one], short[one], None if bits is None else bits[one]
        return self if hull is self.hull else Plain(hull, short, bits)


@final
class Plain(Reach):
    """Every element written out."""

    def __init__(self, hull: Array, short: Array, bits: Array | None) -> None:
        self._hull = hull
        self._short = short
        self._bits = bits

    @property
    def hull(self) -> Array:
        """As it was given."""
        return self._hull

    @property
    def short(self) -> Array:
        """As it was given."""
        return self._short

    @property
    def bits(self) -> Array | None:
        """As they were given."""
        return self._bits


def uniform(hull: Array, short: Array, bits: Array | None) -> Reach:
    """Return a reach of parts that may be constant along different dimensions."""
    parts = [part for part in (hull, short, bits) if part is not None]
    full = np.broadcast_shapes(*(part.shape[1:] for part in parts))
    hull, short, *words = (
        part if part.shape[1:] == full else np.broadcast_to(part, (len(part), *full)) for part in parts
    )
    return Plain(hull, short, words[0] if words else None)


def union(reaches: Iterable[Reach]) -> tuple[int, int]:
    """Return the least interval around all elements."""
    hulls = [reach.once().hull for reach in reaches]
    return -max(int(hull[0].max()) for hull in hulls), max(int(hull[1].max()) for hull in hulls)


def some_places(shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return the first element and two in the middle: where not all depend on the same most often these do not."""
    return (0,) * len(shape), tuple((size - 1) // 2 for size in shape), tuple(size // 2 for size in shape)


def differ(elements: Sequence[Array]) -> bool:
    """Whether elements of `hull` that depend on something do not depend on one interval; the first with each other."""
    first, *others = elements
    return first[1] > NOTHING and any(one[1] > NOTHING and (one[:2] != first[:2]).any() for one in others)
