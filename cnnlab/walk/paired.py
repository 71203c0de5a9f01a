"""Each element of one reach beside each of another, as attention has the scores of all pairs of tokens."""

from functools import cached_property
from functools import reduce as fold
from math import prod
from typing import final

import numpy as np

from cnnlab.walk.arrays import NOTHING, Array, Move, element, join_ufunc, narrower, width
from cnnlab.walk.reach import Plain, Reach, differ, some_places, uniform


@final
class Paired(Reach):
    """Each element of one beside each of another, joined, as a product of matrices has rows beside columns.

    Of attention the scores of all pairs of tokens are many more than the tokens, and all that becomes of them is moved
    and then joined over the one or the other: that needs no pair. What asks for the arrays gets them written out.
    """

    def __init__(self, one: Reach, other: Reach) -> None:
        self.one = one
        """Of as many dimensions as `other`."""
        self.other = other

    @cached_property
    def hull(self) -> Array:
        """As that of any other."""
        return self._full(np.maximum(self.one.hull, self.other.hull))

    @cached_property
    def short(self) -> Array:
        """As that of any other."""
        return self._full(narrower(self.one.short, self.other.short))

    @cached_property
    def bits(self) -> Array | None:
        """As that of any other."""
        words = [part.bits for part in (self.one, self.other) if part.bits is not None]
        return self._full(fold(np.bitwise_or, words)) if words else None

    def _full(self, array: Array) -> Array:
        return np.broadcast_to(array, (len(array), *self.shape))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """As that of any other."""
        return np.broadcast_shapes(self.one.shape, self.other.shape)

    @property
    def numbers(self) -> int:
        """As those of any other: what is written out costs."""
        return self.one.numbers // prod(self.one.shape) * prod(self.shape)

    @property
    def words(self) -> int:
        """As those of any other."""
        return max(part.words // prod(part.shape) for part in (self.one, self.other)) * prod(self.shape)

    @cached_property
    def single(self) -> tuple[int, int] | None:
        """As that of any other; where some differ nothing is written out."""
        hulls = self.one.hull, self.other.hull
        if differ([np.maximum(*(element(hull, place) for hull in hulls)) for place in some_places(self.shape)]):
            return None
        return Plain(self.hull, self.short, self.bits).single

    def moved(self, move: Move) -> Reach:
        """Return the reach at other places: each of the two goes there."""
        return paired(self.one.moved(move), self.other.moved(move))

    def _joined(self, axes: tuple[int, ...]) -> Reach:
        """`short` without any pair if only the other varies there."""

        def join(array: Array) -> Array:
            return join_ufunc(array).reduce(array, axis=axes, keepdims=True)  # type: ignore[no-any-return]

        short = None
        if all(self.one.hull.shape[axis] == 1 for axis in axes):
            short = _narrower_joined(self.one.short, self.other.short, axes)
        words = [join(part.bits) for part in (self.one, self.other) if part.bits is not None]
        return uniform(
            np.maximum(join(self.one.hull), join(self.other.hull)),
            join(self.short) if short is None else short,
            fold(np.bitwise_or, words) if words else None,
        )

    def compacted(self) -> Reach:
        """Return each of the two without repetition."""
        return paired(self.one.compacted(), self.other.compacted())


_MANY = 4
"""How many times as many elements as its two parts a reach has of which the pairs are not written out."""


def paired(one: Reach, other: Reach) -> Reach:
    """Each element joined with that of the other at its place (shapes of one rank broadcast)."""
    made = Paired(one, other)
    many = prod(made.shape) >= _MANY * (prod(one.shape) + prod(other.shape))
    return made if many else uniform(made.hull, made.short, made.bits)


_WIDTHS = 16
"""How many widths intervals may have among which the narrower one is told for each width and not for each pair."""


def _narrower_joined(one: Array, other: Array, axes: tuple[int, ...]) -> Array | None:
    """`narrower` of all pairs, joined along `axes`, along which `one` is constant; None if that takes the pairs."""
    here, there = width(one)[None], width(other)[None]
    if here.max() <= there.min():
        return one
    widths = np.unique(here)
    if len(widths) > _WIDTHS:
        return None
    parts = []
    for wide in widths:
        less, nothing = there < wide, np.int32(NOTHING)
        theirs = np.where(less, other, nothing).max(axis=axes, keepdims=True)
        ours = np.where(less.all(axis=axes, keepdims=True), nothing, one)
        parts.append(np.where(here == wide, np.maximum(theirs, ours), nothing))
    return fold(np.maximum, parts)
